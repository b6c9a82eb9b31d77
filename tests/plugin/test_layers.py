"""The upscaled layer lies where its source lies, and looks as it looks."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image
from napari.utils.colormaps import Colormap

from napari_srgan.plugin.layers import (
    METADATA_KEY,
    pixels_at,
    upscaled_geometry,
    upscaled_layer,
)
from napari_srgan.plugin.slices import plane_index

if TYPE_CHECKING:
    import numpy.typing as npt

H, W = 7, 11
PIXEL_FRACTION = 1e-6


def corners(layer: Image, start: tuple[int, ...] | None = None) -> npt.NDArray[np.float64]:
    """Return, in the world, the outer corners of a layer's pixels, or of those of one plane."""
    edges = [(-0.5, n - 0.5) for n in pixels_at(layer).shape[: layer.ndim]]
    for axis, index in enumerate(start or ()):
        edges[axis] = (index - 0.5, index + 0.5)
    return np.array([layer.data_to_world(corner) for corner in product(*edges)])


def distance(these: npt.NDArray[np.float64], those: npt.NDArray[np.float64], layer: Image) -> float:
    """Return the largest distance between points of the world, in the layer's smallest pixels."""
    return float(np.abs(these - those).max() / np.abs(layer.scale).min())


def assert_aligned(layer: Image, scale: int = 4, start: tuple[int, ...] | None = None) -> None:
    pixels, leading = pixels_at(layer), layer.ndim - 2
    if start is not None:
        pixels = pixels[tuple(slice(i, i + 1) for i in start)]
    high = pixels.repeat(scale, axis=leading).repeat(scale, axis=leading + 1)
    upscaled = upscaled_layer(layer, high, scale, {}, start=start)
    assert distance(corners(upscaled), corners(layer, start), layer) < PIXEL_FRACTION
    # The last pixel's centre is the mean of the centres of the pixels that it became.
    last = np.array(pixels.shape[: layer.ndim]) - 1
    became = [
        upscaled.data_to_world([*last[:leading], *(scale * last[leading:] + offset)])
        for offset in product(range(scale), repeat=2)
    ]
    low = last + np.array([*(start or [0] * leading), 0, 0])
    centre = np.asarray(layer.data_to_world(low))
    assert distance(np.mean(became, axis=0), centre, layer) < PIXEL_FRACTION


def rotation(ndim: int, seed: int) -> npt.NDArray[np.float64]:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(ndim, ndim)))
    q[:, 0] *= np.sign(np.linalg.det(q))
    return q


def affine(ndim: int, seed: int) -> npt.NDArray[np.float64]:
    source = np.random.default_rng(seed)
    matrix = np.eye(ndim + 1)
    matrix[:ndim, :ndim] += source.uniform(-0.3, 0.3, (ndim, ndim))
    matrix[:ndim, ndim] = source.uniform(-50, 50, ndim)
    return matrix


@st.composite
def layers(draw: st.DrawFn) -> Image:
    """Draw layers of 2 to 4 axes, grey or colour, transformed in every way at once."""
    ndim = draw(st.integers(2, 4))
    seed = draw(st.integers(0, 2**31))
    rgb = draw(st.sampled_from([0, 3, 4]))
    sizes = st.floats(0.01, 100)
    scale = [draw(sizes) * draw(st.sampled_from([1, -1])) for _ in range(ndim)]
    translate = [draw(st.floats(-1000, 1000)) for _ in range(ndim)]
    n_shear = ndim * (ndim - 1) // 2
    shape = (*(3, 2)[: ndim - 2], H, W) + ((rgb,) if rgb else ())
    return Image(
        np.zeros(shape, np.uint8),
        rgb=bool(rgb),
        scale=scale,
        translate=translate,
        rotate=rotation(ndim, seed) if draw(st.booleans()) else None,
        shear=[draw(st.floats(-0.5, 0.5)) for _ in range(n_shear)] if draw(st.booleans()) else None,
        affine=affine(ndim, seed) if draw(st.booleans()) else None,
    )


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")  # what napari shows of it
@settings(max_examples=40)
@given(layer=layers(), scale=st.sampled_from([2, 3, 4, 8]), data=st.data())
def test_outer_corners_coincide_in_the_world(layer, scale, data):
    assert_aligned(layer, scale)
    if layer.ndim > 2:
        leading = pixels_at(layer).shape[: layer.ndim - 2]
        assert_aligned(layer, scale, tuple(data.draw(st.integers(0, n - 1)) for n in leading))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": (2.0, 0.5), "translate": (10, -20)},
        {"scale": (-1.0, 3.0)},
        {"rotate": 30},
        {"shear": [0.4]},
        {"affine": [[1, 0.2, 5], [-0.1, 0.9, 7], [0, 0, 1]]},
        {"scale": (0.1, 0.1), "rotate": -75, "shear": [0.2], "translate": (1, 2)},
    ],
    ids=str,
)
def test_corners_coincide_for_each_kind_of_transform(options):
    assert_aligned(Image(np.zeros((H, W)), **options))


def test_a_layer_without_transforms_starts_three_eighths_of_a_pixel_earlier():
    geometry = upscaled_geometry(Image(np.zeros((H, W))), 4)

    np.testing.assert_allclose(geometry["translate"], [-0.375, -0.375])
    np.testing.assert_allclose(geometry["scale"], [0.25, 0.25])


def test_a_multiscale_layer_is_taken_at_full_resolution_and_aligned():
    levels = [np.zeros((64, 48)), np.zeros((32, 24))]
    layer = Image(levels, multiscale=True, scale=(0.5, 2), rotate=20)

    assert pixels_at(layer).shape == (64, 48)
    upscaled = upscaled_layer(layer, np.zeros((256, 192)), 4, {})
    assert not upscaled.multiscale
    assert distance(corners(upscaled), corners(layer), layer) < PIXEL_FRACTION


def test_a_single_plane_lies_where_it_was_in_the_stack():
    layer = Image(np.zeros((2, 5, H, W)), scale=(3, 2, 1, 1), translate=(0, 10, 0, 0))
    upscaled = upscaled_layer(layer, np.zeros((1, 1, 4 * H, 4 * W)), 4, {}, start=(1, 3))

    np.testing.assert_allclose(upscaled.data_to_world((0, 0, 1.5, 1.5)), (3, 16, 0, 0))
    np.testing.assert_allclose(upscaled.scale, (3, 2, 0.25, 0.25))


def dressed(**options: Any) -> Image:
    """Return a layer none of whose looks are napari's defaults."""
    layer = Image(
        np.arange(H * W, dtype=np.uint16).reshape(H, W),
        name="nuclei",
        contrast_limits=(5, 40),
        gamma=0.7,
        blending="additive",
        opacity=0.4,
        colormap="magma",
        interpolation2d="linear",
        interpolation3d="nearest",
        rendering="attenuated_mip",
        attenuation=0.2,
        iso_threshold=12,
        projection_mode="max",
        units=("um", "um"),
        axis_labels=("down", "across"),
        metadata={"stain": "DAPI"},
        **options,
    )
    layer.contrast_limits_range = (0, 4095)
    return layer


@pytest.fixture
def pixels():
    return np.arange(16 * H * W, dtype=np.uint16).reshape(4 * H, 4 * W)


@pytest.mark.parametrize(
    "name",
    [
        "contrast_limits",
        "contrast_limits_range",
        "gamma",
        "blending",
        "opacity",
        "interpolation2d",
        "interpolation3d",
        "rendering",
        "attenuation",
        "iso_threshold",
        "projection_mode",
        "units",
        "axis_labels",
    ],
)
def test_looks_are_carried(name, pixels):
    layer = dressed()
    assert getattr(upscaled_layer(layer, pixels, 4, {}), name) == getattr(layer, name)


directions = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1)
places = st.tuples(*[st.floats(-20, 20)] * 3)


@given(normal=directions, position=places, point=places, start=st.sampled_from([None, (2, 3)]))
@settings(max_examples=30)
def test_slicing_and_clipping_planes_cut_the_same_pixels(normal, position, point, start):
    plane = {"position": position, "normal": normal}
    layer = Image(
        np.zeros((4, 5, H, W)), depiction="plane", plane={**plane, "thickness": 2.0},
        experimental_clipping_planes=[{**plane, "enabled": False}],
    )  # fmt: skip
    pixels = np.zeros((4, 5, 3 * H, 3 * W) if start is None else (1, 1, 3 * H, 3 * W))

    upscaled = upscaled_layer(layer, pixels, 3, {}, start)

    world = layer.data_to_world((0, *point))
    moved = np.asarray(upscaled.world_to_data(world))[1:]
    assert upscaled.depiction == "plane"
    (clipping,) = upscaled.experimental_clipping_planes
    assert not clipping.enabled
    for before, after in ((layer.plane, upscaled.plane), (layer.plane, clipping)):
        was = np.dot(before.normal, np.subtract(point, before.position))
        now = np.dot(after.normal, np.subtract(moved, after.position))
        # How far a point is from a plane, in the thickness of the one that has one.
        assert now / upscaled.plane.thickness == pytest.approx(was / 2, abs=1e-5)


def test_a_colormap_of_ones_own_is_carried(pixels):
    own = Colormap([[0, 0, 0], [0.2, 0.9, 0.1]], name="own green")
    layer = dressed()
    layer.colormap = own

    assert upscaled_layer(layer, pixels, 4, {}).colormap == own


def test_an_interpolation_kernel_of_ones_own_is_carried(pixels):
    layer = dressed()
    layer.interpolation2d = "custom"
    layer.custom_interpolation_kernel_2d = np.ones((3, 3)) / 9

    upscaled = upscaled_layer(layer, pixels, 4, {})
    assert upscaled.interpolation2d == "custom"
    np.testing.assert_allclose(upscaled.custom_interpolation_kernel_2d, np.ones((3, 3)) / 9)


def test_the_name_says_the_factor_and_the_model_and_the_metadata_what_made_it(pixels):
    upscaled = upscaled_layer(dressed(), pixels, 4, {"model": "toy"})

    assert upscaled.name == "nuclei ×4, toy"
    assert upscaled.metadata == {"stain": "DAPI", METADATA_KEY: {"model": "toy"}}
    assert upscaled.data is pixels


def test_the_source_stays_as_it_was(pixels):
    layer = dressed(scale=(2, 3), rotate=10)
    before = layer.as_layer_data_tuple()[1]
    before["metadata"] = dict(before["metadata"])
    values = layer.data.copy()

    upscaled = upscaled_layer(layer, pixels, 4, {"model": "toy"})
    upscaled.metadata["added"] = 1
    upscaled.contrast_limits = (1, 2)
    upscaled.colormap = "gray"
    upscaled.translate = (100, 100)

    after = layer.as_layer_data_tuple()[1]
    assert after.keys() == before.keys()
    for key, value in before.items():
        np.testing.assert_equal(after[key], value, err_msg=key)
    np.testing.assert_array_equal(layer.data, values)


@pytest.mark.parametrize("channels", [3, 4])
def test_small_colour_images_stay_colour_images(channels):
    """napari itself takes an image of fewer than 30 pixels a side for a grey stack."""
    layer = Image(np.zeros((H, 3, channels), np.uint8), rgb=True)
    upscaled = upscaled_layer(layer, np.zeros((4 * H, 12, channels), np.uint8), 4, {})

    assert upscaled.rgb
    assert upscaled.ndim == 2


def test_a_grey_stack_three_pixels_wide_stays_grey():
    layer = Image(np.zeros((40, 40, 3)), rgb=False)
    upscaled = upscaled_layer(layer, np.zeros((40, 160, 12)), 4, {})

    assert not upscaled.rgb
    assert upscaled.ndim == 3


@pytest.mark.parametrize(
    ("point", "index"),
    [
        ((0, 0, 0, 0), (0, 0)),
        ((10, 6, 0, 0), (1, 3)),
        ((10, 6.9, 0, 0), (1, 3)),
        ((10, 7.1, 0, 0), (1, 4)),
        ((-500, 500, 0, 0), (0, 4)),
        ((7, 10, 6, 0, 0), (1, 3)),
    ],
    ids=str,
)
def test_the_plane_at_a_point_of_the_world(point, index):
    layer = Image(np.zeros((2, 5, H, W)), scale=(10, 2, 1, 1))

    assert plane_index(layer, np.asarray(point, float)) == index


def test_an_image_without_leading_axes_has_one_plane():
    assert plane_index(Image(np.zeros((H, W))), np.zeros(2)) == ()


def test_the_plane_at_a_point_heeds_the_layers_place():
    layer = Image(np.zeros((5, H, W)), translate=(100, 0, 0), scale=(-2, 1, 1))

    assert plane_index(layer, np.array([96.0, 0, 0])) == (2,)
