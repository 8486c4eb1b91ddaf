"""samples.json: what it tells of each prompt, and folders of earlier versions."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from engine.config import Sampler
from engine.sampling.draw import DrawSettings, Sample
from engine.sampling.prompt_file import Prompt
from engine.sampling.sample_folder import SampleFolder, SamplePlan

PROMPTS = (
    Prompt(text="a sks dog at night", tone="dark", type="dark"),
    Prompt(text="a bowl", kind="plain", references=(Path("bowl.png"),)),
)
SETTINGS = DrawSettings(
    width=8, height=8, steps=2, guidance_scale=2.0, sampler=Sampler.ddim, negative_prompt=""
)
PLAN = SamplePlan(
    prompts=[prompt.text for prompt in PROMPTS], known=PROMPTS, seeds=[3], settings=SETTINGS, num_previews=1
)
TABLE = [
    {"prompt": "a sks dog at night", "kind": "concept", "tone": "dark", "type": "dark"},
    {"prompt": "a bowl", "kind": "plain", "tone": None, "type": None},
]


def fill(folder: Path, plan: SamplePlan = PLAN) -> SampleFolder:
    store = SampleFolder(folder, plan)
    store.save(
        "base",
        [
            Sample(prompt_index=index, prompt=text, seed=3, image=Image.new("RGB", (8, 8), (index, 0, 0)))
            for index, text in enumerate(plan.prompts)
        ],
    )
    return store


def listing(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "samples/samples.json").read_text(encoding="utf-8"))
    return content


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "samples").rglob("*.png")}


def test_the_listing_tells_kind_tone_and_type_of_each_prompt(tmp_path: Path) -> None:
    fill(tmp_path)
    found = listing(tmp_path)
    assert (found["schema"], found["prompts"], found["seeds"]) == (2, TABLE, [3])
    assert found["sets"]["base"] == [
        {"prompt_index": 0, "prompt": "a sks dog at night", "seed": 3, "file": "base/p00_s3.png"},
        {"prompt_index": 1, "prompt": "a bowl", "seed": 3, "file": "base/p01_s3.png"},
    ]


def test_prompts_of_which_nothing_is_known_are_about_the_concept(tmp_path: Path) -> None:
    fill(tmp_path, replace(PLAN, known=()))
    assert [(row["kind"], row["tone"], row["type"]) for row in listing(tmp_path)["prompts"]] == [
        ("concept", None, None)
    ] * 2


def test_a_folder_of_the_first_version_keeps_its_pictures_and_is_listed_anew(tmp_path: Path) -> None:
    fill(tmp_path)
    before, new = pictures(tmp_path), listing(tmp_path)
    old = {**new, "schema": 1, "prompts": PLAN.prompts}
    (tmp_path / "samples/samples.json").write_text(json.dumps(old))
    assert SampleFolder(tmp_path, PLAN).has("base")
    assert listing(tmp_path) == new and pictures(tmp_path) == before


def test_what_became_known_of_a_prompt_is_listed_without_drawing_it_again(tmp_path: Path) -> None:
    fill(tmp_path, replace(PLAN, known=()))
    assert SampleFolder(tmp_path, PLAN).has("base")
    assert listing(tmp_path)["prompts"] == TABLE


def test_sets_of_other_prompts_seeds_settings_or_of_an_unknown_version_are_not_there(tmp_path: Path) -> None:
    store = fill(tmp_path)
    content = listing(tmp_path)
    assert store.has("base") and not store.has("final")
    for other in (
        replace(PLAN, prompts=["a sks dog at night"], known=PROMPTS[:1]),
        replace(PLAN, seeds=[4]),
        replace(PLAN, settings=replace(SETTINGS, steps=3)),
    ):
        assert not SampleFolder(tmp_path, other).has("base")
    for schema, prompts in ((3, TABLE), (1, TABLE), (2, PLAN.prompts), (2, None)):
        changed = {**content, "schema": schema, "prompts": prompts}
        (tmp_path / "samples/samples.json").write_text(json.dumps(changed))
        assert not store.has("base")


def test_sets_drawn_for_another_plan_are_removed_when_a_set_is_saved(tmp_path: Path) -> None:
    fill(tmp_path)
    fill(tmp_path, replace(PLAN, prompts=["a sks dog at night"], known=PROMPTS[:1]))
    assert listing(tmp_path)["prompts"] == TABLE[:1]
    assert list(pictures(tmp_path)) == ["p00_s3.png"]
