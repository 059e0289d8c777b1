import type { CacheKey } from './cache-key.ts';
import { toStoreKey } from './cache-key.ts';
import type { LoadMember } from './load-group.ts';
import type { LoadLeases } from './load-leases.ts';
import type { HeldLease } from './store.ts';

/** Keys to load, by who does it. */
export interface Turns<K, V> {
  /** This process: it has the lease, or nobody can tell. */
  readonly mine: readonly LoadMember<K, V>[];
  /** Another process, or the key has changed since it was read: the store is to be asked again. */
  readonly elsewhere: readonly LoadMember<K, V>[];
}

/** Asks for the leases of keys that the store has no value for. */
export async function takeTurns<K extends CacheKey, V>(
  members: readonly LoadMember<K, V>[],
  leases: LoadLeases,
): Promise<Turns<K, V>> {
  const wanted = members.filter(({ version, leasedFor }) => version !== undefined && leasedFor === 0);
  const requests = wanted.map(({ key, version }) => ({ key: toStoreKey(key), version: version as string }));
  const answers = wanted.length === 0 ? [] : await leases.acquire(requests);
  // A load of this process that newcomers may not join is outdated: nobody is to wait for it.
  const isElsewhere = ({ key }: LoadMember<K, V>, leasedFor: number): boolean =>
    leasedFor > 0 && !leases.has(toStoreKey(key));
  const refused = new Set<LoadMember<K, V>>(members.filter((member) => isElsewhere(member, member.leasedFor)));
  for (const [index, member] of wanted.entries()) {
    const answer = answers?.[index];
    if (answer === undefined) continue;
    if (answer.token === undefined) {
      if (answer.leasedFor === 0 || isElsewhere(member, answer.leasedFor)) refused.add(member);
    } else {
      member.lease = answer.token;
      member.version = answer.version;
    }
  }
  return {
    mine: members.filter((member) => !refused.has(member)),
    elsewhere: members.filter((member) => refused.has(member)),
  };
}

/** The leases under which members are loaded. */
export function leasesOf<K extends CacheKey, V>(members: readonly LoadMember<K, V>[]): HeldLease[] {
  return members.flatMap(({ key, lease }) => (lease === undefined ? [] : [{ key: toStoreKey(key), token: lease }]));
}
