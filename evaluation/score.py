"""Score the pictures of a run: health first, then each metric of the table, then the files, all or none."""

import csv
import io
import json
import logging
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from engine.config.sources import Sources
from evaluation.embedder import Embedder
from evaluation.encoders import load_encoder
from evaluation.material import BASE, FINAL, REAL, SETS, Material, read_run_material
from evaluation.metrics.health import find_fault
from evaluation.metrics.metric import Metric, Need
from evaluation.metrics.table import METRICS
from evaluation.records import (
    DECIMALS,
    EncoderFacts,
    Excluded,
    Score,
    Scores,
    write_atomically,
    write_scores,
)
from evaluation.statistics import Anchored, Value, anchor, paired_difference, summarise, values_by_picture

Values = Mapping[str, Mapping[str, Sequence[Value]]]  # metric -> set -> values
_LOG = logging.getLogger(__name__)
_PACKAGES = ("numpy", "pillow", "torch", "transformers")


def score_run(
    folder: Path, *, sources: Sources, device: str = "auto", cache_dir: Path | None = None
) -> Scores:
    """Score a run folder's final pictures beside its base's; write scores.json and per_image.csv into it.

    sources    names the encoder, the manifest of true pictures, trigger and class word; what is not named is
               skipped, with the reason in the row
    cache_dir  where embeddings are kept between runs; None: nowhere
    ConfigError: something that was named cannot be used; then nothing is written.
    """
    material = find_faults(read_run_material(folder, sources))
    embedder = _make_embedder(sources, device=device, cache_dir=cache_dir)
    scores, values = score_material(material, embedder)
    scores = replace(
        scores, run_id=_run_id(folder), references=_references(material), environment=_environment()
    )
    write_atomically(folder / "per_image.csv", per_image_csv(material, values))
    write_scores(scores, folder / "scores.json")
    return scores


def score_material(material: Material, embedder: Embedder | None) -> tuple[Scores, Values]:
    """The rows of all metrics, and the values that they were made of; nothing is written."""
    rows: list[Score] = []
    all_values: dict[str, dict[str, Sequence[Value]]] = {}
    for metric in METRICS.values():
        reason = _why_skipped(metric, material, embedder)
        if reason is not None:
            rows.append(_empty_row(metric, skipped=reason))
            continue
        values = {name: metric.measure(material, name, embedder) for name in metric.sets}
        all_values[metric.name] = values
        rows.append(make_row(metric, values, encoder=embedder.encoder.fingerprint if embedder else None))
    truncated = embedder.count_truncated() if embedder else 0
    if truncated:
        _LOG.warning(
            "%d prompts are longer than the encoder reads; their last words were not scored.", truncated
        )
    scores = Scores(
        rows=rows,
        encoder=None if embedder is None else _encoder_facts(embedder),
        num_pictures={name: len(material.pictures.get(name, [])) for name in SETS},
        excluded=_excluded(material),
        truncated_prompts=truncated,
    )
    return scores, all_values


def make_row(metric: Metric, values: Mapping[str, Sequence[Value]], *, encoder: str | None) -> Score:
    """The row of a metric from its values on each set."""
    final, base, real = (values.get(name, []) for name in (FINAL, BASE, REAL))
    if not final:
        return _empty_row(metric, skipped="no picture that it could be measured on")
    anchored = Anchored()
    if base and real and metric.encoder is not None:
        anchored = anchor(final, base, real, direction=metric.direction)
    return replace(
        _empty_row(metric, skipped=None),
        final=summarise(final),
        base=summarise(base),
        real=summarise(real),
        difference=paired_difference(final, base, direction=metric.direction),
        anchored=anchored.score,
        anchored_spread=anchored.spread,
        note=anchored.reason,
        encoder=encoder if metric.encoder is not None else None,
    )


def find_faults(material: Material) -> Material:
    """The material with its faulty pictures named."""
    faults = {}
    for pictures in material.pictures.values():
        for picture in pictures:
            reason = find_fault(picture.path)
            if reason is not None:
                faults[picture.path] = reason
    return replace(material, faults=faults)


def per_image_csv(material: Material, values: Values) -> str:
    """One line a picture: where it belongs, its fault, its value by each metric."""
    by_picture = {
        (metric, name): values_by_picture(values_of_set)
        for metric, sets in values.items()
        for name, values_of_set in sets.items()
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["set", "prompt_index", "prompt", "seed", "file", "fault", *METRICS])
    for name in SETS:
        for picture in material.pictures.get(name, []):
            key = (picture.prompt_index, picture.seed)
            numbers = [by_picture.get((metric, name), {}).get(key) for metric in METRICS]
            writer.writerow(
                [name, picture.prompt_index, picture.prompt, picture.seed, picture.file]
                + [material.faults.get(picture.path, "")]
                + ["" if number is None else f"{number:.{DECIMALS}f}" for number in numbers]
            )
    return text.getvalue()


def _why_skipped(metric: Metric, material: Material, embedder: Embedder | None) -> str | None:
    if metric.encoder is not None and embedder is None:
        return "no encoder is named: set evaluation.encoder to a folder or hub id of a CLIP"
    if metric.encoder is not None and embedder is not None and metric.encoder not in embedder.encoder.kinds:
        return (
            f"the encoder {embedder.encoder.name} does not read {metric.encoder.value.replace('_', ' and ')}"
        )
    if Need.references in metric.needs and not material.pictures.get(REAL):
        return "no true pictures of these prompts: set evaluation.references to a manifest that names them"
    return None


def _empty_row(metric: Metric, *, skipped: str | None) -> Score:
    return Score(
        metric=metric.name,
        title=metric.title,
        direction=metric.direction,
        scope=metric.scope,
        scale=metric.scale,
        skipped=skipped,
    )


def _make_embedder(sources: Sources, *, device: str, cache_dir: Path | None) -> Embedder | None:
    if sources.encoder is None:
        return None
    return Embedder(load_encoder(sources.encoder, device), cache_dir=cache_dir)


def _encoder_facts(embedder: Embedder) -> EncoderFacts:
    encoder = embedder.encoder
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


def _run_id(folder: Path) -> str | None:
    path = folder / "result.json"
    if not path.is_file():
        return None
    run_id = json.loads(path.read_text(encoding="utf-8")).get("run_id")
    return None if run_id is None else str(run_id)


def _environment() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
