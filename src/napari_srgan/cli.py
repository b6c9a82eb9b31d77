"""The command line: ``napari-srgan upscale | report | info | models | convert | fetch | demo``."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from napari_srgan.terminal import forgive_output, progress_bar, say, warnings_printed

# torch takes a second to import: the commands that need it do so themselves.
if TYPE_CHECKING:
    from napari_srgan.batch import Task
    from napari_srgan.inference.settings import Progress, Settings
    from napari_srgan.store.checkpoint import Model
    from napari_srgan.volume.upscale import Windows

app = typer.Typer(
    help="Upscale images ×4 with SRGAN, exactly tiled.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Result = TypeVar("Result")

_AS = "How another project's model file is to be read, where its tensors leave that open."

# Options that several commands have.
Chosen = Annotated[str, typer.Option(help="A name (see: models) or a file.")]
ReadAs = Annotated[str | None, typer.Option("--as", metavar="NAME", help=_AS)]
Range = Annotated[str, typer.Option(help="auto, data, dtype, '0, 4095' or '0%, 99.9%'.")]
NotFinite = Annotated[str, typer.Option(help="NaN and infinities: error or fill.")]
Held = Annotated[
    bool, typer.Option("--consistent", help="Hold the result to the image: reduced, it is it.")
]

INTERRUPTED = 130  # what shells expect of a program that Ctrl-C ended


def main() -> None:
    """Run the command line."""
    forgive_output()
    app()


@app.command()
def upscale(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN...", help="Image files, folders.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A folder; or a file, for a single input.")
    ],
    model: Chosen = "",
    scale: Annotated[int | None, typer.Option(help="Of a model that has several.")] = None,
    read_as: ReadAs = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, cuda:all, mps.")] = "auto",
    tile: Annotated[str, typer.Option(help="Edge in pixels, or auto. Changes no pixel.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, float32, float16, bfloat16.")] = "auto",
    normalize: Range = "auto",
    nan: NotFinite = "error",
    quality: Annotated[
        str, typer.Option(help="standard, or ensemble: nearer to the truth, 8 times the time.")
    ] = "standard",
    consistent: Held = False,
    channel_axis: Annotated[
        int | None,
        typer.Option(help="Axis of channels, which have a value range each. [as files say]"),
    ] = None,
    scheduler: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Of a dask cluster, for an OME-Zarr image.")
    ] = "",
    overwrite: Annotated[bool, typer.Option(help="Replace files that exist.")] = False,
) -> None:
    """Upscale image files, or an OME-Zarr image, keeping their bit depth and pixel size.

    A file that cannot be upscaled is named at the end, after all others, and the exit status is 1.
    An input is never overwritten.
    """
    with _told():
        import numpy as np

        from napari_srgan.batch import plan_tasks
        from napari_srgan.inference.devices import choose_devices, choose_precision
        from napari_srgan.inference.settings import Settings
        from napari_srgan.inference.values.rules import parse_normalize
        from napari_srgan.store.load import load_model
        from napari_srgan.store.registry import DEFAULT_MODEL

        of_store = _is_of_store(inputs, output)
        with warnings_printed("napari_srgan"):
            tasks = [] if of_store else plan_tasks(inputs, output, overwrite=overwrite)
        if of_store:
            _check_store(inputs, output, overwrite=overwrite)
        parse_normalize(normalize)
        settings = Settings(
            device, precision, _tile(tile), _nan(nan), _quality(quality), consistent
        )
        choose_precision(precision, choose_devices(device)[0], np.dtype(np.uint8))
        loaded = load_model(model or DEFAULT_MODEL, scale=scale, dialect=read_as)
        if scheduler and not of_store:
            raise ValueError("--scheduler is for OME-Zarr images: IN.ome.zarr -o OUT.ome.zarr.")
        windows = _windows(scheduler, model or DEFAULT_MODEL, loaded, read_as) if of_store else None
    if windows is not None:
        _upscale_store(inputs[0], output, loaded, normalize, settings, channel_axis, windows)
        return
    with warnings_printed("napari_srgan"):
        failed = sum(
            not _upscale_one(task, loaded, normalize, settings, channel_axis) for task in tasks
        )
    if failed:
        say(f"{failed} of {len(tasks)} images failed.", err=True)
        raise typer.Exit(1)


def _upscale_one(
    task: Task, model: Model, normalize: str, settings: Settings, channel_axis: int | None
) -> bool:
    """Upscale one file with a progress bar, and return whether that succeeded."""
    from napari_srgan.batch import iter_task

    try:
        steps = iter_task(
            task, model, normalize=normalize, settings=settings, channel_axis=channel_axis
        )
        _with_bar(steps, task.source.name)
    except (OSError, ValueError, TypeError, MemoryError, FloatingPointError) as error:
        named = str(task.source) in str(error)
        say(str(error) if named else f"{task.source}: {error}", err=True)
        return False
    except KeyboardInterrupt:
        say(f"Stopped. {task.target} was not written; those before it are done.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    say(str(task.target))
    return True


def _is_of_store(inputs: list[Path], output: Path) -> bool:
    from napari_srgan.ngff.stored import is_store

    return output.suffix == ".zarr" or any(is_store(path) for path in inputs)


def _check_store(inputs: list[Path], output: Path, *, overwrite: bool) -> None:
    from napari_srgan.ngff.stored import open_image
    from napari_srgan.volume.upscale import check_target

    if len(inputs) != 1:
        raise ValueError(f"An OME-Zarr image is upscaled by itself; got {len(inputs)} inputs.")
    open_image(inputs[0])  # for its errors
    check_target(inputs[0], output, overwrite=overwrite)


def _windows(scheduler: str, name: str, model: Model, dialect: str | None) -> Windows:
    """Return what does the windows of an image: this computer, or a cluster."""
    from napari_srgan.volume.upscale import iter_windows_here

    if not scheduler:
        return iter_windows_here
    from napari_srgan.store.reference import ModelReference
    from napari_srgan.store.registry import list_models
    from napari_srgan.volume.cluster import windows_on

    place = name if name in list_models() else str(Path(name).expanduser().absolute())
    return windows_on(scheduler, ModelReference(place, model.scale, model.sha256, dialect))


def _upscale_store(
    source: Path,
    target: Path,
    model: Model,
    normalize: str,
    settings: Settings,
    channel_axis: int | None,
    windows: Windows,
) -> None:
    """Upscale an OME-Zarr image with a progress bar, or go on where it was interrupted."""
    from napari_srgan.ngff.stored import open_image
    from napari_srgan.volume.upscale import is_unfinished, iter_upscale_store

    planes = math.prod(open_image(source).leading)
    if is_unfinished(target):
        say(f"Going on with {target}, if it was begun with the same choices.", err=True)
    with _told(), warnings_printed("napari_srgan"):
        try:
            steps = iter_upscale_store(
                source,
                target,
                model,
                normalize=normalize,
                settings=settings,
                channel_axis=channel_axis,
                windows=windows,
            )
            _with_bar(steps, source.name, planes)
        except KeyboardInterrupt:
            say("Stopped. The same command goes on where it was.", err=True)
            raise typer.Exit(INTERRUPTED) from None
    say(str(target))


@app.command()
def info(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Image files.")],
) -> None:
    """Tell what image files are, and whether and how they were upscaled.

    If one cannot be read, the exit status is 1.
    """
    from napari_srgan.files import read_header
    from napari_srgan.files.summary import origin_of, summary_of
    from napari_srgan.ngff.stored import is_store, open_image

    failed = False
    for path in files:
        try:
            header = open_image(path).header() if is_store(path) else read_header(path)
        except (OSError, ImportError) as error:
            say(error, err=True)
            failed = True
            continue
        say(path)
        for line in (*summary_of(header), *origin_of(header)):
            say(f"    {line}")
    if failed:
        raise typer.Exit(1)


@app.command()
def report(
    image: Annotated[Path, typer.Argument(metavar="IN", help="An image file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")],
    model: Chosen = "",
    faithful: Annotated[
        str, typer.Option(help="What detail is compared with. [a bundled faithful model]")
    ] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    normalize: Range = "auto",
    nan: NotFinite = "error",
    consistent: Held = False,
    overwrite: Annotated[bool, typer.Option(help="Replace a file that exists.")] = False,
) -> None:
    """Upscale an image and write a page on how far the result can be trusted.

    It shows the image, the result, the error to expect, what is invented and what of the image the
    result does not explain. It takes nine times as long as upscaling.
    """
    with _told():
        from napari_srgan.files import read_picture
        from napari_srgan.files.atomic import written_whole
        from napari_srgan.inference.settings import Settings
        from napari_srgan.inference.values.rules import parse_normalize
        from napari_srgan.store.load import faithful_counterpart, load_model
        from napari_srgan.store.registry import DEFAULT_MODEL
        from napari_srgan.trust.report import iter_report

        _check_page(output, overwrite=overwrite)
        parse_normalize(normalize)
        settings = Settings(device, nan=_nan(nan), consistent=consistent)
        loaded = load_model(model or DEFAULT_MODEL)
        sure = faithful_counterpart(loaded, faithful or None)
        picture = read_picture(image)
        steps = iter_report(
            picture, image.name, loaded, sure, normalize=normalize, settings=settings
        )
        text = _with_bar(steps, image.name)
        with written_whole(output) as part:
            part.write_text(text, encoding="utf-8")
        say(str(output))


def _check_page(output: Path, *, overwrite: bool) -> None:
    """Refuse what a page cannot be written to, before anything is computed."""
    from napari_srgan.files.atomic import check_place

    if output.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"A report is an HTML file; {output} does not end in .html.")
    check_place(output)
    if output.exists() and not overwrite:
        raise FileExistsError(f"{output} exists. Use --overwrite to replace it.")


def _with_bar(steps: Generator[Progress, None, Result], name: str, planes: int = 1) -> Result:
    """Do the work of a generator under a bar of pixels, and return its result.

    What takes minutes is told once, as soon as it is known: how long, for how many planes.
    """
    from napari_srgan.inference.settings import finish, iter_mapped
    from napari_srgan.volume.budget import WORTH_TELLING, Budget, in_words

    budget, told = Budget(), False
    bar = progress_bar("px", desc=name)

    def show(progress: Progress) -> None:
        nonlocal told
        bar.total = progress.total
        bar.update(progress.done - bar.n)
        left = budget.seconds_left(progress, time.monotonic())
        if left is not None and left > WORTH_TELLING and not told:
            told = True
            of_what = f" for {planes} planes" if planes > 1 else ""
            bar.write(f"{name}: about {in_words(left)} left{of_what}.", file=sys.stderr)

    with bar:
        return finish(iter_mapped(steps, show))


@app.command()
def models(
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Instead, run the self-tests of those that are here."),
    ] = False,
    inspect: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Instead, tell what is recognised in a model file."),
    ] = None,
    read_as: ReadAs = None,
) -> None:
    """List the models: where their weights are, and what each is for.

    A self-test compares what each device of this computer makes of a small picture with what it
    should. If any is wrong, the exit status is 1.
    """
    if verify:
        _check_up()
        return
    if inspect is not None:
        with _told():
            from napari_srgan.store.convert import describe

            for line in describe(inspect, read_as):
                say(line)
        return
    with _told():
        from napari_srgan.store.cache import Present, cache_folder, plan, registry
        from napari_srgan.store.generative import in_words

        cache = cache_folder()
        groups = {False: "Faithful", True: "Generative", None: "Not known"}
        for generative, title in groups.items():
            group = [weights for weights in registry() if weights.generative is generative]
            if group:
                say(f"{title}:")
            for weights in group:
                match plan(weights, cache, offline=False):
                    case Present(path):
                        where = "in the package" if weights.file == path.name else "downloaded"
                    case _:
                        where = f"to be downloaded: napari-srgan fetch {weights.name}"
                factors = " ".join(f"×{scale}" for scale in weights.scales)
                named = f"{weights.name} ({factors}, {where})"
                say(f"  {named}: {in_words(weights.generative)}\n      {weights.purpose}")
        say(f"Downloads are kept in {cache}.")


def _check_up() -> None:
    """Print what is found of every model on every device, and fail if anything is wrong."""
    with _told():
        wrong = 0
        for finding in iter_checkup():
            say(finding.text)
            wrong += finding.wrong
    if wrong:
        raise typer.Exit(1)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A model file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The .safetensors to write.")],
    read_as: ReadAs = None,
    licence: Annotated[str, typer.Option(help="Terms of use of the weights, a line.")] = "",
    generative: Annotated[
        bool | None,
        typer.Option("--generative/--faithful", help="Whether it invents detail. [not known]"),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a file that exists.")] = False,
) -> None:
    """Write another project's model file as one of this package's, which computes the same."""
    with _told():
        from napari_srgan.store.convert import convert as converted
        from napari_srgan.store.generative import in_words

        model = converted(
            source,
            target,
            dialect=read_as,
            licence=licence,
            generative=generative,
            overwrite=overwrite,
        )
        said = f"{model.network.family} ×{model.scale}, {in_words(model.generative)}"
        say(f"{target}: {said}. Licence: {model.metadata['licence']}.")


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="See: models.")],
) -> None:
    """Download a model's weights, to use them without a network."""
    with _told():
        from napari_srgan.store.cache import locate

        for name in names:
            say(f"{name}: {locate(name, progress=True)}")


@app.command()
def demo() -> None:
    """Open napari with a low-resolution sample and the widget, ready to upscale it."""
    with _told():
        import napari

        viewer = napari.Viewer()
        viewer.open_sample("napari-srgan", "photograph")
        viewer.window.add_plugin_dock_widget("napari-srgan", "SRGAN upscale")
        napari.run()


@contextmanager
def _told() -> Iterator[None]:
    """End the program with an error's message where it is the user's to mend."""
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        say(f"Error: {error}", err=True)
        raise typer.Exit(2) from error


def _tile(text: str) -> int | str:
    if text == "auto":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"--tile takes auto or a number of pixels; got {text!r}.")
    return int(text)


def _nan(text: str) -> Literal["error", "fill"]:
    if text not in ("error", "fill"):
        raise ValueError(f"--nan takes error or fill; got {text!r}.")
    return "fill" if text == "fill" else "error"


def _quality(text: str) -> Literal["standard", "ensemble"]:
    if text not in ("standard", "ensemble"):
        raise ValueError(f"--quality takes standard or ensemble; got {text!r}.")
    return "ensemble" if text == "ensemble" else "standard"


@dataclass(frozen=True)
class Finding:
    """A line on a model: whether something is wrong with it here, and what."""

    wrong: bool
    text: str


def iter_checkup() -> Iterator[Finding]:
    """Yield what is found of each model on each device.

    Nothing is downloaded, except for a downloaded file that is damaged: it is fetched again, as at
    any use.
    """
    from napari_srgan.store.cache import Fetch, Refuse, cache_folder, plan, registry

    cache = cache_folder()
    for weights in registry():
        match plan(weights, cache, offline=False):
            case Fetch():
                yield Finding(False, f"{weights.name}: not downloaded, so not verified.")
            case Refuse(reason):
                yield Finding(True, f"{weights.name}: {reason}")
            case _:
                yield from _of_file(weights.name)


def _of_file(name: str) -> Iterator[Finding]:
    from napari_srgan.inference.verify import iter_verify
    from napari_srgan.store.load import load_model

    try:
        model = load_model(name)
    except (OSError, ValueError) as error:
        yield Finding(True, f"{name}: {error}")
        return
    if model.self_test is None:
        yield Finding(False, f"{name}: its file has no self-test.")
        return
    for outcome in iter_verify(model):
        yield Finding(not outcome.passed, str(outcome))
