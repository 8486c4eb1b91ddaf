"""The words of python -m evaluation: quotes, lists, and paths that hold commas."""

from pathlib import Path

import pytest

from engine.config.errors import ConfigError
from evaluation.arguments import parse_arguments


def refused(*words: str) -> list[str]:
    """What is said of them."""
    with pytest.raises(ConfigError) as caught:
        parse_arguments(words)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("value", "folders"),
    [
        ("[a,b]", ["a", "b"]),
        ("a,b", ["a", "b"]),
        ("[ a , b ]", ["a", "b"]),
        ("a,b[1]", ["a", "b[1]"]),
        ("[it's,b]", ["it's", "b"]),
        ("'[a,b]'", ["a", "b"]),
        ("[a,b,]", ["a", "b"]),
    ],
)
def test_folders_are_listed_with_commas_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, folders: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in folders:
        (tmp_path / name).mkdir()
    assert parse_arguments([f"compare={value}"]).folders == [Path(name) for name in folders]


@pytest.mark.parametrize(
    ("value", "folders"),
    [
        ('["a,b",c]', ["a,b", "c"]),
        ("['a,b', c]", ["a,b", "c"]),
        ("""[ "a,b" , 'c, d' ]""", ["a,b", "c, d"]),
        (""""a,b",c""", ["a,b", "c"]),
        ("""["it's, so",c]""", ["it's, so", "c"]),
        (r"""['it\'s, so',c]""", ["it's, so", "c"]),
        (""""['a,b',c]\"""", ["a,b", "c"]),
        ("""['',"a,b",c]""", ["a,b", "c"]),
    ],
)
def test_a_path_with_a_comma_stands_in_quotes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, folders: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in folders:
        (tmp_path / name).mkdir()
    assert parse_arguments([f"compare={value}"]).folders == [Path(name) for name in folders]


def test_a_path_that_a_comma_cut_is_told_to_be_put_in_quotes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a,b").mkdir()
    (tmp_path / "c").mkdir()
    advice = """Put a path with a comma into quotes: 'compare=["a,b",c]'."""
    missing = [f"compare: a: no such folder. {advice}", f"compare: b: no such folder. {advice}"]
    assert refused("compare=[a,b,c]") == missing
    assert refused("compare=a,b") == missing
    assert refused('compare=["a,d",c]') == [f"compare: a,d: no such folder. {advice}"]
    for value in ('"a,b"', '["a,b"]'):
        assert refused(f"compare={value}") == [
            f"compare={value}: names one folder. Give two or more: compare=[A,B]."
        ]


@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_around_a_whole_value_are_taken_off_as_hydra_does(tmp_path: Path, quote: str) -> None:
    folder = tmp_path / "my photos, 2"
    folder.mkdir()
    read = parse_arguments([f"images={quote}{folder}{quote}", f"trigger={quote}sks dog{quote}"])
    assert (read.target, dict(read.given)) == (str(folder), {"trigger": "sks dog"})
    assert parse_arguments([f"report={quote}{folder}{quote}"]).target == str(folder)
    assert parse_arguments([f"images={folder}"]).target == str(folder)
    assert refused(f"images={quote}{quote}") == [
        "images=: has no value. images is a folder of pictures, whoever made them."
    ]
    assert refused(f"run={quote}{folder}") == [
        f"run={quote}{folder}: no such folder. Give the folder of a run: its final pictures."
    ]


def test_objectives_are_a_list_with_or_without_brackets_and_quotes(tmp_path: Path) -> None:
    for value in ("health,adherence", "[health, adherence]", "'health,adherence'", "['health','adherence']"):
        assert parse_arguments([f"images={tmp_path}", f"objectives={value}"]).objectives == [
            "health",
            "adherence",
        ]


def test_a_name_that_is_too_long_is_no_folder() -> None:
    assert refused(f"images={'x' * 300}") == [
        f"images={'x' * 300}: no such folder. Give a folder of pictures, whoever made them."
    ]
