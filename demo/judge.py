"""The independent judge of the gate: a small CNN that names the seven attributes of a one-object picture."""

from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from demo.palette import BACKGROUND_COLOURS, OBJECT_COLOURS, TONES
from demo.stage import Log, State, cosine, save_weights, set_lr, train
from demo.vae import to_tensor
from demo.world import KINDS, PATTERNS, PLACES, SIZES, Scene, draw_scene, sample_scene

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "shape": KINDS,
    "colour": OBJECT_COLOURS,
    "background": BACKGROUND_COLOURS,
    "tone": TONES,
    "pattern": PATTERNS,
    "size": SIZES,
    "place": PLACES,
}
BATCH = 64
LR = 2e-3
POOL = 24_000


class Judge(nn.Module):
    """Five convolutions and a linear layer: pictures [B, 3, 64, 64] in -1..1 to logits for each attribute."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 48, 64, 64)
        layers: list[nn.Module] = []
        for index, (into, out) in enumerate(pairwise(widths)):
            layers += [
                nn.Conv2d(into, out, 3, stride=1 if index == 0 else 2, padding=1),
                nn.GroupNorm(8, out),
                nn.SiLU(),
            ]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(64 * 16, sum(map(len, ATTRIBUTES.values())))

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Logits, one tensor [B, number of labels] an attribute, in the order of ATTRIBUTES."""
        logits: Tensor = self.head(self.body(pictures).flatten(1))
        return logits.split([len(labels) for labels in ATTRIBUTES.values()], dim=1)


def train_judge(path: Path, *, checkpoint: Path, log: Log, num_steps: int) -> None:
    """Train on drawings, never on generated pictures, and write one safetensors file."""
    trainee = JudgeTrainee(num_steps)
    train(trainee, name="judge", num_steps=num_steps, checkpoint=checkpoint, log=log)
    pictures, labels = draw_judged(1000, seed=59)
    right = judge_pictures(trainee.judge, to_tensor(pictures)) == labels
    log.write(
        "judge",
        held_out_accuracy=round(float(right.float().mean()), 4),
        all_seven=round(float(right.all(1).float().mean()), 4),
    )
    save_weights(trainee.judge.state_dict(), path)


def load_judge(path: Path) -> Judge:
    """The finished judge."""
    judge = Judge()
    judge.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    return judge.eval()


@torch.no_grad()
def judge_pictures(judge: Judge, pictures: Tensor) -> Tensor:
    """The named label of each attribute, [B, 7], for pictures [B, 3, 64, 64] in -1..1."""
    logits = [judge(part) for part in pictures.split(128)]
    return torch.cat([torch.stack([guess.argmax(1) for guess in part], dim=1) for part in logits])


def label_scene(scene: Scene) -> list[int]:
    """The true labels of a scene with one object."""
    thing, background = scene.things[0], scene.background
    told = (
        thing.kind,
        thing.colour,
        background.colour,
        background.tone,
        background.pattern,
        thing.size,
        thing.place,
    )
    return [labels.index(word) for word, labels in zip(told, ATTRIBUTES.values(), strict=True)]


def draw_judged(count: int, *, seed: int) -> tuple[NDArray[np.uint8], Tensor]:
    """Drawings [N, 64, 64, 3] with one object and their labels [N, 7]."""
    pictures = np.empty((count, 64, 64, 3), dtype=np.uint8)
    labels = []
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        scene = sample_scene(rng, pairs=0.0, creatures=0.08)
        pictures[index] = draw_scene(scene, rng)
        labels.append(label_scene(scene))
    return pictures, torch.tensor(labels)


class JudgeTrainee:
    """Cross-entropy on drawings with a little noise, blur and brightness, so that edges do not decide."""

    def __init__(self, num_steps: int, pool: int = POOL) -> None:
        torch.manual_seed(51)
        self.judge, self.num_steps = Judge(), num_steps
        self.pictures, self.labels = draw_judged(pool, seed=53)
        self.optimizer = torch.optim.AdamW(self.judge.parameters(), lr=LR, weight_decay=0.02)

    def step(self, index: int) -> float:
        """One batch."""
        set_lr(self.optimizer, cosine(index, num_steps=self.num_steps, flat=0.3, warmup=50))
        rng = torch.Generator().manual_seed(52_000_000 + index)
        picks = torch.randint(len(self.pictures), (BATCH,), generator=rng)
        logits = self.judge(_disturb(to_tensor(self.pictures[picks.numpy()]), rng))
        losses = [
            F.cross_entropy(guess, truth)
            for guess, truth in zip(logits, self.labels[picks].unbind(1), strict=True)
        ]
        loss = torch.stack(losses).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def state(self) -> State:
        """Weights and optimizer."""
        return {"judge": self.judge.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state(self, state: State) -> None:
        """The inverse of state()."""
        self.judge.load_state_dict(cast(dict[str, Tensor], state["judge"]))
        self.optimizer.load_state_dict(cast(State, state["optimizer"]))


def _disturb(pictures: Tensor, rng: torch.Generator) -> Tensor:
    count = len(pictures)
    noise = 0.05 * torch.rand(count, 1, 1, 1, generator=rng) * torch.randn(pictures.shape, generator=rng)
    blurred = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    share = 0.6 * torch.rand(count, 1, 1, 1, generator=rng)
    gain = 1 + 0.06 * torch.randn(count, 1, 1, 1, generator=rng)
    return ((1 - share) * pictures + share * blurred + 1) * gain - 1 + noise
