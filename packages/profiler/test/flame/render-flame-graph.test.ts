import { createHash } from 'node:crypto';
import { Script } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { renderDiff, renderFlameGraph } from '../../src/index.ts';
import { type Stack, profileOf } from '../profile-fixture.ts';
import { readPage, rectsOf } from './page.ts';

const profile = profileOf(
  {
    name: 'main',
    self: 10,
    calls: [
      { name: 'small', line: 1, self: 5 },
      { name: 'large', line: 2, self: 20 },
    ],
  },
  { name: '(idle)', self: 1000 },
);

describe('a flame graph', () => {
  test('has a frame for each stack, as wide as its time, the widest first, without idle time', () => {
    const { data } = readPage(renderFlameGraph(profile));
    expect(rectsOf(data).map(({ name, depth, left, width, self }) => [name, depth, left, width, self])).toEqual([
      ['all', 0, 0, 35_000, 0],
      ['main', 1, 0, 35_000, 10_000],
      ['large', 2, 0, 20_000, 20_000],
      ['small', 2, 20_000, 5_000, 5_000],
    ]);
    expect(data).toMatchObject({ total: 35_000, depth: 3, diff: false });
  });

  test('makes one frame of siblings that are the same function', () => {
    const twice = profileOf(
      { name: 'f', self: 1, calls: [{ name: 'g', self: 2 }] },
      { name: 'f', self: 3, calls: [{ name: 'g', self: 4 }] },
    );
    expect(rectsOf(readPage(renderFlameGraph(twice)).data).map(({ name, width }) => [name, width])).toEqual([
      ['all', 10_000],
      ['f', 10_000],
      ['g', 6_000],
    ]);
  });

  test('never draws a frame outside of its parent or over its sibling', () => {
    const stack: fc.Memo<Stack> = fc.memo((depth) =>
      fc.record({
        name: fc.constantFrom('a', 'b', 'c'),
        self: fc.integer({ min: 0, max: 20 }),
        calls: depth > 1 ? fc.array(stack(depth - 1), { maxLength: 3 }) : fc.constant([]),
      }),
    );
    fc.assert(
      fc.property(fc.array(stack(4), { maxLength: 4 }), (stacks) => {
        const path: { left: number; right: number; next: number }[] = [];
        for (const { depth, left, width } of rectsOf(readPage(renderFlameGraph(profileOf(...stacks))).data)) {
          path.length = depth;
          const parent = path.at(-1);
          if (parent !== undefined) {
            expect(left).toBeGreaterThanOrEqual(parent.next);
            expect(left + width).toBeLessThanOrEqual(parent.right);
            parent.next = left + width;
          }
          path.push({ left, right: left + width, next: left });
        }
      }),
    );
  });

  test('draws a stack of 3000 calls and 100 000 frames', () => {
    const wide = profileOf(...Array.from({ length: 97_000 }, (_, i) => ({ name: `w${i}`, self: 1 })));
    const { callFrame } = wide.nodes[0]!;
    const deep = Array.from({ length: 3000 }, (_, i) => ({
      id: 5000 + i,
      callFrame: { ...callFrame, functionName: `f${i}` },
      children: i === 2999 ? [] : [5001 + i],
    }));
    const nodes = wide.nodes.map((node) =>
      node.callFrame.functionName === '(root)' ? { ...node, children: [...node.children!, 5000] } : node,
    );
    const { data } = readPage(
      renderFlameGraph({
        ...wide,
        nodes: [...nodes, ...deep],
        samples: [...wide.samples, 7999],
        timeDeltas: [...wide.timeDeltas, 500],
      }),
    );
    expect(data.depth).toBe(3001);
    expect(data.rects.length / 6).toBe(100_001);
  });

  test('of a profile without samples is an empty page', () => {
    const { data } = readPage(renderFlameGraph({ ...profile, samples: [], timeDeltas: [] }));
    expect(data).toMatchObject({ total: 0, rects: [] });
  });

  test('says what it shows', () => {
    const html = renderFlameGraph(profile, { title: 'checkout <b>' });
    expect(html).toContain('<title>checkout &lt;b&gt;</title>');
    expect(html).toContain('35.0 ms of work in 1.04 s, 4 samples');
  });

  test.each([{ title: '' }, { titel: 'x' }])('with %o is refused', (options) => {
    expect(() => renderFlameGraph(profile, options as never)).toThrow(/tit/);
  });
});

describe('whatever a function is called', () => {
  const evil = [
    '</script><img src=x onerror=alert(1)>',
    '<!--<script>',
    '"><svg onload=x>',
    "a'b&c",
    '\u2028',
    '__proto__',
  ];
  const page = profileOf(...evil.map((name, line) => ({ name, line, self: 1, url: `file:///${name}` })));
  const other = profileOf(...evil.map((name, line) => ({ name, line, self: 1 + line, url: `file:///${name}` })));

  test.each([
    ['renderFlameGraph', renderFlameGraph(page, { title: evil[0]! })],
    ['renderDiff', renderDiff(page, other, { title: evil[0]! })],
  ])('%s makes a page where it is only text', (_, html) => {
    const { data, rest, scripts } = readPage(html);
    expect(scripts).toBe(2);
    expect(html).not.toMatch(/<img|<svg|<!--/i);
    expect(rest).not.toContain('\u2028<');
    expect(data.frames.map(([name]) => name)).toEqual(expect.arrayContaining(evil));
  });
});

describe('a page', () => {
  const html = renderFlameGraph(profile);

  test('loads nothing from anywhere', () => {
    expect(html).not.toMatch(/\b(src|href)\s*=|url\(|@import|https?:\/\//i);
  });

  test('allows its own script and style, and nothing else', () => {
    const policy = /Content-Security-Policy" content="([^"]+)"/.exec(html)![1]!;
    expect(policy).toContain("default-src 'none'");
    const scripts = [...html.matchAll(/<script>(.*?)<\/script>/gs)].map((match) => match[1]!);
    const styles = [...html.matchAll(/<style>(.*?)<\/style>/gs)].map((match) => match[1]!);
    expect([scripts.length, styles.length]).toEqual([1, 1]);
    for (const text of [...scripts, ...styles]) {
      expect(policy).toContain(`'sha256-${createHash('sha256').update(text).digest('base64')}'`);
    }
    expect(html).not.toMatch(/\s(style|on\w+)="/);
  });

  test('has a script that parses', () => {
    const [, script] = /<script>(.*?)<\/script>/s.exec(html)!;
    expect(() => new Script(script!)).not.toThrow();
  });
});
