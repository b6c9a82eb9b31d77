"""What is looked at while a model is trained: pictures that fit the dock, and curves."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_srgan.plugin.train.words import Points

_BLUE, _ORANGE = QColor("#4c9be8"), QColor("#e8964c")
_CURVE_HEIGHT = 96
_MARGIN = 4


class Picture(QWidget):
    """An image file, never larger than it is and never wider than there is room.

    ``clicked`` gives where it was clicked: from the top and from the left, 0 to 1.
    """

    clicked = Signal(float, float)

    def __init__(self, tooltip: str = "") -> None:
        super().__init__()
        self._pixmap = QPixmap()
        self.setToolTip(tooltip)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_file(self, path: Path) -> None:
        """Show a file, or nothing where there is none."""
        self._pixmap = QPixmap(str(path)) if path.is_file() else QPixmap()
        self.setVisible(not self._pixmap.isNull())
        self.updateGeometry()
        self.update()

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt's name
        """Return how high it is where it is so wide."""
        return round(self._drawn(width).height())

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return its own size."""
        return QSize(self._pixmap.width(), self.heightForWidth(self.width()))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return that it can be narrow."""
        return QSize(1, self.heightForWidth(self.width()))

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(self._drawn(self.width()), self._pixmap, QRectF(self._pixmap.rect()))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Say where it was clicked."""
        if event is None:
            return
        drawn, at = self._drawn(self.width()), event.position()
        if drawn.contains(at):
            self.clicked.emit(at.y() / drawn.height(), at.x() / drawn.width())

    def _drawn(self, width: int) -> QRectF:
        shrunk = min(1.0, width / max(1, self._pixmap.width()))
        return QRectF(0, 0, shrunk * self._pixmap.width(), shrunk * self._pixmap.height())


class Curve(QWidget):
    """A line of values by step, and a dashed one at the start model's value."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title, self._last = title, 1.0
        self._level: float | None = None
        self._points: Points = []
        self.setFixedHeight(_CURVE_HEIGHT)
        self.setVisible(False)

    def show_points(self, points: Points, last: float, level: float | None = None) -> None:
        """Show points, the last step being at the right, and a level to compare them with."""
        self._points, self._last, self._level = points, last, level
        self.setVisible(bool(points))
        self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(self.palette().windowText().color())
        line = painter.fontMetrics().height()
        low, high = self._limits()
        painter.drawText(_MARGIN, line, f"{self._title}: {self._points[-1][1]:.4g}")
        area = QRectF(_MARGIN, line + 2 * _MARGIN, self.width() - 2 * _MARGIN, 0)
        area.setBottom(self.height() - _MARGIN)

        def at(step: float, value: float) -> QPointF:
            share = (value - low) / (high - low)
            x = area.left() + area.width() * step / max(self._last, 1)
            return QPointF(x, area.bottom() - area.height() * share)

        if self._level is not None:
            painter.setPen(QPen(_ORANGE, 1, Qt.PenStyle.DashLine))
            painter.drawLine(at(0, self._level), at(self._last, self._level))
        painter.setPen(QPen(_BLUE, 2))
        places = [at(*point) for point in self._points]
        painter.drawPolyline(QPolygonF(places))
        painter.setBrush(_BLUE)
        for place in places if len(places) < 20 else places[-1:]:
            painter.drawEllipse(place, 2, 2)

    def _limits(self) -> tuple[float, float]:
        values = [value for _, value in self._points]
        values += [] if self._level is None else [self._level]
        low, high = min(values), max(values)
        return (low, high) if high > low else (low - 1, high + 1)
