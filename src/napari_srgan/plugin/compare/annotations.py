"""What is written on a comparison: which layer is which, and how long a bar is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter
from superqt.utils import qimage_to_array

from napari_srgan.plugin.compare.colours import Pixels

_MARGIN, _HEIGHT, _SIZE = 10, 5, 13  # pixels: to the border, of the bar, of letters
_LONGEST = 0.25  # of the width: a bar


def bar_length(width: float) -> float:
    """Return the longest bar of at most a quarter of a width: 1, 2 or 5 by a power of ten."""
    most = _LONGEST * width
    power = 10.0 ** math.floor(math.log10(most))
    return max(factor * power for factor in (1, 2, 5) if factor * power <= most * (1 + 1e-9))


def bar_text(length: float, units: Sequence[Any] | None, axis: int) -> str:
    """Return how long a bar is, in the world's unit of an axis: ``20 µm``, ``50 pixels``."""
    if units is None:
        return f"{length:g}"
    unit = f"{units[axis]:~P}"
    return f"{length:g} {'pixels' if unit == 'pixel' else unit}".strip()


def annotated(
    picture: Pixels, bar: tuple[float, str] | None, left: str = "", right: str = "", below: str = ""
) -> Pixels:
    """Return a picture with a scale bar and texts.

    Parameters
    ----------
    picture : ndarray
        ``(h, w, 3)``, uint8.
    bar : tuple of float and str, optional
        Its length in pixels, and what it says.
    left, right : str
        At the top.
    below : str
        At the bottom left.
    """
    height, width = picture.shape[:2]
    pixels = picture.tobytes()  # kept until the image has its own
    image = QImage(pixels, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    painter = QPainter(image)
    font = QFont()
    font.setPixelSize(_SIZE)
    painter.setFont(font)
    top, bottom = Qt.AlignmentFlag.AlignTop, Qt.AlignmentFlag.AlignBottom
    to_left, to_right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
    lines = [(left, top | to_left), (right, top | to_right), (below, bottom | to_left)]
    if bar is not None:
        length, text = bar
        lines.append((text + "\n", bottom | to_right))
        x, y = width - _MARGIN - length, height - _MARGIN - _HEIGHT
        painter.fillRect(QRectF(x - 1, y - 1, length + 2, _HEIGHT + 2), QColor("black"))
        painter.fillRect(QRectF(x, y, length, _HEIGHT), QColor("white"))
    place = QRectF(_MARGIN, _MARGIN, width - 2 * _MARGIN, height - 2 * _MARGIN)
    for text, where in lines:
        _write(painter, place, where, text)
    painter.end()
    drawn: Pixels = qimage_to_array(image)[..., :3]
    return drawn


def _write(painter: QPainter, place: QRectF, where: Any, text: str) -> None:
    """Write in white on a black edge, which can be read on anything."""
    painter.setPen(QColor("black"))
    for x, y in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        painter.drawText(place.translated(x, y), int(where), text)
    painter.setPen(QColor("white"))
    painter.drawText(place, int(where), text)
