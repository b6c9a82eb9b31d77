"""Lines to a terminal, which are no part of the work: nobody listening is no error."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NoReturn

    from tqdm import tqdm


class _Forgiving:
    """A stream that goes nowhere from the first time on that it cannot be written."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):  # full, or closed
            self._stream.write(text)
            return len(text)
        self._give_up()
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()
            return
        self._give_up()

    def _give_up(self) -> None:
        """Lead the stream to nowhere, where what it still holds can be written."""
        with suppress(OSError, ValueError), Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def forgive_output() -> None:
    """Have the program go on where its output is closed, full, or of another encoding.

    To be called once, before anything else: a file opened while an output is closed would take its
    number, and what is printed would be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed when Python began
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, _Forgiving(stream))


def say(text: object, *, err: bool = False) -> None:
    """Print a line. Not by click, which has an idea of its own of what an ASCII terminal is."""
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{shown(text)}\n")
    stream.flush()


def progress_bar(unit: str, *, desc: str = "", total: int | None = None) -> tqdm[NoReturn]:
    """Return a bar that goes when its work ends; none is drawn where it would go to a file."""
    from tqdm import tqdm

    return tqdm(
        desc=desc, total=total, unit=unit, unit_scale=unit == "px", leave=False, disable=None
    )


class _Warnings(logging.Handler):
    """Print what the library logs, above a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        with suppress(OSError, ValueError):
            tqdm.write(shown(self.format(record)), file=sys.stderr)


@contextmanager
def warnings_printed(package: str) -> Iterator[None]:
    """Print what a package warns of; what the libraries below it log is not for its users."""
    logger, handler = logging.getLogger(package), _Warnings(logging.WARNING)
    quiet = logging.getLogger("tifffile")
    logger.addHandler(handler)
    quiet.addHandler(silence := logging.NullHandler())
    propagated, quiet.propagate = quiet.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        quiet.removeHandler(silence)
        quiet.propagate = propagated


def shown(text: object) -> str:
    """Return text as a terminal may have it: names of files could rewrite what is on it."""
    return "".join(
        character
        if character.isprintable() or character in "\n\t"
        else character.encode("unicode_escape").decode("ascii")
        for character in str(text)
    )
