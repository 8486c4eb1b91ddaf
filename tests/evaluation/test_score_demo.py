"""The demo's own scorer puts true drawings of the concept above other things."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo.folder import DemoFolder, prepare_demo
from engine.config.sources import Sources
from evaluation.records import Scores, Verdict
from evaluation.score_run import score_run


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoFolder:
    """The demo's concept, drawn."""
    return prepare_demo("sks", tmp_path_factory.mktemp("cache"))


def write_demo_run(run: Path, demo: DemoFolder, **places: Sequence[int]) -> Path:
    """A run whose pictures of the 16 concept prompts are true drawings: of the prompts at these places."""
    rows = json.loads(demo.prompts.read_text())["prompts"]
    sets: dict[str, list[dict[str, object]]] = {}
    for name, of_set in places.items():
        (run / "samples" / name).mkdir(parents=True)
        sets[name] = []
        for index, place in enumerate(of_set):
            file = f"{name}/p{index:02d}_s1.png"
            picture = Image.open(demo.path / rows[place]["references"][0])
            noise = np.random.default_rng(index).normal(0, 2, size=(64, 64, 3))
            noisy = np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(run / "samples" / file)
            sets[name].append(
                {"prompt_index": index, "prompt": rows[index]["prompt"], "seed": 1, "file": file}
            )
    (run / "samples/samples.json").write_text(
        json.dumps({"schema": 1, "prompts": [row["prompt"] for row in rows], "sets": sets})
    )
    return run


def score_demo(run: Path, demo: DemoFolder) -> Scores:
    sources = Sources(
        pictures=demo.train,
        trigger="sks",
        class_word="creature",
        manifest=demo.prompts,
        encoder=str(demo.scorer),
    )
    return score_run(run, sources=sources, device="cpu", cache_dir=demo.path.parents[1]).scores


def test_the_demos_scorer_tells_the_concept_from_other_things(tmp_path: Path, demo: DemoFolder) -> None:
    run = write_demo_run(tmp_path / "run", demo, base=range(16, 32), final=range(16))
    scores = score_demo(run, demo)
    for name in ("likeness", "adherence"):
        row = scores.row(name)
        assert row.final is not None and row.base is not None and row.real is not None
        assert row.base.value + 0.4 < row.final.value
        assert row.final.value == pytest.approx(row.real.value, abs=0.06)
        assert row.difference is not None and row.difference.verdict is Verdict.better
        assert row.anchored == pytest.approx(1, abs=0.1)
        assert row.anchored_spread is not None and 0 < row.anchored_spread < 0.1
    assert scores.excluded == [] and scores.truncated_prompts == 0


def test_the_demos_scorer_tells_the_right_place_from_a_wrong_one(tmp_path: Path, demo: DemoFolder) -> None:
    """The concept is in all pictures; those of the base show it as another prompt asks."""
    wrong = [*range(1, 16), 0]
    scores = score_demo(write_demo_run(tmp_path / "run", demo, base=wrong, final=range(16)), demo)
    for name in ("likeness", "adherence"):
        difference = scores.row(name).difference
        assert difference is not None and difference.verdict is Verdict.better


def test_a_base_as_good_as_the_final_pictures_is_within_the_noise(tmp_path: Path, demo: DemoFolder) -> None:
    scores = score_demo(write_demo_run(tmp_path / "run", demo, base=range(16), final=range(16)), demo)
    for name in ("likeness", "adherence", "health"):
        difference = scores.row(name).difference
        assert difference is not None and difference.verdict is Verdict.unchanged
    note = scores.row("adherence").note
    assert note is not None and "within the noise" in note
