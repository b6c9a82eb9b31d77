from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.training.data.degradations.kernels import Kernel, airy, gaussian, motion

angles = st.floats(0, math.pi)
kernels = st.one_of(
    st.builds(gaussian, st.floats(0.05, 6), st.floats(0.05, 6), angles),
    st.builds(airy, st.floats(0.2, 1.4), st.floats(400, 700), st.floats(80, 300)),
    st.builds(motion, st.floats(0, 25), angles),
)


def moments(kernel: Kernel) -> tuple[np.ndarray, np.ndarray]:
    """Return the centroid (y, x) from the middle, and the covariance."""
    places = np.indices(kernel.shape).reshape(2, -1) - len(kernel) // 2
    centroid = places @ kernel.ravel()
    apart = places - centroid[:, np.newaxis]
    return centroid, (apart * kernel.ravel()) @ apart.T


@given(kernels)
def test_a_point_keeps_its_light_and_its_place(kernel):
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(moments(kernel)[0], 0, atol=1e-9)


@given(st.floats(0.5, 5), st.floats(0.5, 5), angles)
def test_a_gaussian_is_as_wide_along_each_axis_as_it_says(across, along, angle):
    covariance = moments(gaussian(across, along, angle))[1]
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    found = np.diag(turn @ covariance @ turn.T)
    # A pixel's own area adds 1/12; 3 σ of the wider axis cut off a little.
    np.testing.assert_allclose(found, [across**2 + 1 / 12, along**2 + 1 / 12], rtol=0.05)


@pytest.mark.parametrize("aperture", [0.3, 0.7, 1.4])
def test_an_airy_disk_is_dark_at_its_first_ring_and_has_84_percent_within(aperture):
    wavelength, pixel = 550.0, 10.0 / aperture
    kernel = airy(aperture, wavelength, pixel)
    middle, ring = len(kernel) // 2, 0.61 * wavelength / aperture / pixel
    along = kernel[middle, middle:]
    assert abs(np.argmin(along[: round(1.3 * ring)]) - ring) <= 1
    y, x = np.indices(kernel.shape) - middle
    # 83.8 % of all light, of which 94 % is kept (Born & Wolf, §8.5.2).
    assert kernel[np.hypot(y, x) <= ring].sum() == pytest.approx(0.838 / 0.938, abs=0.01)


@given(st.floats(1, 25), angles)
def test_a_motion_is_as_long_as_it_says_and_has_no_width(length, angle):
    covariance = moments(motion(length, angle))[1]
    along, across = np.linalg.eigvalsh(covariance)[::-1]
    assert along == pytest.approx(length**2 / 12, abs=0.3 + 0.02 * length**2)
    assert across < 0.3


def test_no_motion_and_the_narrowest_gaussian_leave_an_image_as_it_is():
    for kernel in (motion(0.0, 1.0), gaussian(0.05, 0.05)):
        assert kernel[len(kernel) // 2, len(kernel) // 2] == pytest.approx(1, abs=0.01)
