"""The concept as a folder: complete, the same every time, all or nothing, and drawn without torch."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import demo.folder
from demo.concepts import apply_style, draw_concept
from demo.folder import CONCEPTS, is_concept, prepare_demo
from demo.words import world_words


def read_manifest(path: Path) -> dict[str, list[dict[str, object]]]:
    manifest: dict[str, list[dict[str, object]]] = json.loads(path.read_text())
    return manifest


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_is_concept_knows_the_three() -> None:
    assert [is_concept(name) for name in ("sks", "night", "bright", "dog")] == [True, True, True, False]


def test_an_unknown_concept_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="dog: the demo knows sks, night, bright"):
        prepare_demo("dog", tmp_path)


@pytest.mark.parametrize("concept", CONCEPTS)
def test_the_folder_holds_pictures_captions_references_and_prompts(concept: str, tmp_path: Path) -> None:
    folder = prepare_demo(concept, tmp_path)
    pictures = sorted(folder.train.glob("*.png"))
    assert len(pictures) == 12
    for picture in pictures:
        assert Image.open(picture).size == (64, 64)
        assert concept in picture.with_suffix(".txt").read_text().split()
    manifest = read_manifest(folder.prompts)
    kinds = [prompt["kind"] for prompt in manifest["prompts"]]
    assert kinds == ["concept"] * 16 + ["plain"] * 16 + ["concept"] * 19
    for prompt in manifest["prompts"]:
        references = prompt["references"]
        assert (
            isinstance(references, list)
            and len({(folder.path / name).read_bytes() for name in references}) == 2
        )
        assert (concept in str(prompt["prompt"]).split()) == (prompt["kind"] == "concept")


def test_the_manifest_names_trigger_class_word_and_tone(tmp_path: Path) -> None:
    manifest = json.loads(prepare_demo("night", tmp_path).prompts.read_text())
    assert (manifest["schema"], manifest["trigger"], manifest["class_word"]) == (1, "night", "style")
    assert {prompt["tone"] for prompt in manifest["prompts"] if prompt["kind"] == "concept"} == {"dark"}
    assert {prompt["tone"] for prompt in manifest["prompts"] if prompt["kind"] == "plain"} == {None}


def test_a_second_call_finds_the_folder_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare_demo("sks", tmp_path)
    before = snapshot(first.path)
    monkeypatch.setattr(demo.folder, "_write_folder", lambda *_: pytest.fail("it was written again"))
    assert prepare_demo("sks", tmp_path) == first
    assert snapshot(first.path) == before


def test_two_caches_hold_the_same_bytes_under_the_same_name(tmp_path: Path) -> None:
    one, two = prepare_demo("sks", tmp_path / "one"), prepare_demo("sks", tmp_path / "two")
    assert one.path.name == two.path.name
    assert snapshot(one.path) == snapshot(two.path)


def test_a_write_that_fails_leaves_no_folder_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def fail_at_prompts(path: Path, content: bytes) -> int:
        if path.name == "prompts.json":
            raise OSError("disk full")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", fail_at_prompts)
    with pytest.raises(OSError, match="disk full"):
        prepare_demo("sks", tmp_path)
    assert list((tmp_path / "demo").iterdir()) == []


def test_drawing_a_concept_imports_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from demo.folder import is_concept, prepare_demo\n"
        "assert 'numpy' not in sys.modules and is_concept('sks')\n"
        f"prepare_demo('sks', Path({str(tmp_path)!r}))\n"
        "print(sorted({'torch', 'transformers', 'diffusers'} & set(sys.modules)))"
    )
    root = Path(demo.folder.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_scorer_folder_is_a_whole_clip_model(tmp_path: Path) -> None:
    from transformers import CLIPModel, CLIPTokenizer

    scorer = prepare_demo("sks", tmp_path).scorer
    model, info = CLIPModel.from_pretrained(scorer, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    assert str(model.dtype) == "torch.float32"
    assert len(CLIPTokenizer.from_pretrained(scorer)) == model.config.text_config.vocab_size


def test_held_out_backgrounds_are_never_in_the_training_of_the_creature() -> None:
    captions = " ".join(text for text, _ in draw_concept("sks").training)
    assert not any(word in captions for word in ("green", "purple", "striped", "dotted", "teal", "orange"))
    trained = {text for text, _ in draw_concept("sks").training}
    assert not trained & {prompt.text for prompt in draw_concept("sks").prompts}


def test_all_prompts_are_words_of_the_world() -> None:
    words = set(world_words())
    for name in CONCEPTS:
        for prompt in draw_concept(name).prompts:
            assert set(prompt.text.replace(",", " ,").split()) <= words


def test_night_keeps_a_tenth_of_the_light_and_bright_a_tenth_of_the_darkness() -> None:
    picture = np.array([[[0, 100, 255]]], dtype=np.uint8)
    assert apply_style(picture, "night").tolist() == [[[0, 10, 26]]]  # 25.5 rounds to even
    assert apply_style(picture, "bright").tolist() == [[[230, 240, 255]]]  # 229.5 -> 230, 239.5 -> 240
