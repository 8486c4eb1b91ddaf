"""The page of a comparison."""

import os
from pathlib import Path

from evaluation.material import FINAL
from evaluation.maths.statistics import values_by_picture
from evaluation.reports.compare import Compared, ComparedMetric, Comparison
from evaluation.reports.page_data import change_of, facts_of, number_of
from pages.compare_page import write_compare_page
from pages.gallery_data import (
    ComparedPrompt,
    ComparedRun,
    ComparedScores,
    ComparePage,
    GalleryPicture,
    RankStep,
)


def write_comparison(comparison: Comparison, path: Path) -> Path:
    """Write the page; its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_compare_page(comparison_page(comparison, path.parent), path)
    return path


def comparison_page(comparison: Comparison, beside: Path) -> ComparePage:
    """What the page shows.

    beside  the folder of the page, which its links start from
    """
    folders = comparison.folders
    objectives = list(dict.fromkeys(name for one in folders for name in one.scores.objectives))
    told: dict[str, list[str]] = {}
    for one in folders:
        for notice in one.scores.notices:
            told.setdefault(notice, []).append(one.name)
    notices = [*comparison.notices, *(f"{', '.join(names)}: {notice}" for notice, names in told.items())]
    return ComparePage(
        title=" - ".join(one.name for one in folders),
        lead=f"{comparison.num_pairs} pictures of the same prompts and seeds in each of {len(folders)}.",
        notices=notices,
        runs=[ComparedRun(name=one.name, link=_link(one, beside)) for one in folders],
        metrics=[_scores(metric, objectives) for metric in comparison.metrics],
        prompts=_prompts(comparison),
        axes=(objectives[0], objectives[1]) if len(objectives) > 1 else None,
    )


def _scores(metric: ComparedMetric, objectives: list[str]) -> ComparedScores:
    names = list(metric.measurements)
    numbers = {name: number for name in names if (number := number_of(metric.measurements[name]))}
    return ComparedScores(
        facts=facts_of(metric.row, objectives),
        numbers=numbers,
        steps=[
            RankStep(better=better, worse=worse, difference=change_of(step))
            for better, worse, step in zip(names, names[1:], metric.steps, strict=False)
        ],
        missing=metric.missing,
    )


def _prompts(comparison: Comparison) -> list[ComparedPrompt]:
    first = comparison.folders[0]
    known = {p.prompt: p.prompt_index for p in first.stored.pictures if p.set_name == FINAL}
    pictures = {one.name: _pictures(one) for one in comparison.folders}
    return [
        ComparedPrompt(
            index=index,
            text=text,
            type=first.stored.types.get(index),
            pictures={name: of_one.get(text, []) for name, of_one in pictures.items()},
        )
        for text, index in sorted(known.items(), key=lambda item: item[1])
    ]


def _pictures(one: Compared) -> dict[str, list[GalleryPicture]]:
    values = {metric: values_by_picture(sets.get(FINAL, [])) for metric, sets in one.stored.values.items()}
    found: dict[str, list[GalleryPicture]] = {}
    for entry in one.stored.pictures:
        if entry.set_name == FINAL:
            key = (entry.prompt_index, entry.seed)
            picture = GalleryPicture(
                set_name=FINAL,
                seed=entry.seed,
                path=one.pictures / entry.file,
                file=entry.file,
                fault=entry.fault,
                scores={metric: of_metric[key] for metric, of_metric in values.items() if key in of_metric},
            )
            found.setdefault(entry.prompt, []).append(picture)
    return found


def _link(one: Compared, beside: Path) -> str | None:
    page = next(
        (
            place
            for place in (one.folder / "evaluation/index.html", one.folder / "index.html")
            if place.is_file()
        ),
        None,
    )
    return None if page is None else Path(os.path.relpath(page, beside)).as_posix()
