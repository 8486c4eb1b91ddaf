"""The UNet: epsilon prediction on cached latents with Stable Diffusion's noise schedule, in two stages."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextModel

from demo.stage import Log, State, cosine, save_weights, set_lr, train, write_atomically
from demo.text_tower import add_junk, load_tokenizer, tokenize
from demo.vae import encode_mean, to_tensor
from demo.words import caption
from demo.world import CREATURE, Picture, draw_scene, sample_scene

BATCH = 48
LR = 1.5e-3
EMA_DECAY = 0.998
MIN_SNR_GAMMA = 5.0
EMPTY_SHARE = 0.1
JUNK_SHARE = 0.08
CREATURE_LR = 6e-4


@dataclass(frozen=True, slots=True)
class Mix:
    """What is drawn for a data set; `colourless` is the share of creatures whose caption tells no colour."""

    count: int
    seed: int
    creatures: float
    colourless: float


WORLD_MIX = Mix(count=48_000, seed=33, creatures=0.2, colourless=0.0)
CREATURE_MIX = Mix(count=20_000, seed=34, creatures=0.45, colourless=0.35)


@dataclass(frozen=True, slots=True)
class Parts:
    """The folders of the finished parts that the UNet is trained with."""

    tokenizer: Path
    text_encoder: Path
    vae: Path


def train_unet(folder: Path, *, parts: Parts, build: Path, log: Log, num_steps: int) -> None:
    """Draw and encode the world, train from nothing, and write folder/ with the averaged weights in fp16."""
    data = build / "latents.safetensors"
    _prepare_data(data, parts=parts, mix=WORLD_MIX, log=log)
    trainee = UNetTrainee(data, parts.text_encoder, num_steps)
    train(trainee, name="unet", num_steps=num_steps, checkpoint=build / "unet.pt", log=log)
    trainee.save(folder)


def train_creatures(folder: Path, *, parts: Parts, build: Path, log: Log, num_steps: int) -> None:
    """Go on from build/unet with more creatures, some of no told colour, and write folder/.

    A taught creature's prompt tells the base no more than "a creature": without this it draws a gray mixture.
    """
    data = build / "creatures.safetensors"
    _prepare_data(data, parts=parts, mix=CREATURE_MIX, log=log)
    trainee = UNetTrainee(data, parts.text_encoder, num_steps, source=build / "unet")
    train(trainee, name="creatures", num_steps=num_steps, checkpoint=build / "creatures.pt", log=log)
    trainee.save(folder)


def build_unet() -> UNet2DConditionModel:
    """The UNet with its initial weights: every residual branch and the output start at zero."""
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(64, 128),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=128,
        attention_head_dim=4,
        norm_num_groups=16,
    )
    for name, parameter in unet.named_parameters():
        if any(f"{part}." in name for part in ("conv_out", "conv2", "proj_out")):
            nn.init.zeros_(parameter)
    return unet.to(memory_format=torch.channels_last)


def build_scheduler() -> DDIMScheduler:
    """Stable Diffusion's schedule; its last step keeps some signal, which is what noise offset is for."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="epsilon",
    )


def write_data(path: Path, *, parts: Parts, mix: Mix, chunk: int = 2000) -> None:
    """Cache N pictures: scaled latents [N, 4, 16, 16] fp16 and token ids [N + 1, 32]; the last row is ""."""
    vae = AutoencoderKL.from_pretrained(parts.vae, dtype=torch.float32).eval()
    tokenizer = load_tokenizer(parts.tokenizer)
    latents: list[Tensor] = []
    captions: list[str] = []
    for start in range(0, mix.count, chunk):
        drawn = [_draw(mix, index) for index in range(start, min(start + chunk, mix.count))]
        pictures = to_tensor(np.stack([picture for picture, _ in drawn]))
        latents.append((encode_mean(vae, pictures) * vae.config.scaling_factor).half())
        captions += [text for _, text in drawn]
    ids = tokenize(tokenizer, [*captions, ""]).to(torch.int16)
    write_atomically(
        path, lambda temporary: save_file({"latents": torch.cat(latents), "ids": ids}, temporary)
    )


class UNetTrainee:
    """One pass draws 48 latents, noise and timesteps from the step's index."""

    def __init__(self, data: Path, text_encoder: Path, num_steps: int, source: Path | None = None) -> None:
        torch.manual_seed(31)
        tensors = load_file(data)
        self.latents, self.ids = tensors["latents"], tensors["ids"]
        self.tower = (
            CLIPTextModel.from_pretrained(text_encoder, dtype=torch.float32).eval().requires_grad_(False)
        )
        self.unet, self.num_steps = build_unet().train(), num_steps
        self.unet.set_attn_processor(
            AttnProcessor()
        )  # on a CPU faster than the fused one: .76 s a step, not .99
        if source is not None:
            weights = load_file(source / "diffusion_pytorch_model.safetensors")
            self.unet.load_state_dict({name: weight.float() for name, weight in weights.items()})
        lr, self.flat = (LR, 0.5) if source is None else (CREATURE_LR, 0.2)
        self.parameters = list(self.unet.parameters())
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=lr, betas=(0.9, 0.99), weight_decay=0.01, fused=True
        )
        self.alphas = build_scheduler().alphas_cumprod

    def step(self, index: int) -> float:
        """One batch; the loss is weighted by min-SNR."""
        set_lr(self.optimizer, cosine(index, num_steps=self.num_steps, flat=self.flat, warmup=50))
        loss = self._loss(index)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        decay = min(EMA_DECAY, (index + 1) / (index + 20))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)
        return float(loss.detach())

    def state(self) -> State:
        """Weights, their average, and the optimizer."""
        return {
            "unet": self.unet.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: State) -> None:
        """The inverse of state()."""
        self.unet.load_state_dict(cast(dict[str, Tensor], state["unet"]))
        for mine, saved in zip(self.average, cast(list[Tensor], state["average"]), strict=True):
            mine.copy_(saved)
        self.optimizer.load_state_dict(cast(State, state["optimizer"]))

    def save(self, folder: Path) -> None:
        """Write the averaged weights as a diffusers folder."""
        folder.mkdir(parents=True, exist_ok=True)
        names = [name for name, _ in self.unet.named_parameters()]
        weights = dict(zip(names, self.average, strict=True))
        save_weights(weights, folder / "diffusion_pytorch_model.safetensors")
        self.unet.save_config(folder)

    def _loss(self, index: int) -> Tensor:
        rng = torch.Generator().manual_seed(31_000_000 + index)
        picks = torch.randint(len(self.latents), (BATCH,), generator=rng)
        empty = torch.rand(BATCH, generator=rng) < EMPTY_SHARE
        timesteps = torch.randint(1000, (BATCH,), generator=rng)
        clean = self.latents[picks].float()
        noise = torch.randn(clean.shape, generator=rng)
        alpha = self.alphas[timesteps]
        noisy = alpha.sqrt()[:, None, None, None] * clean + (1 - alpha).sqrt()[:, None, None, None] * noise
        ids = torch.where(empty, torch.tensor(len(self.ids) - 1), picks)
        with torch.no_grad():
            states = self.tower(self.ids[ids].long()).last_hidden_state
        with torch.autocast("cpu", dtype=torch.bfloat16):
            noisy = noisy.to(memory_format=torch.channels_last)
            guess = self.unet(noisy, timesteps, encoder_hidden_states=states).sample
        error = F.mse_loss(guess.float(), noise, reduction="none").mean(dim=(1, 2, 3))
        snr = alpha / (1 - alpha)
        return (error * (snr.clamp(max=MIN_SNR_GAMMA) / snr)).mean()


def _prepare_data(path: Path, *, parts: Parts, mix: Mix, log: Log) -> None:
    if not path.exists():
        write_data(path, parts=parts, mix=mix)
        log.write("data", pictures=mix.count, creatures=mix.creatures)


def _draw(mix: Mix, index: int) -> tuple[Picture, str]:
    rng = np.random.default_rng([mix.seed, index])
    scene = sample_scene(rng, creatures=mix.creatures)
    first = scene.things[0]
    if first.look is not None and mix.colourless > 0 and rng.random() < mix.colourless:
        scene = replace(scene, things=(replace(first, name=CREATURE),))
    text = caption(scene)
    picture = draw_scene(scene, rng)
    return picture, add_junk(text, rng) if rng.random() < JUNK_SHARE else text
