"""The lists of the protocols, and what of a list a run draws."""

from collections import Counter

import pytest

from engine.config import PromptSet
from engine.sampling.prompt_file import Prompt
from engine.sampling.prompt_sets import choose_prompts, prompts_of

CAPTIONS = ["sks dog on a sofa", "sks dog in a car", "sks dog on a sofa"]
SHARED = [  # github.com/google/dreambooth, dataset/prompts_and_classes.txt, at sks dog
    "a sks dog in the jungle",
    "a sks dog in the snow",
    "a sks dog on the beach",
    "a sks dog on a cobblestone street",
    "a sks dog on top of pink fabric",
    "a sks dog on top of a wooden floor",
    "a sks dog with a city in the background",
    "a sks dog with a mountain in the background",
    "a sks dog with a blue house in the background",
    "a sks dog on top of a purple rug in a forest",
]
PROPERTIES = [
    "a red sks dog",
    "a purple sks dog",
    "a shiny sks dog",
    "a wet sks dog",
    "a cube shaped sks dog",
]
OWN = {
    PromptSet.dreambooth_object: [
        "a sks dog with a wheat field in the background",
        "a sks dog with a tree and autumn leaves in the background",
        "a sks dog with the Eiffel Tower in the background",
        "a sks dog floating on top of water",
        "a sks dog floating in an ocean of milk",
        "a sks dog on top of green grass with sunflowers around it",
        "a sks dog on top of a mirror",
        "a sks dog on top of the sidewalk in a crowded street",
        "a sks dog on top of a dirt road",
        "a sks dog on top of a white rug",
    ],
    PromptSet.dreambooth_live_subject: [
        "a sks dog wearing a red hat",
        "a sks dog wearing a santa hat",
        "a sks dog wearing a rainbow scarf",
        "a sks dog wearing a black top hat and a monocle",
        "a sks dog in a chef outfit",
        "a sks dog in a firefighter outfit",
        "a sks dog in a police outfit",
        "a sks dog wearing pink glasses",
        "a sks dog wearing a yellow shirt",
        "a sks dog in a purple wizard outfit",
    ],
}


def made(prompt_set: PromptSet, trigger: str = "sks", class_word: str = "dog") -> list[Prompt]:
    return prompts_of(prompt_set, trigger=trigger, class_word=class_word, captions=CAPTIONS)


@pytest.mark.parametrize("prompt_set", OWN)
def test_dreambooths_lists_are_those_of_its_public_evaluation_set(prompt_set: PromptSet) -> None:
    concept = [prompt for prompt in made(prompt_set) if prompt.kind == "concept"]
    assert [prompt.text for prompt in concept] == SHARED + OWN[prompt_set] + PROPERTIES
    own = prompt_set.name.removeprefix("dreambooth_")
    assert Counter(prompt.type for prompt in concept) == {"shared": 10, own: 10, "property": 5}


def test_lycoris_draws_its_four_types_by_turns() -> None:
    concept = [prompt for prompt in made(PromptSet.lycoris) if prompt.kind == "concept"]
    assert [prompt.type for prompt in concept[:7]] == [
        "caption",
        "trigger",
        "altered_content",
        "altered_style",
        "caption",
        "altered_content",
        "altered_style",
    ]
    assert [prompt.text for prompt in concept if prompt.type == "caption"] == CAPTIONS[:2]
    assert [prompt.text for prompt in concept if prompt.type == "trigger"] == ["sks"]
    assert Counter(prompt.type for prompt in concept)["altered_style"] == 12
    assert all("sks dog" in prompt.text for prompt in concept if prompt.type != "trigger")


def test_a_caption_that_is_the_trigger_alone_is_drawn_once() -> None:
    found = prompts_of(PromptSet.lycoris, trigger="sks", class_word="dog", captions=["sks"])
    assert [(prompt.text, prompt.type) for prompt in found if prompt.text == "sks"] == [("sks", "caption")]


@pytest.mark.parametrize("class_word", ["dog", "style"])
def test_luminance_has_as_many_dark_as_bright_prompts_by_turns(class_word: str) -> None:
    listed = choose_prompts(made(PromptSet.luminance, class_word=class_word), num_prompts=99).listed
    assert [prompt.tone for prompt in listed] == ["dark", "bright"] * 12
    assert [prompt.type for prompt in listed] == [prompt.tone for prompt in listed]
    assert all(f"sks {class_word}" in prompt.text for prompt in listed)


def test_a_style_is_asked_for_on_other_things() -> None:
    dark = made(PromptSet.luminance, "inkwash", "style")[0]
    assert dark.text == "a lighthouse at night, dark, inkwash style"
    styled = [
        prompt.text
        for prompt in made(PromptSet.lycoris, "inkwash", "style")
        if prompt.type == "altered_style"
    ]
    assert styled[0] == "a watercolour painting of a lighthouse, inkwash style"


@pytest.mark.parametrize("prompt_set", PromptSet)
def test_every_set_has_prompts_each_once_and_plain_ones_without_the_concept(prompt_set: PromptSet) -> None:
    prompts = made(prompt_set)
    assert len({prompt.text for prompt in prompts}) == len(prompts)
    plain = [prompt for prompt in prompts if prompt.kind == "plain"]
    assert len(plain) == 12 and prompts[-12:] == plain
    assert all((prompt.tone, prompt.type) == (None, None) and "sks" not in prompt.text for prompt in plain)


def test_a_plain_prompt_that_names_the_class_is_left_out() -> None:
    plain = [prompt.text for prompt in made(PromptSet.luminance, "sks", "Bicycle") if prompt.kind == "plain"]
    assert len(plain) == 11 and not any("bicycle" in text for text in plain)


@pytest.mark.parametrize(
    ("trigger", "class_word", "first"),
    [
        ("sks dog", "dog", "a sks dog in the jungle"),
        (" sks , red collar", "dog ", "a sks dog in the jungle"),
        ("hotdog", "dog", "a hotdog dog in the jungle"),
        ("{0}", "{}", "a {0} {} in the jungle"),
    ],
)
def test_words_stand_in_the_prompts_as_they_are_each_once(trigger: str, class_word: str, first: str) -> None:
    assert made(PromptSet.dreambooth_object, trigger, class_word)[0].text == first


def test_prompts_are_taken_from_where_it_is_said_as_many_as_there_are() -> None:
    listed = [Prompt(text=str(index)) for index in range(5)]
    plain = [Prompt(text=f"plain {index}", kind="plain") for index in range(3)]
    mixed = [plain[0], *listed[:3], plain[1], *listed[3:], plain[2]]
    chosen = choose_prompts(mixed, num_prompts=2, first_prompt=1, num_plain_prompts=2)
    assert [prompt.text for prompt in chosen.prompts] == ["1", "2", "plain 0", "plain 1"]
    assert (chosen.num_left, chosen.num_plain) == (4, 3)
    rest = choose_prompts(mixed, num_prompts=9, first_prompt=3, num_plain_prompts=9)
    assert [prompt.text for prompt in rest.prompts] == ["3", "4", "plain 0", "plain 1", "plain 2"]
    assert choose_prompts(mixed, num_prompts=9, first_prompt=5).prompts == ()
    assert choose_prompts(mixed, num_prompts=0, num_plain_prompts=3).prompts == ()


def test_a_plain_prompt_of_a_protocols_type_counts_as_one_of_the_protocol() -> None:
    pair = [Prompt(text="a", type="dark"), Prompt(text="b", kind="plain", type="bright")]
    chosen = choose_prompts([*pair, Prompt(text="c", kind="plain")], num_prompts=2, num_plain_prompts=1)
    assert [prompt.text for prompt in chosen.listed] == ["a", "b"]
    assert [prompt.text for prompt in chosen.plain] == ["c"]
