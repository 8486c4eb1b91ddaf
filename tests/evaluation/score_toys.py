"""Toys for scoring: an encoder with known vectors, numbered pictures, a run folder, a tiny CLIP."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from engine.config.sources import Sources
from evaluation.encoders import EncoderKind, Vectors
from evaluation.material import Material, ScoredPicture
from evaluation.pictures import Pixels

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
