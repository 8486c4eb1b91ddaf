"""Scored folders side by side: paired differences and ranks by hand, and what cannot be compared."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from score_toys import CIRCLE, PROMPTS, ToyEncoder, full_material, full_tools, material_of, save_picture

from engine.config.errors import ConfigError
from engine.sampling.prompt_file import Prompt
from evaluation.encoders.embedder import Embedder
from evaluation.material import Material
from evaluation.outputs import write_outputs
from evaluation.reading.external_scores import ExternalScores
from evaluation.records import Direction
from evaluation.reports.compare import Comparison, compare_folders, scored_folder, short_names
from evaluation.reports.compare_page import write_comparison
from evaluation.reports.summary import comparison_lines
from evaluation.score import score_material
from evaluation.tools import Role, Tools

T2 = 4.3026527  # the 97.5 % quantile of Student's t at 2 degrees of freedom
Scores = Sequence[Sequence[float]]  # a list of a prompt's scores, one a seed, for each prompt


def score_given(
    folder: Path,
    scores: Scores,
    *,
    direction: Direction = Direction.higher,
    types: Mapping[int, str] | None = None,
) -> Path:
    """A scored folder whose pictures have these scores by another program."""
    numbers = {prompt: [1] * len(of_prompt) for prompt, of_prompt in enumerate(scores)}
    material = material_of(folder, final=numbers)
    flat = [score for of_prompt in scores for score in of_prompt]
    by_path = {one.path: score for one, score in zip(material.pictures["final"], flat, strict=True)}
    given = ExternalScores(name="given", direction=direction, by_path=by_path)
    prompts = {
        PROMPTS[index]: Prompt(text=PROMPTS[index], type=kind) for index, kind in (types or {}).items()
    }
    write_outputs(
        score_material(replace(material, external={"given": given}, prompts=prompts), Tools({})), folder
    )
    return folder


def ranked(comparison: Comparison, metric: str = "given") -> list[tuple[str, float]]:
    (found,) = (one for one in comparison.metrics if one.row.metric == metric)
    return [(name, round(measured.value, 9)) for name, measured in found.measurements.items()]


def problems_of(*folders: Path) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        compare_folders(folders)
    return refusal.value.problems


def test_two_folders_by_hand(tmp_path: Path) -> None:
    a = score_given(tmp_path / "a", [[1.0, 3.0], [5.0], [6.0]])
    b = score_given(tmp_path / "b", [[2.0, 4.0], [7.0], [9.0]])
    comparison = compare_folders([a, b])
    assert comparison.num_pairs == 4
    assert ranked(comparison) == [("b", round(19 / 3, 9)), ("a", round(13 / 3, 9))]
    (found,) = (one for one in comparison.metrics if one.row.metric == "given")
    (step,) = found.steps
    # b minus a: 1 and 1, 2, 3. Their mean is 2, their deviation 1.
    assert (step.value, step.n, step.num_prompts) == (pytest.approx(2), 4, 3)
    assert step.spread == pytest.approx(T2 / 3**0.5)
    assert not found.is_separated  # 2.48 is more than 2
    assert found.missing == {}


def test_three_folders_are_ranked_and_each_is_held_against_the_next(tmp_path: Path) -> None:
    middle = score_given(tmp_path / "middle", [[1.0], [2.0], [3.0]])
    low = score_given(tmp_path / "low", [[0.4], [1.5], [2.6]])
    high = score_given(tmp_path / "high", [[1.9], [3.0], [4.1]])
    comparison = compare_folders([middle, low, high])
    assert ranked(comparison) == [("high", 3.0), ("middle", 2.0), ("low", 1.5)]
    (found,) = (one for one in comparison.metrics if one.row.metric == "given")
    assert [round(step.value, 9) for step in found.steps] == [1.0, 0.5]
    assert [step.spread for step in found.steps] == pytest.approx([T2 * 0.1 / 3**0.5] * 2)
    assert found.is_separated
    assert [one.name for one in comparison.folders] == ["middle", "low", "high"]
    lines = comparison_lines(comparison)
    assert lines[0] == "middle, low, high: 3 pictures of the same prompts and seeds"
    given = [line.split() for line in lines if " 1. high" in line and "given" in line]
    assert given and given[0][-1] == "separated"


def test_the_best_is_the_lowest_where_less_is_better(tmp_path: Path) -> None:
    folders = [
        score_given(tmp_path / name, [[score], [score + 1], [score + 2]], direction=Direction.lower)
        for name, score in (("a", 3.0), ("b", 1.0), ("c", 2.0))
    ]
    comparison = compare_folders(folders)
    assert ranked(comparison) == [("b", 2.0), ("c", 3.0), ("a", 4.0)]
    (found,) = (one for one in comparison.metrics if one.row.metric == "given")
    assert [step.value for step in found.steps] == [-1.0, -1.0] and found.is_separated


def test_equal_folders_are_not_told_apart(tmp_path: Path) -> None:
    folders = [score_given(tmp_path / name, [[1.0], [2.0], [3.0]]) for name in "ab"]
    (found,) = (one for one in compare_folders(folders).metrics if one.row.metric == "given")
    assert (found.steps[0].value, found.steps[0].spread, found.is_separated) == (0.0, 0.0, False)


def test_types_weigh_equally_in_a_comparison_too(tmp_path: Path) -> None:
    types = {0: "style", 1: "style", 2: "content"}
    a = score_given(tmp_path / "a", [[0.0], [0.0], [0.0]], types=types)
    b = score_given(tmp_path / "b", [[1.0], [3.0], [8.0]], types=types)
    comparison = compare_folders([a, b])
    assert ranked(comparison) == [("b", 5.0), ("a", 0.0)]  # of 2 and 8


def test_the_same_prompts_under_other_numbers_are_paired_by_their_text(tmp_path: Path) -> None:
    a = score_given(tmp_path / "a", [[1.0], [5.0], [9.0]])
    material = material_of(tmp_path / "b", final={0: [1], 1: [1], 2: [1]})
    turned = [replace(one, prompt_index=7 - one.prompt_index) for one in material.pictures["final"]]
    by_path = dict(zip([one.path for one in turned], (2.0, 7.0, 12.0), strict=True))
    given = ExternalScores(name="given", direction=Direction.higher, by_path=by_path)
    told = Material(pictures={"final": turned[::-1]}, external={"given": given})
    write_outputs(score_material(told, Tools({})), tmp_path / "b")
    comparison = compare_folders([a, tmp_path / "b"])
    (found,) = (one for one in comparison.metrics if one.row.metric == "given")
    assert found.steps[0].value == pytest.approx(2)
    assert found.steps[0].spread == pytest.approx(T2 / 3**0.5)  # of 1, 2, 3


def test_a_picture_that_is_broken_in_one_folder_counts_in_none(tmp_path: Path) -> None:
    a = score_given(tmp_path / "a", [[1.0, 3.0], [5.0], [6.0]])
    material = material_of(tmp_path / "b", final={0: [1, 1], 1: [1], 2: [1]})
    by_path = dict(zip([one.path for one in material.pictures["final"]], (9.0, 4.0, 6.0, 7.0), strict=True))
    (tmp_path / "b" / "final_0_0.png").write_bytes(b"")
    given = ExternalScores(name="given", direction=Direction.higher, by_path=by_path)
    write_outputs(score_material(replace(material, external={"given": given}), Tools({})), tmp_path / "b")
    comparison = compare_folders([a, tmp_path / "b"])
    assert comparison.num_pairs == 4
    assert ranked(comparison) == [("b", round(17 / 3, 9)), ("a", round(14 / 3, 9))]  # 4, 6, 7 and 3, 5, 6
    (found,) = (one for one in comparison.metrics if one.row.metric == "given")
    assert (found.steps[0].value, found.steps[0].n) == (pytest.approx(1), 3)
    assert ranked(comparison, "health") == [("a", 1.0), ("b", round(2.5 / 3, 9))]  # all of its pictures


def test_what_one_folder_lacks_is_told_and_the_rest_is_ranked(tmp_path: Path) -> None:
    a = score_given(tmp_path / "a", [[1.0], [2.0], [3.0]])
    material = material_of(tmp_path / "b", final={0: [1], 1: [1], 2: [1]})
    write_outputs(score_material(material, Tools({})), tmp_path / "b")
    comparison = compare_folders([a, tmp_path / "b"])
    (found,) = (one for one in comparison.metrics if one.row.metric == "given")
    assert ranked(comparison) == [("a", 2.0)]
    assert (found.steps, found.missing, found.is_separated) == ([], {"b": "not measured"}, False)
    assert [one.row.metric for one in comparison.metrics] == ["health", "given"]


def circle_folder(folder: Path, *, shift: int = 0) -> Path:
    """Full material, scored; its final pictures lie `shift` further round the circle."""
    material = full_material(folder / "pictures", num_prompts=12, num_seeds=10)
    files = folder / "pictures"
    final = [
        replace(one, path=files / f"{int(one.path.stem) + shift}.png") for one in material.pictures["final"]
    ]
    references = [files / f"{number}.png" for number in range(1, 61)]
    prompts = {
        text: replace(one, type="ab"[place % 2]) for place, (text, one) in enumerate(material.prompts.items())
    }
    told = replace(
        material,
        pictures={**material.pictures, "final": final, "real": []},
        references=references,
        prompts=prompts,
    )
    write_outputs(score_material(told, full_tools(12)), folder)
    return folder


def test_metrics_of_whole_sets_are_compared_by_their_own_values(tmp_path: Path) -> None:
    near, far = circle_folder(tmp_path / "near", shift=20), circle_folder(tmp_path / "far")
    comparison = compare_folders([far, near])
    by_name = {one.row.metric: one for one in comparison.metrics}
    wholes = {one.name: {row.metric: row.final for row in one.scores.rows} for one in comparison.folders}
    for metric in ("distribution", "centroid_distance", "luminance_range"):
        found = by_name[metric]
        best, worst = found.measurements
        assert {name: one.value for name, one in found.measurements.items()} == {
            name: of_one[metric].value for name, of_one in wholes.items() if of_one[metric] is not None
        }
        assert found.steps[0].value == pytest.approx(
            found.measurements[best].value - found.measurements[worst].value, abs=1e-12
        )
        assert found.steps[0].spread is not None
        own = wholes[best][metric]
        assert own is not None and found.measurements[best].spread == pytest.approx(own.spread, abs=1e-6)
    assert list(by_name["distribution"].measurements) == ["near", "far"]
    # Without parts by prompt there are values, and nothing is said of their noise.
    assert by_name["cmmd"].steps == [] and list(by_name["cmmd"].measurements) == ["near", "far"]
    assert not by_name["cmmd"].is_separated and by_name["cmmd"].missing == {}
    assert "frechet" not in by_name


def test_losses_of_validation_pictures_are_paired_by_picture(tmp_path: Path) -> None:
    material = full_material(tmp_path / "pictures")
    assert material.losses is not None and material.losses.final is not None
    write_outputs(score_material(material, full_tools()), tmp_path / "a")
    higher = [[loss and loss + 0.5 for loss in row] for row in material.losses.final]
    worse = replace(material, losses=replace(material.losses, final=higher))
    write_outputs(score_material(worse, full_tools()), tmp_path / "b")
    (found,) = (
        one
        for one in compare_folders([tmp_path / "b", tmp_path / "a"]).metrics
        if one.row.metric == "val_loss"
    )
    assert list(found.measurements) == ["a", "b"]
    assert (found.steps[0].value, found.steps[0].spread) == (pytest.approx(-0.5), pytest.approx(0, abs=1e-12))
    assert found.is_separated


def test_losses_at_other_timesteps_are_not_paired(tmp_path: Path) -> None:
    material = full_material(tmp_path / "pictures")
    assert material.losses is not None
    write_outputs(score_material(material, full_tools()), tmp_path / "a")
    moved = replace(material.losses, timesteps=[100, 300, 500, 700])
    write_outputs(score_material(replace(material, losses=moved), full_tools()), tmp_path / "b")
    comparison = compare_folders([tmp_path / "a", tmp_path / "b"])
    (found,) = (one for one in comparison.metrics if one.row.metric == "val_loss")
    assert (list(found.measurements), found.steps) == (["a"], [])
    assert found.missing == {"b": "measured on other validation pictures or timesteps"}


def test_what_a_reader_must_know_of_a_comparison_is_told(tmp_path: Path) -> None:
    material = full_material(tmp_path / "pictures")
    write_outputs(score_material(material, full_tools()), tmp_path / "a")
    write_outputs(score_material(material, full_tools(), objectives=["health"]), tmp_path / "b")
    assert compare_folders([tmp_path / "a", tmp_path / "b"]).notices == []
    fewer = {**material.pictures, "real": material.pictures["real"][1:]}
    write_outputs(score_material(replace(material, pictures=fewer), full_tools()), tmp_path / "b")
    (notice,) = compare_folders([tmp_path / "a", tmp_path / "b"]).notices
    assert notice.startswith("not all were scored against the same (other references")
    first, *others = material.pictures["final"]
    (tmp_path / "broken.png").write_bytes(b"")
    broken = {**material.pictures, "final": [replace(first, path=tmp_path / "broken.png"), *others]}
    write_outputs(score_material(replace(material, pictures=broken), full_tools()), tmp_path / "b")
    comparison = compare_folders([tmp_path / "a", tmp_path / "b"])
    (notice,) = comparison.notices
    assert notice.startswith("broken pictures were left out of b: ")
    assert comparison_lines(comparison)[-1] == f"  note: {notice}"


def test_other_prompts_or_seeds_are_refused_with_some_of_them(tmp_path: Path) -> None:
    a = score_given(tmp_path / "a", [[1.0], [2.0], [3.0]])
    b = score_given(tmp_path / "b", [[1.0, 2.0], [2.0]])
    assert problems_of(a, b) == [
        "compare: a and b were not drawn for the same prompts and seeds (2 in common, 2 in one of them only: "
        "'a red star', seed 0; 'a sks dog', seed 1). Score both on the same ones; of runs: "
        "python -m evaluation run=... preset=sweep for each."
    ]


def test_pictures_of_unknown_prompts_are_refused(tmp_path: Path) -> None:
    folders = []
    for name in "ab":
        material = material_of(tmp_path / name, final={0: [1]})
        unknown = [replace(one, prompt="") for one in material.pictures["final"]]
        write_outputs(score_material(Material(pictures={"final": unknown}), Tools({})), tmp_path / name)
        folders.append(tmp_path / name)
    assert problems_of(*folders) == [
        "compare: prompts of a, b are not known, so its pictures cannot be paired. Score it again with "
        "prompts=FILE."
    ]


def test_other_encoders_are_refused(tmp_path: Path) -> None:
    for name, fingerprint in (("a", "1" * 64), ("b", "2" * 64)):
        encoder = ToyEncoder(CIRCLE)
        encoder.name, encoder.fingerprint = f"toys/{name}", fingerprint
        material = material_of(tmp_path / name, final={0: [10], 1: [20]})
        write_outputs(score_material(material, Tools({Role.image: Embedder(encoder)})), tmp_path / name)
    assert problems_of(tmp_path / "a", tmp_path / "b") == [
        "compare: a and b were scored by different encoders (image: toys/a and toys/b). Score both with one."
    ]


def test_a_folder_given_twice_is_refused(tmp_path: Path) -> None:
    a = score_given(tmp_path / "a", [[1.0]])
    assert problems_of(a, tmp_path / "b" / ".." / "a") == [
        f"compare: {tmp_path}/b/../a is given twice. Give different folders."
    ]


def images_folder(folder: Path) -> Path:
    """A folder of somebody's own pictures with its outputs below it."""
    score_given(folder, [[1.0], [2.0], [3.0]])
    (folder / "evaluation").mkdir()
    for name in ("scores.json", "values.json", "per_image.csv", "per_prompt.csv"):
        shutil.move(folder / name, folder / "evaluation" / name)
    values = folder / "evaluation" / "values.json"
    values.write_text(values.read_text().replace('"root": "."', '"root": ".."'))  # as pictures= has it
    return folder


def test_a_folder_of_pictures_is_compared_by_its_outputs_below_it(tmp_path: Path) -> None:
    a, b = images_folder(tmp_path / "a"), score_given(tmp_path / "b", [[2.0], [3.0], [4.0]])
    assert (scored_folder(a), scored_folder(b)) == (a / "evaluation", b)
    comparison = compare_folders([a, b])
    assert ranked(comparison) == [("b", 3.0), ("a", 2.0)]
    one = comparison.folders[0]
    assert (one.folder, one.pictures) == (a / "evaluation", a)
    one = compare_folders([a / "evaluation", b]).folders[0]
    assert (one.folder, one.pictures) == (a / "evaluation", a)
    assert problems_of(a, a / "evaluation") == [
        f"compare: {a / 'evaluation'} is given twice. Give different folders."
    ]


def test_all_folders_that_were_not_scored_are_told_at_once(tmp_path: Path) -> None:
    a = score_given(tmp_path / "a", [[1.0]])
    (tmp_path / "b").mkdir()
    save_picture(tmp_path / "b" / "picture.png", 1)
    assert problems_of(tmp_path / "none", a, tmp_path / "b") == [
        f"compare: {tmp_path / 'none'}: no such folder.",
        f"compare: {tmp_path / 'b'}: was not scored yet. Score it first.",
    ]


def test_names_are_the_shortest_ends_that_differ() -> None:
    assert short_names([Path("x/a"), Path("x/b")]) == ["a", "b"]
    assert short_names([Path("x/a/run"), Path("x/b/run")]) == ["a", "b"]
    assert short_names([Path("x/a/run"), Path("x/b/run"), Path("x/b/other")]) == ["a/run", "b/run", "b/other"]
    assert short_names([Path("a"), Path("a/a")])[0] != short_names([Path("a"), Path("a/a")])[1]


def test_the_page_of_a_comparison_names_folders_and_verdicts(tmp_path: Path) -> None:
    a = score_given(tmp_path / "a", [[1.0], [2.0], [3.0]])
    b = score_given(tmp_path / "b", [[1.9], [3.0], [4.1]])
    page = write_comparison(compare_folders([a, b]), tmp_path / "pages" / "compare.html")
    text = page.read_text(encoding="utf-8")
    assert "a sks dog" in text and "given" in text
    assert "<title>" in text and "a - b" in text
