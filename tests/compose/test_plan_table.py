"""The table of a dry run: what each subset holds, and how it is batched."""

from pathlib import Path

from rich.console import Console
from toys import composed

from demo.folder import prepare_demo
from engine.compose.plan import Plan
from engine.compose.plan_table import COLUMNS, print_subsets, subset_rows
from engine.compose.preflight import preflight
from evaluation.check import check_scoring
from tests.data.picture_files import write_picture


def plan_of(folder: Path, *options: str) -> Plan:
    places = (f"output_dir={folder / 'out'}", f"cache_dir={folder / 'cache'}", "evaluation.enabled=false")
    return preflight(composed(*places, *options), prepare_demo, check_scoring)


def test_a_folder_is_one_row(tmp_path: Path) -> None:
    for index in range(5):
        write_picture(tmp_path / f"photos/{index}.png", (64, 64), caption="a dog" if index < 2 else None)
    write_picture(tmp_path / "photos/wide.png", (128, 32))
    (tmp_path / "photos/wide.caption").write_text("wide")
    photos = tmp_path / "photos"
    options = ("dataset.class_tokens=dog", "dataset.batch_size=2", "dataset.num_repeats=3")
    plan = plan_of(tmp_path, f"dataset.path={photos}", *options)
    assert subset_rows(plan) == [
        (str(photos), "6", "3", "1 .caption, 2 .txt, 3 class_tokens", "64x64: 5, 128x32: 1", "10")
    ]  # 15 and 3 pictures in twos: 8 + 2
    console = Console(record=True, width=200)
    print_subsets(plan, console)
    shown = console.export_text()
    assert all(name in shown for name in COLUMNS)
    assert "an epoch: 10 batches, 10 steps" in shown


def test_subsets_of_a_dataset_share_batches_and_datasets_are_numbered(tmp_path: Path) -> None:
    for name, count in (("dogs", 4), ("cats", 2), ("reg", 3)):
        for index in range(count):
            write_picture(tmp_path / name / f"{index}.png", (64, 64), caption=f"{name} {index}")
    file = tmp_path / "photos.yaml"
    file.write_text(
        f"""
datasets:
- batch_size: 4
  subsets:
  - {{image_dir: {tmp_path / "dogs"}, num_repeats: 2, validation_split: 0.25}}
  - {{image_dir: {tmp_path / "cats"}}}
  - {{image_dir: {tmp_path / "reg"}, is_reg: true}}
- resolution: [64, 32]
  batch_size: 1
  subsets:
  - {{image_dir: {tmp_path / "cats"}, flip_aug: true}}
"""
    )
    plan = plan_of(tmp_path, "dataset=subsets", f"dataset.config_file={file}")
    dogs, cats, reg, wide = subset_rows(plan)
    assert dogs == (f"{tmp_path / 'dogs'}\n(1 held out)", "4", "2", "4 .txt", "64x64: 3", "4")
    assert cats == (f"{tmp_path / 'cats'}", "2", "1", "2 .txt", "64x64: 2", "")
    # 3 x 2 + 2 = 8 to learn, so that the three pictures are seen 3, 3 and 2 times; 16 in fours are 4 batches
    assert reg == (f"{tmp_path / 'reg'}\n(regularisation)", "3", "2 or 3", "3 .txt", "64x64: 3", "")
    assert wide[:2] + wide[5:] == (f"{tmp_path / 'cats'}\n(dataset 2)", "2", "2")
    assert plan.batches_per_epoch == 4 + 2


def test_a_line_of_80_characters_has_room_for_every_column(tmp_path: Path) -> None:
    folder = tmp_path / "a folder of a long name for a table/photographs"
    for index in range(3):
        write_picture(folder / f"{index}.png", (64 * (index + 1), 64), caption="a dog")
    plan = plan_of(tmp_path, f"dataset.path='{folder}'", "dataset.num_repeats=100")
    console = Console(record=True, width=80)
    print_subsets(plan, console)
    shown = console.export_text()
    assert all(name in shown for name in (*COLUMNS, "table/photographs", "100", "3 .txt"))
    for row in subset_rows(plan):
        assert all(bucket in shown for bucket in row[4].split(", ")), shown
        assert row[5] in shown
