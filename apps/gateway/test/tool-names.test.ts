import { expect, test } from 'vitest';
import { nameTools } from '../src/tool-names.ts';

test('a tool is named after its server and itself', () => {
  expect([...nameTools([{ server: 'files', tool: 'read_file' }])]).toEqual([
    ['files__read_file', { server: 'files', tool: 'read_file' }],
  ]);
});

test('every name is one that clients accept, and stands for one tool', () => {
  const refs = [
    { server: 'my files', tool: 'read.file' },
    { server: 'my_files', tool: 'read_file' },
    { server: 'my', tool: 'files__read_file' },
    { server: 'x', tool: 'é'.repeat(100) },
    { server: 'x', tool: 'a'.repeat(100) },
    { server: 'x', tool: `${'a'.repeat(100)}b` },
  ];
  const named = nameTools(refs);
  expect(named.size).toBe(refs.length);
  expect(new Set(named.values())).toEqual(new Set(refs));
  for (const name of named.keys()) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
});

test('a name in a collision does not depend on the order of the servers', () => {
  const refs = [
    { server: 'a b', tool: 't' },
    { server: 'a_b', tool: 't' },
  ];
  expect(nameTools(refs)).toEqual(new Map([...nameTools(refs.toReversed())].toReversed()));
});
