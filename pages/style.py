"""The style sheet of all pages: light and dark by the reader's setting, from phone to wide screen."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #faf9f6; --card: #ffffff; --ink: #1d2129; --soft: #626a76; --line: #e2e0d9;
  --accent: #0b7285; --accent-soft: #d3eef2; --raw: #b9c6cf; --good: #1f7a3f; --good-soft: #dcf3e2;
  --bad: #b3261e; --bad-soft: #fbe4e1; --wait: #835500; --wait-soft: #fbefd2; --none: #4f5762;
  --shade: rgb(0 0 0 / 28%);
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --card: #1d2228; --ink: #e8eaed; --soft: #9aa4b1; --line: #313840;
    --accent: #4cc3d6; --accent-soft: #12424b; --raw: #4b5863; --good: #71d28f; --good-soft: #173a23;
    --bad: #ff9a90; --bad-soft: #4a1d19; --wait: #ecc063; --wait-soft: #43330f; --none: #b3bcc7;
    --shade: rgb(150 180 210 / 34%);
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  overflow-wrap: anywhere;
}
main, header { max-width: 1320px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 36px; }
h1 { font-size: clamp(1.6rem, 4vw, 2.3rem); line-height: 1.15; margin: 0; letter-spacing: -0.02em; }
h2 { font-size: 1.3rem; margin: 44px 0 4px; letter-spacing: -0.01em; }
p { margin: 4px 0 12px; }
.soft { color: var(--soft); }
.lead { font-size: 1.05rem; color: var(--soft); margin: 10px 0 0; max-width: 70ch; }
.head { display: flex; flex-wrap: wrap; gap: 10px 14px; align-items: center; }
.badge { border-radius: 99px; padding: 3px 12px; font-size: 0.9rem; font-weight: 600;
  white-space: nowrap; }
.good { background: var(--good-soft); color: var(--good); }
.bad { background: var(--bad-soft); color: var(--bad); }
.wait { background: var(--wait-soft); color: var(--wait); }
.none { background: var(--line); color: var(--none); }
.notice { background: var(--wait-soft); color: var(--wait); border-radius: 10px;
  padding: 10px 14px; margin: 16px 0; }
.empty { border: 1px dashed var(--line); border-radius: 12px; padding: 18px; color: var(--soft); }

.tiles { display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 270px), 1fr));
  margin-top: 24px; }
.tile, .card, .box { background: var(--card); border: 1px solid var(--line); border-radius: 14px; }
.tile { padding: 16px 18px; }
.tile h3 { font-size: 0.95rem; font-weight: 600; margin: 0; color: var(--soft); }
.tile .numbers { font-size: 1.7rem; font-weight: 650; letter-spacing: -0.02em; margin: 2px 0 6px;
  font-variant-numeric: tabular-nums; }
.tile .numbers span { white-space: nowrap; }
.tile .numbers .before { color: var(--soft); font-weight: 400; }
.tile .numbers .spread { color: var(--soft); font-weight: 400; font-size: 1rem; letter-spacing: 0; }
.tile .small { font-size: 0.85rem; color: var(--soft); margin: 6px 0 0; }

.cards { display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 390px), 1fr));
  margin-top: 14px; }
.card { padding: 14px; display: flex; flex-direction: column; gap: 10px;
  justify-content: space-between; }
.card h3 { font-size: 0.98rem; font-weight: 600; line-height: 1.35; margin: 0; }
.grid-3 { display: grid; grid-template-columns: repeat(3, 1fr); gap: 6px 8px; }
.grid-2 { display: grid; grid-template-columns: repeat(2, 1fr); gap: 6px 8px; }
.column { font-size: 0.8rem; color: var(--soft); text-align: center; }
.column.result { color: var(--accent); font-weight: 650; }
.picture { margin: 0; min-width: 0; }
.picture img, .missing { display: block; width: 100%; height: auto; border-radius: 8px;
  background: var(--line); }
.picture img.small { image-rendering: pixelated; }
.picture.result img { outline: 2px solid var(--accent); outline-offset: 1px; }
.picture figcaption { font-size: 0.78rem; color: var(--soft); text-align: center; margin-top: 3px; }
.missing { aspect-ratio: 1; display: grid; place-items: center; color: var(--soft); font-size: 0.8rem;
  background: transparent; border: 1px dashed var(--line); }
.strip { margin-top: 16px; }
.strip h3 { font-size: 0.95rem; font-weight: 600; margin: 0 0 6px; }
.frames { display: flex; gap: 10px; overflow-x: auto; padding: 3px 3px 8px; align-items: flex-start; }
.frames .picture { flex: 0 0 132px; }

.charts { display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr));
  margin-top: 14px; }
.box { padding: 14px 16px; min-width: 0; }
.box h3 { font-size: 0.98rem; margin: 0 0 6px; }
.chart { width: 100%; height: auto; display: block; }
.chart .grid { stroke: var(--line); stroke-width: 1; }
.chart .axis { stroke: var(--soft); stroke-width: 1; }
.chart text { fill: var(--soft); font-size: 13px; font-family: inherit; }
.line { fill: none; stroke: var(--accent); stroke-width: 2.4; stroke-linejoin: round;
  stroke-linecap: round; }
.line.raw { stroke: var(--raw); stroke-width: 1.1; }
.dot { fill: var(--accent); }
.legend { font-size: 0.85rem; color: var(--soft); margin: 2px 0 0; display: flex; gap: 16px;
  flex-wrap: wrap; }
.key { display: inline-block; width: 20px; height: 3px; border-radius: 2px; background: var(--accent);
  vertical-align: middle; margin-right: 6px; }
.key.raw { background: var(--raw); }

.scroll { overflow-x: auto; background:  /* a shade at an edge behind which there is more */
  linear-gradient(to right, var(--card) 40%, transparent) left / 44px 100% no-repeat local,
  linear-gradient(to left, var(--card) 40%, transparent) right / 44px 100% no-repeat local,
  linear-gradient(to right, var(--shade), transparent) left / 18px 100% no-repeat scroll,
  linear-gradient(to left, var(--shade), transparent) right / 18px 100% no-repeat scroll,
  var(--card); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 9px 12px; border-bottom: 1px solid var(--line); vertical-align: top;
  white-space: nowrap; }
th { font-size: 0.85rem; color: var(--soft); font-weight: 600; }
tr:last-child td, tr:last-child th { border-bottom: 0; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 200px;
  max-width: 340px; overflow-wrap: break-word; }
.part > * { padding-top: 4px; padding-bottom: 4px; font-size: 0.85rem; }
table .part > :first-child { padding-left: 28px; font-size: 0.85rem; }
table .part small { display: inline-block; font-size: 0.75rem; }
table .part td small { margin-left: 6px; }
table .part td:first-child small { margin-left: 0; }
table .part .badge { font-size: 0.75rem; padding: 0 8px; }
td.wide { white-space: normal; text-align: left; color: var(--soft); }
.facts td { white-space: normal; text-align: left; }
.facts th { width: 1%; white-space: normal; text-align: left; }
table.facts th:first-child { min-width: 9.5rem; overflow-wrap: anywhere; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 14px 16px; margin: 8px 0;
  overflow: auto; font: 0.86rem/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; max-height: 70vh; }
details > summary { cursor: pointer; font-weight: 600; padding: 6px 0; }
footer { max-width: 1320px; margin: 44px auto 0; padding: 16px 20px 40px; color: var(--soft);
  font-size: 0.85rem; }
@media (max-width: 560px) {
  main, header, footer { padding-left: 12px; padding-right: 12px; }
  header { padding-top: 22px; }
  h2 { margin-top: 32px; }
  .card { padding: 10px; }
  .box { padding: 10px 12px; }
  table { font-size: 0.9rem; }
  th:first-child, td:first-child { min-width: 7rem; }
  table .part > :first-child { padding-left: 16px; }
  .frames .picture { flex-basis: 104px; }
}
"""
