"""LoRA files on a model: the pictures of the network that was trained, the reference's numbers, refusals."""

import json
from pathlib import Path

import pytest
import torch
from network_toys import ALL_GROUPS, fill_up, tiny_unet, unet_inputs, unet_targets
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.config import ConfigError, Family, LayerGroup, LoRAConfig, ModelConfig, Sampler
from engine.models.checkpoint import load_family
from engine.models.family import ModelFamily, ModelLayer
from engine.networks.files import LoRAFile, read_lora, save_lora
from engine.networks.lora import LoRANetwork, attach_lora
from engine.networks.lora_from_file import FileLoRA, attach_lora_file, read_kohya_lora
from engine.networks.lora_layers import LoRALayer
from engine.sampling import draw
from engine.sampling.draw import DrawSettings, draw_pictures

CPU = torch.device("cpu")
GOLDEN = Path(__file__).parents[1] / "golden"
PROMPTS = ["a red star in the middle, blue background", "a sks creature"]
FEW = DrawSettings(width=64, height=64, steps=2, guidance_scale=2.0, sampler=Sampler.ddim, negative_prompt="")
LINEAR, CONV = "lora_unet_a", "lora_unet_b"


@pytest.fixture(scope="module")
def family() -> ModelFamily:
    return load_family(ModelConfig(checkpoint="demo/weights"), device=CPU, dtype=torch.float32)


def layers_of(**roots: nn.Module) -> list[ModelLayer]:
    """Every Linear and Conv2d of some components."""
    return [
        ModelLayer(component=component, name=name, root=root)
        for component, root in roots.items()
        for name, module in root.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ]


def toy_root() -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict({"a": nn.Linear(5, 3), "b": nn.Conv2d(5, 3, 3), "c": nn.Conv2d(5, 3, 1)})


def toy_state() -> dict[str, Tensor]:
    """Rank 2 on the Linear, rank 4 on the 3 x 3 convolution."""
    draws = torch.Generator().manual_seed(1)
    return {
        f"{LINEAR}.lora_down.weight": torch.randn(2, 5, generator=draws),
        f"{LINEAR}.lora_up.weight": torch.randn(3, 2, generator=draws),
        f"{LINEAR}.alpha": torch.tensor(1.0),
        f"{CONV}.lora_down.weight": torch.randn(4, 5, 3, 3, generator=draws),
        f"{CONV}.lora_up.weight": torch.randn(3, 4, 1, 1, generator=draws),
        f"{CONV}.alpha": torch.tensor(6.0),
    }


def put_on(root: nn.Module, state: dict[str, Tensor]) -> FileLoRA:
    file = LoRAFile(state=state, metadata={})
    return attach_lora_file(
        file, layers_of(unet=root), family=Family.sd1, path=Path("some.safetensors"), device=CPU
    )


def test_a_linear_adds_alpha_by_rank_times_up_of_down_by_hand() -> None:
    root = nn.ModuleDict({"a": nn.Linear(2, 1, bias=False)})
    nn.init.constant_(root["a"].weight, 1.0)
    network = put_on(
        root,
        {
            f"{LINEAR}.lora_down.weight": torch.tensor([[3.0, 4.0], [0.0, 1.0]]),
            f"{LINEAR}.lora_up.weight": torch.tensor([[2.0, 5.0]]),
            f"{LINEAR}.alpha": torch.tensor(1),  # an integer, as some trainers write it
        },
    )
    # base 1 + 1; down (7, 1); up 14 + 5; times 1 / 2
    assert root["a"](torch.ones(1, 2)).item() == 2 + 9.5
    network.set_strength(-2.0)
    assert root["a"](torch.ones(1, 2)).item() == 2 - 19.0
    with network.disabled():
        assert root["a"](torch.ones(1, 2)).item() == 2.0


def test_without_an_alpha_it_is_the_rank() -> None:
    one, two = toy_root(), toy_root()
    state = toy_state()
    put_on(one, {key: value for key, value in state.items() if not key.endswith("alpha")})
    put_on(two, {**state, f"{LINEAR}.alpha": torch.tensor(2.0), f"{CONV}.alpha": torch.tensor(4.0)})
    x = torch.randn(1, 5, 4, 4)
    assert torch.equal(one["a"](x[..., 0, 0]), two["a"](x[..., 0, 0]))
    assert torch.equal(one["b"](x), two["b"](x))


def test_kernels_of_one_by_one_may_be_written_out_or_left_out() -> None:
    state = {key.replace("_a.", "_c."): value for key, value in toy_state().items() if "_a." in key}
    written = {key: value if value.dim() < 2 else value[..., None, None] for key, value in state.items()}
    x = torch.randn(1, 5, 4, 4)
    roots = [toy_root() for _ in range(2)]
    put_on(roots[0], state), put_on(roots[1], written)
    assert torch.equal(roots[0]["c"](x), roots[1]["c"](x)) and not torch.equal(
        roots[0]["c"](x), toy_root()["c"](x)
    )
    linear = toy_root()
    put_on(linear, {key.replace("_c.", "_a."): value for key, value in written.items()})
    expected = toy_root()
    put_on(expected, {key.replace("_c.", "_a."): value for key, value in state.items()})
    assert torch.equal(linear["a"](x[..., 0, 0]), expected["a"](x[..., 0, 0]))


def test_detaching_puts_the_very_modules_back() -> None:
    root = toy_root()
    before = dict(root.named_modules())
    network = put_on(root, toy_state())
    assert network.num_layers == 2 and isinstance(root["a"], LoRALayer)
    network.detach()
    network.detach()
    assert all(root.get_submodule(name) is module for name, module in before.items() if name)


@pytest.fixture(scope="module")
def trained(family: ModelFamily, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Tensor]]:
    """A file of a LoRA with effect, and the pixels that the network itself draws."""
    network = attach_lora(
        LoRAConfig(rank=3, alpha=2.0, layers=ALL_GROUPS),
        family.adaptable_layers(),
        family=Family.sd1,
        seed=0,
        device=CPU,
    )
    try:
        fill_up(network)
        path = tmp_path_factory.mktemp("lora") / "lora.safetensors"
        save_lora(path, network.state(), {}, dtype=torch.float32)
        return path, drawn_by(family, network)
    finally:
        network.detach()


def drawn_by(family: ModelFamily, network: LoRANetwork | FileLoRA) -> dict[str, Tensor]:
    """Pixels before rounding: with the network, at half its strength, without it."""
    found = {"whole": pixels_of(family)}
    network.set_strength(0.5)
    found["half"] = pixels_of(family)
    with network.disabled():
        found["none"] = pixels_of(family)
    return found


def pixels_of(family: ModelFamily) -> Tensor:
    kept: list[Tensor] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draw, "to_images", lambda pixels: kept.append(pixels) or [None] * len(pixels))
        draw_pictures(family, PROMPTS, [1], FEW)
    return torch.cat(kept)


def test_the_file_draws_what_the_trained_network_draws_bit_for_bit(
    family: ModelFamily, trained: tuple[Path, dict[str, Tensor]]
) -> None:
    path, expected = trained
    plain = pixels_of(family)
    network = attach_lora_file(
        read_kohya_lora(path), family.every_layer(), family=Family.sd1, path=path, device=CPU
    )
    try:
        found = drawn_by(family, network)
    finally:
        network.detach()
    assert {name: torch.equal(found[name], pixels) for name, pixels in expected.items()} == {
        "whole": True,
        "half": True,
        "none": True,
    }
    assert torch.equal(found["none"], plain) and torch.equal(pixels_of(family), plain)
    assert len({float(pixels.sum()) for pixels in found.values()}) == 3


def test_layers_of_the_text_encoder_change_what_is_read(family: ModelFamily) -> None:
    (layer,) = [
        one
        for one in family.every_layer()
        if one.component == "text_encoder" and one.name.endswith("layers.0.self_attn.q_proj")
    ]
    module = layer.root.get_submodule(layer.name)
    before = family.encode_prompts(PROMPTS)["hidden"]
    draws = torch.Generator().manual_seed(1)
    key = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
    down = torch.randn(1, module.in_features, generator=draws)
    up = torch.randn(module.out_features, 1, generator=draws)
    file = LoRAFile(state={f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}, metadata={})
    network = attach_lora_file(
        file, family.every_layer(), family=Family.sd1, path=Path("te.safetensors"), device=CPU
    )
    try:
        found = family.encode_prompts(PROMPTS)["hidden"]
    finally:
        network.detach()
    with torch.no_grad():
        module.weight.add_(up @ down)
        expected = family.encode_prompts(PROMPTS)["hidden"]
        module.weight.sub_(up @ down)
    assert (found - before).abs().max() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def golden_layers() -> list[dict]:
    return json.loads((GOLDEN / "e_lora_layer_effect.json").read_text())["layers"]


@pytest.mark.parametrize("case", golden_layers(), ids=lambda case: str(case["lora_name"]))
def test_the_effect_of_a_layer_equals_the_reference(case: dict) -> None:
    name = case["lora_name"]
    tensors = load_file(GOLDEN / "e_lora_layer_effect.safetensors")
    weights = load_file(GOLDEN / "e_lora_layer_effect_weights.safetensors")
    component, prefix = (
        ("unet", "lora_unet_") if "lora_unet_" in name else ("text_encoder", "lora_te_text_model_")
    )
    torch.manual_seed(int(case["layer_init"].split("(")[1].split(")")[0]))
    base = (nn.Linear if case["class"] == "Linear" else nn.Conv2d)(case["in"], case["out"], **case["kw"])
    root = nn.ModuleDict({name.removeprefix(prefix): base})
    state = {key: value for key, value in weights.items() if key.startswith(f"{name}.")}
    file = LoRAFile(state=state, metadata={})
    network = attach_lora_file(
        file, layers_of(**{component: root}), family=Family.sd1, path=Path("f"), device=CPU
    )
    layer = root[name.removeprefix(prefix)]
    x = tensors[f"{name}.x"]
    with torch.no_grad():
        for strength in (1.0, 0.5, -1.0):
            network.set_strength(strength)
            difference = float((layer(x) - base(x)).norm())
            assert difference == pytest.approx(case[f"mult={strength}"]["y_diff_fro"], rel=1e-5)
        network.set_strength(1.0)
        first = layer(x).flatten()[:256]
    torch.testing.assert_close(first, tensors[f"{name}.y_lora.flat[:256]"], rtol=1e-5, atol=5e-6)


def test_ranks_and_alphas_are_each_layers_own() -> None:
    unet = tiny_unet()
    groups = {LayerGroup.attention: (2, 1.0), LayerGroup.convolutions: (5, 4.0)}
    networks = [
        attach_lora(
            LoRAConfig(rank=rank, alpha=alpha, layers=[group]),
            unet_targets(unet),
            family=Family.sd1,
            seed=1,
            device=CPU,
        )
        for group, (rank, alpha) in groups.items()
    ]
    for network in networks:
        fill_up(network)
    with torch.no_grad():
        expected = unet(*unet_inputs(2)).sample
    state = networks[0].state() | networks[1].state()
    for network in networks:
        network.detach()
    put_on(unet, state)
    with torch.no_grad():
        assert torch.equal(unet(*unet_inputs(2)).sample, expected)


UP_DOWN = {"lora_down.weight": [2, 5], "lora_up.weight": [3, 2]}
REFUSED = {
    "loha": ({f"{LINEAR}.hada_w1_a": [3, 2]}, "a LoHa, to judge by lora_unet_a.hada_w1_a"),
    "lokr": ({f"{LINEAR}.lokr_w1": [3, 2]}, "a LoKr, to judge by lora_unet_a.lokr_w1"),
    "dora": (
        {f"{LINEAR}.dora_scale": [3, 1]} | {f"{LINEAR}.{end}": shape for end, shape in UP_DOWN.items()},
        "a DoRA, to judge by lora_unet_a.dora_scale",
    ),
    "tucker": ({f"{CONV}.lora_mid.weight": [2, 2, 3, 3]}, "three matrices a layer, to judge by lora_unet_b"),
    "peft": (
        {"base_model.model.a.lora_A.weight": [2, 5]},
        "peft's keys, to judge by base_model.model.a.lora_A",
    ),
    "diffusers": ({"unet.down.to_q.lora_A.weight": [2, 5]}, "peft's keys, to judge by unet.down.to_q.lora_A"),
    "old diffusers": ({"unet.down.to_q.lora.down.weight": [2, 5]}, "diffusers' keys, to judge by unet.down"),
    "checkpoint": (
        {"model.diffusion_model.out.2.bias": [4]},
        "whole weights, to judge by model.diffusion_model",
    ),
    "inversion": ({"emb_params": [1, 5]}, "a textual inversion, to judge by emb_params"),
    "cascade": (
        {"lora_prior_unet_a.lora_up.weight": [3, 2]},
        "lora_prior_unet_a.lora_up.weight is of no part",
    ),
    "odd end": (
        {f"{LINEAR}.diff": [3, 5]},
        "lora_unet_a.diff is none of lora_down.weight, lora_up.weight, alpha",
    ),
    "half": ({f"{LINEAR}.lora_down.weight": [2, 5]}, "lora_unet_a.lora_up.weight is missing"),
    "alphas": (
        {f"{LINEAR}.alpha": [2]} | {f"{LINEAR}.{end}": shape for end, shape in UP_DOWN.items()},
        "lora_unet_a.alpha holds 2 values, not one",
    ),
    "nothing": ({}, "holds no tensor"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_file_of_another_kind_is_refused_with_its_first_key(tmp_path: Path, name: str) -> None:
    shapes, sentence = REFUSED[name]
    path = tmp_path / "other.safetensors"
    save_file({key: torch.ones(shape) for key, shape in shapes.items()}, path)
    with pytest.raises(ConfigError) as refused:
        read_kohya_lora(path)
    (problem,) = refused.value.problems
    assert problem.startswith(f"{path}: ") and sentence in problem


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "nan.safetensors"
    save_file({**toy_state(), f"{CONV}.lora_up.weight": torch.full((3, 4, 1, 1), float("nan"))}, path)
    with pytest.raises(ConfigError, match=r"lora_unet_b\.lora_up\.weight holds values that are no numbers"):
        read_kohya_lora(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a pickle", bytes(100)])
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lora.pt"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"lora\.pt: not a safetensors file \("):
        read_kohya_lora(path)
    for missing in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(ConfigError, match="no such file"):
            read_kohya_lora(missing)


def test_layers_that_the_model_lacks_are_refused_and_nothing_is_attached() -> None:
    root = toy_root()
    state = {**toy_state(), **{key.replace("_a.", "_z."): value for key, value in toy_state().items()}}
    file = LoRAFile(state=state, metadata={"ss_base_model_version": "sdxl_base_v1-0"})
    with pytest.raises(ConfigError) as refused:
        attach_lora_file(
            file, layers_of(unet=root), family=Family.sd1, path=Path("xl.safetensors"), device=CPU
        )
    assert refused.value.problems == [
        "xl.safetensors: 1 of 3 layers of this LoRA, which was made for sdxl_base_v1-0, are not in the "
        "model, the first: lora_unet_z. Give the model that it was made for."
    ]
    assert not any(isinstance(module, LoRALayer) for module in root.modules())


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        (f"{LINEAR}.lora_down.weight", (2, 6)),
        (f"{LINEAR}.lora_up.weight", (4, 2)),
        (f"{LINEAR}.lora_up.weight", (3, 1)),
        (f"{CONV}.lora_down.weight", (4, 5)),
        (f"{CONV}.lora_down.weight", (4, 5, 1, 1)),
        (f"{CONV}.lora_down.weight", (0, 5, 3, 3)),
        (f"{LINEAR}.lora_down.weight", ()),
    ],
)
def test_wrong_shapes_are_refused_and_nothing_is_attached(key: str, shape: tuple[int, ...]) -> None:
    root = toy_root()
    with pytest.raises(
        ConfigError, match=rf"some\.safetensors: {key.partition('.')[0]}\.lora_down\.weight is"
    ):
        put_on(root, {**toy_state(), key: torch.ones(shape)})
    assert not any(isinstance(module, LoRALayer) for module in root.modules())


def test_our_own_files_are_read_whatever_they_are_stored_as(tmp_path: Path) -> None:
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        path = tmp_path / f"{dtype}.safetensors".replace("torch.", "")
        save_lora(path, toy_state(), {"ss_steps": "3"}, dtype=dtype)
        assert read_kohya_lora(path).state.keys() == read_lora(path).state.keys() == toy_state().keys()


def test_a_second_network_on_the_same_layer_is_our_own_mistake() -> None:
    root = toy_root()
    layers = layers_of(unet=root)
    file = LoRAFile(state=toy_state(), metadata={})
    attach_lora_file(file, layers, family=Family.sd1, path=Path("f"), device=CPU)
    with pytest.raises(ValueError, match="carries a LoRA already"):
        attach_lora_file(file, layers, family=Family.sd1, path=Path("f"), device=CPU)
