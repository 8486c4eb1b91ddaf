"""The text tower: a small CLIPTextModel, taught to tell from a caption what is in the scene, then frozen."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from demo.palette import BACKGROUND_COLOURS, OBJECT_COLOURS, TONES
from demo.stage import Log, State, cosine, save_weights, set_lr, train
from demo.tokenizer import MAX_LENGTH
from demo.words import JUNK_WORDS, caption
from demo.world import KINDS, PATTERNS, PLACES, SIZES, Scene, sample_scene

PROJECTION = 96
BATCH = 128
LR = 1e-3
JUNK_SHARE = 0.2
NONE = "none"  # the second thing of a scene with one
HEADS: dict[str, tuple[str, ...]] = {
    "shape": KINDS,
    "colour": OBJECT_COLOURS,
    "background": BACKGROUND_COLOURS,
    "tone": TONES,
    "pattern": PATTERNS,
    "size": SIZES,
    "place": PLACES,
    "second shape": (*KINDS, NONE),
    "second colour": (*OBJECT_COLOURS, NONE),
    "second size": (*SIZES, NONE),
    "second place": (*PLACES, NONE),
}


def train_text_tower(folder: Path, *, tokenizer: Path, checkpoint: Path, log: Log, num_steps: int) -> None:
    """Train the tower and write folder/model.safetensors and config.json."""
    trainee = TextTrainee(load_tokenizer(tokenizer), num_steps)
    train(trainee, name="text", num_steps=num_steps, checkpoint=checkpoint, log=log)
    log.write("text", held_out_accuracy=trainee.accuracy(batches=8))
    trainee.tower.config.save_pretrained(folder)
    save_weights(trainee.tower.state_dict(), folder / "model.safetensors")


def build_text_tower(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The tower with its initial weights: embeddings with a std of .4, positions of .15."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=MAX_LENGTH,
        projection_dim=PROJECTION,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config.architectures = ["CLIPTextModel"]
    tower = CLIPTextModel(config)
    nn.init.normal_(tower.get_submodule("embeddings.token_embedding").get_parameter("weight"), std=0.4)
    nn.init.normal_(tower.get_submodule("embeddings.position_embedding").get_parameter("weight"), std=0.15)
    return tower


def load_tokenizer(folder: Path) -> CLIPTokenizer:
    """The committed tokenizer."""
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder)
    return tokenizer


def tokenize(tokenizer: CLIPTokenizer, captions: Sequence[str]) -> Tensor:
    """Token ids [B, 32], padded with <|endoftext|>, int64."""
    batch = tokenizer(
        list(captions), padding="max_length", truncation=True, max_length=MAX_LENGTH, return_tensors="pt"
    )
    ids: Tensor = batch.input_ids
    return ids


def add_junk(text: str, rng: np.random.Generator) -> str:
    """Put one to three junk words before, behind or (rarely) inside the caption."""
    words = text.split(" ")
    for _ in range(rng.integers(1, 4)):
        word = JUNK_WORDS[rng.integers(len(JUNK_WORDS))]
        places = [0, len(words), int(rng.integers(len(words)))]
        words.insert(int(rng.choice(places, p=[0.45, 0.35, 0.2])), word)
    return " ".join(words)


class TextTrainee:
    """Linear heads on the pooled output must name every attribute of the scene."""

    def __init__(self, tokenizer: CLIPTokenizer, num_steps: int) -> None:
        torch.manual_seed(11)
        self.tokenizer, self.num_steps = tokenizer, num_steps
        self.tower = build_text_tower(tokenizer)
        self.heads = nn.ModuleList(nn.Linear(128, len(labels)) for labels in HEADS.values())
        parameters = [*self.tower.parameters(), *self.heads.parameters()]
        self.optimizer = torch.optim.AdamW(parameters, lr=LR, betas=(0.9, 0.98), weight_decay=0.01)

    def step(self, index: int) -> float:
        """One batch of fresh captions."""
        set_lr(self.optimizer, cosine(index, num_steps=self.num_steps, flat=0.3))
        logits, labels = self._predict(np.random.default_rng([11, index]))
        losses = [
            F.cross_entropy(guess, truth) for guess, truth in zip(logits, labels.unbind(1), strict=True)
        ]
        loss = torch.stack(losses).sum()
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.tower.parameters(), 1.0)
        self.optimizer.step()
        return float(loss.detach())

    @torch.no_grad()
    def accuracy(self, *, batches: int) -> float:
        """The share of captions of which every attribute is named."""
        right: list[Tensor] = []
        for index in range(batches):
            logits, labels = self._predict(np.random.default_rng([12, index]))
            guesses = torch.stack([guess.argmax(1) for guess in logits], dim=1)
            right.append((guesses == labels).all(1).float())
        return float(torch.cat(right).mean())

    def state(self) -> State:
        """Weights and optimizer."""
        return {
            "tower": self.tower.state_dict(),
            "heads": self.heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: State) -> None:
        """The inverse of state()."""
        self.tower.load_state_dict(cast(dict[str, Tensor], state["tower"]))
        self.heads.load_state_dict(cast(dict[str, Tensor], state["heads"]))
        self.optimizer.load_state_dict(cast(State, state["optimizer"]))

    def _predict(self, rng: np.random.Generator) -> tuple[list[Tensor], Tensor]:
        scenes = [sample_scene(rng) for _ in range(BATCH)]
        captions = [caption(scene) for scene in scenes]
        captions = [add_junk(text, rng) if rng.random() < JUNK_SHARE else text for text in captions]
        pooled = self.tower(tokenize(self.tokenizer, captions)).pooler_output
        labels = torch.tensor([_labels(scene) for scene in scenes])
        return [head(pooled) for head in self.heads], labels


def _labels(scene: Scene) -> list[int]:
    first, background = scene.things[0], scene.background
    told = [
        first.kind,
        first.colour,
        background.colour,
        background.tone,
        background.pattern,
        first.size,
        first.place,
    ]
    second = scene.things[1] if len(scene.things) > 1 else None
    told += [second.kind, second.colour, second.size, second.place] if second else [NONE] * 4
    return [labels.index(word) for word, labels in zip(told, HEADS.values(), strict=True)]
