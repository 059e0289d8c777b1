import { expect, test } from 'vitest';
import { isCacheable, toolKind } from '../../src/upstream/tool-kind.ts';

const tool = (name: string, annotations?: object) => ({ name, inputSchema: { type: 'object' as const }, annotations });

test.each([
  ['write_file', 'write'],
  ['delete_file', 'delete'],
  ['deleteFile', 'delete'],
  ['files.remove', 'delete'],
  ['create-issue', 'create'],
  ['createIssue', 'create'],
  ['recreate', 'write'],
  ['undelete_file', 'write'],
  ['get_thing', 'write'],
] as const)('a tool named %s that may change something is a %s', (name, kind) => {
  expect(toolKind(tool(name))).toBe(kind);
  expect(toolKind(tool(name, { readOnlyHint: false }))).toBe(kind);
});

test('what the server declares read-only is a read, whatever its name', () => {
  expect(toolKind(tool('delete_nothing', { readOnlyHint: true }))).toBe('read');
});

test('a result may be served again only if its tool is declared both read-only and closed-world', () => {
  expect(isCacheable(tool('get', { readOnlyHint: true, openWorldHint: false }))).toBe(true);
  expect(isCacheable(tool('get', { readOnlyHint: true }))).toBe(false);
  expect(isCacheable(tool('get', { openWorldHint: false }))).toBe(false);
  expect(isCacheable(tool('get'))).toBe(false);
});
