"""scores.json keeps to its committed schema; what does not is told by its place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from score_toys import full_material, full_tools

import evaluation.records
from engine.config.errors import ConfigError
from evaluation.material import Material
from evaluation.metrics.table import METRICS
from evaluation.outputs import write_outputs
from evaluation.records import SCHEMA, Scores, read_scores, schema_text, scores_text
from evaluation.score import score_material
from evaluation.tools import Tools

FILE = Path(evaluation.records.__file__).with_name("scores.schema.json")
TO_MAKE_IT = (
    "python -c \"from evaluation.records import schema_text; print(schema_text(), end='')\""
    " > evaluation/scores.schema.json"
)
Data = dict[str, Any]


def validate(data: Data) -> None:
    jsonschema.Draft202012Validator(json.loads(FILE.read_text(encoding="utf-8"))).validate(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scored folder that has something of everything."""
    place = tmp_path_factory.mktemp("scored")
    write_outputs(score_material(full_material(place / "pictures"), full_tools()), place)
    return place


def data_of(folder: Path) -> Data:
    data: Data = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    return data


def test_the_committed_schema_is_what_the_code_says() -> None:
    assert FILE.read_text(encoding="utf-8") == schema_text(), f"make it anew: {TO_MAKE_IT}"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(FILE.read_text(encoding="utf-8")))


def test_what_is_written_keeps_to_the_schema_and_is_read_back_as_it_was(folder: Path) -> None:
    data = data_of(folder)
    validate(data)
    assert data["schema"] == SCHEMA == 2
    assert [row["metric"] for row in data["rows"]] == list(METRICS)
    assert data["rows"][0]["noise"] is not None and data["rows"][0]["difference"] is not None
    read = read_scores(folder / "scores.json")
    assert scores_text(read) == (folder / "scores.json").read_text(encoding="utf-8")


def test_scores_of_nothing_and_of_broken_pictures_keep_to_it_too(tmp_path: Path) -> None:
    validate(json.loads(scores_text(Scores(rows=[]))))
    validate(json.loads(scores_text(score_material(Material(pictures={}), Tools({})).scores)))
    material = full_material(tmp_path)
    for path in material.every_path():
        path.write_bytes(b"")
    scores = score_material(material, full_tools()).scores
    validate(json.loads(scores_text(scores)))
    assert len(scores.excluded) == 36


def test_numbers_are_rounded_to_six_places_and_have_no_negative_nought() -> None:
    scores = Scores(rows=[], combined=evaluation.records.Combined(value=0.12345649, spread=-1e-9))
    combined = json.loads(scores_text(scores))["combined"]
    assert (combined["value"], str(combined["spread"])) == (0.123456, "0.0")


def test_what_is_not_a_number_is_never_written() -> None:
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            scores_text(Scores(rows=[], combined=evaluation.records.Combined(value=number)))


def rename(*keys: str | int) -> Callable[[Data], None]:
    """A typo in the last key."""

    def change(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[f"{keys[-1]}z"] = data.pop(keys[-1])

    return change


def remove(*keys: str | int) -> Callable[[Data], None]:
    def change(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        del data[keys[-1]]

    return change


def put(value: object, *keys: str | int) -> Callable[[Data], None]:
    def change(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (rename("rows"), "rows: "),
        (rename("notices"), "noticesz: unknown"),
        (rename("rows", 0, "note"), "rows.0.notez: unknown"),
        (rename("rows", 0, "final", "spread"), "rows.0.final.spread: "),
        (remove("run_id"), "run_id: missing"),
        (remove("combined", "reason"), "combined.reason: missing"),
        (remove("rows", 1, "title"), "rows.1.title: "),
        (remove("encoders", "image", "name"), "encoders.image.name: "),
        (put("higer", "rows", 0, "direction"), "rows.0.direction: "),
        (put("0.5", "rows", 0, "final", "value"), "rows.0.final.value: "),
        (put(None, "rows", 0, "final", "value"), "rows.0.final.value: "),
        (put(1.5, "rows", 0, "final", "n"), "rows.0.final.n: "),
        (put([], "num_pictures"), "num_pictures: "),
        (put("likeness", "objectives"), "objectives: "),
        (put({}, "rows"), "rows: "),
    ],
)
def test_a_typo_a_missing_key_and_a_wrong_type_are_told_by_their_place(
    folder: Path, tmp_path: Path, change: Callable[[Data], None], place: str
) -> None:
    data = data_of(folder)
    change(data)
    with pytest.raises(jsonschema.ValidationError):
        validate(data)
    (tmp_path / "scores.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ConfigError) as refusal:
        read_scores(tmp_path / "scores.json")
    (problem,) = refusal.value.problems
    assert problem.startswith(f"{tmp_path / 'scores.json'}: cannot be read ({place}")
    assert problem.endswith("). Score the pictures again.") and "\n" not in problem


@pytest.mark.parametrize("schema", [None, 1, 3, "2"])
def test_another_schema_is_refused(folder: Path, tmp_path: Path, schema: object) -> None:
    data = data_of(folder) | {"schema": schema}
    with pytest.raises(jsonschema.ValidationError):
        validate(data)
    (tmp_path / "scores.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ConfigError, match="not a scores file of schema 2"):
        read_scores(tmp_path / "scores.json")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b"null", b"[]", b'{"schema": 2}'])
def test_a_file_that_is_no_scores_file_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "scores.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"scores\.json: .*Score the pictures again\.$") as refusal:
        read_scores(tmp_path / "scores.json")
    assert "\n" not in refusal.value.problems[0]
