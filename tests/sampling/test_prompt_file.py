"""Prompts from text files and manifests."""

import json
from pathlib import Path

import pytest

from engine.config import ConfigError
from engine.sampling.prompt_file import Prompt, load_prompts


def test_a_text_file_gives_a_prompt_a_line_without_comments_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes(b"\xef\xbb\xbfa red star\r\n# not this\r\n\r\n  a # b  \r\n \xea\xb0\x9c\n")
    assert [prompt.text for prompt in load_prompts(path)] == ["a red star", "a # b", "개"]


def test_a_manifest_gives_kind_tone_and_pictures_beside_it(tmp_path: Path) -> None:
    rows = [
        {"prompt": "a", "kind": "plain", "tone": "dark", "references": ["r/0.png"]},
        {"prompt": "b"},
    ]
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps({"schema": 1, "prompts": rows}))
    assert load_prompts(path) == [
        Prompt(text="a", kind="plain", tone="dark", references=(tmp_path / "r/0.png",)),
        Prompt(text="b"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("p.txt", b"# only a comment\n", "holds no prompt. Write one a line."),
        ("p.txt", b"", "holds no prompt. Write one a line."),
        ("p.txt", b" \n\t\n", "holds no prompt. Write one a line."),
        ("p.txt", b"\xff\xfe\x00", "cannot be read as a prompt file ('utf-8' codec"),
        ("p.txt", b"a dog --w 512 --n blurry\n", "options within a line, such as --w in 'a dog --w 512"),
        ("p.txt", b"--n blurry\n", "options within a line, such as --n in '--n blurry'"),
        ("p.json", b"{", "cannot be read as a prompt file (Expecting property name"),
        ("p.json", b"[]", "cannot be read as a prompt file (list indices"),
        ("p.json", b'{"schema": 1}', "cannot be read as a prompt file ('prompts')"),
        ("p.json", b'{"prompts": [{"text": "a"}]}', "cannot be read as a prompt file ('prompt')"),
        ("p.json", b'{"prompts": ["a"]}', "cannot be read as a prompt file (string indices"),
        ("p.json", b'{"prompts": [{"prompt": 5}]}', "cannot be read as a prompt file (a prompt is 5)"),
        ("p.json", b'{"prompts": [{"prompt": " "}]}', "cannot be read as a prompt file (a prompt is ' ')"),
        ("p.json", b'{"prompts": []}', "holds no prompt. Write one a line."),
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


def test_a_prompt_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.txt", tmp_path):
        with pytest.raises(ConfigError) as refusal:
            load_prompts(path)
        assert str(refusal.value.problems[0]).startswith(f"{path}: cannot be read as a prompt file (")


def test_a_dash_in_a_prompt_is_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a dog -- very small -w\na--b\n")
    assert len(load_prompts(tmp_path / "p.txt")) == 2
