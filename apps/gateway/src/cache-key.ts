/**
 * A text that is equal for equal JSON values, whatever the order of their keys, and different for different ones. Arguments reach the gateway
 * as JSON, so there is nothing else to tell apart.
 */
export function cacheKey(tool: string, args: unknown): string {
  return `${tool}\n${JSON.stringify(args, sortKeys)}`;
}

function sortKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  // Without a prototype, or a key named __proto__ would vanish.
  const sorted = Object.create(null) as Record<string, unknown>;
  for (const [key, each] of entries) sorted[key] = each;
  return sorted;
}
