/** What a browser would see of a page: the data it carries, and everything outside of it. */
export function readPage(html: string): { readonly data: PageData; readonly rest: string; readonly scripts: number } {
  const match = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html);
  if (match === null) throw new Error('the page carries no data');
  return {
    data: JSON.parse(match[1]!) as PageData,
    rest: html.replace(match[0], ''),
    scripts: html.match(/<script/gi)?.length ?? 0,
  };
}

export interface PageData {
  readonly total: number;
  readonly depth: number;
  readonly diff: boolean;
  readonly frames: readonly (readonly [string, string, string])[];
  readonly rects: readonly number[];
}

export interface Rect {
  readonly name: string;
  readonly depth: number;
  readonly left: number;
  readonly width: number;
  readonly self: number;
  readonly before: number;
}

export function rectsOf({ frames, rects }: PageData): Rect[] {
  return Array.from({ length: rects.length / 6 }, (_, i) => {
    const [frame, depth, left, width, self, before] = rects.slice(i * 6, i * 6 + 6) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    return { name: frames[frame]![0], depth, left, width, self, before };
  });
}
