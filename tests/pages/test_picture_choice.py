"""Which pictures a page shows, by hand."""

from pathlib import Path

from pages.gallery_data import BASE, FINAL, LOWER, GalleryPicture, GalleryPrompt, MetricFacts
from pages.picture_choice import choose_pictures, evenly

UP = MetricFacts(name="a", title="A", is_objective=True)
DOWN = MetricFacts(name="a", title="A", direction=LOWER, is_objective=True)


def test_evenly_keeps_the_ends() -> None:
    assert evenly(range(10), 4) == [0, 3, 6, 9]
    assert evenly(range(3), 5) == [0, 1, 2]
    assert evenly(range(10), 1) == [0] and evenly(range(10), 0) == []


def test_all_are_shown_where_they_fit() -> None:
    choice = choose_pictures([_prompt(0, 5)], UP, most=5)
    assert len(choice.places) == 5 and choice.sentence == ""


def test_the_best_and_the_worst_are_in_whichever_way_is_better() -> None:
    for objective in (UP, DOWN):
        choice = choose_pictures([_prompt(0, 240)], objective, most=24)
        seeds = {seed for _, seed in choice.places}
        assert {0, 1, 238, 239} <= seeds and len(seeds) == 24
    assert "the 2 best and the 2 worst by A, the rest evenly" in choice.sentence


def test_so_many_broken_ones_that_they_would_fill_the_page_are_a_quarter_of_it() -> None:
    choice = choose_pictures([_prompt(0, 100, broken=range(50)), _prompt(1, 100)], UP, most=40)
    broken = [place for place in choice.places if place[0] == 0 and place[1] < 50]
    assert len(broken) == 10 and "10 of the 50 broken" in choice.sentence
    assert len([place for place in choice.places if place[0] == 1]) >= 10


def test_without_scores_they_are_chosen_evenly() -> None:
    choice = choose_pictures([_prompt(index, 10) for index in range(10)], None, most=20)
    assert {place[0] for place in choice.places} == set(range(10)) and len(choice.places) == 20
    assert choice.sentence == "The page shows 20 of 100 scored pictures: evenly over the prompts."


def test_a_picture_brings_its_base_and_its_prompt_s_true_pictures() -> None:
    prompts = [_prompt(index, 3, with_base=True, references=9) for index in range(4)]
    choice = choose_pictures(prompts, None, most=20)
    prompts_in = {place[0] for place in choice.places}
    assert 0 < 2 * len(choice.places) + 4 * len(prompts_in) <= 20


def _prompt(
    index: int, count: int, *, broken: range = range(0), with_base: bool = False, references: int = 0
) -> GalleryPrompt:
    sets = (FINAL, BASE) if with_base else (FINAL,)
    return GalleryPrompt(
        index=index,
        text=str(index),
        references=[Path("true.png")] * references,
        pictures=[
            GalleryPicture(
                set_name=name,
                seed=seed,
                path=Path("a.png"),
                file="a.png",
                fault="flat" if seed in broken else None,
                scores={"a": float(seed)},
            )
            for name in sets
            for seed in range(count)
        ],
    )
