"""Read a run folder into the data of its page; whatever is missing or broken is left out and named."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from pages.run_data import Pair, Point, PromptPictures, RunPage, ScoreRow, Strip

_Json = Mapping[str, object]
_STEP = "step"
_SCHEMAS = {"samples.json": (1, 2), "scores.json": (2,)}  # of the JSON files in a run folder; else 1
_CONSTRAINT = "health"
_GALLERY = "evaluation/index.html"


def read_run_folder(folder: Path) -> RunPage:
    """The page data of a run folder, as complete as the folder is."""
    problems: list[str] = []
    result = _read_json(folder / "result.json", problems)
    samples = _read_json(folder / "samples" / "samples.json", problems)
    scores = _read_json(folder / "scores.json", problems)
    columns = _read_log(folder / "log.csv", problems)
    page = RunPage(
        title=str(result.get("name") or folder.resolve().name),
        prompts=_prompts(folder, samples, _true_pictures(folder, scores)),
        strips=_strips(folder, samples),
        drawing=_drawing(samples),
        loss=columns.get("loss", []),
        val_loss=columns.get("val_loss") or _points(result.get("val_losses")),
        learning_rate=columns.get("lr", []),
        scores=[_score_row(row, _list(scores.get("objectives"))) for row in _rows(scores.get("rows"))],
        gallery=_GALLERY if (folder / _GALLERY).is_file() else None,
        excluded=[(str(row.get("file")), str(row.get("reason"))) for row in _rows(scores.get("excluded"))],
        config=_read_text(folder / "run.yaml", problems),
        problems=problems,
    )
    _add_result(page, result)
    return page


def _add_result(page: RunPage, result: _Json) -> None:
    page.run_id = _text(result.get("run_id"))
    page.outcome = _text(result.get("outcome"))
    page.cause = _text(result.get("cause"))
    page.seconds = _float(result.get("seconds"))
    page.steps_done = _int(result.get("steps_done"))
    page.total_steps = _int(result.get("total_steps"))
    memory = _float(result.get("peak_memory_bytes"))
    parameters = _int(result.get("num_parameters"))
    speed = _float(result.get("images_per_second"))
    facts = [
        ("Run", page.run_id),
        ("Weights", _text(result.get("weights"))),
        ("Trained parameters", None if parameters is None else f"{parameters:,}"),
        ("Steps", None if page.steps_done is None else f"{page.steps_done} of {page.total_steps or '?'}"),
        ("Time", None if page.seconds is None else duration(page.seconds)),
        ("Pictures a second", None if speed is None else f"{speed:.1f}"),
        ("Peak memory", None if memory is None else f"{memory / 2**20:,.0f} MiB"),
        ("Skipped pictures", ", ".join(str(name) for name in _list(result.get("skipped_pictures"))) or None),
    ]
    page.facts = [(name, value) for name, value in facts if value is not None]
    phases = result.get("seconds_by_phase")
    if isinstance(phases, Mapping):
        spent = [(str(name), _float(value)) for name, value in phases.items()]
        page.facts += [(f"Time: {name}", duration(value)) for name, value in spent if value is not None]


def duration(seconds: float) -> str:
    """41 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 99.5:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def _prompts(folder: Path, samples: _Json, true: Mapping[str, list[Path]]) -> list[PromptPictures]:
    sets = samples.get("sets")
    if not isinstance(sets, Mapping):
        return []
    pictures: dict[int, tuple[str, dict[int, Pair]]] = {}
    for name in ("base", "final"):
        for row in _rows(sets.get(name)):
            index, seed = _int(row.get("prompt_index")) or 0, _int(row.get("seed")) or 0
            _, pairs = pictures.setdefault(index, (str(row.get("prompt", "")), {}))
            pair = pairs.setdefault(seed, Pair(seed=seed))
            path = folder / "samples" / str(row.get("file"))
            pair.base, pair.final = (path, pair.final) if name == "base" else (pair.base, path)
    rows = []
    for _, (prompt, pairs) in sorted(pictures.items()):
        ordered = [pairs[seed] for seed in sorted(pairs)]
        for place, pair in enumerate(ordered):
            drawings = true.get(prompt, [])
            pair.true = drawings[place % len(drawings)] if drawings else None
        rows.append(PromptPictures(prompt=prompt, pairs=ordered))
    return rows


def _strips(folder: Path, samples: _Json) -> list[Strip]:
    """Prompts and seeds that were drawn during the run: base, the previews in order, final."""
    sets = samples.get("sets")
    if not isinstance(sets, Mapping):
        return []
    names = [str(name) for name in sets]
    previews = [name for name in names if name.startswith(_STEP) and name[len(_STEP) :].isdecimal()]
    steps = sorted((int(name[len(_STEP) :]), name) for name in previews)
    moments = [("base", "base"), *((name, f"step {step}") for step, name in steps)]
    strips: dict[tuple[int, int], Strip] = {}
    for name, label in [*moments, ("final", "final")]:
        for row in _rows(sets.get(name)):
            key = (_int(row.get("prompt_index")) or 0, _int(row.get("seed")) or 0)
            strip = strips.setdefault(key, Strip(prompt=str(row.get("prompt", "")), seed=key[1], frames=[]))
            strip.frames.append((label, folder / "samples" / str(row.get("file"))))
    return [
        strip
        for _, strip in sorted(strips.items())
        if any(label.startswith("step") for label, _ in strip.frames)
    ]


def _drawing(samples: _Json) -> str | None:
    settings = samples.get("settings")
    if not isinstance(settings, Mapping):
        return None
    names = {"sampler": "", "steps": " steps", "guidance_scale": " guidance"}
    words = [f"{settings[name]}{unit}" for name, unit in names.items() if settings.get(name) is not None]
    if settings.get("width") and settings.get("height"):
        words.append(f"{settings['width']} x {settings['height']} pixels")
    if settings.get("negative_prompt"):
        words.append(f"negative prompt: {settings['negative_prompt']}")
    return ", ".join(words) or None


def _score_row(row: _Json, objectives: Sequence[object]) -> ScoreRow:
    base, final, real = (_mapping(row.get(name)) for name in ("base", "final", "real"))
    difference = _mapping(row.get("difference"))
    return ScoreRow(
        title=_text(row.get("title")) or _text(row.get("metric")) or "(a score without a name)",
        scale=str(row.get("scale", "")),
        name=_text(row.get("metric")) or "",
        base=_float(base.get("value")),
        base_spread=_float(base.get("spread")),
        final=_float(final.get("value")),
        final_spread=_float(final.get("spread")),
        real=_float(real.get("value")),
        n=_int(final.get("n")) or 0,
        num_prompts=_int(final.get("num_prompts")) or 0,
        change=_float(difference.get("value")),
        change_spread=_float(difference.get("spread")),
        verdict=_text(difference.get("verdict")),
        anchored=_float(row.get("anchored")),
        anchored_spread=_float(row.get("anchored_spread")),
        remark=_text(row.get("skipped")) or _text(row.get("note")),
        is_key=row.get("metric") in (*objectives, _CONSTRAINT),
    )


def _true_pictures(folder: Path, scores: _Json) -> dict[str, list[Path]]:
    references = _mapping(scores.get("references"))
    return {prompt: [folder / str(name) for name in _list(names)] for prompt, names in references.items()}


def _read_log(path: Path, problems: list[str]) -> dict[str, list[Point]]:
    """Each column of log.csv over its steps, NaN where it says so.

    A last line without its end is passed over: a number that was cut off is another number.
    """
    columns: dict[str, list[Point]] = {}
    lines = (_read_text(path, problems) or "").split("\n")[:-1]
    names = lines[0].split(",") if lines else []
    for line in lines[1:]:
        row = dict(zip(names, line.split(","), strict=False))  # shorter where a disk failed
        step = _float(row.pop(_STEP, None))
        for name, cell in row.items():
            value = _number(cell)
            if step is not None and value is not None:
                columns.setdefault(name, []).append((step, value))
    if len(lines) > 1 and not columns:
        problems.append(f"{path.name} holds no numbers.")
    return columns


def _read_text(path: Path, problems: list[str]) -> str | None:
    """The text of a file; None, and nothing said, where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        problems.append(f"{path.name} cannot be read ({error.strerror}).")
        return None


def _read_json(path: Path, problems: list[str]) -> _Json:
    text = _read_text(path, problems)
    if text is None:
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        problems.append(f"{path.name} cannot be read ({error}).")
        return {}
    if not isinstance(data, dict) or data.get("schema") not in _SCHEMAS.get(path.name, (1,)):
        problems.append(f"{path.name} is of another version, or not what its name says.")
        return {}
    return cast(_Json, data)


def _points(value: object) -> list[Point]:
    pairs = [
        cast("Sequence[object]", pair) for pair in _list(value) if isinstance(pair, list) and len(pair) == 2
    ]
    numbers = [(_float(pair[0]), _float(pair[1])) for pair in pairs]
    return [(step, loss) for step, loss in numbers if step is not None and loss is not None]


def _rows(value: object) -> list[_Json]:
    return [cast(_Json, row) for row in _list(value) if isinstance(row, dict)]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> _Json:
    return cast(_Json, value) if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def _int(value: object) -> int | None:
    """As it is where it is one: a seed of 64 bits does not fit into a float."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _float(value)
    return None if number is None else int(number)


def _float(value: object) -> float | None:
    """A number that is one; NaN and infinity are none."""
    number = _number(value)
    return number if number is not None and math.isfinite(number) else None


def _number(value: object) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(cast("str | float", value))
    except (TypeError, ValueError, OverflowError):
        return None
