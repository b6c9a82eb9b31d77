"""What a picture is, whatever file it came from, and when a file is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from errno import EINVAL
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from napari_srgan.files.metadata import Metadata
from napari_srgan.wording import printable

# A dask array where a folder of images is opened lazily, else a numpy array.
Pixels: TypeAlias = Any

IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jfif", ".jpe", ".tif", ".tiff", ".bmp", ".webp",
)  # fmt: skip

# Up to this many bytes a picture is decoded however small its file: a blank image may be.
SMALL_PICTURE_BYTES = 2**28


class UnreadableImage(OSError):  # noqa: N818 - the field says "unreadable", as Pillow does
    """A file that is not an image, is damaged, or is of a kind that cannot be shown.

    The message is one sentence that names the file and the cause.
    """


@dataclass(frozen=True)
class Header:
    """What a file says of its pixels before they are decoded.

    Attributes
    ----------
    shape : tuple of int
        The decoded array's shape: leading axes, then height and width, then 3 or 4 if `rgb`.
    dtype : numpy.dtype
        The decoded array's type, in native byte order.
    rgb : bool
        Whether the last axis is colour.
    pixel_scale, units, axis_labels, metadata
        As in `Picture`.
    bits : int, optional
        As in `Picture`.
    notes : tuple of str
        What is not as a person would expect, each as the rest of a sentence on the file.
    format : str
        The name of the file's format.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    rgb: bool
    pixel_scale: tuple[float, ...] | None = None
    units: tuple[str, ...] | None = None
    axis_labels: tuple[str, ...] | None = None
    metadata: Metadata = field(default_factory=Metadata)
    bits: int | None = None
    notes: tuple[str, ...] = ()
    format: str = ""

    @property
    def nbytes(self) -> int:
        """The size of the decoded array."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize

    def __str__(self) -> str:
        size = " × ".join(str(n) for n in self.shape)
        return f"{size} {self.dtype}{' (colour)' if self.rgb else ''}"


@dataclass(frozen=True)
class Picture:
    """Pixels, what is known of their size, and what else their file says.

    Attributes
    ----------
    data : numpy.ndarray or dask.array.Array
        `(..., h, w)`, or `(..., h, w, 3|4)` if `rgb`; bool, integer or float, as in the file.
    rgb : bool
        Whether the last axis is red, green, blue (and alpha, not premultiplied).
    pixel_scale : tuple of float, optional
        The step along each axis but the colour's; None where the file does not say.
    units : tuple of str, optional
        The unit of each step (``"micrometer"``, ``"second"``, ...; ``"pixel"`` for an axis
        without one), by the names that pint uses; given exactly if `pixel_scale` is.
    axis_labels : tuple of str, optional
        The name of each axis but the colour's; None where the file does not say.
    metadata : Metadata
        Colour profile, density, EXIF and the like.
    bits : int, optional
        How many bits of an integer are used where that is fewer than all: 12 of 16, say, of which
        4095 is white.

    Raises
    ------
    ValueError
        If one of the descriptions does not have one entry for each axis but the colour's.
    """

    data: Pixels
    rgb: bool
    pixel_scale: tuple[float, ...] | None = None
    units: tuple[str, ...] | None = None
    axis_labels: tuple[str, ...] | None = None
    metadata: Metadata = field(default_factory=Metadata)
    bits: int | None = None

    def __post_init__(self) -> None:
        if self.rgb and (self.data.ndim < 3 or self.data.shape[-1] not in (3, 4)):
            raise ValueError(
                f"A colour picture is (..., h, w, 3) or (..., h, w, 4); got {self.data.shape}."
            )
        for name in ("pixel_scale", "units", "axis_labels"):
            entries = getattr(self, name)
            if entries is not None and len(entries) != self.ndim:
                raise ValueError(
                    f"Expected {self.ndim} {name} for {self.ndim} axes; got {entries}."
                )
        if (self.pixel_scale is None) != (self.units is None):
            raise ValueError("pixel_scale and units go together: give both or neither.")

    @property
    def ndim(self) -> int:
        """The number of axes, the colour's not counted."""
        return int(self.data.ndim) - self.rgb

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.data.shape[self.ndim - 2 : self.ndim]
        return int(width), int(height)

    @property
    def channel_axis(self) -> int | None:
        """The leading axis that the file calls its channels; None where it does not."""
        labels = (self.axis_labels or ())[:-2]
        return labels.index("c") if "c" in labels else None

    def upscaled(self, data: Pixels, scale: int, description: str | None = None) -> Picture:
        """Give the picture that `data` is of, where each pixel became `scale` × `scale` of them.

        Parameters
        ----------
        data : array
            Its pixels.
        scale : int
            The factor.
        description : str, optional
            What it says of itself; left out, what the picture said.
        """
        known = self.metadata.upscaled(scale)
        if description is not None:
            known = replace(known, description=description)
        made = replace(self, data=data, metadata=known)
        if self.pixel_scale is None:
            return made
        *leading, height, width = self.pixel_scale
        return replace(made, pixel_scale=(*leading, height / scale, width / scale))


# What each EXIF or TIFF orientation asks for: swap rows and columns, then flip rows, flip columns.
_TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def is_turned(orientation: int) -> bool:
    """Tell whether an orientation tag swaps height and width; unknown tags mean upright."""
    return _TURNS.get(orientation, _TURNS[1])[0]


def upright(data: npt.NDArray[Any], orientation: int, *, rgb: bool) -> npt.NDArray[Any]:
    """Turn pixels as their EXIF or TIFF orientation tag asks."""
    swap, flip_rows, flip_columns = _TURNS.get(orientation, _TURNS[1])
    h, w = (data.ndim - 3, data.ndim - 2) if rgb else (data.ndim - 2, data.ndim - 1)
    if swap:
        data = data.swapaxes(h, w)
    flips = tuple(axis for axis, flip in ((h, flip_rows), (w, flip_columns)) if flip)
    return np.ascontiguousarray(np.flip(data, flips))


def refuse_false_claim(path: Path, header: Header, highest_ratio: int) -> None:
    """Refuse a file far too small to hold the pixels that its header claims.

    Parameters
    ----------
    path : Path
        The file.
    header : Header
        What it claims.
    highest_ratio : int
        How many times smaller than its pixels a file of this kind can be.

    Raises
    ------
    UnreadableImage
        Before anything of that size is allocated.
    """
    if 0 in header.shape:
        raise UnreadableImage(f"{path} has no pixels: it is {header}.")
    file_bytes = path.stat().st_size
    if header.nbytes > max(SMALL_PICTURE_BYTES, highest_ratio * file_bytes):
        raise UnreadableImage(
            f"{path} claims an image of {header}, which cannot be in its {file_bytes:,} bytes: "
            "the file is damaged, or made to exhaust the memory."
        )


@contextmanager
def damage_named(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises into an `UnreadableImage` that names the file."""
    try:
        yield
    except UnreadableImage:
        raise
    except MemoryError as error:
        raise UnreadableImage(f"{path} needs more memory to be opened than there is.") from error
    except Exception as error:
        # Decoders meet hostile bytes with any exception at all; only what the system says of the
        # file itself (missing, not permitted, a failing disk) carries an errno, and stays as it is.
        # EINVAL is no such word: it answers an offset that no file could have.
        if isinstance(error, OSError) and error.errno not in (None, EINVAL):
            raise
        cause = printable(str(error).strip().rstrip(".")) or type(error).__name__
        raise UnreadableImage(
            f"{path} is a damaged or unsupported {kind} file: {cause}."
        ) from error
