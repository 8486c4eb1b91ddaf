"""Score pictures: health first, then each metric of the table; from material to rows, without any file."""

import hashlib
import json
import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from engine.config.errors import ConfigError
from evaluation.material import BASE, FINAL, REAL, SETS, Material
from evaluation.maths.noise import noise_of
from evaluation.maths.statistics import (
    Anchored,
    Types,
    Value,
    anchor,
    harmonic_mean,
    paired_changes,
    paired_difference,
    summarise,
)
from evaluation.metrics.metric import Measured, Metric, Need
from evaluation.metrics.needs import why_skipped
from evaluation.metrics.table import metrics_of
from evaluation.records import (
    DEFAULT_OBJECTIVES,
    Combined,
    EncoderFacts,
    Excluded,
    Measurement,
    Scope,
    Score,
    Scores,
)
from evaluation.suggest import unknown_name
from evaluation.tools import Role, Tools

Values = Mapping[str, Mapping[str, Sequence[Value]]]  # metric -> set -> values
_LOG = logging.getLogger(__name__)
_PACKAGES = ("numpy", "pillow", "torch", "transformers")


@dataclass(kw_only=True, slots=True, frozen=True)
class Scored:
    """Everything that a scoring found."""

    material: Material  # with its faults
    scores: Scores
    values: Values


def score_material(
    material: Material,
    tools: Tools,
    *,
    objectives: Sequence[str] | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Scored:
    """The rows of all metrics, and the values that they were made of; nothing is written.

    objectives   what must not be skipped; None: likeness and adherence, as far as what they need was given
    on_progress  is told how many pictures of how many were looked at
    raises       ConfigError: an objective that is no metric
    """
    _refuse_unknown(objectives or (), material)
    material = _find_faults(material, tools, on_progress)
    types = material.types()
    rows: list[Score] = []
    possible: list[str] = []  # metrics that have all they need
    values: dict[str, dict[str, Sequence[Value]]] = {}
    for metric in metrics_of(material):
        reason = why_skipped(metric, material, tools)
        if reason is not None:
            rows.append(_empty_row(metric, skipped=reason))
            continue
        possible.append(metric.name)
        measured = {name: metric.measure(material, name, tools) for name in metric.sets}
        values[metric.name] = {name: found.values for name, found in measured.items()}
        rows.append(make_row(metric, measured, material=material, tools=tools, types=types))
    chosen = [name for name in DEFAULT_OBJECTIVES if name in possible] if objectives is None else objectives
    truncated = tools.count_truncated()
    if truncated:
        _LOG.warning(
            "%d prompts are longer than the encoder reads; their last words were not scored.", truncated
        )
    scores = Scores(
        rows=rows,
        objectives=list(chosen),
        combined=_combine(rows, chosen),
        config_hash=_config_hash(material, tools),
        encoders=_encoders(tools),
        num_pictures={name: len(material.pictures.get(name, [])) for name in SETS},
        excluded=_excluded(material),
        truncated_prompts=truncated,
        references=_references(material),
        notices=list(material.notices),
        environment=_environment(),
    )
    return Scored(material=material, scores=scores, values=values)


def make_row(
    metric: Metric, measured: Mapping[str, Measured], *, material: Material, tools: Tools, types: Types
) -> Score:
    """The row of a metric from what it found on each set."""
    final, base, real = (measured.get(name, Measured()) for name in (FINAL, BASE, REAL))
    types = {} if metric.scope is Scope.set else types  # a prompt's part in a whole knows no types
    summary = _summary(final, types)
    if summary is None:
        return _empty_row(metric, skipped=_why_empty(metric, material))
    anchored = Anchored()
    if metric.anchored and base.values and real.values:
        anchored = anchor(final.values, base.values, real.values, direction=metric.direction)
    notes = [metric.note(material), anchored.reason]
    return replace(
        _empty_row(metric, skipped=None),
        final=summary,
        base=_summary(base, types),
        real=_summary(real, {}),
        difference=paired_difference(
            final.values, base.values, direction=metric.direction, types=types, whole=_change(final, base)
        ),
        noise=noise_of(paired_changes(final.values, base.values)),
        anchored=anchored.score,
        anchored_spread=anchored.spread,
        note="; ".join(note for note in notes if note) or None,
        encoder=tools.embedder(metric.role).encoder.fingerprint if metric.role is not None else None,
    )


def _why_empty(metric: Metric, material: Material) -> str:
    if Need.losses in metric.needs:
        return metric.note(material) or "none of the losses is a number"
    if not material.healthy(FINAL):
        return "no healthy picture is left"
    return "no picture that it could be measured on"


def _change(final: Measured, base: Measured) -> float | None:
    return None if final.whole is None or base.whole is None else final.whole - base.whole


def _summary(measured: Measured, types: Types) -> Measurement | None:
    if measured.values:
        found = summarise(measured.values, types=types, whole=measured.whole)
        return found if found is None or measured.count is None else replace(found, n=measured.count)
    if measured.whole is None:
        return None
    return Measurement(value=measured.whole, n=measured.count or 0, num_prompts=0, spread=None)


def _refuse_unknown(objectives: Sequence[str], material: Material) -> None:
    known = [metric.name for metric in metrics_of(material)]
    problems = [unknown_name(name, known, "metric") for name in objectives if name not in known]
    if problems:
        raise ConfigError([f"objectives: {problem}" for problem in problems])


def _find_faults(material: Material, tools: Tools, on_progress: Callable[[int, int], None]) -> Material:
    """The material with its faulty pictures named; every picture is decoded once for all that looks at it."""
    paths = material.every_path()
    scored = [picture.path for of_set in material.pictures.values() for picture in of_set]
    known = set(scored)
    others = [path for path in paths if path not in known]
    tools.look(scored, on_progress=lambda done, _: on_progress(done, len(paths)))
    tools.look(
        others,
        roles=[Role.image],  # of true pictures no metric asks what their text is
        on_progress=lambda done, _: on_progress(len(paths) - len(others) + done, len(paths)),
    )
    facts = {path: tools.facts(path).fault for path in paths}
    return replace(material, faults={path: fault for path, fault in facts.items() if fault is not None})


def _empty_row(metric: Metric, *, skipped: str | None) -> Score:
    return Score(
        metric=metric.name,
        title=metric.title,
        direction=metric.direction,
        scope=metric.scope,
        scale=metric.scale,
        skipped=skipped,
    )


def _combine(rows: Sequence[Score], objectives: Sequence[str]) -> Combined:
    chosen = [row for row in rows if row.metric in objectives]
    if len(chosen) < 2:
        return Combined(reason="there are not two objectives to combine")
    mean = harmonic_mean(
        [Anchored(score=row.anchored, spread=row.anchored_spread, reason=row.note) for row in chosen]
    )
    return Combined(value=mean.score, spread=mean.spread, reason=mean.reason)


def _config_hash(material: Material, tools: Tools) -> str:
    """Of what was asked, not of the pictures: prompts, seeds, words, true pictures by content, encoders."""
    real = material.pictures.get(REAL, [])
    asked = {
        "prompts": [[p.prompt, p.seed] for p in material.pictures.get(FINAL, [])],
        "known": {
            text: [known.kind, known.tone, known.type] for text, known in sorted(material.prompts.items())
        },
        "words": [material.trigger, material.class_word],
        "true": sorted(f"{p.prompt}: {tools.content(p.path)}" for p in real)
        or sorted(str(tools.content(path)) for path in material.references),
        "encoders": {
            role: [facts.fingerprint, facts.preprocessing] for role, facts in _encoders(tools).items()
        },
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def _encoders(tools: Tools) -> dict[str, EncoderFacts]:
    return {role.value: _encoder_facts(tools, role) for role in Role if tools.has(role)}


def _encoder_facts(tools: Tools, role: Role) -> EncoderFacts:
    encoder = tools.embedder(role).encoder
    return EncoderFacts(
        name=Path(encoder.name).name if Path(encoder.name).is_absolute() else encoder.name,
        fingerprint=encoder.fingerprint,
        preprocessing=encoder.preprocessing,
    )


def _excluded(material: Material) -> list[Excluded]:
    return [
        Excluded(set_name=name, file=picture.file, reason=material.faults[picture.path])
        for name in SETS
        for picture in material.pictures.get(name, [])
        if picture.path in material.faults
    ]


def _references(material: Material) -> dict[str, list[str]]:
    references: dict[str, list[str]] = {}
    for picture in material.pictures.get(REAL, []):
        references.setdefault(picture.prompt, []).append(picture.file)
    return references


def _environment() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
