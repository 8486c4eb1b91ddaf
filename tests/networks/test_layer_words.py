"""Areas, groups and patterns: which layers are trained, with which rank, at what rate."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from network_toys import Layer, fill_up, lora, tiny_unet, unet_inputs, unet_targets
from published_models import flux_transformer, sd15_unet
from torch import nn

from engine.config import ConfigError, Family, LayerGroup, LoRAConfig, OptimizerConfig
from engine.models.layer_words import choose_layers, is_meant, split_number
from engine.models.parts import adaptable_layers
from engine.networks.lora import LoRANetwork, attach_lora, attach_loras
from engine.optimizers.build import build_optimizer

GOLDEN = Path(__file__).parents[1] / "golden" / "e_lora_keys"
LINEAR = [LayerGroup.attention, LayerGroup.feed_forward, LayerGroup.projections]
QKV = ("transformer_blocks.3.attn.to_q", "transformer_blocks.3.attn.to_k", "transformer_blocks.3.attn.to_v")


def layer(name: str, *joined: str, group: LayerGroup = LayerGroup.attention) -> Layer:
    return Layer("x", name, nn.Identity(), group, joined)


@pytest.mark.parametrize(
    ("family", "word", "one", "meant"),
    [
        (Family.sd1, "down_blocks", layer("down_blocks.0.resnets.1.conv1"), True),
        (Family.sd1, "down_blocks", layer("mid_block.attentions.0.proj_in"), False),
        (Family.sd1, "down_blocks.1", layer("down_blocks.1.resnets.1.conv1"), True),
        (Family.sd1, "down_blocks.1", layer("down_blocks.10.resnets.1.conv1"), False),
        (Family.sd1, "convolutions", layer("a.b", group=LayerGroup.convolutions), True),
        (Family.sd1, "convolutions", layer("a.b"), False),
        (Family.sd1, r".*\.conv[12]", layer("up_blocks.1.resnets.0.conv2"), True),
        (Family.sd1, r".*\.conv", layer("up_blocks.1.resnets.0.conv2"), False),  # the whole name has to fit
        (Family.sd1, "up_blocks.1.resnets.0.conv2", layer("up_blocks.1.resnets.0.conv2"), True),
        (Family.flux, "double_blocks", layer(*QKV), True),
        (Family.flux, "double_blocks.3", layer(*QKV), True),
        (Family.flux, "double_blocks.4", layer(*QKV), False),
        (Family.flux, "single_blocks", layer(*QKV), False),
        (Family.flux, "single_blocks.0", layer("single_transformer_blocks.0.proj_out"), True),
        (Family.flux, "double_blocks", layer("single_transformer_blocks.0.proj_out"), False),
        (Family.flux, r".*\.to_v", layer(*QKV), True),  # one of the modules that are one layer
        (Family.sd3, "joint_blocks.3", layer(*QKV), True),
        (Family.anima, "blocks", layer("transformer_blocks.0.ff.net.2"), True),
    ],
)
def test_what_a_word_means(family: Family, word: str, one: Layer, meant: bool) -> None:
    assert is_meant(word, family, one) is meant


@pytest.mark.parametrize(
    ("entry", "read"),
    [
        ("up_blocks:0.5", ("up_blocks", 0.5)),
        ("up_blocks.1 : 4", ("up_blocks.1", 4.0)),
        (r".*\.(?:to_q|to_k):8", (r".*\.(?:to_q|to_k)", 8.0)),
        ("up_blocks", None),
        ("up_blocks:", None),
        ("up_blocks:x", None),
    ],
)
def test_the_number_stands_after_the_last_colon(entry: str, read: tuple[str, float] | None) -> None:
    assert split_number(entry) == read


def test_include_then_exclude_then_the_last_number_that_fits() -> None:
    layers = [layer(f"{area}.{i}.a") for area in ("down_blocks", "up_blocks") for i in range(3)]
    network = LoRAConfig(
        layers=[LayerGroup.attention],
        rank=16,
        include=["up_blocks", "down_blocks.0"],
        exclude=["up_blocks.2"],
        ranks=["attention: 8", "up_blocks.1: 4"],
        learning_rates=["up_blocks: 0.5", "up_blocks.0: 2"],
    )
    found = [(one.layer.name, one.rank, one.rate) for one in choose_layers(network, Family.sd1, layers)]
    assert found == [("down_blocks.0.a", 8, 1.0), ("up_blocks.0.a", 8, 2.0), ("up_blocks.1.a", 4, 0.5)]


@pytest.mark.parametrize(
    ("options", "entry"),
    [
        ({"include": ["up_block"]}, "network.include=[up_block]"),
        ({"exclude": ["double_blocks"]}, "network.exclude=[double_blocks]"),
        ({"ranks": ["up_blocks.7:4"]}, "network.ranks=[up_blocks.7:4]"),
        ({"include": ["down_blocks"], "ranks": ["up_blocks:4"]}, "network.ranks=[up_blocks:4]"),
        ({"learning_rates": ["convolutions:0"]}, "network.learning_rates=[convolutions:0]"),
    ],
)
def test_words_that_fit_no_layer_are_refused_with_what_there_is(options: dict, entry: str) -> None:
    layers = [layer("down_blocks.0.a"), layer("up_blocks.0.a")]
    with pytest.raises(ConfigError) as refused:
        choose_layers(LoRAConfig(layers=[LayerGroup.attention], **options), Family.sd1, layers)
    assert refused.value.problems == [
        f"{entry}: fits none of the layers that it could be about. Give an area (down_blocks, mid_block, "
        "up_blocks), a block of one (down_blocks.0), a group (attention), or a regular expression that fits "
        "a whole name, such as down_blocks.0.a."
    ]


def test_all_words_that_fit_nothing_are_named_together() -> None:
    network = LoRAConfig(
        layers=[LayerGroup.attention], include=["upblocks"], ranks=["convs:4", "up_blocks:4"]
    )
    with pytest.raises(ConfigError) as refused:
        choose_layers(network, Family.sd1, [layer("up_blocks.0.a")])
    entries = [problem.partition(": fits none")[0] for problem in refused.value.problems]
    assert entries == ["network.include=[upblocks]", "network.ranks=[convs:4]"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"exclude": ["attention"]}, "^network.exclude leaves no layer"),
        ({"learning_rates": ["attention:0"]}, "^network.learning_rates leaves no layer"),
        (
            {"exclude": ["up_blocks.0"], "learning_rates": ["up_blocks.1:0"]},
            "^network.exclude and network.learning_rates leave no layer",
        ),
    ],
)
def test_leaving_nothing_to_train_is_refused_by_the_options_that_are_given(options: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        choose_layers(
            LoRAConfig(layers=[LayerGroup.attention], **options),
            Family.sd1,
            [layer("up_blocks.0.a"), layer("up_blocks.1.a")],
        )


def golden(name: str) -> dict:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def on_meta(family: Family, component: str, root: nn.Module, config: LoRAConfig) -> LoRANetwork:
    return attach_lora(
        config, adaptable_layers(family, component, root), family=family, seed=0, device="meta"
    )


def of_denoiser(expected: dict) -> dict[str, list[int]]:
    shapes = expected["state_dict_keys_shapes_dtypes"]
    return {key: shape for key, (shape, _) in shapes.items() if key.startswith("lora_unet_")}


def shapes(network: LoRANetwork) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for attached, down, ups in network.matrices():
        found[f"{attached.key}.alpha"] = []
        found[f"{attached.key}.lora_down.weight"] = list(down.shape)
        ending = [1] * (down.dim() - 2)
        found[f"{attached.key}.lora_up.weight"] = [sum(up.shape[1] for up in ups), len(down), *ending]
    return found


def test_the_double_blocks_of_flux_alone_are_the_references() -> None:
    groups = [LayerGroup.attention, LayerGroup.feed_forward, LayerGroup.modulation]
    config = LoRAConfig(rank=16, alpha=8.0, layers=groups, include=["double_blocks"])
    network = on_meta(Family.flux, "transformer", flux_transformer(), config)
    assert len(network.layers) == 190
    assert shapes(network) == of_denoiser(golden("flux_dim16_alpha8_double_only"))


def test_convolutions_of_a_rank_of_their_own_are_the_references() -> None:
    expected = golden("sd15_dim16_alpha8_conv8_4")
    config = LoRAConfig(
        rank=16,
        alpha=8.0,
        layers=[*LINEAR, LayerGroup.convolutions, LayerGroup.time_embedding],
        ranks=["convolutions:8", r".*\.conv_shortcut:16"],  # the reference counts 1x1 as linear
    )
    network = on_meta(Family.sd1, "unet", sd15_unet(), config)
    assert shapes(network) == of_denoiser(expected)
    for attached in network.layers:
        module = expected["modules"][attached.key]
        assert attached.alphas[0] == module["scale"] * module["dim"] == attached.ranks[0] / 2


def block_rates(expected: dict) -> list[str]:
    """network.learning_rates for the reference's rates by block: it numbers three a level."""
    groups = {one["desc"]: one["lr"] / 1e-4 for one in expected["optimizer_groups"]}
    words = {12: "mid_block"}
    for level in range(3):
        words |= {3 * level + 1 + i: rf"down_blocks\.{level}\.attentions\.{i}\..*" for i in range(2)}
        words |= {16 + 3 * level + i: rf"up_blocks\.{level + 1}\.attentions\.{i}\..*" for i in range(3)}
    return [f"{word}:{groups.get(f'unet_block{number}', 0)}" for number, word in words.items()]


def test_rates_by_block_are_the_references_and_a_rate_of_zero_leaves_a_block_out() -> None:
    expected = golden("sd15_block_lr")
    config = LoRAConfig(rank=16, alpha=8.0, layers=LINEAR, learning_rates=block_rates(expected))
    network = on_meta(Family.sd1, "unet", sd15_unet(), config)
    assert len(network.layers) == expected["n_unet_modules"] == 168
    assert shapes(network) == of_denoiser(expected)
    rates = [one for one in expected["optimizer_groups"] if one["desc"] != "textencoder"]
    wanted: Counter[float] = Counter()
    for one in rates:
        wanted[round(one["lr"], 12)] += one["n"] // 2  # two matrices a layer
    found = Counter(
        round(choice.rate * 1e-4, 12)
        for choice in choose_layers(config, Family.sd1, adaptable_layers(Family.sd1, "unet", sd15_unet()))
    )
    assert found == wanted
    optimizer = build_optimizer(
        OptimizerConfig(lr=1e-4), network.parameters(), factors=network.learning_rates
    )
    assert {round(group["lr"], 12) for group in optimizer.param_groups} == set(wanted)
    assert optimizer.param_groups[0]["lr"] == 1e-4  # the one that is logged


def step_of(**options: list[str]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The up matrices before and after one step of gradient descent."""
    unet = tiny_unet()
    config = LoRAConfig(layers=lora().layers, rank=4, alpha=3.0, **options)
    network = attach_lora(config, unet_targets(unet), family=Family.sd1, seed=3, device="cpu")
    fill_up(network)
    before = network.state()
    optimizer = build_optimizer(
        OptimizerConfig(class_path="torch.optim.SGD", lr=1.0),
        network.parameters(),
        factors=network.learning_rates,
    )
    unet(*unet_inputs(2)).sample.square().mean().backward()
    optimizer.step()
    return before, network.state()


def test_a_step_goes_as_far_as_the_factor_says() -> None:
    before, plain = step_of()
    also_before, varied = step_of(learning_rates=["up_blocks: 0.25", "mid_block: 3"])
    for key, start in before.items():
        assert torch.equal(start, also_before[key])
        factor = 0.25 if "_up_blocks_" in key else 3.0 if "_mid_block_" in key else 1.0
        torch.testing.assert_close(varied[key] - start, factor * (plain[key] - start), rtol=1e-3, atol=2e-6)


def test_layers_of_a_rank_of_their_own_start_as_strong_and_come_back_from_their_file() -> None:
    unet = tiny_unet()
    config = LoRAConfig(layers=lora().layers, rank=4, alpha=3.0, ranks=["up_blocks:2"])
    network = attach_lora(config, unet_targets(unet), family=Family.sd1, seed=3, device="cpu")
    fill_up(network)
    state = network.state()
    with torch.no_grad():
        said = unet(*unet_inputs(2)).sample
    for attached in network.layers:
        rank = 2 if attached.path.startswith("up_blocks.") else 4
        assert state[f"{attached.key}.lora_down.weight"].shape[0] == rank
        assert float(state[f"{attached.key}.alpha"]) / rank == 0.75
    network.detach()
    again = attach_lora(config, unet_targets(unet), family=Family.sd1, seed=9, device="cpu")
    again.load_state(state)
    with torch.no_grad():
        assert torch.equal(unet(*unet_inputs(2)).sample, said)
    assert again.num_parameters == sum(value.numel() for key, value in state.items() if "alpha" not in key)


def test_packed_trials_keep_ranks_of_their_own_in_each_layer() -> None:
    configs = [
        LoRAConfig(layers=lora().layers, rank=4, alpha=3.0, ranks=ranks) for ranks in (["up_blocks:2"], [])
    ]
    unet = tiny_unet(torch.float64)
    packed = attach_loras(
        configs, unet_targets(unet), family=Family.sd1, seeds=[1, 2], device="cpu", dtype=torch.float64
    )
    fill_up(packed)
    latents, timesteps, text = unet_inputs(2, dtype=torch.float64)
    with torch.no_grad():
        said = unet(*(torch.cat([one, one]) for one in (latents, timesteps, text))).sample.chunk(2)
    for slot, config in enumerate(configs):
        own = tiny_unet(torch.float64)
        alone = attach_loras(
            [config], unet_targets(own), family=Family.sd1, seeds=[7], device="cpu", dtype=torch.float64
        )
        alone.load_state(packed.state(slot))
        with torch.no_grad():
            torch.testing.assert_close(own(latents, timesteps, text).sample, said[slot])
