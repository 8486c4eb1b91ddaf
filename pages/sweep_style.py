"""What the report of a sweep adds to the style sheet of the gallery."""

from pages.sweep_axes import LEVELS

_PLOTS = """
.study h1 { font-size: 1.15rem; font-weight: 600; color: var(--soft); letter-spacing: 0; }
.verdict { font-size: clamp(1.35rem, 3.1vw, 2.1rem); line-height: 1.22; font-weight: 650;
  letter-spacing: -0.015em; margin: 10px 0 12px; max-width: 46ch; }
.details { max-width: 85ch; }
.whole { white-space: nowrap; }
.details p { margin: 2px 0; color: var(--soft); }
.ran { display: flex; flex-wrap: wrap; gap: 10px 30px; margin: 18px 0 0; }
.ran > div { min-width: 0; }
.ran dt { font-size: 0.8rem; color: var(--soft); }
.ran dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 20px; padding: 8px 0;
  border-top: 1px solid var(--line); border-bottom: 1px solid var(--line); font-size: 0.9rem; }
section { scroll-margin-top: 12px; }
.way { display: inline; font-weight: 400; font-size: 0.8rem; color: var(--soft); }
.small { font-size: 0.82rem; margin: 6px 0 0; }
body { padding-bottom: 56px; }

.answer { display: grid; gap: 16px; margin-top: 14px; align-items: start;
  grid-template-columns: minmax(0, 5fr) minmax(0, 7fr); }
.measures { display: grid; gap: 16px; min-width: 0; }
.settings th[scope=row], .small-table th[scope=row] { color: var(--ink); font-weight: 400; font-size: 1rem; }
.settings th, .settings td { padding: 7px 10px; white-space: normal; }
.settings th:first-child { padding-left: 12px; min-width: 9rem; }
.settings td { max-width: 20rem; overflow-wrap: anywhere; }
.settings .changed th, .settings .changed td { background: var(--accent-soft); }
.settings .changed th { box-shadow: inset 3px 0 var(--accent); color: var(--ink); }
.change { margin: 0 0 4px; }
.change b { font-size: 1.35rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.numbers-of { display: flex; flex-wrap: wrap; gap: 6px 26px; margin: 6px 0 0; }
.numbers-of dt { font-size: 0.8rem; color: var(--soft); }
.numbers-of dd { margin: 0; font-variant-numeric: tabular-nums; white-space: nowrap; }
.numbers-of .is-winner dd { font-weight: 650; }
.numbers-of .is-winner dd .soft { font-weight: 400; }
.ladder .span { stroke-width: 5; stroke-linecap: round; stroke: var(--raw); }
.ladder .span.is-winner { stroke: var(--accent); stroke-opacity: 0.4; }
.rung { fill: var(--card); stroke: var(--soft); stroke-width: 2.2; }
.rung.is-winner { fill: var(--accent); stroke: var(--accent); }
.rung.is-default { fill: var(--soft); }
.copyable { min-width: 0; }
.copyable + .copyable { margin-top: 16px; }
.use { min-width: 0; }
.copy-head { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; }
.copy-head h3 { font-size: 0.95rem; margin: 0; }
.copyable pre { user-select: all; white-space: pre-wrap; overflow-wrap: anywhere; margin: 6px 0 0; }
.copy, .picked-bar button { font: inherit; font-size: 0.85rem; color: var(--accent); background: none;
  border: 1px solid currentcolor; border-radius: 8px; padding: 2px 12px; cursor: pointer; }
.files { margin: 14px 0 0; padding-left: 1.2em; }

.box + .box { margin-top: 16px; }
.charts > .box, .slices > .box, .answer .box { margin-top: 0; }
.history, .front, .curves { min-width: 760px; }
.ladder { max-width: 560px; }
.chart .label, .chart .tick, .chart .axis-note { font-size: 12px; }
.chart .axis-name { fill: var(--ink); font-size: 13px; font-weight: 600; }
.mark { fill: var(--accent); fill-opacity: 0.55; stroke: var(--card); stroke-width: 1; }
.mark.infeasible { fill: none; stroke: var(--soft); stroke-dasharray: 2 2; }
.mark.is-default { fill: var(--card); fill-opacity: 1; stroke: var(--ink); stroke-width: 2.2; }
.mark.is-winner { fill: var(--accent); fill-opacity: 1; stroke: var(--ink); stroke-width: 1.6; }
.mark.on-front { fill-opacity: 1; }
.mark.on-front.is-default { fill: var(--card); }
path.mark { fill: none; stroke-width: 2.4; }
path.mark.pruned, path.mark.stop { stroke: var(--wait); }
path.mark.failed { stroke: var(--bad); }
.mark-name { paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round;
  pointer-events: none; }
.chart .mark-name { fill: var(--ink); font-size: 13px; font-weight: 600; }
.chart .mark-name.quiet { fill: var(--soft); font-weight: 400; font-size: 12px; }
.best-line { fill: none; stroke: var(--accent); stroke-width: 2.2; stroke-linejoin: round; }
.base-line, .anchor-line { stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 4 4; fill: none; }
.front-line { fill: none; stroke: var(--accent); stroke-width: 1.6; stroke-dasharray: 5 4; }
.anchor { fill: none; stroke: var(--ink); stroke-width: 2; }
.median { stroke: var(--ink); stroke-width: 2.4; stroke-linecap: round; }
.dot-key { display: inline-block; width: 10px; height: 10px; border-radius: 50%; background: var(--accent);
  margin-right: 6px; opacity: 0.7; }
.dot-key.infeasible { background: none; border: 1.5px dashed var(--soft); opacity: 1; }
.bar-key { display: inline-block; width: 3px; height: 12px; background: var(--wait); margin-right: 7px;
  vertical-align: -1px; }
.cross-key::before { content: "\\d7\\a0"; color: var(--bad); font-weight: 700; }
.key.stopped { background: var(--wait); }

.bars-of-keys { display: grid; grid-template-columns: minmax(5rem, max-content) minmax(0, 1fr) max-content;
  gap: 8px 12px; align-items: center; max-width: 860px; }
.key-name { max-width: 16rem; overflow-wrap: anywhere; }
.bar { width: 100%; height: 16px; display: block; border-radius: 5px; }
.bar-back { fill: var(--line); fill-opacity: 0.5; }
.bar-front { fill: var(--accent); }
.share { font-variant-numeric: tabular-nums; font-weight: 600; text-align: right; }

.chooser { margin: 6px 0 10px; font-size: 0.9rem; color: var(--soft); }
.slices { display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); }
.choice-name { margin: 14px 0 8px; }
.parallel { touch-action: pan-x pan-y; cursor: pointer; margin: 0 auto; }
.parallel:focus:not(:focus-visible) { outline: none; }
.trial { fill: none; stroke-width: 1.7; stroke-linejoin: round; }
.many .trial { stroke-width: 1; stroke-opacity: 0.6; }
.trial.no-score { stroke: var(--soft); stroke-dasharray: 3 5; stroke-width: 1; stroke-opacity: 0.55; }
.trial.stopped { stroke: var(--wait); stroke-width: 1.4; stroke-opacity: 0.75; }
.trial.is-winner { stroke-width: 3.6; stroke-opacity: 1; }
.unused { fill: var(--card); stroke: var(--soft); }
.parallel .tick, .parallel .axis-name, .parallel .axis-note { paint-order: stroke; stroke: var(--card);
  stroke-width: 4px; stroke-linejoin: round; pointer-events: none; }
.swatch { display: inline-block; width: 18px; height: 10px; }
.ramp { display: inline-flex; margin: 0 6px; vertical-align: middle; }
polyline.trial.pointed, polyline.trial.picked { stroke: var(--pick); stroke-width: 4; stroke-opacity: 1;
  stroke-dasharray: none; }
.mark.pointed, .mark.picked { stroke: var(--pick); stroke-width: 3.5; }
circle.mark.pointed, circle.mark.picked { fill: var(--pick); fill-opacity: 1; }
.has-picked .parallel .trial:not(.picked, .pointed) { stroke-opacity: 0.35; }
tr.pointed > *, tr.picked > * { background: var(--pick-soft); }
.picked-bar { position: fixed; left: 50%; bottom: 12px; transform: translateX(-50%); z-index: 5;
  width: max-content; max-width: calc(100vw - 24px); background: var(--card); border: 1px solid var(--pick);
  border-radius: 12px; padding: 8px 14px; box-shadow: 0 4px 18px var(--shade); font-size: 0.9rem;
  display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: center; }
#picked-words { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; overflow: hidden; }
.picked-ways { display: flex; gap: 10px; align-items: center; }

.sheet { width: auto; }
.sheet th, .sheet td { padding: 5px; vertical-align: top; white-space: normal; border-bottom: 0; }
.sheet thead th { text-align: left; font-weight: 400; line-height: 1.3; max-width: 150px;
  vertical-align: bottom; }
.sheet thead th { position: sticky; top: 0; z-index: 2; background: var(--card);
  box-shadow: inset 0 -1px var(--line); }
.sheet thead th:first-child { z-index: 3; }
.sheet th:first-child { position: sticky; left: 0; z-index: 1; background: var(--card); min-width: 150px;
  max-width: 190px; font-size: 0.9rem; font-weight: 600; padding-right: 10px; color: var(--ink); }
.sheet td { width: 132px; min-width: 112px; text-align: center; font-size: 0.8rem;
  font-variant-numeric: tabular-nums; }
.sheet td:first-child { max-width: none; }
.sheet.few td { width: 190px; }
.sheet img { display: block; width: 100%; height: auto; border-radius: 6px; background: var(--line); }
.sheet img.small { image-rendering: pixelated; }
.sheet .measure img { outline: 1px dashed var(--soft); outline-offset: 1px; }
.sheet tr.picked th:first-child, .sheet tr.pointed th:first-child { background: var(--pick-soft); }
.open-file { display: block; border-radius: 6px; }

.tall { max-height: 82vh; overflow: auto; padding: 0; }
.trials th, .trials td { padding: 7px 12px; }
.trials thead th { position: sticky; top: 0; z-index: 1; background: var(--card);
  box-shadow: inset 0 -1px var(--line); vertical-align: bottom; }
.trials th:first-child { min-width: 6.5rem; }
.trials th[scope=row] { color: var(--ink); font-size: 1rem; }
.trials tbody tr { cursor: pointer; }
.trials tbody tr:hover > * { background: color-mix(in srgb, var(--accent) 7%, transparent); }
.trials td.text, .trials th.text { text-align: left; min-width: 9rem; }
.trials .cause { white-space: normal; min-width: 12rem; max-width: 26rem; }
.trials td.option { max-width: 20rem; overflow: hidden; text-overflow: ellipsis; }
.trials .badge { font-size: 0.8rem; padding: 1px 10px; }
.controls.filter { position: static; border-bottom: 0; }
input[type=search] { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; padding: 5px 10px; width: min(24rem, 60vw); }
input::placeholder { color: var(--soft); }
.confirmed small { max-width: 22rem; white-space: normal; }
.confirmed td b .soft { font-weight: 400; }
.confirmed thead th { white-space: normal; min-width: 7rem; vertical-align: bottom; }
.confirmed th[scope=row] { color: var(--ink); font-size: 1rem; }
.small-table th:first-child { min-width: 6rem; }
.small-table th.left { text-align: left; }
.small-table td.wide { min-width: 10rem; }
@media (max-width: 900px) { .answer { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 560px) {
  .sheet th:first-child { min-width: 92px; max-width: 100px; font-size: 0.8rem; }
  .sheet td { min-width: 88px; }
  .bars-of-keys { grid-template-columns: minmax(4rem, 9rem) minmax(0, 1fr) max-content; }
  .ran { gap: 8px 20px; }
}
:root { --pick: #b0387a; --pick-soft: #f9e3ef; --worst: #ccd2d8; }
@media (prefers-color-scheme: dark) { :root { --pick: #ff8ac4; --pick-soft: #47203a; --worst: #3c454f; } }
"""

_WIDE = "\n".join(
    f'.parallel[data-wide="{count}"] {{ '
    f"min-width: {100 + 120 * count}px; max-width: {200 + 260 * count}px; }}"
    for count in range(1, 17)
)


def _ramp() -> str:
    """The colours from the worst to the best: greyer and fainter to stronger."""
    rules = []
    for level in range(LEVELS):
        share = round(100 * level / (LEVELS - 1))
        colour = f"color-mix(in oklab, var(--accent) {share}%, var(--worst))"
        rules.append(f".trial.q{level} {{ stroke: {colour}; }}\n.swatch.q{level} {{ background: {colour}; }}")
    return "\n".join(rules)


SWEEP_STYLE = f"{_PLOTS}{_WIDE}\n{_ramp()}\n"
