"""The fixed validation loss: the same pictures, noise and timesteps for every run, whatever it varies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.config import Prediction
from engine.diffusion.losses import mean_squared_error
from engine.diffusion.seeding import normal_draws
from engine.models.family import Conditioning, ModelFamily


@dataclass(kw_only=True, slots=True, frozen=True)
class ValidationPicture:
    """A picture's latents (the VAE's mean) and the text that belongs to it."""

    latents: Tensor  # [C, h, w]
    text: Mapping[str, Tensor] | None  # as the family encodes it, without the batch; None: at each look
    sizes: Tensor  # [6] as Conditioning has them
    caption: str = ""  # what is encoded at each look


@dataclass(kw_only=True, slots=True, frozen=True)
class ValidationSet:
    """The pictures that are looked at."""

    held_out: bool  # they are not trained on
    names: list[str]  # as the data set names them
    pictures: list[ValidationPicture]


@dataclass(kw_only=True, slots=True, frozen=True)
class ValidationLosses:
    """The loss of each picture at each timestep."""

    num_timesteps: int  # of the whole schedule
    timesteps: list[float]  # those that were looked at, rising
    losses: Tensor  # [pictures, timesteps] float64 on the CPU

    def mean(self) -> float:
        """One number; not finite when one of the losses is not."""
        return float(self.losses.mean())


@torch.no_grad()
def validation_losses(
    family: ModelFamily, pictures: Sequence[ValidationPicture], *, num_timesteps: int, prediction: Prediction
) -> ValidationLosses:
    """Plain mean squared error of pictures x timesteps; takes no option of noise or loss.

    num_timesteps  at how many places of the schedule each picture is looked at
    returns        losses that are not finite where the answers of the model are not
    """
    timesteps = family.schedule.middle_timesteps(num_timesteps)
    on_device = timesteps.to(family.device)
    losses = [
        _picture_losses(family, picture, on_device, position=position, prediction=prediction)
        for position, picture in enumerate(pictures)
    ]
    return ValidationLosses(
        num_timesteps=family.schedule.num_timesteps,
        timesteps=timesteps.tolist(),
        losses=torch.stack(losses).cpu().double(),
    )


def _picture_losses(
    family: ModelFamily,
    picture: ValidationPicture,
    timesteps: Tensor,
    *,
    position: int,
    prediction: Prediction,
) -> Tensor:
    count = len(timesteps)
    noise = normal_draws(
        0, "validation", step=position, samples=range(count), shape=picture.latents.shape
    ).to(family.device)
    latents = picture.latents.to(family.device).expand(count, -1, -1, -1)
    one = picture.text
    if one is None:  # its encoders are trained
        one = {name: tensor[0] for name, tensor in family.encode_prompts([picture.caption]).items()}
    text = {name: _repeated(tensor, count).to(family.device) for name, tensor in one.items()}
    told = Conditioning(text=text, sizes=_repeated(picture.sizes, count).to(family.device))
    noisy = family.schedule.add_noise(latents, noise, timesteps)
    target = family.schedule.target(latents, noise, timesteps, prediction=prediction)
    return mean_squared_error(family.predict(noisy, timesteps, told), target)


def _repeated(tensor: Tensor, count: int) -> Tensor:
    return tensor.expand(count, *tensor.shape)
