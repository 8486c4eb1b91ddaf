"""What gallery, comparison and report add to the style sheet of all pages."""

_WIDTHS = {1: 170, 2: 250, 3: 350, 4: 470, 5: 590}  # columns of pictures in a card -> its least width, pixels

GALLERY_STYLE = (
    """
[hidden] { display: none !important; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
small { display: block; font-size: 0.8rem; font-weight: 400; color: var(--soft); }
section > h3 { font-size: 0.98rem; margin: 18px 0 4px; }
ul.soft { margin: 0; padding-left: 1.2em; max-width: 90ch; }
.lead a { white-space: nowrap; }

.scores th[scope=row] { color: var(--ink); font-weight: 400; font-size: 1rem;
  min-width: 250px; max-width: 340px; }
.scores td b .soft { font-weight: 400; }
.scores .note { max-width: 44ch; }
.scores thead th { vertical-align: bottom; white-space: normal; min-width: 96px; max-width: 190px;
  overflow-wrap: break-word; }
.scores th.text, .scores td.text { text-align: left; }
.scores tbody tr:hover, .scores tr.pointed { background: color-mix(in srgb, var(--accent) 7%, transparent); }
.scores .badge { font-size: 0.8rem; padding: 2px 10px; }
.scores .skipped th, .scores .skipped td { color: var(--soft); font-size: 0.88rem; padding-top: 6px;
  padding-bottom: 6px; text-align: left; white-space: normal; }
.scores td { padding-left: 10px; padding-right: 10px; }
.scores small + .badge { display: inline-block; margin-top: 4px; }
.scores.one .part td:nth-child(4) { white-space: normal; }
.scores .part th[scope=row] { font-size: 0.85rem; padding-left: 28px; }
.part .step { font-size: 0.8rem; }
.role { font-size: 0.75rem; color: var(--accent); border: 1px solid currentcolor; border-radius: 99px;
  padding: 0 7px; white-space: nowrap; vertical-align: 1px; }
.rank { display: inline-block; min-width: 1.5em; margin-left: 6px; font-size: 0.75rem; color: var(--soft); }
.first { font-weight: 650; }
.first .rank { color: var(--accent); }
.first .soft { font-weight: 400; }
th.left, td.steps { text-align: left; }
td.steps { white-space: normal; min-width: 340px; }
.step { display: flex; gap: 8px; align-items: baseline; font-size: 0.88rem; }
.step + .step { margin-top: 4px; }
.step small { display: inline; margin-left: 6px; }
.step .badge { flex: 0 0 auto; }
.sort { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer;
  text-align: inherit; display: inline-block; max-width: 240px; overflow-wrap: break-word; }
.sortable thead th { white-space: nowrap; max-width: none; min-width: 0; }
.sortable .sort { white-space: normal; }
.sort:hover { color: var(--accent); }
.sort::after { content: "\\a0\\2195"; opacity: 0.35; }
[aria-sort=ascending] .sort::after { content: "\\a0\\2191"; opacity: 1; color: var(--accent); }
[aria-sort=descending] .sort::after { content: "\\a0\\2193"; opacity: 1; color: var(--accent); }
.sortable th small { font-weight: 400; }
.option { color: var(--soft); }

.controls { position: sticky; top: 0; z-index: 2; display: flex; flex-wrap: wrap; gap: 8px 18px;
  align-items: center; padding: 10px 0; background: var(--paper); border-bottom: 1px solid var(--line);
  font-size: 0.9rem; color: var(--soft); overflow-wrap: normal; }
.controls label { display: flex; gap: 6px; align-items: center; min-width: 0; }
select { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; padding: 4px 8px; min-width: 0; max-width: 22rem; }
output { margin-left: auto; font-variant-numeric: tabular-nums; }

.prompts .card { justify-content: flex-start; min-width: 0; }
.prompt-head { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: baseline; }
.prompt-head h3 { margin-right: auto; max-height: 5.4em; overflow-y: auto; }
.tag { font-size: 0.75rem; color: var(--soft); border: 1px solid var(--line); border-radius: 99px;
  padding: 0 8px; }
.lines { display: grid; gap: 10px; overflow-x: auto; padding: 3px; margin: -3px; }
.line { display: flex; gap: 8px; }
.line > .shot { flex: 1 1 0; min-width: 84px; max-width: 320px; }
.line.wrap, .flat { display: grid; gap: 10px 8px;
  grid-template-columns: repeat(auto-fill, minmax(112px, 1fr)); }
.flat { grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); margin-top: 14px; }
.line.wrap > .shot { max-width: none; }
.true-pictures { max-width: 1000px; }
.shot { margin: 0; }
.open { display: block; width: 100%; padding: 0; border: 0; border-radius: 8px; background: none;
  cursor: zoom-in; }
.open img { display: block; width: 100%; height: auto; border-radius: 8px; background: var(--line); }
img.small { image-rendering: pixelated; }
.with-base .result .open img { outline: 2px solid var(--accent); outline-offset: 1px; }
.shot.broken .open img, .with-base .broken .open img { outline: 3px solid var(--bad); outline-offset: 0; }
.open:focus-visible { outline-offset: 4px; }
.shot figcaption { font-size: 0.78rem; line-height: 1.35; color: var(--soft); margin-top: 5px;
  text-align: center; font-variant-numeric: tabular-nums; }
.shot .value { color: var(--ink); font-weight: 600; }
.base .value { color: var(--soft); }
.fault { background: var(--bad); color: var(--card); border-radius: 4px; padding: 0 6px; font-size: 0.75rem;
  font-weight: 600; }
.where { display: -webkit-inline-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2;
  overflow: hidden; vertical-align: top; }
.words { display: none; }
.flat .words { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }
.gap p { font-size: 0.78rem; color: var(--soft); text-align: center; margin: 5px 0 0; }

.scatter { min-width: 640px; max-width: 980px; margin: 0 auto; }
.scatter .bars line { stroke: var(--raw); stroke-width: 1.2; }
.scatter .bars.on-front line { stroke: var(--accent); stroke-opacity: 0.55; }
.scatter .front { fill: none; stroke: var(--accent); stroke-width: 1.6; stroke-dasharray: 5 4; }
.scatter circle { fill: var(--card); stroke: var(--soft); stroke-width: 1.6; }
.scatter .name.quiet { fill: var(--soft); }
.scatter .on-front circle { fill: var(--accent); stroke: var(--accent); }
.scatter .point:hover circle, .scatter .point:focus circle { stroke: var(--ink); r: 8px; }
.scatter .point { cursor: pointer; outline-offset: 3px; }
.scatter .name { fill: var(--ink); font-size: 12px; paint-order: stroke; stroke: var(--card);
  stroke-width: 4px; stroke-linejoin: round; pointer-events: none; }
.axis-title { margin: 2px 0 0; text-align: center; font-size: 0.85rem; color: var(--soft); }
.readout { margin: 6px 0 0; min-height: 1.5em; text-align: center; font-size: 0.9rem; }

dialog { width: min(1120px, calc(100vw - 24px)); max-width: none; max-height: calc(100dvh - 24px); padding: 0;
  border: 1px solid var(--line); border-radius: 14px; background: var(--card); color: var(--ink); }
dialog::backdrop { background: rgb(0 0 0 / 60%); }
.zoom { display: grid; grid-template-columns: minmax(0, 640px) minmax(0, 1fr); }
.zoom-picture { background: var(--paper); display: grid; place-items: center; aspect-ratio: 1; min-width: 0; }
.zoom-picture img { width: 100%; height: 100%; object-fit: contain; display: block; }
.zoom-words { padding: 20px; display: flex; flex-direction: column; align-items: flex-start; gap: 6px;
  min-width: 0; }
.zoom-words p { margin: 0; }
.zoom-words h2 { margin: 0; font-size: 1.1rem; line-height: 1.35; }
#zoom-name, #zoom-file { font-size: 0.85rem; }
.zoom-words table { margin-top: 10px; font-size: 0.9rem; }
.zoom-words th, .zoom-words td { padding: 5px 0; }
.zoom-words .facts td { text-align: right; white-space: nowrap; padding-left: 12px; }
.zoom-words table.facts th { width: auto; min-width: 0; font-weight: 400; }
.zoom-keys { display: flex; gap: 8px; align-items: center; margin-top: auto !important; padding-top: 14px;
  width: 100%; }
.zoom-keys button { font: inherit; color: inherit; background: none; border: 1px solid var(--line);
  border-radius: 8px; padding: 4px 14px; cursor: pointer; }
.zoom-keys button:hover { border-color: var(--accent); color: var(--accent); }
#zoom-place { font-size: 0.85rem; font-variant-numeric: tabular-nums; margin-right: auto; }
@media (max-width: 760px) {
  .zoom { grid-template-columns: minmax(0, 1fr); }
  .zoom-picture { aspect-ratio: auto; }
  .zoom-picture img { max-height: 55dvh; }
  .zoom-words { padding: 14px; }
}
@media (max-width: 560px) {
  .scores th:first-child, .scores td:first-child { min-width: 7rem; max-width: 150px; font-size: 0.9rem; }
  .scores thead th { min-width: 64px; }
  .scores .part th[scope=row] { padding-left: 16px; }
  .scores.one td .soft { display: block; }
  .scores td, .scores th { padding-left: 6px; padding-right: 6px; }
  output { margin-left: 0; }
  .controls { position: static; }
}
"""
    + "\n".join(
        f".prompts.columns-{count} {{ grid-template-columns: "
        f"repeat(auto-fill, minmax(min(100%, {width}px), 1fr)); }}"
        for count, width in _WIDTHS.items()
    )
    + "\n.prompts.columns-6 { grid-template-columns: minmax(0, 1fr); }\n"
)
