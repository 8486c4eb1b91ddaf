"""Real photographs in every kind of file, with made-up prompts: no model of ours is in sight."""

import csv
from pathlib import Path

from evaluation.__main__ import main
from evaluation.records import read_scores
from tests.data.real_photographs import PHOTOGRAPHS, write_photographs


def test_a_folder_of_photographs_with_made_up_prompts_goes_through(tmp_path: Path, tiny_clip: Path) -> None:
    folder = tmp_path / "photographs"
    paths = write_photographs(folder, captions=False)
    seen = sorted({photograph.source for photograph in PHOTOGRAPHS})
    with (tmp_path / "prompts.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "prompt", "kind"])
        for photograph in PHOTOGRAPHS:
            kind = "plain" if photograph.source == seen[-1] else "concept"
            writer.writerow([photograph.name, f"a <b>photograph</b> of, say, {photograph.source}", kind])
    true = [photograph.name for photograph in PHOTOGRAPHS if photograph.source != seen[-1]][:3]
    for path in write_photographs(tmp_path / "true", captions=False):
        if path.name not in true:
            path.unlink()
    code = main(
        [
            f"images={folder}",
            f"prompts={tmp_path / 'prompts.csv'}",
            f"refs={tmp_path / 'true'}",
            f"encoder={tiny_clip}",
            "image_encoder=pixels",
            f"cache_dir={tmp_path / 'cache'}",
            "objectives=likeness,adherence,luminance",
        ]
    )
    scores = read_scores(folder / "evaluation/scores.json")
    assert code == 0
    assert scores.num_pictures["final"] == len(paths) == len(PHOTOGRAPHS)
    assert scores.excluded == []
    health = scores.row("health").final
    assert health is not None and health.value == 1
    with (folder / "evaluation/per_image.csv").open(newline="", encoding="utf-8") as stream:
        rows = {row["file"]: row for row in csv.DictReader(stream)}
    for name in true:  # a picture that is its own reference
        assert float(rows[name]["memorisation"]) > 0.999
        assert rows[name]["copies"] == "1.000000"
    page = (folder / "evaluation/index.html").read_text(encoding="utf-8")
    assert "a &lt;b&gt;photograph&lt;/b&gt; of, say," in page and "<b>photograph" not in page
