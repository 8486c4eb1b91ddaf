"""How much signal and how much noise a timestep has."""

from torch import Tensor


def add_noise(latents: Tensor, noise: Tensor, timesteps: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """Mix latents and noise as the forward process does: sqrt(a_t) x + sqrt(1 - a_t) e.

    latents, noise   [B, C, H, W]
    timesteps        [B]  indices into alphas_cumprod
    alphas_cumprod   [T]  share of signal power left at each timestep, falling
    returns          [B, C, H, W]
    Source: Ho et al. 2020, equation 4.
    """
    signal, strength = signal_and_noise(timesteps, alphas_cumprod)
    return _spread(signal, latents) * latents + _spread(strength, noise) * noise


def signal_and_noise(timesteps: Tensor, alphas_cumprod: Tensor) -> tuple[Tensor, Tensor]:
    """sqrt(a_t) and sqrt(1 - a_t), each [B]."""
    kept = alphas_cumprod[timesteps]
    return kept.sqrt(), (1.0 - kept).sqrt()


def signal_to_noise(timesteps: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """SNR a_t / (1 - a_t), [B].

    Source: Kingma et al. 2021, "Variational diffusion models".
    """
    kept = alphas_cumprod[timesteps]
    return kept / (1.0 - kept)


def zero_terminal(alphas_cumprod: Tensor) -> Tensor:
    """The same schedule, stretched so that its last timestep is pure noise and its first stays.

    alphas_cumprod  [T]  share of signal power left at each timestep, falling
    returns         [T]  the last is 0
    Source: Lin et al. 2023, "Common diffusion noise schedules and sample steps are flawed", algorithm 1.
    """
    signal = alphas_cumprod.sqrt()
    first, last = signal[0], signal[-1]
    return ((signal - last) * first / (first - last)).square()


def _spread(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like).view(-1, *[1] * (like.dim() - 1))
