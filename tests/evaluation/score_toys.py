"""Toys for scoring: an encoder with known vectors, numbered pictures, a run folder, a tiny CLIP."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.config.sources import Sources
from engine.sampling.prompt_file import Prompt
from evaluation.encoders.embedder import Embedder
from evaluation.encoders.encoder import EncoderKind, Vectors
from evaluation.encoders.pictures import Pixels
from evaluation.material import Material, ScoredPicture
from evaluation.reading.losses_file import Losses
from evaluation.tools import Role, Tools

PROMPTS = ["a sks dog", "a sks cat", "a red star"]


class ToyEncoder:
    """Gives a picture the vector of the number in its first pixel, and a text the vector of its words."""

    def __init__(
        self, vectors: Mapping[int, Sequence[float]], texts: Mapping[str, Sequence[float]] | None = None
    ) -> None:
        self.name = "toy"
        self.option = "evaluation.encoder"
        self.fingerprint = "f" * 64
        self.preprocessing = "none"
        self.kinds = frozenset(EncoderKind)
        self.batches: list[int] = []
        self.asked: list[str] = []
        self._vectors = vectors
        self._texts = texts or {}

    def prepare(self, picture: Image.Image) -> Pixels:
        return np.asarray(picture, dtype=np.float32)

    def embed_prepared(self, prepared: Sequence[Pixels]) -> Vectors:
        self.batches.append(len(prepared))
        numbers = [int(pixels[0, 0, 0]) for pixels in prepared]
        return np.array([self._vectors[number] for number in numbers], dtype=np.float32)

    def embed_images(self, pictures: Sequence[Image.Image]) -> Vectors:
        return self.embed_prepared([self.prepare(picture) for picture in pictures])

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return np.array([self._texts[text] for text in texts], dtype=np.float32)

    def count_truncated(self, texts: Sequence[str]) -> int:
        return sum(len(text.split()) > 10 for text in texts)

    def logit_scale(self) -> float:
        return 100.0


class ToyHead:
    """Rates an embedding by its first number, times 10."""

    def rate(self, vectors: Vectors) -> NDArray[np.float64]:
        ratings: NDArray[np.float64] = 10 * vectors[:, 0].astype(np.float64)
        return ratings


def tools_of_toys(
    vectors: Mapping[int, Sequence[float]],
    texts: Mapping[str, Sequence[float]] | None = None,
    *,
    batch_size: int = 32,
    roles: Sequence[Role] = tuple(Role),
    has_head: bool = True,
) -> Tools:
    """One toy encoder for all roles, and a head."""
    embedder = Embedder(ToyEncoder(vectors, texts), batch_size=batch_size)
    head = ToyHead() if has_head else None
    return Tools(dict.fromkeys(roles, embedder), aesthetic=head)  # type: ignore[arg-type]


def save_picture(path: Path, number: int, size: int = 16) -> Path:
    """A healthy picture; its number is the red of its first pixel."""
    pixels = np.random.default_rng(number).integers(20, 236, size=(size, size, 3)).astype(np.uint8)
    pixels[0, 0, 0] = number
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def scored(path: Path, *, prompt_index: int = 0, seed: int = 1, set_name: str = "final") -> ScoredPicture:
    """A picture in its place, with one of PROMPTS."""
    return ScoredPicture(
        set_name=set_name,
        prompt_index=prompt_index,
        prompt=PROMPTS[prompt_index],
        seed=seed,
        path=path,
        file=path.name,
    )


def material_of(folder: Path, **numbers: Mapping[int, Sequence[int]]) -> Material:
    """Pictures in sets, given as set=prompt index -> numbers of its pictures."""
    pictures = {
        name: [
            scored(
                save_picture(folder / f"{name}_{prompt}_{place}.png", number),
                prompt_index=prompt,
                seed=place,
                set_name=name,
            )
            for prompt, of_prompt in prompts.items()
            for place, number in enumerate(of_prompt)
        ]
        for name, prompts in numbers.items()
    }
    return Material(pictures=pictures)


# What full_material is made of: numbers of pictures around a circle by their angle, and its prompts.
CIRCLE = {number: (float(np.cos(number / 40)), float(np.sin(number / 40))) for number in range(1, 61)}
KINDS = ("concept", "concept", "concept", "concept", "plain", "plain")
TONES = ("dark", "dark", "bright", "bright", None, None)


def full_prompts(num_prompts: int) -> list[Prompt]:
    """Four that ask for the concept, in the dark and in bright light, then two plain ones, and so on."""
    return [
        Prompt(text=f"prompt {index}", kind=KINDS[index % 6], tone=TONES[index % 6])
        for index in range(num_prompts)
    ]


def full_tools(num_prompts: int = 6, *, batch_size: int = 32) -> Tools:
    """Tools for full_material: every prompt's text lies at the angle 0."""
    texts = {prompt.text: (1.0, 0.0) for prompt in full_prompts(num_prompts)}
    return tools_of_toys(CIRCLE, texts, batch_size=batch_size)


def full_material(folder: Path, *, num_prompts: int = 6, num_seeds: int = 2) -> Material:
    """Material that lacks nothing that a metric needs; what is true is nearer to the angle 0 than the base's.

    Pictures come from 60 files, which are left as they are, so that a large set is cheap.
    """
    files = {number: folder / f"{number}.png" for number in CIRCLE}
    for number, path in files.items():
        if not path.is_file():
            save_picture(path, number)
    prompts = full_prompts(num_prompts)
    first = {"final": 1, "base": 31, "real": 3}
    pictures = {
        name: [
            ScoredPicture(
                set_name=name,
                prompt_index=index,
                prompt=prompt.text,
                seed=seed,
                path=files[number := offset + (5 * index + 7 * seed) % 25],
                file=f"{name}/{number}.png",
            )
            for index, prompt in enumerate(prompts)
            for seed in range(num_seeds)
        ]
        for name, offset in first.items()
    }
    rows = [[1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 6.0]]
    return Material(
        pictures=pictures,
        prompts={prompt.text: prompt for prompt in prompts},
        references=[files[number] for number in (2, 4, 6)],
        held_out=[files[8]],
        training=[files[number] for number in (2, 4, 6)],
        losses=Losses(
            on="training",
            pictures=["a.png", "b.png"],
            num_timesteps=1000,
            timesteps=[125, 375, 625, 875],
            base=rows,
            final=[[loss / 2 for loss in row] for row in rows],
        ),
    )


def write_samples(run: Path, sets: Mapping[str, Mapping[int, Sequence[int]]]) -> Path:
    """samples/ of a run folder as training writes it, given as set -> prompt index -> numbers."""
    listing: dict[str, object] = {}
    for name, prompts in sets.items():
        rows = []
        for prompt, numbers in prompts.items():
            for seed, number in enumerate(numbers, start=1):
                file = f"{name}/p{prompt:02d}_s{seed}.png"
                save_picture(run / "samples" / file, number)
                rows.append({"prompt_index": prompt, "prompt": PROMPTS[prompt], "seed": seed, "file": file})
        listing[name] = rows
    content = {"schema": 1, "prompts": PROMPTS, "seeds": [1, 2], "settings": {}, "sets": listing}
    (run / "samples" / "samples.json").write_text(json.dumps(content))
    return run


def write_manifest(folder: Path, references: Mapping[int, Sequence[int]]) -> Path:
    """prompts.json beside its true pictures, given as prompt index -> numbers; the last prompt is plain."""
    rows = []
    for index, prompt in enumerate(PROMPTS):
        names = [f"references/{index:02d}_{place}.png" for place in range(len(references.get(index, [])))]
        for name, number in zip(names, references.get(index, []), strict=True):
            save_picture(folder / name, number)
        kind = "plain" if index == len(PROMPTS) - 1 else "concept"
        rows.append({"prompt": prompt, "kind": kind, "tone": None, "references": names})
    path = folder / "prompts.json"
    path.write_text(json.dumps({"schema": 1, "prompts": rows}))
    return path


def sources_of_toys(folder: Path, *, encoder: Path | None = None, manifest: Path | None = None) -> Sources:
    """Sources with a trigger and a class word."""
    return Sources(
        pictures=folder,
        trigger="sks",
        class_word="animal",
        manifest=manifest,
        encoder=None if encoder is None else str(encoder),
    )


def save_tiny_clip(folder: Path, seed: int = 0, width: int = 12) -> Path:
    """A whole CLIP of random weights that reads 16 x 16 pictures and 8 tokens (a letter is a token)."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    tower = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": 52, "eos_token_id": 53, "pad_token_id": 53}
    config = CLIPConfig(
        text_config={
            **tower,
            **ends,
            "vocab_size": 54,
            "max_position_embeddings": 8,
            "projection_dim": width,
        },
        vision_config={**tower, "image_size": 16, "patch_size": 8, "projection_dim": width},
        projection_dim=width,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        CLIPModel(config).save_pretrained(folder)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "size": {"height": 16, "width": 16},
                "do_center_crop": False,
                "image_mean": [0.5, 0.5, 0.5],
                "image_std": [0.5, 0.5, 0.5],
            }
        )
    )
    return folder


def save_tiny_siglip(folder: Path, *, tokenizer_class: str = "SiglipTokenizer") -> Path:
    """A whole SigLIP of random weights that reads 16 x 16 pictures and 8 tokens (a letter is a token)."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import SiglipConfig, SiglipModel

    tower = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = SiglipConfig(
        text_config={**tower, "vocab_size": 34, "max_position_embeddings": 8, "projection_size": 16},
        vision_config={**tower, "image_size": 16, "patch_size": 8},
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        SiglipModel(config).save_pretrained(folder)
    pieces = ["<unk>", "</s>", "<pad>", "\u2581", *"abcdefghijklmnopqrstuvwxyz", "A", "B", "!", "-"]
    tokenizer = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", pieces.index("</s>"))]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    words = {"unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": tokenizer_class, **words}))
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_processor_type": "SiglipImageProcessor", "size": {"height": 16, "width": 16}})
    )
    return folder


def save_tiny_dino(folder: Path) -> Path:
    """A whole DINOv2 of random weights that reads 14 x 14 pictures, the middle of 16."""
    import torch
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=14, patch_size=7
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Dinov2Model(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": "BitImageProcessor",
                "size": {"shortest_edge": 16},
                "crop_size": {"height": 14, "width": 14},
                "image_mean": [0.485, 0.456, 0.406],
                "image_std": [0.229, 0.224, 0.225],
            }
        )
    )
    return folder
