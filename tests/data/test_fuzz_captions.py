"""Caption operations on any text with any options: what holds whatever is drawn."""

import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from fuzz_size import TIMES, examples
from hypothesis import example, given
from hypothesis import strategies as st
from one_caption import read_caption

from engine.compose.ranges import RANGES
from engine.config import SubsetConfig
from engine.data.caption_changes import START, Moment, change_caption, settled_caption, varies

WORDS = [",", ";;;", "|||", "{{", "}}", "{a|b}", "{|}", "{{a}}", "é", "\r\n", "\n\n"]
PIECES = st.sampled_from([*"ab ,;|{}()\n\t\\\u3000\ue000\ue001\ufeff犬\U0001f436", *WORDS])
TEXTS = st.lists(PIECES | PIECES | st.characters(codec="utf-8"), max_size=20).map("".join)
TAG = st.text("abcdeé犬 ()", min_size=1, max_size=6).map(str.strip).filter(bool)
TAGS = st.lists(TAG, min_size=1, max_size=8)
SHARES = st.sampled_from([0.0, 0.0, 0.5, 1.0]) | st.floats(0, 1)
MOMENTS = st.builds(
    Moment, epoch=st.integers(1, 10**6), step=st.integers(0, 10**7), total_steps=st.integers(1, 10**7)
)
SUBSETS = st.builds(
    SubsetConfig,
    caption_prefix=st.none() | TEXTS,
    caption_suffix=st.none() | TEXTS,
    caption_separator=st.sampled_from([",", ";", ", ", "|||"]) | st.text(min_size=1, max_size=3),
    secondary_separator=st.none() | st.sampled_from([";;;", ","]) | st.text(max_size=3),
    keep_tokens=st.integers(0, 10),
    keep_tokens_separator=st.none() | st.sampled_from(["|||", ","]) | st.text(max_size=3),
    shuffle_caption=st.booleans(),
    enable_wildcard=st.booleans(),
    caption_dropout_rate=SHARES,
    caption_dropout_every_n_epochs=st.just(0) | st.integers(0, 10),
    caption_tag_dropout_rate=SHARES,
    token_warmup_min=st.integers(0, 10_000),
    token_warmup_step=st.just(0.0) | st.floats(0, 1e300),
)


def changed(caption: str, subset: SubsetConfig, seed: int = 0, moment: Moment = START) -> str:
    return change_caption(caption, subset, draws=random.Random(seed), moment=moment)


def is_within(part: list[str], whole: list[str]) -> bool:
    """Each as often at most."""
    return not Counter(part) - Counter(whole)


@TIMES
def test_any_text_and_options_give_a_caption_and_equal_draws_the_same(times: int) -> None:
    @examples(200 * times)
    @example("a \ue000 b \ue001", SubsetConfig(enable_wildcard=True), START, 0)  # no stand-ins for braces
    @given(TEXTS, SUBSETS, MOMENTS, st.integers(0, 2**32))
    def check(caption: str, subset: SubsetConfig, moment: Moment, seed: int) -> None:
        for name in ("keep_tokens", "caption_dropout_rate", "token_warmup_min", "token_warmup_step"):
            assert RANGES[f"dataset.{name}"].problem(getattr(subset, name)) is None
        first = changed(caption, subset, seed, moment)
        assert first == changed(caption, subset, seed, moment)
        given_text = [subset.caption_prefix, caption, subset.caption_suffix, subset.caption_separator]
        assert set(first) <= set("".join(text or "" for text in given_text)) | set(
            ", "
        )  # nothing is invented
        if subset.enable_wildcard is False:
            assert "\n" not in first or "\n" in subset.caption_separator
        if subset.caption_dropout_rate == 1:
            assert first == ""

    check()


@TIMES
def test_what_does_not_vary_is_the_first_line_between_prefix_and_suffix(times: int) -> None:
    @examples(100 * times)
    @given(TEXTS, SUBSETS, MOMENTS)
    def check(caption: str, subset: SubsetConfig, moment: Moment) -> None:
        still = replace(
            subset,
            shuffle_caption=False,
            enable_wildcard=False,
            caption_dropout_rate=0.0,
            caption_dropout_every_n_epochs=0,
            caption_tag_dropout_rate=0.0,
            token_warmup_step=0.0,
        )
        assert not varies(still)
        parts = [still.caption_prefix, caption, still.caption_suffix]
        line = " ".join(part for part in parts if part is not None).split("\n")[0]
        if still.secondary_separator:
            line = still.caption_separator.join(line.split(still.secondary_separator))
        assert changed(caption, still, moment=moment) == line
        assert settled_caption(caption, subset) == settled_caption(caption, subset)
        assert subset.enable_wildcard or settled_caption(caption, subset) == line

    check()


@TIMES
def test_tags_are_kept_moved_or_dropped_and_never_invented(times: int) -> None:
    @examples(200 * times)
    @given(TAGS, SUBSETS, MOMENTS, st.sampled_from([",", " , ", ";", "|"]), st.integers(0, 2**32))
    def check(tags: list[str], subset: SubsetConfig, moment: Moment, comma: str, seed: int) -> None:
        subset = replace(
            subset,
            caption_prefix=None,
            caption_suffix=None,
            caption_separator=comma.strip(),
            secondary_separator=None,
            keep_tokens_separator=None,
            shuffle_caption=True,
            caption_dropout_rate=0.0,
            caption_dropout_every_n_epochs=0,
        )
        shown = changed(comma.join(tags), subset, seed, moment).split(", ")
        kept = tags[: subset.keep_tokens]
        assert shown[: len(kept)] == kept or (not kept and shown == [""])
        assert is_within([tag for tag in shown if tag], tags)
        rate = subset.caption_tag_dropout_rate
        if rate == 1:
            assert [tag for tag in shown if tag] == kept
        if rate == 0 and (not subset.token_warmup_step or moment.step >= subset.token_warmup_step >= 1):
            assert sorted(shown) == sorted(tags)
        if rate > 0 or subset.token_warmup_step > 0:
            unshuffled = changed(comma.join(tags), replace(subset, shuffle_caption=False), seed, moment)
            places = iter(tags)
            assert all(tag in places for tag in unshuffled.split(", ") if tag)  # in their order

    check()


@TIMES
def test_tags_before_the_first_and_behind_the_second_separator_stay_where_they_are(times: int) -> None:
    @examples(100 * times)
    @given(TAGS, TAGS, TAGS, SUBSETS, st.integers(0, 2**32))
    def check(first: list[str], middle: list[str], last: list[str], subset: SubsetConfig, seed: int) -> None:
        subset = replace(
            subset,
            caption_prefix=None,
            caption_suffix=None,
            caption_separator=",",
            secondary_separator=None,
            keep_tokens_separator="|||",
            shuffle_caption=True,
            caption_dropout_rate=0.0,
            caption_dropout_every_n_epochs=0,
        )
        caption = "|||".join(",".join(tags) for tags in (first, middle, last))
        shown = changed(caption, subset, seed).split(", ")
        assert shown[: len(first)] == first
        assert shown[len(shown) - len(last) :] == last
        assert is_within(shown[len(first) : len(shown) - len(last)], middle)

    check()


@TIMES
def test_warm_up_never_hides_again_what_it_has_shown(times: int) -> None:
    @examples(100 * times)
    @given(
        TAGS,
        st.floats(0, 1e6, exclude_min=True),
        st.integers(0, 20),
        st.integers(0, 10),
        st.integers(1, 10**6),
    )
    def check(tags: list[str], length: float, at_first: int, keep: int, total: int) -> None:
        subset = SubsetConfig(token_warmup_step=length, token_warmup_min=at_first, keep_tokens=keep)
        steps = [0, 1, total // 3, total // 2, total - 1, total, 2 * 10**6]
        texts = [
            changed(",".join(tags), subset, moment=Moment(epoch=1, step=step, total_steps=total))
            for step in sorted(steps)
        ]
        assert all(longer.startswith(shorter) for shorter, longer in pairwise(texts))
        assert texts[-1] == ", ".join(tags)

    check()


@TIMES
def test_any_caption_file_is_a_caption_or_a_sentence(times: int, tmp_path: Path) -> None:
    @examples(100 * times)
    @given(
        st.binary(max_size=40) | TEXTS.map(str.encode) | st.just(b"\xef\xbb\xbf\xef\xbb\xbfa\rb"),
        st.booleans(),
    )
    def check(content: bytes, all_lines: bool) -> None:
        path = tmp_path / "a.txt"
        path.write_bytes(content)
        try:
            caption = read_caption(path.with_suffix(".png"), [".txt"], all_lines=all_lines)
        except ValueError as error:
            assert str(error) in ("empty", "not UTF-8")
            return
        assert caption is not None and caption == caption.strip()
        assert "\n\n" not in caption
        if not all_lines:  # Windows' and old Macs' ends of lines are ends of lines
            text = content.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
            assert caption == text.split("\n")[0].strip()

    check()
