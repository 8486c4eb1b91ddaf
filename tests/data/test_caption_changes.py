"""Captions that change: by hand, as the reference does it draw for draw, and on random text."""

import json
import random
from dataclasses import fields
from pathlib import Path

import pytest

from engine.config import SubsetConfig
from engine.data.caption_changes import START, Moment, change_caption, varies

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/b_captions.json").read_text())
TAGS = "1girl, solo, long hair, red dress, smile, outdoors"
FIELDS = {field.name for field in fields(SubsetConfig)}
CASES = [case for case in GOLDEN["deterministic_or_seeded"] if "repl" not in case["kw"]]  # that is TI's
SEEDED = {
    "shuffle": {"shuffle_caption": True},
    "shuffle_keep2": {"shuffle_caption": True, "keep_tokens": 2},
    "tagdrop05": {"caption_tag_dropout_rate": 0.5},
    "shuffle_tagdrop03": {"shuffle_caption": True, "caption_tag_dropout_rate": 0.3},
    "dropout05": {"caption_dropout_rate": 0.5},
    "dropout03_shuffle": {"caption_dropout_rate": 0.3, "shuffle_caption": True},
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['kw']} {case['caption'][:20]!r}")
def test_a_caption_becomes_what_the_reference_makes_of_it(case: dict[str, object]) -> None:
    given = dict(case["kw"])  # type: ignore[call-overload]
    subset = SubsetConfig(**{name: value for name, value in given.items() if name in FIELDS})
    moment = Moment(
        epoch=given.get("epoch", 1), step=given.get("step", 0), total_steps=given.get("max_steps", 1)
    )
    draws = random.Random(given.get("seed"))
    assert change_caption(str(case["caption"]), subset, draws=draws, moment=moment) == case["out"]


@pytest.mark.parametrize("name", SEEDED)
def test_equal_draws_give_the_captions_of_the_reference(name: str) -> None:
    subset = SubsetConfig(**SEEDED[name])  # type: ignore[arg-type]
    for row in GOLDEN["seeded"]:
        draws = random.Random(row["seed"])
        changed = change_caption(GOLDEN["seeded_base_caption"], subset, draws=draws, moment=START)
        assert changed == row[name], row["seed"]


def test_tag_dropout_keeps_the_tags_in_front_and_about_its_share_of_the_others() -> None:
    subset = SubsetConfig(keep_tokens=1, caption_tag_dropout_rate=0.25)
    seen = [_changed(TAGS, subset, seed).split(", ") for seed in range(2000)]
    assert all(tags[0] == "1girl" for tags in seen)
    assert sum(len(tags) - 1 for tags in seen) / (5 * 2000) == pytest.approx(0.75, abs=0.02)


def test_dropped_captions_are_about_their_share_and_every_nth_epoch() -> None:
    subset = SubsetConfig(caption_dropout_rate=0.25)
    assert sum(_changed(TAGS, subset, seed) == "" for seed in range(4000)) / 4000 == pytest.approx(
        0.25, abs=0.02
    )
    every = SubsetConfig(caption_dropout_every_n_epochs=3)
    dropped = [
        change_caption("a", every, draws=random.Random(0), moment=Moment(epoch=epoch, step=0, total_steps=9))
        == ""
        for epoch in range(1, 8)
    ]
    assert dropped == [False, False, True, False, False, True, False]


def test_wildcards_and_lines_are_drawn_evenly() -> None:
    subset = SubsetConfig(enable_wildcard=True)
    words = [_changed("a {red|blue} {dog|cat}", subset, seed) for seed in range(4000)]
    assert {word: round(words.count(word) / 1000) for word in set(words)} == {
        f"a {colour} {animal}": 1 for colour in ("red", "blue") for animal in ("dog", "cat")
    }
    lines = [_changed("one\ntwo", subset, seed) for seed in range(2000)]
    assert set(lines) == {"one", "two"} and 900 < lines.count("one") < 1100
    assert _changed("{{a|b}}", subset, 1) == "{a|b}"


def test_warm_up_shows_more_tags_from_step_to_step() -> None:
    subset = SubsetConfig(token_warmup_step=0.5, token_warmup_min=2)
    counts = [
        len(
            change_caption(
                TAGS, subset, draws=random.Random(0), moment=Moment(epoch=1, step=step, total_steps=20)
            ).split(", ")
        )
        for step in range(12)
    ]
    assert counts == [2, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("shuffle_caption", True),
        ("enable_wildcard", True),
        ("caption_dropout_rate", 0.1),
        ("caption_dropout_every_n_epochs", 2),
        ("caption_tag_dropout_rate", 0.1),
        ("token_warmup_step", 3.0),
    ],
)
def test_an_option_that_makes_captions_vary_is_known_as_one(option: str, value: object) -> None:
    assert varies(SubsetConfig(**{option: value}))  # type: ignore[arg-type]


def test_what_does_not_vary_draws_nothing() -> None:
    subset = SubsetConfig(caption_prefix="p", caption_suffix="s", secondary_separator=";", keep_tokens=2)
    assert not varies(subset)
    assert change_caption("a;b", subset, draws=_NoDraws(), moment=START) == "p a,b s"


def test_random_captions_and_options_never_fail_and_invent_no_tag() -> None:
    dice = random.Random(20261121)
    alphabet = [
        "a",
        "b",
        " ",
        ",",
        ",,",
        "{",
        "}",
        "|",
        "\n",
        "|||",
        "{{",
        "}}",
        ";;;",
        "é",
        "\u3000",
        ")",
        "(",
    ]
    for _ in range(3000):
        caption = "".join(dice.choices(alphabet, k=dice.randrange(30)))
        subset = SubsetConfig(
            shuffle_caption=dice.random() < 0.5,
            keep_tokens=dice.randrange(4),
            keep_tokens_separator=dice.choice([None, "|||"]),
            caption_separator=dice.choice([",", ";;;"]),
            secondary_separator=dice.choice([None, "|||"]),
            enable_wildcard=dice.random() < 0.5,
            caption_dropout_rate=dice.choice([0.0, 0.5]),
            caption_tag_dropout_rate=dice.choice([0.0, 0.5, 1.0]),
            token_warmup_step=dice.choice([0.0, 0.5, 7.0]),
            token_warmup_min=dice.randrange(5),
        )
        moment = Moment(epoch=1, step=dice.randrange(10), total_steps=10)
        seed = dice.random()
        one, two = (
            change_caption(caption, subset, draws=random.Random(seed), moment=moment) for _ in range(2)
        )
        assert one == two and set(one) <= set(caption) | set(", ;")


class _NoDraws(random.Random):
    def random(self) -> float:
        raise AssertionError("nothing is to be drawn")


def _changed(caption: str, subset: SubsetConfig, seed: int) -> str:
    return change_caption(caption, subset, draws=random.Random(seed), moment=START)
