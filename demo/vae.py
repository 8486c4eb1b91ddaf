"""The VAE: 64 x 64 pictures to 4 x 16 x 16 latents; on crops first, then the decoder on whole pictures."""

from pathlib import Path
from typing import cast

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor, nn

from demo.collage import draw_collage
from demo.muon import Muon
from demo.stage import Log, State, cosine, save_weights, set_lr, train
from demo.world import draw_scene, sample_scene

BATCH = 16
CROP = 32
LR = 4e-3
DECODER_LR = 2e-3
KL_WEIGHT = 8e-4
POOL = 6000  # pictures drawn beforehand
COLLAGE_SHARE = 0.2


def train_vae(folder: Path, *, checkpoint: Path, log: Log, num_steps: int) -> None:
    """Train encoder and decoder on crops; write folder/ with the scaling factor of held-out pictures."""
    trainee = CropTrainee(num_steps)
    train(trainee, name="vae", num_steps=num_steps, checkpoint=checkpoint, log=log)
    held_out = to_tensor(draw_pool(256, seed=29, collages=0.0))
    trainee.vae.eval()
    std = float(encode_mean(trainee.vae, held_out).std())
    trainee.vae.register_to_config(scaling_factor=round(1.0 / std, 5))
    log.write(
        "vae", held_out_decibels=measure_decibels(trainee.vae, held_out), scaling_factor=round(1.0 / std, 5)
    )
    _save(trainee.vae, folder)


def train_decoder(folder: Path, *, source: Path, checkpoint: Path, log: Log, num_steps: int) -> None:
    """Train the decoder of source/ on whole pictures and write folder/; the latents stay what they are."""
    trainee = DecoderTrainee(source, num_steps)
    train(trainee, name="decoder", num_steps=num_steps, checkpoint=checkpoint, log=log)
    trainee.vae.eval()
    held_out = to_tensor(draw_pool(256, seed=29, collages=0.0))
    log.write("decoder", held_out_decibels=measure_decibels(trainee.vae, held_out))
    _save(trainee.vae, folder)


def build_vae() -> AutoencoderKL:
    """The VAE with its initial weights: orthogonal convolutions, residual branches that start at zero."""
    blocks = 3
    vae = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        mid_block_add_attention=False,
        sample_size=64,
        force_upcast=False,
    )
    for name, module in vae.named_modules():
        if isinstance(module, nn.Conv2d):
            nn.init.orthogonal_(module.weight)
            nn.init.zeros_(cast(Tensor, module.bias))
            if name.endswith("conv2"):
                nn.init.zeros_(module.weight)
    return vae.to(memory_format=torch.channels_last)


def draw_pool(count: int, *, seed: int, collages: float = COLLAGE_SHARE) -> NDArray[np.uint8]:
    """Pictures [count, 64, 64, 3] of the world, a share of them collages."""
    pool = np.empty((count, 64, 64, 3), dtype=np.uint8)
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        is_collage = index < collages * count
        pool[index] = draw_collage(rng) if is_collage else draw_scene(sample_scene(rng, creatures=0.25), rng)
    return pool


def to_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """uint8 [B, H, W, 3] to [B, 3, H, W] in -1..1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1.0


@torch.no_grad()
def encode_mean(vae: AutoencoderKL, pictures: Tensor, batch: int = 64) -> Tensor:
    """The posterior's mean [B, 4, H/4, W/4], not scaled."""
    return torch.cat([vae.encode(part).latent_dist.mode() for part in pictures.split(batch)])


@torch.no_grad()
def measure_decibels(vae: AutoencoderKL, pictures: Tensor) -> float:
    """Mean PSNR of the reconstructions, in dB, of pictures [B, 3, H, W] in -1..1."""
    drawn = torch.cat([vae.decode(part).sample.clamp(-1, 1) for part in encode_mean(vae, pictures).split(64)])
    error = ((drawn - pictures) / 2).square().mean(dim=(1, 2, 3))
    return round(float((-10 * torch.log10(error)).mean()), 2)


def picture_loss(drawn: Tensor, truth: Tensor) -> Tensor:
    """L1 + half the L1 of the gradients + MSE, a scalar."""
    error = drawn.float() - truth
    across, down = error.diff(dim=3).abs().mean(), error.diff(dim=2).abs().mean()
    return error.abs().mean() + 0.5 * (across + down) + error.square().mean()


class CropTrainee:
    """Encoder and decoder on random crops."""

    def __init__(self, num_steps: int, pool: int = POOL) -> None:
        torch.manual_seed(21)
        self.vae, self.num_steps = build_vae(), num_steps
        self.pool = draw_pool(pool, seed=21)
        matrices = [p for p in self.vae.parameters() if p.ndim >= 2]
        vectors = [p for p in self.vae.parameters() if p.ndim < 2]
        self.optimizers = (Muon(matrices, lr=LR), torch.optim.AdamW(vectors, lr=LR, weight_decay=0.0))

    def step(self, index: int) -> float:
        """One batch of crops."""
        truth = to_tensor(self._crops(np.random.default_rng([22, index]))).to(
            memory_format=torch.channels_last
        )
        noise = torch.Generator().manual_seed(22_000_000 + index)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            posterior = self.vae.encode(truth).latent_dist
            drawn = self.vae.decode(posterior.sample(noise)).sample
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        loss = picture_loss(drawn, truth) + KL_WEIGHT * kl
        self.vae.zero_grad()
        loss.backward()
        for optimizer in self.optimizers:
            set_lr(optimizer, cosine(index, num_steps=self.num_steps, flat=0.3))
            optimizer.step()
        return float(loss.detach())

    def state(self) -> State:
        """Weights and optimizers."""
        return {"vae": self.vae.state_dict(), "optimizers": [o.state_dict() for o in self.optimizers]}

    def load_state(self, state: State) -> None:
        """The inverse of state()."""
        self.vae.load_state_dict(cast(dict[str, Tensor], state["vae"]))
        for optimizer, saved in zip(self.optimizers, cast(list[State], state["optimizers"]), strict=True):
            optimizer.load_state_dict(saved)

    def _crops(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        room = self.pool.shape[1] - CROP + 1
        rows, columns = rng.integers(room, size=BATCH), rng.integers(room, size=BATCH)
        picks = rng.integers(len(self.pool), size=BATCH)
        crops = [
            self.pool[p, r : r + CROP, c : c + CROP] for p, r, c in zip(picks, rows, columns, strict=True)
        ]
        return np.stack(crops)


class DecoderTrainee:
    """The decoder alone, on the latents of whole pictures: crops teach it borders where there are none."""

    def __init__(self, source: Path, num_steps: int, pool: int = POOL) -> None:
        self.vae = AutoencoderKL.from_pretrained(source, dtype=torch.float32)
        self.vae.to(memory_format=torch.channels_last).eval().requires_grad_(False)
        self.num_steps, self.pool = num_steps, draw_pool(pool, seed=23)
        self.trained = nn.ModuleList([self.vae.decoder, self.vae.post_quant_conv]).requires_grad_(True)
        matrices = [p for p in self.trained.parameters() if p.ndim >= 2]
        vectors = [p for p in self.trained.parameters() if p.ndim < 2]
        self.optimizers = (
            Muon(matrices, lr=DECODER_LR),
            torch.optim.AdamW(vectors, lr=DECODER_LR, weight_decay=0.0),
        )

    def step(self, index: int) -> float:
        """One batch of whole pictures (8, the same number of pixels twice over)."""
        picks = np.random.default_rng([24, index]).integers(len(self.pool), size=BATCH // 2)
        truth = to_tensor(self.pool[picks]).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            with torch.no_grad():
                latents = self.vae.encode(truth).latent_dist.mode()
            drawn = self.vae.decode(latents).sample
        loss = picture_loss(drawn, truth)
        self.vae.zero_grad()
        loss.backward()
        for optimizer in self.optimizers:
            set_lr(optimizer, cosine(index, num_steps=self.num_steps, flat=0.2))
            optimizer.step()
        return float(loss.detach())

    def state(self) -> State:
        """Weights and optimizers."""
        return {"trained": self.trained.state_dict(), "optimizers": [o.state_dict() for o in self.optimizers]}

    def load_state(self, state: State) -> None:
        """The inverse of state()."""
        self.trained.load_state_dict(cast(dict[str, Tensor], state["trained"]))
        for optimizer, saved in zip(self.optimizers, cast(list[State], state["optimizers"]), strict=True):
            optimizer.load_state_dict(saved)


def _save(vae: AutoencoderKL, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(vae.state_dict(), folder / "diffusion_pytorch_model.safetensors")
    vae.register_to_config(_name_or_path="")  # else the build folder's path would be committed
    vae.save_config(folder)
