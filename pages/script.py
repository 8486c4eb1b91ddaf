"""The one program of gallery, comparison and report: order and filter pictures, zoom, sort tables.

It reads what the page holds and writes text only (textContent), so that no prompt becomes markup. Without it
the page shows everything in the order of the prompts.
"""

SCRIPT = """
(() => {
"use strict";
const find = id => document.getElementById(id);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const scores = shot => JSON.parse(shot.dataset.scores || "{}");
const number = (value, places) => value.toFixed(places).replace("-", "\\u2212");
for (const part of all("[data-script]")) part.hidden = false;

const gallery = find("gallery");
if (gallery && find("order")) {
  const [metric, order, show, count, flat] = ["metric", "order", "show", "count", "flat"].map(find);
  const shots = all(".prompts .shot.result", gallery);
  const homes = new Map(shots.map(shot => {
    const home = document.createComment("");
    shot.before(home);
    return [shot, home];
  }));
  const isShown = shot => show.value === "all"
    || (show.value === "broken" && shot.classList.contains("broken"))
    || show.value === "kind:" + shot.dataset.kind || show.value === "type:" + shot.dataset.type;
  const sorted = () => {
    if (order.value === "prompt") return shots;
    const chosen = metric.selectedOptions[0];
    const up = (chosen.dataset.direction === "lower") === (order.value === "best") ? 1 : -1;
    const value = new Map(shots.map(shot => [shot, scores(shot)[chosen.value]]));
    const [known, unknown] = [shots.filter(s => value.get(s) !== undefined),
      shots.filter(s => value.get(s) === undefined)];
    return [...known.sort((a, b) => up * (value.get(a) - value.get(b))), ...unknown];
  };
  const arrange = () => {
    if (metric) {
      const chosen = metric.selectedOptions[0];
      for (const shot of all(".shot[data-scores]", gallery)) {
        const value = scores(shot)[chosen.value], place = shot.querySelector(".value");
        if (place) place.textContent = value === undefined ? "" : number(value, +chosen.dataset.places);
      }
    }
    const isFlat = order.value !== "prompt" || show.value === "broken";
    for (const shot of shots) homes.get(shot).after(shot);
    for (const shot of shots) shot.hidden = isFlat && !isShown(shot);
    const cards = gallery.querySelector(".prompts");
    cards.hidden = isFlat;
    flat.hidden = !isFlat;
    if (isFlat) flat.append(...sorted());
    else for (const card of all(".card", cards)) card.hidden = !all(".shot.result", card).some(isShown);
    const seen = shots.filter(isShown).length;
    count.textContent = seen === shots.length ? `${seen} pictures` : `${seen} of ${shots.length} pictures`;
  };
  for (const control of [metric, order, show]) if (control) control.addEventListener("change", arrange);
  arrange();
}

const seed = find("seed");
if (seed) {
  const choose = () => {
    for (const line of all(".line[data-seed]"))
      line.hidden = seed.value !== "all" && seed.value !== line.dataset.seed;
    for (const card of all("#comparison .card"))
      card.hidden = all(".line[data-seed]", card).every(line => line.hidden);
  };
  seed.addEventListener("change", choose);
  choose();
}
for (const form of all("form.controls")) form.addEventListener("submit", event => event.preventDefault());

const zoom = find("zoom");
if (zoom) {
  let shown = null, row = [];
  const kindOf = shot => ["result", "base", "true"].find(kind => shot.classList.contains(kind));
  const look = shot => {
    shown = shot;
    const button = shot.querySelector(".open"), small = button.querySelector("img");
    const large = find("zoom-picture");
    large.src = button.dataset.larger || small.src;
    large.alt = small.alt;
    large.className = small.className;
    const text = (id, words) => { find(id).textContent = words; find(id).hidden = !words; };
    const data = shot.dataset;
    text("zoom-name", [data.name, data.seed && shot.closest(".prompt, .flat") ? "seed " + data.seed : ""]
      .filter(Boolean).join(", "));
    text("zoom-prompt", shot.querySelector(".words").textContent);
    text("zoom-fault", shot.querySelector(".fault") ? shot.querySelector(".fault").textContent : "");
    text("zoom-file", [data.file, data.size].filter(Boolean).join(", "));
    const values = scores(shot);
    for (const line of all("tr[data-metric]", zoom)) {
      const value = values[line.dataset.metric];
      line.hidden = value === undefined;
      line.lastElementChild.textContent = value === undefined ? "" : number(value, +line.dataset.places);
    }
    find("zoom-place").textContent = `${row.indexOf(shot) + 1} of ${row.length}`;
  };
  const go = by => look(row[(row.indexOf(shown) + by + row.length) % row.length]);
  document.addEventListener("click", event => {
    const button = event.target.closest("button.open");
    if (!button) return;
    const shot = button.closest(".shot"), kind = kindOf(shot);
    row = all(".shot").filter(one =>
      kindOf(one) === kind && one.querySelector(".open") && one.checkVisibility());
    look(shot);
    zoom.showModal();
  });
  zoom.addEventListener("keydown", event => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    go(by);
  });
  zoom.addEventListener("click", event => { if (event.target === zoom) zoom.close(); });
  zoom.addEventListener("close", () => shown.querySelector(".open").focus());
  find("zoom-on").addEventListener("click", () => go(1));
  find("zoom-back").addEventListener("click", () => go(-1));
  find("zoom-close").addEventListener("click", () => zoom.close());
}

for (const table of all("table.sortable")) {
  const heads = all("thead th", table), body = table.tBodies[0];
  const compare = (a, b) => isNaN(a) || isNaN(b) ? a.localeCompare(b, "en", { numeric: true }) : a - b;
  heads.forEach((head, column) => head.querySelector(".sort").addEventListener("click", () => {
    const other = { ascending: "descending", descending: "ascending" };
    const way = other[head.ariaSort] || head.dataset.first, up = way === "ascending" ? 1 : -1;
    for (const one of heads) one.removeAttribute("aria-sort");
    head.ariaSort = way;
    const value = line => line.cells[column].dataset.value;
    const lines = [...body.rows];
    const known = lines.filter(line => value(line) !== "");
    known.sort((a, b) => up * compare(value(a), value(b)));
    body.append(...known, ...lines.filter(line => value(line) === ""));
  }));
}

const readout = find("readout");
if (readout) {
  const read = event => {
    const point = event.target.closest && event.target.closest(".point");
    if (!point) return;
    readout.textContent = point.dataset.words;
    for (const line of all("tr[data-run]"))
      line.classList.toggle("pointed", line.dataset.run === point.dataset.run);
  };
  for (const name of ["pointerover", "focusin", "click"]) document.addEventListener(name, read);
}
})();
"""
