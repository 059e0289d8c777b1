/** The style sheet of a flame graph page. */
export const VIEWER_STYLE: string = /* css */ `
:root { color-scheme: light dark; --bg: #fff; --fg: #1c1e21; --dim: #6a7078; --line: #d9dde2; --panel: #f5f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #16181b; --fg: #e6e8eb; --dim: #9aa1aa; --line: #33373d; --panel: #1f2226; }
}
* { box-sizing: border-box; }
body { margin: 0; height: 100vh; display: flex; flex-direction: column; background: var(--bg); color: var(--fg);
  font: 13px/1.4 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; padding: 8px 12px; border-bottom: 1px solid var(--line); }
h1 { font-size: 15px; margin: 0; }
header p { margin: 0; color: var(--dim); }
header .end { margin-left: auto; display: flex; gap: 8px; align-items: center; }
input, button { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 5px; padding: 3px 8px; }
input { width: 15em; }
button:disabled { opacity: .5; }
:focus-visible { outline: 2px solid #3b82f6; outline-offset: 1px; }
#scroller { flex: 1; min-height: 0; overflow-y: auto; overflow-x: hidden; }
#sheet { position: relative; }
canvas { position: sticky; top: 0; display: block; width: 100%; cursor: pointer; }
#tip { position: fixed; pointer-events: none; max-width: min(640px, 90vw); padding: 6px 9px; border-radius: 5px; border: 1px solid var(--line);
  background: var(--panel); box-shadow: 0 3px 12px #0004; overflow-wrap: anywhere; white-space: pre-line; }
#tip b { font-family: ui-monospace, monospace; }
details { border-top: 1px solid var(--line); max-height: 40vh; overflow: auto; flex: none; }
summary { padding: 6px 12px; cursor: pointer; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 12px; text-align: right; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
th:first-child, td:first-child { text-align: left; }
td small { color: var(--dim); }
`;
