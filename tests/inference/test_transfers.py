"""Pixels arrive as they left, and what is computed ahead comes in order."""

import numpy as np
import pytest
import torch

from napari_srgan.inference.devices import available_devices
from napari_srgan.inference.transfers import DeviceTransfer, lookahead

CPU = torch.device("cpu")
DTYPES = ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]


@pytest.fixture(params=["cpu", pytest.param("card", marks=pytest.mark.gpu)])
def transfer(request):
    return DeviceTransfer(CPU if request.param == "cpu" else torch.device(available_devices()[0]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_pixels_come_back_as_they_were_sent(transfer, random_pixels, dtype):
    pixels = random_pixels((7, 5, 3), dtype)

    (back,) = transfer.fetch(transfer.send(pixels))()

    assert back.numpy().dtype == pixels.dtype
    assert (back.numpy() == pixels).all()


@pytest.mark.parametrize(
    "view",
    [lambda p: p[::-1, ::-2], lambda p: p.T, lambda p: p.astype(">u2"), lambda p: p[:0]],
    ids=["reversed", "transposed", "other byte order", "empty"],
)
def test_strides_and_byte_order_do_not_travel(transfer, random_pixels, view):
    pixels = view(random_pixels((7, 5), "u2"))

    (back,) = transfer.fetch(transfer.send(pixels))()

    assert (back.numpy() == pixels).all()


def test_what_is_sent_is_a_copy(transfer):
    pixels = np.zeros((7, 5), np.uint8)
    pixels.flags.writeable = False

    sent = transfer.send(pixels)
    sent.fill_(1)

    assert not pixels.any()


def test_several_tensors_come_together(transfer):
    one, other = transfer.send(np.ones(3)), transfer.send(np.zeros(2))

    back = transfer.fetch(one + one, other)()

    assert [tensor.tolist() for tensor in back] == [[2, 2, 2], [0, 0]]


def test_a_cpu_is_not_computed_ahead_on():
    assert (DeviceTransfer(CPU).ahead, DeviceTransfer(torch.device("mps")).ahead) == (0, 0)
    assert DeviceTransfer(torch.device("cuda:1")).ahead == 1


def test_pixels_for_an_apple_gpu_are_converted_before_they_get_there():
    assert DeviceTransfer(torch.device("mps")).end == CPU


@pytest.mark.parametrize("count", [0, 1, 3, 9])
def test_items_come_when_so_many_more_are_begun(count):
    begun = []

    def items():
        for item in range(5):
            begun.append(item)
            yield item

    ahead = [(item, len(begun) - item - 1) for item in lookahead(items(), count)]

    assert [item for item, _ in ahead] == list(range(5))
    assert [more for _, more in ahead] == [min(count, 4 - item) for item in range(5)]
