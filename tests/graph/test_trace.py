"""A network read as a list of layers: what can be streamed, and what is refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_srgan.graph.ops import (
    Add,
    Concat,
    Convolution,
    Interpolate,
    NotStreamableError,
    PixelShuffle,
    Pointwise,
    run_layers,
    sources_of,
)
from napari_srgan.graph.trace import trace


def test_a_generator_is_convolutions_activations_sums_and_shuffles(random_network) -> None:
    layers = trace(random_network(blocks=3, scale=4, batch_norm=False))
    counts = {kind: sum(isinstance(x, kind) for x in layers) for kind in (Convolution, Add)}
    assert counts == {Convolution: 2 * 3 + 5, Add: 3 + 1}
    assert [x.factor for x in layers if isinstance(x, PixelShuffle)] == [2, 2]
    assert all(x.slope is not None for x in layers if isinstance(x, Pointwise))


def test_norms_in_evaluation_mode_are_pointwise_and_in_training_mode_refused(
    random_network,
) -> None:
    network = random_network()
    assert any(getattr(x, "function", None) is F.batch_norm for x in trace(network))
    network.train()
    with pytest.raises(NotStreamableError, match=r"norm1 is in training mode"):
        trace(network)
    network.eval()


def test_an_identity_is_no_layer() -> None:
    network = nn.Sequential(nn.Identity(), nn.Conv2d(1, 1, 3, padding=1), nn.Identity())
    assert [type(layer) for layer in trace(network)] == [Convolution]


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.mean((2, 3), keepdim=True)


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Passed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(1, 1, 1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        self.second(y)
        return y


class Summed(nn.Module):
    """Adds a value to what is made of it in place, under two names."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.conv, self.activation = nn.Conv2d(1, 1, 1), activation

    def forward(self, x: Tensor) -> Tensor:
        before = y = self.conv(x)
        y = self.activation(y)
        y += self.conv(y)
        return y + before


class Elsewhere(nn.Module):
    """Has another network run in another thread while it runs itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.other = nn.Conv2d(1, 1, 1), nn.Sequential(nn.Conv2d(1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        with ThreadPoolExecutor() as pool:
            assert pool.submit(self.other, torch.zeros(1, 1, 2, 2)).result().shape == (1, 1, 2, 2)
        return self.conv(x)


class With(nn.Module):
    """Does something with two convolutions of its input."""

    def __init__(self, do: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.do = do
        self.first, self.second = (nn.Conv2d(1, 1, 1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.do(self.first(x), self.second(x))


@pytest.mark.parametrize("inplace", [False, True])
def test_what_is_done_in_place_is_seen_under_all_names(inplace: bool) -> None:
    layers = trace(Summed(nn.ReLU(inplace)))
    # x, conv, relu, conv, their sum; the last sum is of that and of either relu's result or conv's.
    assert [sources_of(layer) for layer in layers] == [
        (0,), (1,), (2,), (2, 3), (4, 4 if inplace else 1)
    ]  # fmt: skip


def test_functions_are_read_as_modules_are() -> None:
    (joined,) = (x for x in trace(With(lambda a, b: torch.cat([a, b], 1)))
                 if isinstance(x, Concat))  # fmt: skip
    assert joined.sources == (1, 2)
    layers = trace(With(lambda a, b: F.interpolate(F.relu(a + b), scale_factor=3)))
    assert [type(x) for x in layers] == [Convolution, Convolution, Add, Pointwise, Interpolate]


@pytest.mark.parametrize(
    "do",
    [
        lambda a, b: a * 0.2 + b,
        lambda a, b: 0.2 * a - b,
        lambda a, b: torch.add(a, b, alpha=0.2),
        lambda a, b: torch.sub(a, b, alpha=2),
        lambda a, b: torch.cat([a, b, a, b], 1),
        lambda a, b: 1 - a / 3,
        lambda a, b: -(torch.full((1, 1, 1, 1), 2.0) + a),
        lambda a, b: (torch.tensor(0.5) * a).clamp(0, 0.1),
        lambda a, b: torch.clamp(a, min=0.2).add(b).mul(3),
        lambda a, b: F.interpolate(a, scale_factor=2, mode="bilinear"),
        lambda a, b: F.interpolate(a, scale_factor=3, mode="bicubic", align_corners=False),
    ],
)
@torch.no_grad()
def test_what_is_read_is_what_is_computed(do: Callable[[Tensor, Tensor], Tensor]) -> None:
    network, image = With(do), torch.randn(1, 1, 5, 4)
    torch.testing.assert_close(run_layers(trace(network), image), network(image))


def test_other_threads_run_networks_while_one_is_read() -> None:
    assert [type(layer) for layer in trace(Elsewhere())] == [Convolution]


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (nn.InstanceNorm2d(3), "asks for the size of a value"),
        (nn.Conv2d(3, 3, 3), "does not keep the image's size by zeros"),
        (nn.Conv2d(3, 3, 3, stride=2, padding=1), "does not keep the image's size by zeros"),
        (nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"), "pad is not understood"),
        (nn.Conv2d(3, 3, 4, padding="same"), "has a kernel of even size"),
        (nn.ConvTranspose2d(3, 3, 3), "conv_transpose2d is not understood"),
        (nn.Upsample(scale_factor=1.5), "in another way than by a whole factor"),
        (nn.Upsample(scale_factor=2, mode="bicubic", align_corners=True), "than by a whole factor"),
        (nn.Upsample(size=(9, 9)), "in another way than by a whole factor"),
        (nn.BatchNorm2d(3, track_running_stats=False).eval(), "by the image's own statistics"),
        (Attention(), "asks for the mean of a value"),
        (Branching(), "asks for the sum of a value"),
        (With(torch.mul), "mul puts two of its values together"),
        (With(lambda a, b: a * b), "mul puts two of its values together"),
        (With(lambda a, b: a + torch.zeros(1, 1, 4, 4)), "constant that differs from pixel to"),
        (With(lambda a, b: torch.zeros(1) / a), "takes a value late"),
        (With(lambda a, b: a @ b), "forward cannot be read"),
        (With(lambda a, b: torch.cat([a, b], 2)), "joins other things than channels"),
        (With(lambda a, b: torch.cat([a, torch.zeros(1, 1, 4, 4)], 1)), "than its values"),
        (With(lambda a, b: F.relu(torch.zeros(1, 1, 2, 2))), "not what it computes last"),
        (Passed(), "output is not what it computes last"),
    ],
)
def test_what_cannot_be_streamed_is_named(network: nn.Module, reason: str) -> None:
    with pytest.raises(NotStreamableError, match=re.escape(reason)):
        trace(network)


def test_reading_leaves_the_network_as_it_is(random_network) -> None:
    network = random_network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    trace(network)
    after = network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


@torch.no_grad()
def test_what_is_written_in_place_is_taken_by_nobody_else() -> None:
    """An image belongs to the caller, and a skip connection takes its value later."""

    class Skips(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, image: Tensor) -> Tensor:
            first = F.leaky_relu(image, 0.5)
            second = self.conv(first)
            third = F.leaky_relu(second, 0.1) + first
            fourth = F.leaky_relu(self.conv(third) + second, 0.2)
            return fourth + fourth + image

    network, image = Skips(), torch.randn(1, 1, 5, 4)
    kept = image.clone()

    torch.testing.assert_close(run_layers(trace(network), image), network(kept))
    assert torch.equal(image, kept)
