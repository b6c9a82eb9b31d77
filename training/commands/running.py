"""What the commands of the training command line share: settings, runs, bars, errors in words."""

from __future__ import annotations

import re
import signal
import tomllib
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from napari_srgan.terminal import progress_bar

if TYPE_CHECKING:
    from typing import NoReturn

    from tqdm import tqdm

    from napari_srgan.training.data.packing import PackingProgress
    from napari_srgan.training.run.experiment import Note, PhaseReport, Plan

Result = TypeVar("Result")

INTERRUPTED = 130  # what shells expect of a program that Ctrl-C ended


def given(settings: Iterable[str]) -> dict[str, Any]:
    """Return settings by name, given as ``NAME=VALUE``, the value as TOML has it.

    Raises
    ------
    ValueError
        If one is not so.
    """
    return dict(map(_setting, settings))


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set takes NAME=VALUE; got {text!r}.")
    name, value = name.strip(), value.strip()
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError as error:
        if re.fullmatch(r"[A-Za-z][\w-]*", value):  # a word needs no quotes
            return name, value
        raise ValueError(f"{name} cannot be {value!r}: {error}.") from error


def run_plan(plan: Plan) -> bool:
    """Do a run, telling how it goes; return whether this process is the one that tells it.

    Raises
    ------
    typer.Exit
        If the run was asked to stop before its end. It is saved.
    """
    from napari_srgan.training.optimise.distributed import own_team
    from napari_srgan.training.run.experiment import iter_run

    leads = own_team().leads
    with stop_on_ctrl_c() as stop:
        shown(iter_run(plan, stop))
    if stop.is_set():
        if leads:
            typer.echo(f"Stopped and saved. The same command goes on with {plan.out}.", err=True)
        raise typer.Exit(INTERRUPTED)
    return leads


def shown(events: Generator[PackingProgress | Note | PhaseReport, None, Result]) -> Result:
    """Tell what happens in a run, and return what it returns."""
    from napari_srgan.inference.settings import finish, iter_mapped
    from napari_srgan.training.data.packing import PackingProgress
    from napari_srgan.training.run.experiment import Note

    with _PackingBar() as bar:

        def tell(event: PackingProgress | Note | PhaseReport) -> None:
            if isinstance(event, PackingProgress):
                bar.show(event)
            else:
                bar.close()
                typer.echo(event.text if isinstance(event, Note) else _line(event))

        return finish(iter_mapped(events, tell))


class _PackingBar:
    """A progress bar while images are decoded, on a terminal that is watched."""

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> _PackingBar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def show(self, progress: PackingProgress) -> None:
        """Show how many images are decoded."""
        if self._bar is None or progress.done < self._bar.n:  # begun again, or other images
            self.close()
            self._bar = progress_bar("image", desc="decoding images", total=progress.total)
        self._bar.update(progress.done - self._bar.n)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextmanager
def stop_on_ctrl_c() -> Iterator[Event]:
    """Let Ctrl-C, and being asked to end, set an event; a second Ctrl-C ends the program."""
    stop = Event()

    def ask(_number: int, _frame: object) -> None:
        typer.echo("\nStopping after this step …", err=True)
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _line(event: PhaseReport) -> str:
    report = event.report
    left = (report.steps - report.step) / report.steps_per_second
    hours, minutes = divmod(round(left / 60), 60)
    values = "  ".join(f"{name} {value:.4g}" for name, value in report.measured.items())
    return (
        f"{event.phase} {report.step:,}/{report.steps:,}  {values}  "
        f"rate {report.learning_rate:.2e}  {report.steps_per_second:.2f} it/s  "
        f"data {report.waiting:.1%}  {hours} h {minutes:02} min left"
    )


def with_bar(steps: Generator[tuple[int, int], None, Result]) -> Result:
    """Do the work of a generator of images done and to do, under a bar."""
    from napari_srgan.inference.settings import finish, iter_mapped

    with progress_bar("image") as bar:

        def show(images: tuple[int, int]) -> None:
            done, bar.total = images
            bar.update(done - bar.n)

        return finish(iter_mapped(steps, show))


@contextmanager
def told() -> Iterator[None]:
    """End the program with an error's message where it is the user's to mend."""
    try:
        yield
    except (OSError, ValueError, FloatingPointError, ModuleNotFoundError, MemoryError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
