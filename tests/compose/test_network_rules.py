"""Words for layers, ranks and learning rates that cannot be meant are refused before a model is looked at."""
# ruff: noqa: E501

from dataclasses import replace

import pytest
from toys import composed

from engine.compose.rules import broken_rules
from engine.config import RunConfig


def run_with(**options: list[str]) -> RunConfig:
    run = composed()
    return replace(run, network=replace(run.network, **options))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"include": ["up_blocks", "up_blocks"]},
            "network.include=[up_blocks,up_blocks]: a word is given twice. Give each once.",
        ),
        (
            {"exclude": [" "]},
            "network.exclude=[ ]: names no layers. Give an area (down_blocks, mid_block, up_blocks), a group "
            "(attention, feed_forward, projections, convolutions, time_embedding) or a regular "
            "expression.",
        ),
        (
            {"include": ["*.to_q"]},
            "network.include=[*.to_q]: not a regular expression (nothing to repeat at position 0). Correct it.",
        ),
        (
            {"ranks": ["up_blocks"]},
            "network.ranks=[up_blocks]: no number after a colon. Write it as network.ranks=[down_blocks:8].",
        ),
        (
            {"learning_rates": ["up_blocks:fast"]},
            "network.learning_rates=[up_blocks:fast]: no number after a colon. Write it as "
            "network.learning_rates=[down_blocks:0.5].",
        ),
        (
            {"ranks": ["up_blocks:2.5"]},
            "network.ranks=[up_blocks:2.5]: not a rank. Give a whole number from 1 on.",
        ),
        ({"ranks": ["up_blocks:inf"]}, "network.ranks=[up_blocks:inf]: not a rank. Give a whole number from 1 on."),
        ({"ranks": ["up_blocks:0"]}, "network.ranks=[up_blocks:0]: not a rank. Give a whole number from 1 on."),
        (
            {"learning_rates": ["up_blocks:-1"]},
            "network.learning_rates=[up_blocks:-1]: not a factor on the learning rate. Give 0, which leaves "
            "the layers out, or more.",
        ),
        (
            {"learning_rates": ["up_blocks:nan"]},
            "network.learning_rates=[up_blocks:nan]: not a factor on the learning rate. Give 0, which leaves "
            "the layers out, or more.",
        ),
        (
            {"learning_rates": [":0.5"]},
            "network.learning_rates=[:0.5]: names no layers. Give an area (down_blocks, mid_block, up_blocks), "
            "a group (attention, feed_forward, projections, convolutions, time_embedding) or a "
            "regular expression.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(options: dict[str, list[str]], problem: str) -> None:
    assert broken_rules(run_with(**options)) == [problem]


@pytest.mark.parametrize(
    "options",
    [
        {"include": ["up_blocks.1", r".*\.attn1\..*"], "exclude": ["mid_block"]},
        {"ranks": ["up_blocks:4", "attention: 1"], "learning_rates": ["mid_block:0", "up_blocks:2.5"]},
    ],
)
def test_words_that_can_be_meant_pass(options: dict[str, list[str]]) -> None:
    assert broken_rules(run_with(**options)) == []


def test_several_learning_rates_are_refused_where_the_optimizer_finds_its_own() -> None:
    prodigy = composed("optimizer=prodigy")
    several = replace(prodigy, network=replace(prodigy.network, learning_rates=["up_blocks:0.5"]))
    assert broken_rules(several) == [
        "network.learning_rates=[up_blocks:0.5]: prodigyopt.Prodigy finds one step size for all weights and "
        "takes one learning rate. Set optimizer=adamw, or give only factors of 0, which leave layers out."
    ]
    one = replace(prodigy, network=replace(prodigy.network, learning_rates=["up_blocks:0", "mid_block:1"]))
    assert broken_rules(one) == []


def test_on_the_command_line_they_are_lists() -> None:
    run = composed("network.ranks=[up_blocks:4,convolutions:2]", "network.include=['.*attn[12].*']")
    assert (run.network.ranks, run.network.include) == (["up_blocks:4", "convolutions:2"], [".*attn[12].*"])
