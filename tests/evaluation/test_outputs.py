"""Four files, written all or none; numbers to the last bit; tables that any CSV reader reads."""

import csv
import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from score_toys import PROMPTS, ToyEncoder, full_material, full_tools, material_of

from engine.config.errors import ConfigError
from engine.sampling.prompt_file import Prompt
from evaluation.encoders.embedder import Embedder
from evaluation.material import Material
from evaluation.maths.statistics import Value
from evaluation.metrics.table import METRICS
from evaluation.outputs import per_image_csv, per_prompt_csv, read_outputs, read_values, write_outputs
from evaluation.records import Scope
from evaluation.score import Scored, score_material
from evaluation.tools import Role, Tools

FILES = ["per_image.csv", "per_prompt.csv", "scores.json", "values.json"]
VECTORS = {10: (1.0, 0.0), 20: (0.6, 0.8), 30: (0.0, 1.0)}
TEXTS = {"a sks dog": (1.0, 0.0), "a sks cat": (0.0, 1.0), "a red star": (0.6, 0.8)}


def toys() -> Tools:
    """An encoder for pictures and text alone."""
    embedder = Embedder(ToyEncoder(VECTORS, TEXTS))
    return Tools({Role.text_image: embedder})


def small(folder: Path) -> Scored:
    """Three final pictures of two prompts, one of them black, and one base picture."""
    material = material_of(folder, final={0: [10, 20], 1: [30]}, base={0: [20]})
    (folder / "final_0_1.png").write_bytes(b"no picture")
    prompt = Prompt(text=PROMPTS[0], tone="dark", type="style")
    return score_material(replace(material, prompts={prompt.text: prompt}), toys())


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines(keepends=True)))


def test_per_image_has_a_line_a_picture_and_a_column_a_metric_of_pictures(tmp_path: Path) -> None:
    rows = rows_of(per_image_csv(small(tmp_path)))
    assert rows == [
        ["set", "prompt_index", "prompt", "seed", "file", "fault", "adherence", "health"],
        ["base", "0", "a sks dog", "0", "base_0_0.png", "", "0.600000", "1.000000"],
        ["final", "0", "a sks dog", "0", "final_0_0.png", "", "1.000000", "1.000000"],
        ["final", "0", "a sks dog", "1", "final_0_1.png", "unreadable", "", "0.000000"],
        ["final", "1", "a sks cat", "0", "final_1_0.png", "", "1.000000", "1.000000"],
    ]


def test_per_prompt_has_a_line_a_prompt_of_each_set(tmp_path: Path) -> None:
    rows = rows_of(per_prompt_csv(small(tmp_path)))
    assert rows == [
        ["set", "prompt_index", "prompt", "kind", "tone", "type", "adherence", "health"],
        ["base", "0", "a sks dog", "concept", "dark", "style", "0.600000", "1.000000"],
        ["final", "0", "a sks dog", "concept", "dark", "style", "1.000000", "0.500000"],
        ["final", "1", "a sks cat", "", "", "", "1.000000", "1.000000"],
    ]


def test_columns_are_the_metrics_of_pictures_and_of_prompts(tmp_path: Path) -> None:
    scored = score_material(full_material(tmp_path), full_tools())
    measured = [METRICS[row.metric] for row in scored.scores.rows if row.final is not None]
    images, prompts = rows_of(per_image_csv(scored)), rows_of(per_prompt_csv(scored))
    assert images[0][6:] == [metric.name for metric in measured if metric.scope is Scope.image]
    assert prompts[0][6:] == [metric.name for metric in measured if metric.scope is not Scope.set]
    assert len(images) == 1 + 36 and len(prompts) == 1 + 18
    assert {len(row) for row in images} == {len(images[0])} and {len(row) for row in prompts} == {
        len(prompts[0])
    }


@pytest.mark.parametrize(
    "prompt",
    [
        'a "red", star\nand =1+1',
        "a;b\tc",
        '"',
        ",",
        "two\r\nlines",
        "a carriage\rreturn",
        "a fox \U0001f98a, \u72d0, \u0631",
        " spaces ",
        "<script>alert(1)</script>",
    ],
)
def test_a_prompt_stays_in_its_column_as_it_is(tmp_path: Path, prompt: str) -> None:
    material = material_of(tmp_path / "pictures", final={0: [10]})
    picture = replace(material.pictures["final"][0], prompt=prompt)
    write_outputs(score_material(Material(pictures={"final": [picture]}), Tools({})), tmp_path)
    for name in ("per_image.csv", "per_prompt.csv"):
        with (tmp_path / name).open(newline="", encoding="utf-8") as stream:
            (row,) = csv.DictReader(stream)
        assert row["prompt"] == prompt and row["health"] == "1.000000"
    assert [entry.prompt for entry in read_values(tmp_path).pictures] == [prompt]


def test_a_prompt_that_is_no_text_is_written_with_marks(tmp_path: Path) -> None:
    material = material_of(tmp_path / "pictures", final={0: [10]})
    picture = replace(material.pictures["final"][0], prompt="half \ud83e of a letter")
    write_outputs(score_material(Material(pictures={"final": [picture]}), Tools({})), tmp_path)
    assert "half ? of a letter" in (tmp_path / "per_image.csv").read_text(encoding="utf-8")
    assert [entry.prompt for entry in read_values(tmp_path).pictures] == ["half ? of a letter"]


def test_values_are_read_back_to_the_last_bit(tmp_path: Path) -> None:
    scored = score_material(full_material(tmp_path / "pictures"), full_tools())
    odd = [0.1 + 0.2, 1 / 3, 5e-324, -1.7976931348623157e308, 123456789.12345679]
    values = [Value(prompt_index=place, seed=0, value=number) for place, number in enumerate(odd)]
    scored = replace(scored, values={**scored.values, "odd": {"final": values}})
    write_outputs(scored, tmp_path)
    scores, stored = read_outputs(tmp_path)
    assert stored.values == {
        metric: {name: list(found) for name, found in sets.items()} for metric, sets in scored.values.items()
    }
    assert stored.types == scored.material.types()
    pictures = [picture for name in ("base", "final", "real") for picture in scored.material.pictures[name]]
    assert [(one.set_name, one.prompt_index, one.prompt, one.seed, one.file) for one in stored.pictures] == [
        (one.set_name, one.prompt_index, one.prompt, one.seed, one.file) for one in pictures
    ]
    assert scores.config_hash == scored.scores.config_hash


def test_a_page_is_written_with_the_rest_or_nothing_is(tmp_path: Path) -> None:
    scored = small(tmp_path / "pictures")
    out, page = tmp_path / "a" / "b", tmp_path / "a" / "pages" / "index.html"
    write_outputs(scored, out, pictures=tmp_path / "pictures", pages={page: "<p>"})
    assert page.read_text() == "<p>"
    assert read_outputs(out)[1].root == "../../pictures"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    taken = tmp_path / "a" / "folder"
    (taken / "within").mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be written"):
        write_outputs(scored, out, pages={page: "<b>", taken: "a folder is in the way"})
    assert page.read_text() == "<p>"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_the_same_scoring_gives_the_same_bytes(tmp_path: Path) -> None:
    material, contents = full_material(tmp_path / "pictures"), []
    for place in ("one", "two"):
        write_outputs(score_material(material, full_tools()), tmp_path / place)
        contents.append([(tmp_path / place / name).read_bytes() for name in FILES])
    assert contents[0] == contents[1]
    assert b"\r" not in b"".join(contents[0])


def names_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def failing(at: int) -> Callable[..., object]:
    """Something that fails at its n-th call, as on a disk that is full, and works before and after."""
    calls = [0]

    def fail(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            calls[0] += 1
            if calls[0] == at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **kwargs)

        return call

    return fail


@pytest.mark.parametrize("what", ["write_text", "replace"])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize("has_old", [True, False])
def test_a_write_that_fails_leaves_the_old_files_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, at: int, has_old: bool
) -> None:
    scored, out = small(tmp_path / "pictures"), tmp_path / "out"
    out.mkdir()
    if has_old:
        write_outputs(score_material(full_material(tmp_path / "circle"), full_tools()), out)
    before = {name: (out / name).read_bytes() for name in names_of(out)}
    with monkeypatch.context() as patched:
        patched.setattr(Path, what, failing(at)(getattr(Path, what)))
        with pytest.raises(
            ConfigError, match=r"the scores cannot be written .No space left on device.. Make room"
        ):
            write_outputs(scored, out)
    assert {name: (out / name).read_bytes() for name in names_of(out)} == before
    assert names_of(out) == (FILES if has_old else [])
    write_outputs(scored, out)
    assert names_of(out) == FILES


def test_an_interruption_between_two_files_leaves_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored, out = small(tmp_path / "pictures"), tmp_path / "out"
    write_outputs(scored, out)
    before = [(out / name).read_bytes() for name in FILES]
    replace_file, calls = Path.replace, []

    def interrupt(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return replace_file(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_outputs(replace(scored, scores=replace(scored.scores, run_id="new")), out)
    assert [(out / name).read_bytes() for name in FILES] == before and names_of(out) == FILES


def test_a_place_that_cannot_be_written_to_is_told_in_a_sentence(tmp_path: Path) -> None:
    scored = small(tmp_path / "pictures")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file: the scores cannot be written"):
        write_outputs(scored, tmp_path / "file")
    (tmp_path / "out" / "scores.json").mkdir(parents=True)
    with pytest.raises(ConfigError, match="out: the scores cannot be written"):
        write_outputs(scored, tmp_path / "out")
    assert names_of(tmp_path / "out") == ["scores.json"]


def test_a_value_that_is_not_a_number_is_never_written(tmp_path: Path) -> None:
    scored = small(tmp_path / "pictures")
    broken = [Value(prompt_index=0, seed=0, value=float("nan"))]
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_outputs(replace(scored, values={"x": {"final": broken}}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"schema": 2, "pictures": [], "types": {}, "values": {}}',
        '{"schema": 1, "pictures": [], "types": {}}',
        '{"schema": 1, "pictures": [], "types": {}, "values": {}, "more": 1}',
        '{"schema": 1, "pictures": [{"prompt": "a"}], "types": {}, "values": {}}',
        '{"schema": 1, "pictures": [], "types": {"a": "b"}, "values": {}}',
        '{"schema": 1, "pictures": [], "types": {}, "values": {"x": {"final": [[0, 1, "2"]]}}}',
        '{"schema": 1, "pictures": [], "types": {}, "values": {"x": {"final": [[0, 1]]}}}',
        '{"schema": 1, "pictures": [], "types": {}, "values": {"x": {"final": [[0, 1, null]]}}}',
    ],
)
def test_values_that_cannot_be_understood_are_refused_in_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "values.json").write_text(content)
    with pytest.raises(
        ConfigError, match=r"values\.json: cannot be read .*Score the pictures again\."
    ) as found:
        read_values(tmp_path)
    assert "\n" not in found.value.problems[0]


def test_a_folder_that_was_not_scored_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"was not scored yet\. Score it first\."):
        read_outputs(tmp_path)


def test_values_json_is_what_the_scoring_found(tmp_path: Path) -> None:
    write_outputs(small(tmp_path / "pictures"), tmp_path)
    data = json.loads((tmp_path / "values.json").read_text())
    assert data["values"]["adherence"] == {
        "base": [[0, 0, pytest.approx(0.6)]],
        "final": [[0, 0, 1.0], [1, 0, 1.0]],
        "real": [],
    }
    assert data["types"] == {"0": "style"}
    assert [row["fault"] for row in data["pictures"]] == [None, None, "unreadable", None]
