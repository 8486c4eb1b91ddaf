"""Dataset files of every content: each is read into legal values or refused in sentences that name it."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from fuzz_size import TIMES, examples
from hypothesis import given
from hypothesis import strategies as st

from engine.config import ConfigError
from engine.data.dataset_file import DatasetFile, FileDataset, FileSubset, read_dataset_file
from engine.data.file_keys import KOHYA, OWN

ENDINGS = pytest.mark.parametrize("ending", [".toml", ".json", ".yaml"])
INTERPOLATIONS = {"area", "bicubic", "bilinear", "box", "cubic", "lanczos", "linear", "nearest"}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.integers()
    | st.sampled_from([10**400, -(10**400)])
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "512", "${seed}", "a\nb", "\ud800", "\x00", "~", "/" * 5000])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
SIDES = st.sampled_from([8, 64, 512, 1024]) | st.integers(1, 4096)
GOOD_FOR_A_DATASET: dict[str, st.SearchStrategy[object]] = {
    "resolution": SIDES | st.lists(SIDES, min_size=2, max_size=2),
    "batch_size": st.integers(1, 64),
    "enable_bucket": st.booleans(),
    "min_bucket_reso": SIDES,
    "max_bucket_reso": SIDES,
    "bucket_reso_steps": SIDES,
    "bucket_no_upscale": st.booleans(),
    "validation_split": st.floats(0, 0.9),
    "validation_seed": st.integers(0, 2**31),
}
GOOD_FOR_A_SUBSET: dict[str, st.SearchStrategy[object]] = {
    "num_repeats": st.integers(0, 20),
    "is_reg": st.booleans(),
    "class_tokens": st.text(max_size=8),
    "caption_extension": st.sampled_from([".txt", "caption", ".caption"]),
    "shuffle_caption": st.booleans(),
    "caption_separator": st.sampled_from([",", ",", ";", "|", ""]),  # empty: to be refused
    "secondary_separator": st.sampled_from(["", ";;;"]),
    "keep_tokens": st.integers(0, 9),
    "keep_tokens_separator": st.sampled_from(["", "|||"]),
    "caption_prefix": st.text(max_size=8),
    "caption_suffix": st.text(max_size=8),
    "enable_wildcard": st.booleans(),
    "caption_dropout_rate": st.floats(0, 1) | st.integers(0, 1),
    "caption_dropout_every_n_epochs": st.integers(0, 9),
    "caption_tag_dropout_rate": st.floats(0, 1),
    "token_warmup_min": st.integers(0, 9),
    "token_warmup_step": st.floats(0, 1e4) | st.integers(0, 1000),
    "flip_aug": st.booleans(),
    "color_aug": st.booleans(),
    "random_crop": st.booleans(),
    "face_crop_aug_range": st.just([1.0, 2.5]),
    "alpha_mask": st.booleans(),
    "resize_interpolation": st.sampled_from(sorted(INTERPOLATIONS)),
}
PLACES: dict[str, st.SearchStrategy[object]] = {
    key: st.sampled_from(["a", "b/c", "../a", "犬"])
    for key in ("image_dir", "metadata_file", "conditioning_data_dir", "mask_dir")
}
KEYS = st.sampled_from(
    [*GOOD_FOR_A_DATASET, *GOOD_FOR_A_SUBSET, *PLACES, "general", "datasets", "subsets", "train_batch_size"]
) | st.text(max_size=6)
TABLES = st.dictionaries(KEYS, VALUES, max_size=6)


def some_of(keys: Mapping[str, st.SearchStrategy[object]]) -> st.SearchStrategy[dict[str, object]]:
    """A table of a few of the keys, with values that are right."""
    return st.lists(st.sampled_from(sorted(keys)), max_size=5, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({key: keys[key] for key in chosen})
    )


@st.composite
def nearly_good(draw: st.DrawFn) -> dict[str, object]:
    """A file in which nothing is wrong, or one thing."""
    general: dict[str, object] = draw(some_of(GOOD_FOR_A_DATASET))
    datasets: list[dict[str, object]] = []
    tables = [general]
    for _ in range(draw(st.integers(1, 2))):
        kind = draw(st.sampled_from([{}, {}, {}, {"metadata_file": "m.json"}]))
        subsets = [
            {"image_dir": draw(PLACES["image_dir"]), **draw(some_of(GOOD_FOR_A_SUBSET)), **kind}
            for _ in range(draw(st.integers(1, 2)))
        ]
        table = {"resolution": 512, **draw(some_of(GOOD_FOR_A_DATASET)), "subsets": subsets}
        datasets.append(table)
        tables += [table, *subsets]
    if draw(st.booleans()):
        table = draw(st.sampled_from(tables))
        table[draw(KEYS | st.sampled_from(sorted(table)) if table else KEYS)] = draw(VALUES)
    return {"general": general, "datasets": datasets}


def as_toml(value: object) -> str:
    """A value as TOML has it within a line; what TOML has no word for becomes a text."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else f"{value:+}"
    return '""' if value is None else json.dumps(value)


def as_text(content: object, ending: str) -> str:
    """JSON is YAML, too, but for its escapes of what lies beyond 16 bits."""
    if ending == ".toml" and isinstance(content, Mapping):
        return "".join(f"{json.dumps(key)} = {as_toml(value)}\n" for key, value in content.items())
    return json.dumps(content, ensure_ascii=ending == ".json")


def outcome(folder: Path, ending: str, content: str | bytes) -> DatasetFile | None:
    """What a file is read as; None where it is refused in sentences as they should be."""
    path = folder / f"photos{ending}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    try:
        found = read_dataset_file(path, OWN if ending == ".yaml" else KOHYA)
    except ConfigError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.startswith(str(path))
            assert problem.endswith(".")
            assert len(problem.splitlines()) == 1, problem
            assert problem.encode()  # a lone half of a character pair could not be shown
        return None
    assert found.datasets
    for dataset in found.datasets:
        check_dataset(dataset)
    return found


def check_dataset(dataset: FileDataset) -> None:
    assert dataset.batch_size >= 1
    assert len(dataset.resolution) == 2
    sides = [dataset.min_bucket_reso, dataset.max_bucket_reso, dataset.bucket_reso_steps]
    for side in (*dataset.resolution, *sides):
        assert isinstance(side, int) and not isinstance(side, bool) and side >= 1
    assert isinstance(dataset.enable_bucket, bool) and isinstance(dataset.bucket_no_upscale, bool)
    assert math.isfinite(dataset.network_multiplier)
    assert any(not subset.is_reg for subset in dataset.subsets)
    for subset in dataset.subsets:
        check_subset(subset)


def check_subset(subset: FileSubset) -> None:
    assert subset.image_dir or subset.metadata_file
    assert subset.num_repeats >= 1
    for share in (
        subset.caption_dropout_rate,
        subset.caption_tag_dropout_rate,
        subset.validation_split,
    ):
        assert 0 <= share <= 1
    counts = (subset.keep_tokens, subset.caption_dropout_every_n_epochs, subset.token_warmup_min)
    assert all(isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts)
    assert 0 <= subset.token_warmup_step < math.inf
    assert subset.caption_separator  # an empty one splits nothing
    assert subset.resize_interpolation is None or subset.resize_interpolation in INTERPOLATIONS
    assert subset.caption_extension and all(isinstance(one, str) for one in subset.caption_extension)
    if subset.face_crop_aug_range is not None:
        smallest, largest = subset.face_crop_aug_range
        assert 0 < smallest <= largest < math.inf
    for switch in (subset.is_reg, subset.shuffle_caption, subset.enable_wildcard, subset.flip_aug):
        assert isinstance(switch, bool)


@TIMES
@ENDINGS
def test_a_file_with_one_thing_wrong_is_refused_or_read_as_legal(
    times: int, ending: str, tmp_path: Path
) -> None:
    outcomes: Counter[bool] = Counter()

    @examples(60 * times)
    @given(nearly_good())
    def check(content: dict[str, object]) -> None:
        outcomes[outcome(tmp_path, ending, as_text(content, ending)) is not None] += 1

    check()
    assert min(outcomes[True], outcomes[False]) >= 6 * times, outcomes


@TIMES
@ENDINGS
def test_any_tables_and_values_are_refused_or_read_as_legal(times: int, ending: str, tmp_path: Path) -> None:
    datasets = st.lists(
        st.builds(lambda own, subsets: own | {"subsets": subsets}, TABLES, st.lists(TABLES, max_size=2)),
        max_size=2,
    )
    contents = st.fixed_dictionaries({"general": TABLES, "datasets": datasets}) | TABLES | VALUES

    @examples(60 * times)
    @given(contents)
    def check(content: object) -> None:
        outcome(tmp_path, ending, as_text(content, ending))

    check()


GOOD_TEXTS = {
    ".toml": """# a comment
[general]
enable_bucket = true
caption_extension = ".txt"
shuffle_caption = true
[[datasets]]
resolution = [512, 768]
batch_size = 4
  [[datasets.subsets]]
  image_dir = 'photos/a'
  class_tokens = "shs dog"
  num_repeats = 10
  caption_dropout_rate = 0.1
  [[datasets.subsets]]
  is_reg = true
  image_dir = 'reg'
""",
    ".json": """{
  "general": {"enable_bucket": true, "caption_extension": ".txt", "keep_tokens": 1},
  "datasets": [
    {"resolution": 512, "batch_size": 4, "subsets": [
      {"image_dir": "photos/a", "class_tokens": "shs dog", "num_repeats": 10, "flip_aug": false},
      {"image_dir": "reg", "is_reg": true, "caption_tag_dropout_rate": 0.5}
    ]}
  ]
}""",
    ".yaml": """# a comment
general:
  enable_bucket: true
  caption_extension: [.caption, .txt]
  shuffle_caption: true
datasets:
  - resolution: [512, 768]
    batch_size: 4
    subsets:
      - image_dir: photos/a
        class_tokens: shs dog
        num_repeats: 10
        caption_dropout_rate: 1e-1
      - {image_dir: reg, is_reg: true}
""",
}
WORDS = (
    "true",
    "null",
    "~",
    "nan",
    "-1",
    "1979-05-27",
    "0x1F",
    "1_0",
    "&a",
    "*a",
    "{1: 2}",
    "[[1]]",
    "[a.b]",
)
ODD_WORDS = (
    "${seed}",
    "\\ud800",
    '"\\n": 1',
    "  ",
    "- ",
    "? ",
    "---\n",
    "1: 2\n",
    "<<: *a",
    "!!set ",
    "!!binary a",
)
PIECES = st.sampled_from([*"""[]{}=:,"'#\n\t\x00\ufeff\u2028犬""", *WORDS, *ODD_WORDS]) | st.text(max_size=3)


SUBSET = '[[datasets]]\nresolution = 512\n[[datasets.subsets]]\nimage_dir = "a"\n'
RARE = {
    "a path with half a pair of characters": (
        ".json",
        '{"datasets": [{"resolution": 512, "subsets": [{"image_dir": "\\ud800"}]}]}',
    ),
    "a key with half a pair of characters": (".json", '{"\\ud800": 1}'),
    "a key of two lines": (".toml", '"a\\nb" = 1'),
    "a value with a rare end of line": (".toml", SUBSET + 'keep_tokens = "\\u0085"'),
    "a separator that is empty": (".toml", SUBSET + 'caption_separator = ""'),
    "a number": (".yaml", "1"),
    "a number in quotes": (".yaml", '"1"'),
    "a number for a key": (".yaml", "{1: 2}"),
    "a key that YAML takes for true": (".yaml", "general: {on: 1}"),
    "a set that is a list": (".yaml", "general: !!set [a]"),
}


@pytest.mark.parametrize("name", RARE)
def test_a_file_that_is_wrong_in_a_rare_way_is_refused(name: str, tmp_path: Path) -> None:
    ending, content = RARE[name]
    assert outcome(tmp_path, ending, content) is None


@ENDINGS
def test_the_files_that_are_to_be_damaged_are_good(ending: str, tmp_path: Path) -> None:
    found = outcome(tmp_path, ending, GOOD_TEXTS[ending])
    assert found is not None
    assert len(found.datasets[0].subsets) == 2


@TIMES
@ENDINGS
def test_a_file_damaged_anywhere_is_refused_or_read_as_legal(times: int, ending: str, tmp_path: Path) -> None:
    good = GOOD_TEXTS[ending]
    damages = st.tuples(st.integers(0, len(good)), st.sampled_from([0, 0, 1, 5, 40]), PIECES)

    @examples(80 * times)
    @given(st.lists(damages, min_size=1, max_size=4))
    def check(changes: list[tuple[int, int, str]]) -> None:
        text = good
        for place, length, piece in changes:
            text = text[:place] + piece + text[place + length :]
        outcome(tmp_path, ending, text)

    check()


@TIMES
@ENDINGS
def test_any_bytes_are_refused_or_read_as_legal(times: int, ending: str, tmp_path: Path) -> None:
    @examples(60 * times)
    @given(
        st.binary(max_size=60) | st.lists(PIECES, max_size=12).map(lambda pieces: "".join(pieces).encode())
    )
    def check(content: bytes) -> None:
        outcome(tmp_path, ending, content)

    check()


@TIMES
@ENDINGS
def test_a_file_nested_to_any_depth_is_refused(times: int, ending: str, tmp_path: Path) -> None:
    @examples(10 * times)
    @given(st.integers(1, 1200), st.booleans(), st.booleans())
    def check(depth: int, of_tables: bool, in_subset: bool) -> None:
        colon = " = " if ending == ".toml" else ": "
        start, end = (f'{{"a"{colon}', "}") if of_tables else ("[", "]")
        nested = start * depth + "1" + end * depth
        if in_subset:
            subset = f'[{{"image_dir"{colon}"a", "keep_tokens"{colon}{nested}}}]'
            nested = f'[{{"resolution"{colon}512, "subsets"{colon}{subset}}}]'
        text = f'"datasets"{colon}{nested}'
        assert outcome(tmp_path, ending, text if ending == ".toml" else f"{{{text}}}") is None

    check()
