"""The program of a sweep's report: pick a trial in any plot, walk the lines by keys, filter, copy, choose.

It comes after that of the gallery (which sorts tables and shows what needs a program) and writes text only.
"""

SWEEP_SCRIPT = """
(() => {
"use strict";
const find = id => document.getElementById(id);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

const marks = new Map(), rows = new Map();
for (const mark of all("[data-trial]")) {
  const number = mark.dataset.trial;
  if (!marks.has(number)) marks.set(number, []);
  marks.get(number).push(mark);
  if (mark.dataset.words) rows.set(number, mark);
}
const bar = find("picked");
let picked = null, pointed = null;
const dress = (number, name, on) => {
  for (const mark of marks.get(number) || []) {
    mark.classList.toggle(name, on);
    if (on && mark.tagName === "polyline") mark.parentNode.append(mark);
  }
};
const say = () => {
  const number = pointed || picked, row = rows.get(number);
  bar.hidden = !row;
  if (!row) return;
  find("picked-words").textContent = row.dataset.words;
  const way = find("picked-link"), link = row.querySelector("th a");
  way.hidden = !link;
  if (link) way.setAttribute("href", link.getAttribute("href"));
};
const point = number => {
  if (number === pointed) return;
  if (pointed) dress(pointed, "pointed", false);
  pointed = number;
  if (pointed) dress(pointed, "pointed", true);
  say();
};
const pick = number => {
  if (picked) dress(picked, "picked", false);
  picked = number;
  if (picked) dress(picked, "picked", true);
  document.body.classList.toggle("has-picked", Boolean(picked));
  say();
};
const showRow = () => {
  const row = rows.get(pointed || picked);
  if (!row) return;
  if (row.hidden) { find("filter").value = ""; filter(); }
  row.scrollIntoView({ block: "center" });
};
const trialAt = target => {
  const mark = target.closest && target.closest("[data-trial]");
  return mark ? mark.dataset.trial : null;
};
document.addEventListener("pointerover", event => {
  if (!event.target.closest || event.target.closest(".parallel, #picked")) return;
  point(trialAt(event.target));
});
document.addEventListener("click", event => {
  if (event.target.closest("a, button, select, input, label, .parallel")) return;
  const number = trialAt(event.target);
  if (number) pick(number === picked ? null : number);
});
document.addEventListener("keydown", event => {
  if (event.key === "Escape") { point(null); pick(null); }
});
find("picked-row").addEventListener("click", showRow);
find("picked-clear").addEventListener("click", () => { point(null); pick(null); });
const table = find("table");
if (table) table.addEventListener("focusin", event => point(trialAt(event.target)));

const plot = document.querySelector(".parallel");
if (plot) {
  const lines = all("polyline.trial", plot).map(line => ({
    number: line.dataset.trial,
    points: line.getAttribute("points").split(" ").map(pair => pair.split(",").map(Number)),
  }));
  const order = [...rows.keys()].filter(number => lines.some(line => line.number === number));
  const nearest = event => {
    const place = new DOMPoint(event.clientX, event.clientY)
      .matrixTransform(plot.getScreenCTM().inverse());
    let best = null, least = 14;
    for (const line of lines) {
      const points = line.points;
      for (let at = 0; at < points.length; at++) {
        const [x, y] = points[at];
        if (points.length === 1 || Math.abs(place.x - x) < 8) {
          const far = Math.hypot(place.x - x, place.y - y);
          if (far < least) [least, best] = [far, line.number];
        }
        if (at + 1 < points.length && place.x >= x && place.x <= points[at + 1][0]) {
          const [right, end] = points[at + 1], slope = (end - y) / (right - x);
          const far = Math.abs(y + slope * (place.x - x) - place.y) / Math.hypot(1, slope);
          if (far < least) [least, best] = [far, line.number];
        }
      }
    }
    return best;
  };
  let wanted = null;
  plot.addEventListener("pointermove", event => {
    if (wanted === null) requestAnimationFrame(() => { point(nearest(wanted)); wanted = null; });
    wanted = event;
  });
  plot.addEventListener("pointerleave", () => point(null));
  plot.addEventListener("click", event => {
    const number = nearest(event);
    pick(number === picked ? null : number);
  });
  plot.addEventListener("keydown", event => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter") showRow();
    if (!by || !order.length) return;
    event.preventDefault();
    const at = order.indexOf(picked);
    pick(order[at < 0 ? 0 : (at + by + order.length) % order.length]);
  });
}

const colour = find("colour");
if (colour) colour.addEventListener("change", () => {
  for (const line of all(".parallel polyline[data-levels]")) {
    const level = line.dataset.levels.split(",")[colour.value];
    line.classList.remove(...[0, 1, 2, 3, 4, 5, 6, 7].map(one => "q" + one), "no-score");
    line.classList.add(level === "" ? "no-score" : "q" + level);
  }
  for (const legend of all("[data-colour]")) legend.hidden = legend.dataset.colour !== colour.value;
});

for (const chooser of all("[data-chooses]")) {
  const parts = all(`[data-choice="${chooser.dataset.chooses}"]`);
  const choose = () => { for (const part of parts) part.hidden = part.dataset.place !== chooser.value; };
  chooser.addEventListener("change", choose);
  choose();
}
for (const form of all("form")) form.addEventListener("submit", event => event.preventDefault());

const lines = table ? [...table.tBodies[0].rows] : [];
const texts = new Map(lines.map(line => [line, (line.textContent + " " + line.dataset.words).toLowerCase()]));
const filter = () => {
  const words = find("filter").value.toLowerCase().split(/\\s+/).filter(Boolean);
  let seen = 0;
  for (const line of lines) {
    line.hidden = !words.every(word => texts.get(line).includes(word));
    seen += !line.hidden;
  }
  find("count").textContent = seen === lines.length ? `${seen} trials` : `${seen} of ${lines.length} trials`;
};
if (table) {
  find("filter").addEventListener("input", filter);
  filter();
}

for (const button of all("[data-copies]")) button.addEventListener("click", async () => {
  const text = find(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(text);
    button.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
});
})();
"""
