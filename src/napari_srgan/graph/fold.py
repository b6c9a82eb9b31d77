"""A trained generator rewritten for inference: the same function in fewer operations."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_weights

from napari_srgan.models.srresnet import NORM_EPSILON, SRResNet


@torch.no_grad()
def folded(network: SRResNet) -> SRResNet:
    """Return a float32 copy in evaluation mode, its batch norms folded into the convolutions.

    The copy computes what ``network.eval()`` computes, up to rounding. (§3.2: at test time the
    norms' statistics are fixed, so that each is an affine map of its convolution's output.)
    """
    state = {key: value.detach().cpu().double() for key, value in network.state_dict().items()}
    if network.batch_norm:
        pairs = [(f"body.blocks.{i}.conv{j}", f"body.blocks.{i}.norm{j}")
                 for i in range(network.blocks) for j in (1, 2)]  # fmt: skip
        for conv, norm in [*pairs, ("body.trunk", "body.norm")]:
            _fold_pair(state, conv, norm)
    return _without_norms(network, network.channels, state)


def _without_norms(like: SRResNet, channels: int, state: dict[str, Tensor]) -> SRResNet:
    """Return a float32 network of these tensors, in the sizes of another one."""
    # Made without values of its own, it takes no random numbers from the user's generator.
    with torch.device("meta"):
        network = SRResNet(
            blocks=like.blocks,
            features=like.features,
            channels=channels,
            scale=like.scale,
            batch_norm=False,
        )
    network.load_state_dict({key: value.float() for key, value in state.items()}, assign=True)
    network.output_range = like.output_range
    return network.eval().requires_grad_(False)


def _fold_pair(state: dict[str, Tensor], conv: str, norm: str) -> None:
    """Replace a convolution and its norm in ``state`` by the one convolution that equals both."""
    state[f"{conv}.weight"], state[f"{conv}.bias"] = fuse_conv_bn_weights(
        state[f"{conv}.weight"],
        state[f"{conv}.bias"],
        state.pop(f"{norm}.running_mean"),
        state.pop(f"{norm}.running_var"),
        NORM_EPSILON,
        state.pop(f"{norm}.weight"),
        state.pop(f"{norm}.bias"),
    )
    del state[f"{norm}.num_batches_tracked"]


@torch.no_grad()
def single_channel(network: SRResNet) -> SRResNet:
    """Return the folded network for grey images: one channel in, one channel out.

    It equals replicating the grey plane to every channel and averaging the channels that come out:
    the first convolution's weights are summed over their inputs, the last one's averaged over its
    outputs.
    """
    state = folded(network).state_dict()
    state["body.head.weight"] = state["body.head.weight"].sum(1, keepdim=True)
    for key in ("tail.last.weight", "tail.last.bias"):
        state[key] = state[key].mean(0, keepdim=True)
    return _without_norms(network, 1, state)


@torch.no_grad()
def with_unit_output(network: SRResNet) -> SRResNet:
    """Change a folded network, in place, to give [0, 1] instead of its ``output_range``."""
    low, high = network.output_range
    last = network.tail.last
    last.weight.div_(high - low)
    if last.bias is not None:
        last.bias.sub_(low).div_(high - low)
    network.output_range = (0.0, 1.0)
    return network
