"""A prompt with settings of its own, as kohya's prompt files write it: "a dog --w 512 --n bad"; no torch."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_OPTION = re.compile(r"(?:^|\s)--(?=[A-Za-z])")  # where one begins; " -- " is text
_INTEGER = re.compile(r"[0-9]{1,18}")
_DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


@dataclass(kw_only=True, slots=True, frozen=True)
class OwnSettings:
    """What one prompt is drawn with in place of the run's sampling options; None: with the run's."""

    negative_prompt: str | None = None
    width: int | None = None  # pixels
    height: int | None = None  # pixels
    seed: int | None = None  # one picture with this seed, in place of one for each of sampling.seeds
    guidance_scale: float | None = None
    steps: int | None = None
    where: str = field(default="", compare=False)  # "line 3", for sentences

    def given(self) -> dict[str, str | int | float]:
        """Those that are set, by name."""
        values = {name: getattr(self, name) for name in _NAMES.values()}
        return {name: value for name, value in values.items() if value is not None}


NO_SETTINGS = OwnSettings()
_NAMES = {  # kohya's letter -> ours
    "n": "negative_prompt",
    "w": "width",
    "h": "height",
    "d": "seed",
    "l": "guidance_scale",
    "s": "steps",
}
_LONG = {  # kohya's words in .toml and .json files -> ours
    "negative_prompt": "negative_prompt",
    "width": "width",
    "height": "height",
    "seed": "seed",
    "scale": "guidance_scale",
    "sample_steps": "steps",
}
_WORDS = {"width": "w", "height": "h", "seed": "d", "scale": "l", "steps": "s", "neg": "n", "negative": "n"}
_OTHERS = {  # kohya's further options, which a run here has one of for all prompts, or none
    "g": "the guidance that FLUX is given in training is model.guidance",
    "ss": "all prompts are drawn with sampling.sampler",
    "fs": "all prompts are drawn with the checkpoint's own shift",
    "cn": "pictures are drawn from prompts alone",
}


def read_line(line: str, *, where: str) -> tuple[str, OwnSettings] | str:
    """The text and the settings of a line, or what is wrong with it and what to do.

    where  "line 3", kept for later sentences
    Source of the letters: sd-scripts 0.10.1, train_util.line_to_prompt_dict; it drops what it does not know.
    """
    text, *options = _OPTION.split(line)
    if not text.strip():
        return f"begins with --{options[0]}. Write the prompt first." if options else "holds no prompt."
    values: dict[str, str | int | float] = {}
    for option in options:
        letter, _, value = option.strip().partition(" ")
        name = _NAMES.get(letter.lower())
        if name is None:
            return f"--{letter} is unknown{_advice(letter.lower())}."
        if name in values:
            return f"--{letter} stands twice. Give it once."
        number = _value(name, value.strip())
        if number is None:
            return f"--{letter} {value.strip()}: is no {_KINDS[name]}. Write {_EXAMPLES[letter.lower()]}."
        values[name] = number
    return text.strip(), _settings(values, where)


def read_table(row: Mapping[str, object], *, where: str) -> tuple[str, OwnSettings] | str:
    """The same of an entry of a .toml or .json file: {"prompt": "a dog", "width": 512, "scale": 7.5}."""
    text = row.get("prompt")
    if not isinstance(text, str) or not text.strip():
        return 'has no "prompt". Give the text that is drawn.'
    values: dict[str, str | int | float] = {}
    for key, given in row.items():
        if key == "prompt":
            continue
        if key not in _LONG:
            near = difflib.get_close_matches(key, _LONG, n=1, cutoff=0.6)
            advice = f"did you mean {near[0]}?" if near else f"there are prompt, {', '.join(_LONG)}"
            return f"{key} is unknown ({advice})."
        name = _LONG[key]
        is_text = name == "negative_prompt"
        fits = isinstance(given, str) if is_text else isinstance(given, int | float)
        value = _value(name, str(given).strip()) if fits and not isinstance(given, bool) else None
        if value is None:
            return f"{key}={given}: is no {_KINDS[name]}. Correct it."
        values[name] = value
    return text.strip(), _settings(values, where)


_KINDS = {
    "negative_prompt": "text",
    "width": "number of pixels",
    "height": "number of pixels",
    "seed": "seed",
    "guidance_scale": "number",
    "steps": "number of steps",
}
_EXAMPLES = {"n": "--n blurry", "w": "--w 512", "h": "--h 768", "d": "--d 42", "l": "--l 7.5", "s": "--s 28"}


def _value(name: str, text: str) -> str | int | float | None:
    if name == "negative_prompt":
        return text or None
    if name == "guidance_scale":
        return float(text) if _DECIMAL.fullmatch(text) else None
    return int(text) if _INTEGER.fullmatch(text) else None


def _settings(values: Mapping[str, str | int | float], where: str) -> OwnSettings:
    return OwnSettings(**values, where=where)  # type: ignore[arg-type]


def _advice(letters: str) -> str:
    if letters in _OTHERS:
        return f" here: {_OTHERS[letters]}. Leave it out"
    near = _WORDS.get(letters) or (letters[0] if letters[0] in _NAMES and letters[1:].isdigit() else None)
    meant = (
        f"did you mean {_EXAMPLES[near]}?" if near else f"there are {', '.join(f'--{one}' for one in _NAMES)}"
    )
    return f" ({meant})"
