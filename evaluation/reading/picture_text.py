"""The prompt and the seed that a picture carries: in a text file beside it, in itself, or in its name."""

import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from PIL import ExifTags, Image

from engine.data.headers import READER_ERRORS, open_picture
from evaluation.reading.prompt_list import MOST_SEED, read_seed

CAPTION_ENDINGS = (".caption", ".txt")  # the first that is there is read, as in training
_USER_COMMENT = 0x9286
_LOST = (*READER_ERRORS, Image.DecompressionBombError, KeyError, IndexError, TypeError, OverflowError)
_NETWORK = re.compile(r"<(?:lora|lyco|hypernet):[^<>\n]*>")
_SETTINGS = re.compile(r"Steps: \d+(?:,|$)")
_SEED = re.compile(r"(?:^|, ?)Seed: (\d{1,20})(?=,|$)")
_SAMPLERS = {"KSampler": "seed", "KSamplerAdvanced": "noise_seed"}
_OUR_NAME = re.compile(r"p(\d{2,6})_s(\d{1,20})")
_KOHYA_NAME = re.compile(r"(?:.*_)?(e?\d{6})_(\d{2,6})_\d{14}(?:_(\d{1,20}))?", re.DOTALL)


@dataclass(kw_only=True, slots=True, frozen=True)
class PictureText:
    """What is known of one picture; a seed of -1 or beyond 64 bits is none: nothing was drawn from it."""

    prompt: str = ""  # "" = nothing
    seed: int | None = None


@dataclass(kw_only=True, slots=True, frozen=True)
class NamedPlace:
    """What the name of a picture says."""

    prompt_index: int  # which prompt of its list, from 0
    seed: int | None
    step: str | None = None  # of kohya's trainer: the step or epoch, as it stands there


def parse_name(stem: str) -> NamedPlace | None:
    """A picture's name without its ending: ours, p03_s42, or that of kohya's trainer; None for others.

    Source: kohya sd-scripts 0.10.1, train_util.sample_image_inference:
    <output name>_<step, or e and epoch, in 6 digits>_<prompt>_<date and time>[_<seed>].
    """
    if match := _OUR_NAME.fullmatch(stem):
        return NamedPlace(prompt_index=int(match[1]), seed=read_seed(match[2]))
    if match := _KOHYA_NAME.fullmatch(stem):
        seed = read_seed(match[3]) if match[3] else None
        return NamedPlace(prompt_index=int(match[2]), seed=seed, step=stem[: match.end(1)])
    return None


def text_in_caption(text: str) -> PictureText:
    """Of a text file beside a picture: the first line with words, or all that A1111 saves there."""
    if any(_SETTINGS.match(line) for line in text.splitlines()):
        return parse_parameters(text)
    return PictureText(prompt=next((line for each in text.splitlines() if (line := _sound(each))), ""))


def text_in_picture(path: Path) -> PictureText:
    """The prompt that A1111, InvokeAI or ComfyUI wrote into a picture; nothing where none is sure."""
    try:
        with warnings.catch_warnings(), open_picture(path) as image:
            warnings.simplefilter("ignore", UserWarning)  # "Corrupt EXIF data", of no file that it names
            info = {key: value for key, value in image.info.items() if isinstance(value, str)}
            comment = "" if "parameters" in info else _user_comment(image)
    except _LOST:  # damaged pictures are told by the metric that looks for faults
        return PictureText()
    if text := info.get("parameters") or comment:
        return parse_parameters(text)
    if "invokeai_metadata" in info:
        return _plain_fields(info["invokeai_metadata"], "positive_prompt")
    return parse_comfy_graph(info.get("prompt", ""))


def parse_parameters(text: str) -> PictureText:
    """A1111's text: the prompt, "Negative prompt: ...", "Steps: 20, ..., Seed: 7, ...".

    <lora:name:1> and its like are taken out: they are no words. A JSON table is that of Fooocus.
    """
    if text.lstrip().startswith("{") and (known := _plain_fields(text, "prompt")).prompt:
        return known
    lines = text.strip().splitlines()
    last = max((num for num, line in enumerate(lines) if _SETTINGS.match(line)), default=None)
    seed = None if last is None else _SEED.search(lines[last])
    end = next((num for num, line in enumerate(lines) if line.startswith("Negative prompt:")), last)
    prompt = _NETWORK.sub("", "\n".join(lines[:end]))
    return PictureText(prompt=_sound(prompt), seed=read_seed(seed[1]) if seed else None)


def parse_comfy_graph(text: str) -> PictureText:
    """ComfyUI's graph, where all its samplers get the text of one CLIPTextEncode each, and the same one.

    Other graphs, such as those whose text is put together by further nodes, say nothing that is sure.
    """
    graph = _json_table(text)
    nodes = {key: node for key, node in graph.items() if isinstance(node, dict)}
    found: set[tuple[str, int | None]] = set()
    for node in nodes.values():
        kind, inputs = node.get("class_type"), node.get("inputs")
        if not isinstance(kind, str) or kind not in _SAMPLERS or not isinstance(inputs, dict):
            continue
        prompt = _encoded_text(nodes, inputs.get("positive"))
        if prompt is None:
            return PictureText()
        found.add((prompt, _whole(inputs.get(_SAMPLERS[kind]))))
    prompts, seeds = {prompt for prompt, _ in found}, {seed for _, seed in found}
    if len(prompts) != 1:
        return PictureText()
    return PictureText(prompt=_sound(prompts.pop()), seed=seeds.pop() if len(seeds) == 1 else None)


def _encoded_text(nodes: Mapping[str, Mapping[str, object]], link: object) -> str | None:
    """The text of the node that a link [node, output] leads to."""
    if not isinstance(link, list) or not link or not isinstance(link[0], str):
        return None
    node = nodes.get(link[0], {})
    inputs = node.get("inputs")
    if node.get("class_type") != "CLIPTextEncode" or not isinstance(inputs, dict):
        return None
    text = inputs.get("text")
    return text if isinstance(text, str) else None


def _plain_fields(text: str, key: str) -> PictureText:
    table = _json_table(text)
    prompt = table.get(key)
    if not isinstance(prompt, str):
        return PictureText()
    seed = table.get("seed")
    number = read_seed(seed) if isinstance(seed, str) else _whole(seed)
    return PictureText(prompt=_sound(prompt), seed=number)


def _json_table(text: str) -> dict[str, object]:
    """Empty where the text is no JSON table."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", content) if isinstance(content, dict) else {}


def _whole(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MOST_SEED else None


def _sound(prompt: str) -> str:
    """Without what no UTF-8 file could hold."""
    return prompt.encode("utf-8", "replace").decode().replace("\0", "").strip()


def _user_comment(image: Image.Image) -> str:
    """EXIF's UserComment: 8 bytes that name the encoding, then the text."""
    value = Image.Image.getexif(image).get_ifd(ExifTags.IFD.Exif).get(_USER_COMMENT)
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        return ""
    name, text = value[:8], value[8:]
    if name == b"UNICODE\0":
        # The standard leaves the order of the bytes open; letters of Latin scripts have a zero on one side.
        zeros = text[0::2].count(0) - text[1::2].count(0)
        return text.decode("utf-16-be" if zeros >= 0 else "utf-16-le", "replace")
    return text.decode("utf-8", "replace") if name in (b"ASCII\0\0\0", bytes(8)) else ""
