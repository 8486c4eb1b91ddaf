"""One value of a search space in Hydra's grammar, its refusals, and its way back into overrides."""

import math

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from engine.compose.arguments import parse_override
from engine.config import ConfigError
from sweeper.space.grammar import Single, grammar_of, read_value
from sweeper.space.overrides import for_hydra, override_of, overrides_of
from sweeper.study.records import Dimension

NAMES = ("adamw", "adafactor", "prodigy")


def _choices(text: object) -> tuple[object, ...] | None:
    found = read_value("key", text, None)
    assert isinstance(found, Dimension)
    return found.choices


def _problems(text: object, names: tuple[str, ...] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_value("key", text, names)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "choices", "ordered"),
    [
        ("choice(4,8,16)", (4, 8, 16), True),
        ("4,8,16", (4, 8, 16), True),
        ("choice(16, 8, 4)", (16, 8, 4), True),
        ("choice(8,4,16)", (8, 4, 16), False),
        ("sort(8,4,16)", (4, 8, 16), True),
        ("range(4,17,4)", (4, 8, 12, 16), True),
        ("range(0,0.3,0.1)", (0.0, 0.1, 0.2), True),
        ("tag(nominal, choice(4,8))", (4, 8), False),
        ("tag(ordered, choice(small,large))", ("small", "large"), True),
        ("choice(null,4,8)", (None, 4, 8), False),
        ("null,4,8", (None, 4, 8), False),
        ("choice(true,false)", (True, False), False),
        ("choice([a,b],[c])", (["a", "b"], ["c"]), False),
        ("choice('a, b','é\"[x]')", ("a, b", 'é"[x]'), False),
        ("'4','8'", ("4", "8"), False),
        ("int(4.0,8.0)", (4, 8), True),
    ],
)
def test_choices_are_true_values_and_ordered_where_they_are_sorted_numbers(
    text: str, choices: tuple[object, ...], ordered: bool
) -> None:
    found = read_value("key", text, None)
    assert found == Dimension(key="key", choices=choices, ordered=ordered)
    assert [type(value) for value in _choices(text) or ()] == [type(value) for value in choices]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("interval(0,0.12)", {"low": 0.0, "high": 0.12}),
        ("tag(log,interval(1e-5,2e-3))", {"low": 1e-5, "high": 2e-3, "log": True}),
        ("int(interval(1,64))", {"low": 1, "high": 64, "integer": True}),
        ("tag(log, int(interval(1,64)))", {"low": 1, "high": 64, "log": True, "integer": True}),
        ("float(interval(1,2))", {"low": 1.0, "high": 2.0}),
    ],
)
def test_intervals_keep_their_ends_and_kind(text: str, expected: dict[str, float]) -> None:
    assert read_value("key", text, None) == Dimension(key="key", **expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given_value", "value"),
    [("8", 8), (8, 8), ("choice(4)", 4), (None, None), (True, True), ("[a,b]", ["a", "b"]), (["a"], ["a"])],
)
def test_one_value_is_fixed(given_value: object, value: object) -> None:
    assert read_value("key", given_value, None) == Single(value=value)


def test_a_glob_chooses_among_the_groups_files() -> None:
    found = read_value("optimizer", "glob(*)", NAMES)
    assert isinstance(found, Dimension) and found.choices == NAMES
    found = read_value("optimizer", "glob([ada*,p*],exclude=*factor)", NAMES)
    assert isinstance(found, Dimension) and found.choices == ("adamw", "prodigy")
    assert read_value("optimizer", "glob(p*)", NAMES) == Single(value="prodigy")
    assert _problems("glob(x*)", NAMES) == [
        "key=glob(x*): no choice fits. There are adamw, adafactor, prodigy."
    ]


def test_shuffled_choices_have_the_same_order_at_every_start() -> None:
    text = f"shuffle({','.join(map(str, range(40)))})"
    first = _choices(text)
    assert first == _choices(text) and first != tuple(range(40)) and set(first or ()) == set(range(40))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("choice()", "no value to choose from. Write choice(a, b)."),
        ("range(5,1)", "no value to choose from. Write choice(a, b)."),
        ("choice(4,8,4)", "4 is given twice. Give it once."),
        ("choice(4,4.0)", "4 and 4.0 are one value. Give it once."),
        ("choice(true,1)", "true and 1 are one value. Give it once."),
        ("choice(4,'4')", "4 is given twice. Give it once."),
        ("interval(2,1)", "the first end is not below the second. Write interval(low, high)."),
        ("interval(1,1)", "the first end is not below the second. Write interval(low, high)."),
        ("int(interval(0.2,0.8))", "the first end is not below the second. Write interval(low, high)."),
        (
            "tag(log,interval(0,1))",
            "a logarithm needs ends above 0. Raise the first one, or leave log out.",
        ),
        ("tag(lg,interval(1,2))", "unknown tag lg (did you mean log?)"),
        (
            "tag(log,choice(1,2))",
            "log is for intervals. Write tag(log, interval(low, high)), or leave it out.",
        ),
        ("tag(ordered,interval(1,2))", "only choices are ordered or nominal. Leave the tag out."),
        (
            "tag(ordered,nominal,choice(1,2))",
            "ordered and nominal contradict each other. Give one of them.",
        ),
        ("choice(nan,1)", "nan is not a finite number. Leave it out."),
        ("inf", "inf is not a finite number. Leave it out."),
        ("interval(0,inf)", "an end is not a finite number. Give two finite ends."),
        ("choice([1,-inf],[2])", "-inf is not a finite number. Leave it out."),
        ("choice({a:1},2)", "a mapping is no value. Search the options inside it one by one."),
        ("{a:1}", "a mapping is no value. Search the options inside it one by one."),
        ("choice(choice(1,2))", "a choice inside a choice. Write all values in one."),
        (
            "chioce(1,2)",
            "unknown function chioce (did you mean choice?)",
        ),
        ("café,thé", "the value can't be read. Put quotes around texts: choice('a, b', 'c')."),
        ("range(0,1,0)", "a step of 0. Write range(low, high, step)."),
        ("range(0,1000000)", "more than 1000 values. Write interval(low, high)."),
        ("shuffle([1,2])", "a list in another order at each start. Write the list itself."),
        ("glob(*)", "only config groups have names to look up. List the values."),
        (
            "interval(a,b)",
            "Hydra can't read these arguments. Write choice(a, b), range(a, b, step) or interval(a, b).",
        ),
    ],
)
def test_what_is_no_search_is_refused_by_a_sentence(text: str, sentence: str) -> None:
    assert _problems(text) == [f"key={text}: {sentence}"]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4), max_leaves=6)


def _same(left: object, right: object) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return type(left) is type(right) and left == right


@given(VALUES)
def test_hydra_reads_every_value_back_from_its_override(value: object) -> None:
    override = OverridesParser.create().parse_override(override_of("network.layers", value))
    assert not override.is_sweep_override()
    assert _same(override.value(), value)


@given(st.text())
def test_the_guard_of_train_py_takes_every_text_as_it_is(text: str) -> None:
    override = parse_override(override_of("dataset.trigger", text), takes_text=True)
    assert not isinstance(override, str)
    assert override.value() == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-5, "1e-05"),
        (None, "null"),
        (True, "true"),
        ("true", "'true'"),
        ("4", "'4'"),
        ("adamw", "adamw"),
        ("photos/cat.png", "photos/cat.png"),
        ("a, b", "'a, b'"),
        ("it's", r"'it\'s'"),
        ("", "''"),
        (["a b", 1], "['a b',1]"),
    ],
)
def test_overrides_are_quoted_only_where_hydra_needs_it(value: object, text: str) -> None:
    assert override_of("key", value) == f"key={text}"


def test_arguments_of_the_optimizer_get_plus_signs_for_hydra_itself() -> None:
    plain = overrides_of({"optimizer": "prodigy", "optimizer.args.d_coef": 2.0, "optimizer.lr": 1})
    assert plain == ["optimizer=prodigy", "optimizer.args.d_coef=2.0", "optimizer.lr=1"]
    assert for_hydra(plain) == ["optimizer=prodigy", "++optimizer.args.d_coef=2.0", "optimizer.lr=1"]


def _told_apart(values: list[object]) -> bool:
    found = [str(value) for value in values]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return len({*found}) == len(found) and len({*numbers}) == len(numbers)


@given(st.lists(SCALARS, min_size=2, max_size=6).filter(_told_apart))
def test_a_choice_is_read_back_from_its_own_grammar(values: list[object]) -> None:
    found = read_value("key", grammar_of(Dimension(key="key", choices=tuple(values))), None)
    assert isinstance(found, Dimension) and found.choices is not None
    assert _same(list(found.choices), values) and not found.ordered


@given(st.floats(1e-12, 1e6), st.floats(1e-9, 1e6), st.booleans(), st.booleans())
def test_an_interval_is_read_back_from_its_own_grammar(
    low: float, width: float, log: bool, integer: bool
) -> None:
    high = low + width
    if integer:
        low, high = math.ceil(low), math.ceil(low) + math.ceil(width)
    if low < high:
        dimension = Dimension(key="key", low=low, high=high, log=log, integer=integer)
        assert read_value("key", grammar_of(dimension), None) == dimension
