"""What is offered in place of a word that is none of the choices."""

import pytest
from toys import CONF, composed

from engine.compose.guard import check_overrides
from engine.compose.options import did_you_mean
from engine.compose.rules import broken_rules
from engine.config import ConfigError

RECIPES = ("flux_dev", "flux_schnell", "sd15", "sd21", "sd35_large", "sd35_medium", "sd3_medium", "sdxl")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("flux_dve", " (did you mean flux_dev?)"),
        ("SDXL", " (did you mean sdxl?)"),
        ("flux", " (did you mean flux_dev or flux_schnell?)"),
        ("sd3", " (did you mean sd35_large or sd35_medium or sd3_medium?)"),
        ("sd", f" (one of {', '.join(RECIPES)})"),  # begins too many
        ("kandinsky", f" (one of {', '.join(RECIPES)})"),
        ("", f" (one of {', '.join(RECIPES)})"),
    ],
)
def test_near_words_and_words_that_begin_a_choice_are_offered(word: str, said: str) -> None:
    assert did_you_mean(word, RECIPES) == said


@pytest.mark.parametrize("weights", ["x.safetensors", "stabilityai/sdxl-turbo"])
def test_weights_in_the_place_of_a_recipe_are_shown_their_own(weights: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_overrides([f"model={weights}"], CONF)
    (problem,) = [one for one in refused.value.problems if one.startswith(f"model={weights}: ")]
    assert problem.endswith(f"Weights are given beside one, as model.checkpoint={weights}.")


def test_a_negative_prompt_for_flux_is_refused_once() -> None:
    run = composed("model=flux_schnell", "dataset.path=photos", "sampling.negative_prompt=bad")
    (problem,) = broken_rules(run)
    assert problem.endswith("Leave it out.")
