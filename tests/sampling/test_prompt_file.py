"""Prompts from text files and manifests."""

import json
from pathlib import Path

import pytest

from engine.config import ConfigError
from engine.sampling.prompt_file import Prompt, load_prompts, read_manifest_prompts


def test_a_text_file_gives_a_prompt_a_line_without_comments_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes(b"\xef\xbb\xbfa red star\r\n# not this\r\n\r\n  a # b  \r\n \xea\xb0\x9c\n")
    assert [prompt.text for prompt in load_prompts(path)] == ["a red star", "a # b", "개"]


def test_a_manifest_gives_kind_tone_type_and_pictures_beside_it(tmp_path: Path) -> None:
    rows = [
        {"prompt": "a", "kind": "plain", "tone": "dark", "type": "style", "references": ["r/0.png"]},
        {"prompt": "b"},
        {"prompt": "c", "kind": "concept", "tone": None, "type": None, "references": []},
    ]
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps({"schema": 1, "prompts": rows}))
    expected = [
        Prompt(text="a", kind="plain", tone="dark", type="style", references=(tmp_path / "r/0.png",)),
        Prompt(text="b", kind="concept", tone=None, type=None, references=()),
        Prompt(text="c"),
    ]
    assert load_prompts(path) == read_manifest_prompts(path) == expected


FORM = 'is not a manifest. Write {"schema": 1, "prompts": [{"prompt": "a dog"}]}.'


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("p.txt", b"# only a comment\n", "holds no prompt. Write one a line."),
        ("p.txt", b"", "holds no prompt. Write one a line."),
        ("p.txt", b" \n\t\n", "holds no prompt. Write one a line."),
        ("p.txt", b"\xff\xfe\x00", "cannot be read as a prompt file ('utf-8' codec"),
        ("p.txt", b"\na dog --x 512\n", "line 2: --x is unknown (there are --n, --w, --h, --d, --l, --s)."),
        ("p.txt", b"--n blurry\n", "line 1: begins with --n blurry. Write the prompt first."),
        ("p.toml", b"[a", "is not TOML ("),
        ("p.toml", b"a = 1", "is no list of prompts. Write [prompt], then [[prompt.subset]] for each."),
        ("p.toml", b"[prompt]\nsubset = []", "holds no prompt. Write one a line."),
        ("p.json", b"[3]", 'prompt 1: is no entry. Write "a dog --w 512" or {"prompt": "a dog"}.'),
        ("p.json", b"\xff\xfe\x00", "cannot be read as a prompt file ('utf-8' codec"),
        ("p.json", b"{", "is not JSON (Expecting property name"),
        ("p.json", b"[" * 100_000, "is not JSON ("),
        ("p.json", b"[]", FORM),
        ("p.json", b'{"schema": 1}', FORM),
        ("p.json", b'{"prompts": {"a": "b"}}', FORM),
        ("p.json", b'{"schema": 2, "prompts": [{"prompt": "a"}]}', "schema 2 is not known. Write 1."),
        ("p.json", b'{"promts": 1, "prompts": [{"prompt": "a"}]}', "'promts' is unknown. Beside the prompts"),
        ("p.json", b'{"prompts": []}', "holds no prompt. Give one."),
    ],
)
def test_what_is_no_prompt_file_is_refused_with_a_sentence(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as refusal:
        load_prompts(tmp_path / name)
    (problem,) = refusal.value.problems
    assert problem.startswith(f"{tmp_path / name}: {words}") and problem.endswith(".")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a", ': is no entry. Write {"prompt": "a dog"}.'),
        ({"text": "a"}, ": 'text' is unknown. There are prompt, kind, tone, type, references."),
        ({}, ': "prompt" is null. Give the text that is drawn.'),
        ({"prompt": 5}, ': "prompt" is 5. Give the text that is drawn.'),
        ({"prompt": " "}, ': "prompt" is " ". Give the text that is drawn.'),
        ({"prompt": "a", "kin": "plain"}, " (a): 'kin' is unknown."),
        ({"prompt": "a", "kind": "plane"}, " (a): kind=plane is unknown. Use concept or plain."),
        ({"prompt": "a", "kind": None}, " (a): kind=null is unknown. Use concept or plain."),
        ({"prompt": "a", "kind": ["plain"]}, ' (a): kind=["plain"] is unknown. Use concept or plain.'),
        ({"prompt": "a", "tone": "light"}, " (a): tone=light is unknown. Use dark or bright, or null."),
        ({"prompt": "a", "tone": False}, " (a): tone=false is unknown. Use dark or bright, or null."),
        ({"prompt": "a", "type": 3}, " (a): type=3 is not a name. Give one, or null."),
        ({"prompt": "a", "references": "b.png"}, ' (a): "references" is not a list of files.'),
        ({"prompt": "a", "references": None}, ' (a): "references" is not a list of files.'),
        ({"prompt": "a", "references": [1]}, ' (a): "references" is not a list of files.'),
    ],
)
def test_an_entry_that_cannot_be_used_is_named_by_file_number_and_text(
    tmp_path: Path, row: object, words: str
) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"prompts": [{"prompt": "good"}, row]}))
    with pytest.raises(ConfigError) as refusal:
        read_manifest_prompts(path)
    (problem,) = refusal.value.problems
    assert problem.startswith(f"{path}: prompt 2{words}") and problem.endswith(".")


def test_all_bad_entries_are_told_at_once_up_to_five_by_name(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"prompts": [{"prompt": f"{index}", "tone": "x"} for index in range(7)]}))
    with pytest.raises(ConfigError) as refusal:
        load_prompts(path)
    assert len(refusal.value.problems) == 6
    assert refusal.value.problems[-1].endswith("2 more prompts cannot be used. Correct them too.")


def test_a_prompt_that_stands_twice_in_a_manifest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"prompts": [{"prompt": "a"}, {"prompt": "a", "kind": "plain"}]}))
    with pytest.raises(ConfigError, match="the prompt 'a' stands twice"):
        load_prompts(path)


def test_a_prompt_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.txt", tmp_path / "gone.json", tmp_path):
        with pytest.raises(ConfigError) as refusal:
            load_prompts(path)
        assert str(refusal.value.problems[0]).startswith(f"{path}: cannot be read as a prompt file (")


def test_a_dash_in_a_prompt_is_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a dog -- very small -w\na--b\n")
    assert len(load_prompts(tmp_path / "p.txt")) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.csv", "a dog\n"),
        ("p.TSV", "a dog\n"),
        ("p.txt", "path,prompt\na.png,a dog\n"),
        ("p.txt", "# mine\n\n Path; Seed; Prompt\na.png;1;a dog\n"),
        ("p", '"path","prompt"\n"a.png","a dog"\n'),
    ],
)
def test_a_table_is_no_list_of_prompts(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ConfigError) as refusal:
        load_prompts(path)
    assert refusal.value.problems == [
        f"{path}: is a table and no list of prompts. Give a text file with one prompt a line, or a manifest "
        "(.json); a table goes with the pictures that it names "
        f"(python -m evaluation images=DIR prompts={path})."
    ]


def test_a_first_prompt_with_commas_is_no_header(tmp_path: Path) -> None:
    (tmp_path / "p.prompts").write_text("path, a prompt of two words, dusk\nprompt, path\n")
    assert len(load_prompts(tmp_path / "p.prompts")) == 2


@pytest.mark.parametrize("ending", [".png", ".JPG", ".safetensors", ".yaml", ".jsonl"])
def test_a_file_that_surely_holds_no_prompt_a_line_is_refused_by_its_ending(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"p{ending}"
    path.write_text("a dog\n")
    with pytest.raises(ConfigError) as refusal:
        load_prompts(path)
    assert refusal.value.problems == [
        f"{path}: a {ending.lower()} file is no list of prompts. "
        "Give a text file with one prompt a line, or a manifest (.json)."
    ]


def test_a_prompt_that_stands_twice_in_a_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("a dog\na cat\na dog\n")
    with pytest.raises(ConfigError, match=r"the prompt .a dog. stands twice\. Give it once\."):
        load_prompts(path)
