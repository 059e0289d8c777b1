import { deserialize, serialize } from 'node:v8';
import { type Codec, jsonCodec, msgpackCodec, v8Codec } from '@perf/codec';
import type { Comparison, Contender } from '../comparison.ts';

/** A record of about a kilobyte, as a service caches them. */
const RECORD = {
  id: 4_711,
  name: 'Ada Lovelace',
  active: true,
  score: 0.875,
  tags: ['alpha', 'beta', 'gamma'],
  address: { street: '12 St James’s Square', city: 'London', postcode: 'SW1Y 4JH' },
  orders: Array.from({ length: 12 }, (_, index) => ({
    id: index,
    sku: `sku-${index}`,
    amount: index * 12.5,
    open: index % 3 === 0,
  })),
};

function roundTrip(name: string, step: (value: unknown) => unknown, ours = false): Contender {
  return {
    name,
    ours,
    run: (iterations) => {
      let sum = 0;
      for (let i = 0; i < iterations; i++) sum += (step(RECORD) as typeof RECORD).orders.length;
      return sum;
    },
  };
}

const framed = (name: string, codec: Codec<unknown>): Contender =>
  roundTrip(name, (value) => codec.decode(codec.encode(value)), true);

/** Each codec beside what it runs on: the price of a frame with a checksum. */
function pair(title: string, ours: Contender, bare: Contender): Comparison {
  return { package: 'codec', title, unit: 'encode and decode of 1 kB', contenders: () => [ours, bare] };
}

export const codec: readonly Comparison[] = [
  pair(
    'JSON',
    framed('@perf/codec jsonCodec', jsonCodec),
    roundTrip('JSON, to bytes and back', (value) => JSON.parse(Buffer.from(JSON.stringify(value)).toString())),
  ),
  pair(
    'V8 structured clone',
    framed('@perf/codec v8Codec', v8Codec),
    roundTrip('node:v8 serialize, deserialize', (value) => deserialize(serialize(value))),
  ),
  {
    package: 'codec',
    title: 'MessagePack',
    unit: 'encode and decode of 1 kB',
    contenders: async () => {
      const { Packr } = await import('msgpackr');
      const packr = new Packr({ useRecords: false });
      return [
        framed('@perf/codec msgpackCodec', msgpackCodec),
        roundTrip('msgpackr, without records', (value) => packr.unpack(packr.pack(value))),
      ];
    },
  },
];
