import { createHash } from 'node:crypto';
import { escapeHtml, jsonForScript } from './escape-html.ts';
import type { FlameLayout } from './flame-layout.ts';
import { VIEWER_SCRIPT } from './viewer-script.ts';
import { VIEWER_STYLE } from './viewer-style.ts';

/** What a page shows. */
export interface FlamePage {
  readonly title: string;
  /** One line under the title. */
  readonly caption: string;
  readonly layout: FlameLayout;
  /** Colours frames by what changed instead of by kind of code. */
  readonly diff: boolean;
  /** Ready HTML to put below the graph. */
  readonly below?: string;
}

/**
 * One HTML file with everything in it. Its policy forbids every request, and every script but ours, whatever a profile smuggles into a name.
 */
export function flamePage({ title, caption, layout, diff, below = '' }: FlamePage): string {
  const policy = `default-src 'none'; script-src '${hash(VIEWER_SCRIPT)}'; style-src '${hash(VIEWER_STYLE)}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${VIEWER_STYLE}</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(caption)}</p>
<div class="end">
<span id="found" role="status"></span>
<input id="search" type="search" placeholder="Search (/)" aria-label="Search functions">
<button id="reset" type="button" disabled>Reset zoom</button>
</div>
</header>
<div id="scroller"><div id="sheet"><canvas id="canvas" role="img" aria-label="Flame graph"></canvas></div></div>
${below}
<div id="tip" role="tooltip" hidden></div>
<noscript>The flame graph is drawn by a script.</noscript>
<script type="application/json" id="data">${jsonForScript({ ...layout, diff })}</script>
<script>${VIEWER_SCRIPT}</script>
</body>
</html>
`;
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
