"""Bands of rows give what the whole image gives, at any size and any height of a band."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from napari_srgan.graph.ops import (
    Add,
    Convolution,
    Multiply,
    NotStreamableError,
    PixelShuffle,
    PixelUnshuffle,
    joined,
    run_layers,
)
from napari_srgan.graph.stream_plan import StreamPlan
from napari_srgan.graph.streaming import RowStream, Work
from napari_srgan.graph.trace import trace
from napari_srgan.models.rrdb import RRDBNet

SIDES = st.integers(1, 40)


@torch.inference_mode()
def whole(network: nn.Module, image: Tensor) -> Tensor:
    result: Tensor = network(image)
    return result


@given(
    height=SIDES,
    width=SIDES,
    band=st.integers(1, 50),
    blocks=st.integers(1, 4),
    scale=st.sampled_from([2, 3, 4, 8]),
)
@settings(max_examples=60)
def test_bands_equal_the_whole_image(
    random_network, in_bands, height, width, band, blocks, scale
) -> None:
    network = random_network(blocks=blocks, features=4, scale=scale)
    image = torch.rand(1, 3, height, width)
    wanted = whole(network, image)
    found = in_bands(StreamPlan.of(trace(network)), image, band)
    assert found.shape == wanted.shape
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


class Odd(nn.Module):
    """All that a generator may be made of and the paper's is not."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(2, 4, (5, 3), padding=(2, 1))
        self.norm = nn.BatchNorm2d(4)
        self.dilated = nn.Conv2d(4, 4, 3, padding=3, dilation=3, groups=2, bias=False)
        self.each = nn.PReLU(4)
        self.point = nn.Conv2d(4, 8, 1)
        self.shuffle = nn.PixelShuffle(2)
        self.gelu = nn.GELU()
        self.leaky = nn.LeakyReLU(0.1)
        self.last = nn.Conv2d(2, 2, 3, padding="same")

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.wide(x))
        # Twice delayed, and once by nothing at all.
        x = x + self.each(self.dilated(x))
        y = self.point(x)
        z = self.leaky(self.shuffle(torch.add(self.gelu(y), y)))
        result: Tensor = z + self.last(z)
        return result


@given(height=SIDES, width=SIDES, band=st.integers(1, 50))
@settings(max_examples=30)
def test_any_network_of_such_layers_streams(in_bands, height, width, band) -> None:
    torch.manual_seed(0)
    network = Odd().eval()
    image = torch.randn(1, 2, height, width)
    wanted = whole(network, image)
    torch.testing.assert_close(
        in_bands(StreamPlan.of(trace(network)), image, band), wanted, atol=1e-5, rtol=1e-5
    )


@given(height=SIDES, width=SIDES, band=st.integers(1, 9), reach=st.integers(0, 5))
@settings(max_examples=30)
def test_what_is_made_small_again_streams(in_bands, height, width, band, reach) -> None:
    torch.manual_seed(0)
    high = Convolution(2, torch.randn(1, 1, 2 * reach + 1, 1), None, (reach, 0))
    layers = (
        Convolution(0, torch.randn(9, 2, 3, 3), None, (1, 1)),
        PixelShuffle(1, 3),
        high,
        PixelUnshuffle(3, 3),
        Multiply((4, 1)),
        Convolution(5, torch.randn(2, 9, 3, 3), None, (1, 1)),
        Add((6, 0)),
    )
    image = torch.randn(1, 2, height, width)
    found = in_bands(StreamPlan.of(layers), image, band)
    wanted = run_layers(layers, image)
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-4)


def test_a_program_converts_weights_and_leaves_the_network_as_it_is(in_bands) -> None:
    torch.manual_seed(0)
    network = Odd().eval()
    image = torch.randn(1, 2, 23, 19, dtype=torch.float64)

    found = in_bands(StreamPlan.of(trace(network), torch.float64), image, 5)

    assert {weight.dtype for weight in network.parameters()} == {torch.float32}
    torch.testing.assert_close(found, whole(network.double(), image), atol=1e-9, rtol=1e-9)


def test_half_precision_streams_as_it_computes(random_network, in_bands) -> None:
    network = random_network()
    image = torch.rand(1, 3, 33, 21).half()
    found = in_bands(StreamPlan.of(trace(network), torch.float16), image, 5)
    difference = (found - whole(network.half(), image)).abs().max()
    assert difference <= 2**-8


class Tape(TorchDispatchMode):
    """Does again what was done under it, on the same tensors and on no others, as a card does."""

    def __init__(self) -> None:
        super().__init__()
        self.played = 0
        self._calls: list[tuple[Any, Any, Any, Any]] = []
        self._before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def record(self, work: Work) -> Work:
        """Record work; nothing that was there before is changed by it."""
        with self:
            work()
        for storage, before in self._before.values():
            storage.copy_(before)
        return self.play

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for argument, value in zip(func._schema.arguments, [*args, *kwargs.values()], strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write:
                self._keep(value)
        self._keep(kwargs.get("out"))
        result = func(*args, **kwargs)
        self._calls.append((func, args, kwargs, result))
        return result

    def _keep(self, tensor: Tensor | None) -> None:
        if tensor is not None:
            storage = tensor.untyped_storage()
            self._before.setdefault(storage.data_ptr(), (storage, storage.clone()))

    def play(self) -> None:
        self.played += 1
        for func, args, kwargs, result in self._calls:
            again = func(*args, **kwargs)
            if again.untyped_storage().data_ptr() not in map(_memory, [*args, *kwargs.values()]):
                result.copy_(again)


def _memory(value: Any) -> int | None:
    return value.untyped_storage().data_ptr() if isinstance(value, Tensor) else None


@given(
    height=st.integers(1, 120),
    width=SIDES,
    band=st.integers(1, 5),
    blocks=st.integers(1, 3),
    scale=st.sampled_from([2, 3, 4]),
)
@settings(max_examples=25)
def test_recorded_bands_equal_the_whole_image(
    random_network, in_bands, height, width, band, blocks, scale
) -> None:
    network = random_network(blocks=blocks, features=4, scale=scale)
    image = torch.rand(1, 3, height, width)
    found = in_bands(StreamPlan.of(trace(network)), image, band, Tape().record)
    torch.testing.assert_close(found, whole(network, image), atol=1e-5, rtol=1e-5)


def test_a_band_is_recorded_once_and_then_played(random_network, in_bands) -> None:
    network, tape = random_network(blocks=2, features=4), Tape()
    recorded: list[Work] = []
    image = torch.rand(1, 3, 200, 9)

    def record(work: Work) -> Work:
        recorded.append(work)
        return tape.record(work)

    found = in_bands(StreamPlan.of(trace(network)), image, 4, record)

    assert len(recorded) == 1
    assert 40 < tape.played < 50  # of 53 steps
    torch.testing.assert_close(found, whole(network, image), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("height", "first"), [(40, 9), (200, 1)])
def test_what_a_recording_does_not_suit_is_not_recorded(
    random_network, in_bands, height, first
) -> None:
    def record(work: Work) -> Work:
        raise AssertionError("recorded")

    network = nn.Sequential(nn.Conv2d(3, 3, first, padding=first // 2), nn.ReLU())
    image = torch.rand(1, 3, height, 9)
    torch.testing.assert_close(
        in_bands(StreamPlan.of(trace(network)), image, 4, record), whole(network, image)
    )


def test_memory_grows_with_width_and_band_and_not_with_height(random_network) -> None:
    plan = StreamPlan.of(trace(random_network()))
    assert plan.memory(200, 8) == 2 * plan.memory(100, 8)
    assert plan.memory(100, 16) > plan.memory(100, 8)
    half = StreamPlan.of(trace(random_network()), torch.float16)
    assert half.memory(100, 8) * 2 == plan.memory(100, 8)

    def held(height: int) -> int:
        return RowStream(plan, height, 100, 8).nbytes

    assert 0 < held(10_000) == held(100) < plan.memory(100, 8)


class Interpolating(nn.Module):
    """Adds interpolations of the image and of a feature to what a shuffle makes."""

    def __init__(self, mode: str, factor: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 2 * factor**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(factor)
        self.upsample = nn.Upsample(scale_factor=factor, mode=mode)
        self.last = nn.Conv2d(6, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        parts = [self.shuffle(y), self.upsample(x), self.upsample(x * 0.5 + 0.1)]
        result: Tensor = self.last(torch.cat(parts, 1))
        return result


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@given(height=SIDES, width=SIDES, band=st.integers(1, 50), factor=st.integers(2, 4))
@settings(max_examples=20)
def test_interpolations_stream(in_bands, mode, height, width, band, factor) -> None:
    torch.manual_seed(0)
    network, image = Interpolating(mode, factor).eval(), torch.randn(1, 2, height, width)
    found = in_bands(StreamPlan.of(trace(network)), image, band)
    torch.testing.assert_close(found, whole(network, image), atol=1e-5, rtol=1e-5)


class Dense(nn.Module):
    """Joins values of different delays: for one convolution, for two, for none."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 3, 3, padding=1)
        self.second = nn.Conv2d(3, 4, 5, padding=2)
        self.point = nn.Conv2d(7, 2, 1)
        self.third = nn.Conv2d(9, 2, 3, padding=1)
        self.twice = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        one = torch.relu(self.first(x))
        two = torch.relu(self.second(one))
        three = self.point(torch.cat([one, two], 1))
        four = self.third(torch.cat([one, two, three], 1))
        both = torch.cat([four, x], 1)
        five = self.twice(both) + self.twice(torch.relu(both))
        result: Tensor = torch.cat([five, three], 1) * 2.0
        return result


@given(height=SIDES, width=SIDES, band=st.integers(1, 50))
@settings(max_examples=30)
def test_values_joined_stream(in_bands, height, width, band) -> None:
    torch.manual_seed(0)
    network, image = Dense().eval(), torch.randn(1, 2, height, width)
    found = in_bands(StreamPlan.of(trace(network)), image, band)
    torch.testing.assert_close(found, whole(network, image), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_joined_lies_channels_last(channels) -> None:
    parts = [
        torch.rand(1, count, 5, 7).to(memory_format=torch.channels_last) for count in (8, channels)
    ]
    found = joined(parts, torch.bfloat16)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(found, torch.cat(parts, 1).to(torch.bfloat16))


def test_what_is_joined_for_one_convolution_is_not_kept() -> None:
    torch.manual_seed(0)
    layers = trace(Dense().eval())
    plan = StreamPlan.of(layers)
    joined = [spec for spec in plan.values if spec.joined]
    assert [(spec.channels, spec.kept) for spec in joined] == [(7, 0), (9, 0)]


def test_nothing_is_held_between_bands_but_what_is_kept() -> None:
    torch.manual_seed(0)
    network = RRDBNet(blocks=2, features=8, growth=4).eval()
    plan, image = StreamPlan.of(trace(network)), torch.rand(1, 3, 40, 30)
    stream = RowStream(plan, 40, 30, 8)
    before = stream.nbytes
    assert before <= plan.memory(30, 8)
    for start, stop in stream.steps:
        result = stream.feed(image[:, :, start:stop])
        assert stream.nbytes - before <= result.nbytes


def test_images_of_different_sizes_cannot_be_added() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 1)
            self.shuffle = nn.PixelShuffle(2)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.conv(x) + self.shuffle(x)
            return result

    with pytest.raises(NotStreamableError, match="of different sizes together"):
        StreamPlan.of(trace(Mixed()))


def test_a_network_without_a_convolution_of_its_input_is_refused() -> None:
    with pytest.raises(NotStreamableError, match="no convolution of its input"):
        StreamPlan.of(trace(nn.Sequential(nn.ReLU())))
