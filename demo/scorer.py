"""The demo's CLIP: the frozen text tower and a small ViT, trained to tell a scene from near copies of it."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig
from transformers.models.clip.configuration_clip import CLIPTextConfig

from demo.families import GROUP, LOOK_LABELS, label_look, sample_family
from demo.shapes import SHAPES
from demo.stage import Log, State, cosine, save_weights, set_lr, train
from demo.text_tower import PROJECTION, load_tokenizer, tokenize
from demo.vae import to_tensor
from demo.words import caption
from demo.world import PLACES, draw_scene, sample_scene

GROUPS_PER_STEP = 8
NUM_GROUPS = 3000
LR = 1e-3
LOOK_WEIGHT = 0.25
TWIN_WEIGHT = 0.5
TWIN_SCALE = 10.0


@dataclass(frozen=True, slots=True)
class Groups:
    """Families of eight members: two drawings and the caption of each."""

    pictures: Tensor  # [N, 2, 8, 64, 64, 3] uint8
    captions: Tensor  # [N, 8] an index of the caption: equal captions have equal ones
    pooled: Tensor  # [N, 8, 128] text states of the frozen tower
    looks: Tensor  # [N, 8, 5] labels of a creature's look; -100 = no creature


def train_scorer(
    folder: Path, *, text_encoder: Path, tokenizer: Path, checkpoint: Path, log: Log, num_steps: int
) -> None:
    """Train vision tower and both projections; write folder/ without the text tower."""
    model = build_scorer(text_encoder)
    trainee = ScorerTrainee(model, tokenizer, num_steps)
    train(trainee, name="scorer", num_steps=num_steps, checkpoint=checkpoint, log=log)
    model.eval()
    log.write(
        "scorer",
        shape_recall=measure_recall(model, tokenizer),
        place_recall=measure_recall(model, tokenizer, what="place"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    write_preprocessor(folder)
    kept = {key: value for key, value in model.state_dict().items() if not key.startswith("text_model.")}
    save_weights(kept, folder / "model.safetensors")


def build_scorer(text_encoder: Path) -> CLIPModel:
    """A CLIPModel with the finished text tower, frozen, and everything else new."""
    text = CLIPTextConfig.from_pretrained(text_encoder)
    vision = CLIPVisionConfig(
        image_size=64,
        patch_size=8,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        projection_dim=PROJECTION,
    )
    torch.manual_seed(41)
    model = CLIPModel(
        CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=PROJECTION)
    )
    model.set_attn_implementation("eager")  # on a CPU faster than the fused one: .22 s a step, not .37
    nn.init.normal_(
        model.get_submodule("vision_model.embeddings.position_embedding").get_parameter("weight"), std=0.15
    )
    tower = load_file(text_encoder / "model.safetensors")
    tower = {f"text_model.{key.removeprefix('text_model.')}": value.float() for key, value in tower.items()}
    missing, unexpected = model.load_state_dict(tower, strict=False)
    assert not unexpected and not any(key.startswith("text_model.") for key in missing)
    model.get_submodule("text_model").requires_grad_(False)
    return model


def load_scorer(scorer: Path, text_encoder: Path) -> CLIPModel:
    """The finished scorer, from its folder and the text tower's."""
    model = build_scorer(text_encoder)
    weights = {key: value.float() for key, value in load_file(scorer / "model.safetensors").items()}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected and all(key.startswith("text_model.") for key in missing)
    return model.eval()


def write_preprocessor(folder: Path) -> None:
    """64 x 64, /255, mean and std .5: -1..1."""
    config = {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": {"height": 64, "width": 64},
        "resample": 3,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "do_convert_rgb": True,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


@torch.no_grad()
def embed_pictures(model: CLIPModel, pictures: Tensor) -> Tensor:
    """Unit image embeddings [B, 96] of pictures [B, 3, 64, 64] in -1..1."""
    return F.normalize(_embed(model, pictures), dim=-1)


@torch.no_grad()
def embed_captions(model: CLIPModel, tokenizer: Path, captions: list[str]) -> Tensor:
    """Unit text embeddings [B, 96]."""
    pooled = model.get_submodule("text_model")(tokenize(load_tokenizer(tokenizer), captions)).pooler_output
    return F.normalize(model.get_submodule("text_projection")(pooled), dim=-1)


def measure_recall(model: CLIPModel, tokenizer: Path, *, what: str = "shape", count: int = 200) -> float:
    """R@1 of a held-out picture's caption among those that differ in the shape (8) or the place (5) only."""
    hits = []
    for index in range(count):
        rng = np.random.default_rng([49, index])
        scene = sample_scene(rng, pairs=0.0, creatures=0.0)
        thing = scene.things[0]
        if what == "shape":
            options = [replace(thing, kind=kind) for kind in SHAPES]
            truth = list(SHAPES).index(thing.kind)
        else:
            options = [replace(thing, place=place) for place in PLACES]
            truth = PLACES.index(thing.place)
        captions = [caption(replace(scene, things=(option,))) for option in options]
        picture = embed_pictures(model, to_tensor(draw_scene(scene, rng)[None]))
        hits.append(int((embed_captions(model, tokenizer, captions) @ picture[0]).argmax()) == truth)
    return round(sum(hits) / count, 4)


class ScorerTrainee:
    """Three losses: caption against picture, a drawing against its second drawing, the marks of a creature.

    The first alone forgets what no caption tells: it would take any creature for the taught one.
    """

    def __init__(
        self, model: CLIPModel, tokenizer: Path, num_steps: int, num_groups: int = NUM_GROUPS
    ) -> None:
        self.model, self.num_steps = model, num_steps
        self.groups = draw_groups(model, tokenizer, num_groups)
        self.look_heads = nn.ModuleList(nn.Linear(PROJECTION, len(labels)) for labels in LOOK_LABELS)
        self.parameters = [p for p in model.parameters() if p.requires_grad] + list(
            self.look_heads.parameters()
        )
        self.optimizer = torch.optim.AdamW(self.parameters, lr=LR, betas=(0.9, 0.98), weight_decay=0.02)

    def step(self, index: int) -> float:
        """One batch of 8 families, every picture drawn twice."""
        set_lr(self.optimizer, cosine(index, num_steps=self.num_steps, flat=0.3, warmup=50))
        order = np.random.default_rng([42, index])
        picks = torch.from_numpy(order.choice(len(self.groups.pictures), GROUPS_PER_STEP, replace=False))
        pictures = to_tensor(self.groups.pictures[picks].transpose(0, 1).flatten(0, 2).numpy())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            embedded = _embed(self.model, pictures)
        first, second = F.normalize(embedded.float(), dim=-1).chunk(2)
        text = self.model.get_submodule("text_projection")(self.groups.pooled[picks].flatten(0, 1))
        scale = cast(Tensor, self.model.logit_scale).clamp(max=4.0).exp()
        captions = self.groups.captions[picks].flatten()
        loss = _contrast(scale * first @ F.normalize(text, dim=-1).T, captions)
        loss = loss + TWIN_WEIGHT * _contrast(TWIN_SCALE * first @ second.T, torch.arange(len(first)))
        loss = loss + LOOK_WEIGHT * self._look_loss(first, self.groups.looks[picks].flatten(0, 1))
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return float(loss.detach())

    def state(self) -> State:
        """Weights and optimizer."""
        return {
            "model": self.model.state_dict(),
            "heads": self.look_heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: State) -> None:
        """The inverse of state()."""
        self.model.load_state_dict(cast(dict[str, Tensor], state["model"]))
        self.look_heads.load_state_dict(cast(dict[str, Tensor], state["heads"]))
        self.optimizer.load_state_dict(cast(State, state["optimizer"]))

    def _look_loss(self, image: Tensor, looks: Tensor) -> Tensor:
        creatures = looks[:, 0] >= 0
        if not bool(creatures.any()):
            return image.sum() * 0.0
        scaled = 8.0 * image[creatures]
        losses = [
            F.cross_entropy(head(scaled), labels)
            for head, labels in zip(self.look_heads, looks[creatures].unbind(1), strict=True)
        ]
        return torch.stack(losses).mean()


@torch.no_grad()
def draw_groups(model: CLIPModel, tokenizer: Path, count: int) -> Groups:
    """Draw the families; the text states are fixed, for the tower is frozen."""
    pictures = np.empty((count, 2, GROUP, 64, 64, 3), dtype=np.uint8)
    captions: list[str] = []
    looks: list[list[int]] = []
    for index in range(count):
        rng = np.random.default_rng([43, index])
        for place, (scene, text) in enumerate(sample_family(rng)):
            pictures[index, :, place] = [draw_scene(scene, rng), draw_scene(scene, rng)]
            captions.append(text)
            looks.append(label_look(scene.things[0].look))
    tower = model.get_submodule("text_model")
    ids = tokenize(load_tokenizer(tokenizer), captions)
    pooled = torch.cat([tower(part).pooler_output for part in ids.split(256)])
    numbers = {text: number for number, text in enumerate(captions)}
    return Groups(
        pictures=torch.from_numpy(pictures),
        captions=torch.tensor([numbers[text] for text in captions]).reshape(count, GROUP),
        pooled=pooled.reshape(count, GROUP, -1),
        looks=torch.tensor(looks).reshape(count, GROUP, -1),
    )


def _contrast(logits: Tensor, numbers: Tensor) -> Tensor:
    """Cross-entropy both ways over [B, B]; rows and columns with the same number are all right answers."""
    right = (numbers[:, None] == numbers[None, :]).float()
    truth = right / right.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2


def _embed(model: CLIPModel, pictures: Tensor) -> Tensor:
    pooled = model.get_submodule("vision_model")(pictures).pooler_output
    embedded: Tensor = model.get_submodule("visual_projection")(pooled)
    return embedded
