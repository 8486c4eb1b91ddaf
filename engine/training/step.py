"""From a batch of latents and text to one loss per picture."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.config import FlowWeighting, LossConfig, LossKind, NoiseConfig, Prediction
from engine.diffusion.discrete import DiscreteSchedule
from engine.diffusion.flow import FlowSchedule
from engine.diffusion.loss_weights import flow_weights, min_snr_weights
from engine.diffusion.losses import huber_strengths, mean_squared_error, pseudo_huber, smooth_l1
from engine.diffusion.noise import offset_noise
from engine.diffusion.noise_schedule import signal_to_noise
from engine.diffusion.schedule import NoiseSchedule
from engine.diffusion.seeding import normal_draws, uniform_draws
from engine.models.family import Conditioning, ModelFamily


@dataclass(kw_only=True, slots=True, frozen=True)
class Batch:
    """Pictures of one bucket: the VAE's Gaussian over their latents, and their text."""

    mean: Tensor  # [B, C, h, w]
    std: Tensor  # [B, C, h, w]
    text: Mapping[str, Tensor]  # as the family encodes it, each [B, ...]
    sizes: Tensor  # [B, 6] as Conditioning has them
    weights: Tensor  # [B] of their losses: 1, or loss.prior_loss_weight of regularisation pictures
    mask: Tensor | None = None  # [B, 1, h, w] 0 to 1: how much of each picture counts; None: all of it


@dataclass(kw_only=True, slots=True, frozen=True)
class Draws:
    """All the randomness of one batch."""

    posterior: Tensor  # [B, C, h, w] unit Gaussian, picks the latents from the VAE's distribution
    noise: Tensor  # [B, C, h, w] unit Gaussian
    offset: Tensor  # [B, C] unit Gaussian, the shift of noise offset
    timesteps: Tensor  # [B] of the family's schedule


@dataclass(kw_only=True, slots=True, frozen=True)
class Objective:
    """What is minimised."""

    noise: NoiseConfig
    loss: LossConfig
    prediction: Prediction


def make_draws(
    seed: int,
    step: int,
    samples: Sequence[int],
    *,
    shape: Sequence[int],
    to_timesteps: Callable[[Tensor], Tensor],
) -> Draws:
    """The draws of the pictures at these positions of a step, on the CPU.

    samples       positions within the optimizer step, so that accumulation does not shift them
    shape         (C, h, w) of the latents
    to_timesteps  from uniform draws [B] in [0, 1)
    """
    uniform = uniform_draws(seed, "timesteps", step=step, samples=samples)
    return Draws(
        posterior=normal_draws(seed, "posterior", step=step, samples=samples, shape=shape),
        noise=normal_draws(seed, "noise", step=step, samples=samples, shape=shape),
        offset=normal_draws(seed, "noise_offset", step=step, samples=samples, shape=shape[:1]),
        timesteps=to_timesteps(uniform),
    )


def training_losses(family: ModelFamily, batch: Batch, draws: Draws, objective: Objective) -> Tensor:
    """The weighted error of each picture, [B] float32, with a graph back to the trained weights."""
    device = family.device
    latents = (batch.mean + batch.std * draws.posterior).to(device)
    timesteps = draws.timesteps.to(device)
    noise = draws.noise.to(device)
    if objective.noise.offset:
        strength = noise.new_full((len(noise),), objective.noise.offset)
        noise = offset_noise(noise, strength, draws.offset.to(device))
    schedule = family.schedule
    predicted = family.predict(
        schedule.add_noise(latents, noise, timesteps), timesteps, conditioning_of(batch, device)
    )
    target = schedule.target(latents, noise, timesteps, prediction=objective.prediction)
    mask = None if batch.mask is None else batch.mask.to(device)
    if objective.loss.kind is LossKind.l2:
        losses = mean_squared_error(predicted, target, mask)
    else:
        distance = pseudo_huber if objective.loss.kind is LossKind.huber else smooth_l1
        losses = distance(predicted, target, mask, strengths=_strengths(timesteps, schedule, objective.loss))
    if objective.loss.min_snr_gamma is not None:
        assert isinstance(schedule, DiscreteSchedule), "a rule refuses it for flow models"
        snr = signal_to_noise(timesteps, schedule.alphas_cumprod)
        losses = losses * min_snr_weights(snr, objective.loss.min_snr_gamma, prediction=objective.prediction)
    if objective.loss.flow_weighting is not FlowWeighting.none:
        assert isinstance(schedule, FlowSchedule), "a rule refuses it for epsilon and v models"
        losses = losses * flow_weights(timesteps / schedule.num_timesteps, objective.loss.flow_weighting)
    return losses * batch.weights.to(device)


def conditioning_of(batch: Batch, device: torch.device) -> Conditioning:
    """What the denoiser is told of the batch's pictures."""
    text = {name: tensor.to(device) for name, tensor in batch.text.items()}
    return Conditioning(text=text, sizes=batch.sizes.to(device))


def _strengths(timesteps: Tensor, schedule: NoiseSchedule, loss: LossConfig) -> Tensor:
    kept = schedule.alphas_cumprod if isinstance(schedule, DiscreteSchedule) else None
    return huber_strengths(
        timesteps, kept, schedule=loss.huber_schedule, c=loss.huber_c, scale=loss.huber_scale
    )
