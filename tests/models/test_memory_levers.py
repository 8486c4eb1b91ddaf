"""Levers on the memory of a loaded model: numbers stay, parts move as they are told."""

from collections.abc import Callable

import pytest
import torch
from tiny_recipes import TINY_FAMILIES, tiny_model
from torch import nn

from engine.config import Sampler
from engine.models import memory
from engine.models.checkpoint import load_family
from engine.models.facts import FAMILIES
from engine.models.family import ModelFamily
from engine.sampling.draw import DrawSettings, draw_pictures

CPU = torch.device("cpu")
WAITING = torch.device("cpu:0")  # stands for another place: torch moves nothing, and the test keeps count
PROMPTS = ["a red star"]


@pytest.fixture(scope="module", params=list(TINY_FAMILIES), ids=lambda family: family.name)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelFamily:
    model = tiny_model(request.param, tmp_path_factory.mktemp(request.param.name))
    return load_family(model, device=CPU, dtype=torch.float32)


class Places:
    """Where each part was sent last; asked in place of the parts themselves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of: dict[nn.Module, torch.device] = {}
        self.moves = 0
        monkeypatch.setattr(memory, "_WAITING_PLACE", WAITING)
        monkeypatch.setattr(memory, "is_on", lambda part, device: str(self.of.get(part, CPU)) == str(device))
        monkeypatch.setattr(nn.Module, "to", self._to(nn.Module.to))

    def _to(self, plain: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        def to(part: nn.Module, *args: object, **kwargs: object) -> nn.Module:
            if args and isinstance(args[0], torch.device):
                self.of[part] = args[0]
                self.moves += 1
                return part  # a copy at another address may differ in the last bit of its sums
            return plain(part, *args, **kwargs)

        return to

    def waiting(self, parts: list[nn.Module]) -> list[bool]:
        return [str(self.of.get(part, CPU)) == str(WAITING) for part in parts]


def drawn(family: ModelFamily) -> bytes:
    settings = DrawSettings(
        width=64,
        height=64,
        steps=2,
        guidance_scale=2.0,
        sampler=FAMILIES[family.config.family].samplers[0],
        negative_prompt="",
    )
    (sample,) = draw_pictures(family, PROMPTS, [1], settings)
    return sample.image.tobytes()


def test_resting_parts_are_on_the_device_for_the_length_of_a_call_alone(
    family: ModelFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)
    text, mean, picture = family.encode_prompts(PROMPTS), family.encode_images(pixels).mean, drawn(family)
    places = Places(monkeypatch)
    of_text, of_images = list(family.text_parts()), list(family.image_parts())
    family.rest(text=True, vae=True)
    assert all(places.waiting(of_text + of_images)) and places.moves == len(of_text) + 1
    used: list[bool] = []
    handles = [
        module.register_forward_pre_hook(lambda *_, root=root: used.extend(places.waiting([root])))
        for root in of_text + of_images
        for module in root.modules()
    ]
    try:
        for name, tensor in family.encode_prompts(PROMPTS).items():
            assert torch.equal(tensor, text[name])
        assert torch.equal(family.encode_images(pixels).mean, mean) and drawn(family) == picture
    finally:
        for handle in handles:
            handle.remove()
    assert used and not any(used)  # none was asked while it rested
    assert all(places.waiting(of_text + of_images))
    family.rest(text=False, vae=False)
    assert not any(places.waiting(of_text + of_images))


def test_only_what_is_not_needed_rests(family: ModelFamily, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(monkeypatch)
    of_text, of_images = list(family.text_parts()), list(family.image_parts())
    family.rest(text=False, vae=True)
    assert not any(places.waiting(of_text)) and all(places.waiting(of_images))
    family.rest(text=True, vae=False)
    assert all(places.waiting(of_text)) and not any(places.waiting(of_images))
    family.rest(text=False, vae=False)
    before = places.moves
    family.rest(text=False, vae=False)
    assert places.moves == before  # what is in its place is left alone


def test_a_part_that_fails_goes_back_to_rest(family: ModelFamily, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(monkeypatch)
    family.rest(text=False, vae=True)
    with pytest.raises(RuntimeError):
        family.decode_latents(torch.zeros(1, 3, 4, 4))  # no family has three channels
    assert all(places.waiting(list(family.image_parts())))
    family.rest(text=False, vae=False)


def test_a_pipeline_draws_on_the_familys_device_wherever_its_parts_are(family: ModelFamily) -> None:
    sampler: Sampler = FAMILIES[family.config.family].samplers[0]
    pipeline = family.sampling_pipeline(sampler).pipeline  # type: ignore[attr-defined]
    parts = [part for part in pipeline.components.values() if isinstance(part, nn.Module)]
    resting = nn.Linear(1, 1, device="meta")
    for part in parts:
        assert not any(parameter.device == resting.weight.device for parameter in part.parameters())
    if len(parts) > 1:
        assert pipeline._execution_device == family.device
        pipeline.vae = resting  # as a part that is elsewhere
        assert pipeline._execution_device == family.device


def test_the_vae_takes_pictures_one_by_one(family: ModelFamily) -> None:
    (vae,) = family.image_parts()
    pixels = torch.linspace(-1, 1, 2 * 3 * 64 * 64).view(2, 3, 64, 64)
    singly = torch.cat([family.encode_images(one[None]).mean for one in pixels])
    sizes: list[int] = []
    handle = vae.encoder.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    family.tune_vae(slicing=True, tiling=False)
    try:
        assert torch.equal(family.encode_images(pixels).mean, singly) and set(sizes) == {1}
    finally:
        handle.remove()
        family.tune_vae(slicing=False, tiling=False)
    assert not vae.use_slicing


def test_the_vae_takes_large_pictures_in_tiles(family: ModelFamily) -> None:
    (vae,) = family.image_parts()
    large = torch.linspace(-1, 1, 3 * 512 * 512).view(1, 3, 512, 512)
    widths: list[int] = []
    handle = vae.encoder.register_forward_pre_hook(lambda _, args: widths.append(args[0].shape[-1]))
    plain = family.fingerprints
    family.tune_vae(slicing=False, tiling=True)
    tagged = family.fingerprints
    try:
        mean = family.encode_images(large).mean
        assert mean.shape[-1] == 512 // family.latent_factor
        assert len(widths) > 1 and max(widths) < 512
    finally:
        handle.remove()
        family.tune_vae(slicing=False, tiling=False)
    assert tagged.vae == f"{plain.vae}+tiles" and tagged.base == f"{plain.base}+tiles"
    assert family.fingerprints == plain and not vae.use_tiling
