import { expectTypeOf, test } from 'vitest';
import { type Codec, compressed, defineCodec, jsonCodec } from '../src/index.ts';

interface User {
  readonly name: string;
}

test('types', () => {
  expectTypeOf(jsonCodec).toEqualTypeOf<Codec<unknown>>();
  expectTypeOf(jsonCodec.decode(jsonCodec.encode(1))).toBeUnknown();
  const users = defineCodec<User>({
    id: 64,
    serialize: (user) => Buffer.from(user.name),
    deserialize: (payload) => ({ name: payload.toString() }),
  });
  expectTypeOf(compressed(users, { algorithm: 'gzip' })).toEqualTypeOf<Codec<User>>();
  // @ts-expect-error the algorithm is a choice to make
  compressed(users, {});
  // @ts-expect-error an unknown option
  compressed(users, { algorithm: 'gzip', level: 3 });
});
