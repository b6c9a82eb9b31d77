"""What a run writes down while it goes on: CSV files, and TensorBoard's where it is installed."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, cast

from napari_srgan.files.atomic import written_whole
from napari_srgan.resampling import Pixels
from napari_srgan.training.run.damaged import DamagedFileError, set_aside

log = logging.getLogger(__name__)

STEP = "step"

_EVENTS = "events"  # not "tensorboard": started from there, Python would take it for the package


class _Writer(Protocol):
    """The part of TensorBoard's writer that is used here."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None: ...

    def add_image(
        self, tag: str, img_tensor: Pixels, global_step: int, *, dataformats: str
    ) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class RunLog:
    """The log of one phase: ``NAME.csv`` for each kind of row, and TensorBoard's ``events/``.

    Opening it drops every row after `step`, and a last row that was cut off: a run that was killed
    and goes on from its checkpoint logs those steps again. So each step is there once.

    Parameters
    ----------
    folder : Path
        Made where it is missing. One for each phase: their steps are counted apart.
    step : int
        Where the run stands: 0, or its checkpoint's step.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.csv"):
            _drop_rows_after(path, step)
        self.folder = folder
        self._writer = _open_tensorboard(folder / _EVENTS, step)

    def scalars(self, name: str, step: int, values: Mapping[str, float | str | None]) -> None:
        """Append a row to ``NAME.csv``, and its numbers to TensorBoard; None leaves a cell empty.

        The columns are those of the first row. A row that has others, as a newer version may
        write, begins the file ``NAME-2.csv``, and so on.
        """
        row = {STEP: step, **values}
        target = self._file_for(name, list(row))
        lines = _read(target) if target.exists() else _line(row)
        _write(target, lines + _line(row.values()))
        if self._writer is not None:
            for key, value in values.items():
                if isinstance(value, (int, float)):
                    self._writer.add_scalar(f"{name}/{key}", value, step)
            self._writer.flush()

    def row(self, name: str, step: int) -> dict[str, float] | None:
        """Return the numbers that were logged as ``name`` at a step, or None where none were."""
        for path in self.folder.glob(f"{name}*.csv"):
            for row in read_rows(path):
                if row.get(STEP) == str(step):
                    return _numbers(row)
        return None

    def image(self, name: str, step: int, image: Pixels) -> None:
        """Show an image, ``(h, w, 3)`` uint8, in TensorBoard; without it, do nothing."""
        if self._writer is not None:
            self._writer.add_image(name, image, step, dataformats="HWC")
            self._writer.flush()

    def close(self) -> None:
        """Close TensorBoard's file. The CSV files are whole after every row."""
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _file_for(self, name: str, columns: list[str]) -> Path:
        number, target = 1, self.folder / f"{name}.csv"
        while target.exists() and _columns(target) != columns:
            number += 1
            target = self.folder / f"{name}-{number}.csv"
        return target


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a log, as text by column.

    Raises
    ------
    OSError
        If there is no such file.
    """
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _columns(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file), [])


def _drop_rows_after(path: Path, step: int) -> None:
    """Write a log anew with the rows up to ``step``; a file without any is removed."""
    try:
        text = _read(path)
        lines = list(csv.reader(line for line in text.splitlines(True) if line.endswith("\n")))
    except (UnicodeDecodeError, csv.Error) as error:
        set_aside(DamagedFileError(path, str(error)), "Its rows are not drawn.")
        return
    columns = lines[0] if lines else []
    if columns and STEP not in columns:
        return  # not a log
    whole = [row for row in lines[1:] if _is_whole(row, columns)]
    if broken := text.count("\n") - len(whole) - bool(columns) + (not text.endswith("\n")):
        log.warning("%s: %d lines are no rows of it, and are left out.", path, broken)
    kept = [row for row in whole if int(row[columns.index(STEP)]) <= step]
    if kept:
        _write(path, "".join(map(_line, [columns, *kept])))
    else:
        path.unlink()


def _line(cells: Iterable[object]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8")  # line ends as they are


def _write(path: Path, text: str) -> None:
    """Write a log whole: on a full disk it stays as it was."""
    with written_whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        file.write(text)


def _numbers(row: Mapping[str, str]) -> dict[str, float] | None:
    try:
        return {key: float(value) for key, value in row.items() if value}
    except ValueError:  # not as it was written
        return None


def _is_whole(row: list[str], columns: list[str]) -> bool:
    """Tell whether a row was not cut off, by a full disk for one."""
    return len(row) == len(columns) and row[columns.index(STEP)].isdecimal()


def _open_tensorboard(folder: Path, step: int) -> _Writer | None:
    """Return a writer that hides what an earlier one wrote after ``step``."""
    if find_spec("tensorboard") is None:
        log.info("No TensorBoard log: it is not installed. `pip install napari-srgan[training]`")
        return None
    from torch.utils.tensorboard import SummaryWriter

    make = cast(Any, SummaryWriter)
    return cast(_Writer, make(str(folder), purge_step=step + 1))
