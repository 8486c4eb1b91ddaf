"""run.yaml comes back as it was written, and tells what changed."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from toys import composed

from engine.compose.record import changed_inputs, make_record, read_run_yaml, run_from_record, write_run_yaml
from engine.compose.run_id import run_id
from engine.compose.sources import demo_sources, own_sources
from engine.config import ConfigError
from engine.config.sources import Sources

PRINTS = {"data": "a" * 64, "base": "b" * 64}


def record_in(folder: Path):  # type: ignore[no-untyped-def]
    sources = Sources(pictures=folder / "photos", trigger="sks", prompts=folder / "prompts.txt")
    record = make_record(composed("optimizer.args={}"), sources, fingerprints=PRINTS, threads=4, device="cpu")
    write_run_yaml(folder, record)
    return record


def test_record_comes_back_as_written(tmp_path: Path) -> None:
    record = record_in(tmp_path)
    assert read_run_yaml(tmp_path) == record
    assert run_from_record(record) == composed()
    assert record.run_id == run_id(composed())
    assert [path.name for path in tmp_path.iterdir()] == ["run.yaml"]  # no temporary file is left


def test_unchanged_inputs_and_new_folders_report_nothing(tmp_path: Path) -> None:
    assert changed_inputs(tmp_path, PRINTS) == {}
    record_in(tmp_path)
    assert changed_inputs(tmp_path, PRINTS) == {}


def test_changed_data_and_base_are_each_told(tmp_path: Path) -> None:
    record_in(tmp_path)
    data, base = changed_inputs(tmp_path, {"data": "c" * 64, "base": "d" * 64}).values()
    assert (
        data.startswith(f"the pictures, captions or masks of {tmp_path / 'photos'} changed")
        and "aaaaaaaa -> cccccccc" in data
    )
    assert base.startswith("the weights of demo/weights changed")


@pytest.mark.parametrize("text", ["", "schema: 1\n", "schema: 9\n", "[1, 2]\n", "a: [1\n"])
def test_file_that_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"run\.yaml"):
        read_run_yaml(tmp_path)


def test_folder_without_a_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_run_yaml(tmp_path)


@dataclass
class Drawn:
    train: Path
    prompts: Path
    luminance: Path
    scorer: Path


def drawn_in(folder: Path) -> Drawn:
    names = ("train", "prompts.json", "luminance.json", "scorer")
    return Drawn(*(folder / name for name in names))


def test_the_demo_has_a_list_of_its_own_for_luminance(tmp_path: Path) -> None:
    drawn = drawn_in(tmp_path)
    drawn.prompts.write_text(json.dumps({"trigger": "sks", "class_word": "creature"}))
    found = demo_sources(composed("sampling.prompt_set=luminance"), drawn)
    assert found.prompts == found.manifest == drawn.luminance


def test_demo_stands_in_for_what_is_not_named(tmp_path: Path) -> None:
    drawn = drawn_in(tmp_path)
    drawn.prompts.write_text(json.dumps({"trigger": "sks", "class_word": "creature"}))
    found = demo_sources(composed(), drawn)
    assert (
        found.pictures == drawn.train and found.prompts == drawn.prompts and found.manifest == drawn.prompts
    )
    assert (found.trigger, found.class_word, found.encoder) == ("sks", "creature", str(drawn.scorer))
    own = demo_sources(composed("dataset.trigger=zap", "sampling.prompt_file=p.txt"), drawn)
    assert own.trigger == "zap" and own.prompts == Path("p.txt")


def test_own_pictures_on_the_demo_model_take_its_encoder_only(tmp_path: Path) -> None:
    drawn = drawn_in(tmp_path)
    found = demo_sources(composed("dataset.path=photos"), drawn)
    assert found == Sources(pictures=Path("photos"), encoder=str(drawn.scorer))
    assert own_sources(composed("dataset.path=photos")).encoder is None


def test_an_encoder_on_the_disk_is_found_from_any_folder_and_a_hub_id_stays_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("clip").mkdir()
    for encoder, kept in (("clip", str(tmp_path / "clip")), ("openai/clip", "openai/clip")):
        sources = Sources(pictures=Path("photos"), encoder=encoder)
        record = make_record(composed(), sources, fingerprints=PRINTS, threads=4, device="cpu")
        write_run_yaml(tmp_path, record)
        assert read_run_yaml(tmp_path).sources == Sources(pictures=tmp_path / "photos", encoder=kept)
