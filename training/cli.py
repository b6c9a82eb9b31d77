"""The training command line: ``train``, ``evaluate``, ``mos``, ``plot``, ``export`` and lists."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_srgan.terminal import forgive_output
from napari_srgan.training.commands.answers import answers
from napari_srgan.training.commands.ask import ask
from napari_srgan.training.commands.degrade import degrade
from napari_srgan.training.commands.fine_tune import fine_tune
from napari_srgan.training.commands.running import given, run_plan, told, with_bar
from napari_srgan.training.config import (
    every_setting,
    headings,
    load_recipe,
    recipe_names,
    resolve,
)

if TYPE_CHECKING:
    from napari_srgan.training.metrics.evaluate import Upscaler
    from napari_srgan.training.metrics.pairs import Pair

app = typer.Typer(
    help="Train the paper's networks, measure them, and make them usable in napari.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SHOWN = 3  # images of each data set in the figure


def main() -> None:
    """Run the command line."""
    forgive_output()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("napari_srgan.training").setLevel(logging.INFO)
    app()


@app.command()
def train(
    data: Annotated[Path, typer.Argument(help="A folder of images, at any depth; or DIV2K.")],
    out: Annotated[Path, typer.Option(help="The run's folder. A run in it is resumed.")],
    recipe: Annotated[str, typer.Option(help="A name (see: recipes) or a TOML file.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Replace one of the recipe's settings."),
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="For decoded images. [OUT/images]")] = None,
    hold_back: Annotated[
        list[str] | None,
        typer.Option(help="Images to validate on and not train on, such as 'val/*'."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    vgg_weights: Annotated[
        Path | None,
        typer.Option(
            "--perceptual-weights", "--vgg-weights", help="VGG's: a file, or a folder with it."
        ),
    ] = None,
    random_vgg: Annotated[
        bool, typer.Option("--random-vgg", help="Random VGG19 weights, to try out.")
    ] = False,
    start_from: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="A name or a file: train it on, as on images of your own."
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A name or a file: learn from it, too: --set pretrain.teacher_share=0.7.",
        ),
    ] = None,
    phase_1_weights: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="A name or a file: start phase 2 from it; no phase 1."),
    ] = None,
    without_phase_1: Annotated[
        bool, typer.Option("--without-phase-1", help="Start phase 2 from random weights.")
    ] = False,
    report_every: Annotated[int, typer.Option(help="Steps.", min=1)] = 100,
    save_every: Annotated[int, typer.Option(help="Steps.", min=1)] = 500,
    validate_every: Annotated[int, typer.Option(help="Steps.", min=1)] = 1000,
) -> None:
    """Train a generator (phase 1), then against a discriminator (phase 2) if the recipe says so.

    The command "settings" lists what --set can replace.

    Ctrl-C finishes the step and saves; the same command goes on. Under torchrun, all processes
    train together.
    """
    with told():
        from napari_srgan.training.run.experiment import Plan
        from napari_srgan.training.run.loop import Pace

        plan = Plan(
            recipe=load_recipe(recipe, given(settings or [])),
            data=data,
            out=out,
            cache=cache or out / "images",
            device=device,
            hold_back=tuple(hold_back or ()),
            vgg_weights=vgg_weights,
            random_vgg=random_vgg,
            start_from=_file_of(start_from),
            teacher=_file_of(teacher),
            phase_1_weights=_file_of(phase_1_weights),
            without_phase_1=without_phase_1,
            pace=Pace(report_every, save_every, validate_every),
        )
        if run_plan(plan):
            following = "python -m napari_srgan.training export"
            typer.echo(f"Done. Next: {following} {out} MODEL.safetensors")


def _file_of(model: str | None) -> Path | None:
    """Return the file of a model, given its name or a path, if one is given."""
    from napari_srgan.store.load import file_of

    return None if model is None else file_of(model)


app.command()(degrade)
app.command("fine-tune")(fine_tune)
app.command()(answers)
app.command()(ask)


@app.command()
def evaluate(
    model: Annotated[list[str], typer.Option(help="A name or a file; may be repeated.")],
    data: Annotated[Path, typer.Option(help="Images, or *_HR.png and *_LR.png, or such folders.")],
    scale: Annotated[
        int | None,
        typer.Option(help="Of models that have several. All low images are then made anew."),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the means here.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write a row for each image here.")] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw crops of the first images side by side here.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="As for napari-srgan upscale.")] = "float32",
    perceptual_weights: Annotated[
        Path | None,
        typer.Option(help="AlexNet's and VGG16's, for LPIPS and DISTS: a folder or a file."),
    ] = None,
) -> None:
    """Measure models of one scale by the paper's protocol, beside nearest and bicubic.

    Images without a low-resolution partner are shrunk by the models' scale; as many pixels are left
    out at each border, at ×4 the paper's 4.

    \b
    PSNR dB, SSIM daala, SSIM Wang: the paper's protocol; higher is nearer.
    perceptual: distance of local spectra; nothing in it is learnt; 0 is best.
    high frequency: energy above half of Nyquist in parts of HR's; 1 is best.
    colour drift: worst mean shift of a channel, in levels; 0 is best.
    checkerboard: patterns of the scale's period beyond HR's; 0 is best.
    flat noise: what flat regions gained, in levels; below 0 they are smoother.
    out of range %: pixels beyond HR's range within 7 × 7 pixels, by 8 levels; 0 is best.
    LPIPS-Alex, LPIPS-VGG, DISTS: learned distances, where their networks are; 0 is best.
    """  # noqa: D301 - the mark by which lines of help are kept apart
    from functools import partial

    from napari_srgan.inference.run import upscale_array
    from napari_srgan.inference.settings import Settings, iter_mapped
    from napari_srgan.store.load import load_model
    from napari_srgan.training.metrics.evaluate import (
        as_table,
        iter_evaluate,
        write_csv,
        write_json,
    )
    from napari_srgan.training.metrics.learned import find_distances
    from napari_srgan.training.metrics.pairs import find_data_sets, without_partners
    from napari_srgan.training.metrics.table import FURTHER, measures_of

    with told():
        settings = Settings(device=device, precision=precision)
        _refuse_lost([path for path in (json, csv, figure) if path is not None])
        if figure:
            _refuse_unknown(figure)
        loaded = [load_model(name, scale=scale) for name in model]
        _refuse_namesakes([one.name for one in loaded])
        upscalers = {
            one.name: partial(upscale_array, model=one, settings=settings) for one in loaded
        }
        factor = _one_scale({one.name: one.scale for one in loaded})
        data_sets = find_data_sets(data)
        if scale is not None:
            data_sets = without_partners(data_sets)
        also = dict(FURTHER) | measures_of(find_distances(perceptual_weights))
        steps = iter_evaluate(data_sets, upscalers, also=also, scale=factor)
        counted = iter_mapped(steps, lambda progress: (progress.done, progress.total))
        evaluation = with_bar(counted)
        typer.echo(as_table(evaluation.results))
        if json:
            write_json(evaluation.results, json)
        if csv:
            write_csv(evaluation.rows, csv)
        if figure:
            _draw(figure, evaluation.measured_of(data_sets), upscalers, factor)
    for line in evaluation.left_out:
        typer.echo(f"Left out: {line}", err=True)
    if evaluation.left_out:
        raise typer.Exit(1)


def _refuse_lost(targets: Sequence[Path]) -> None:
    """Refuse files that cannot be written: before the measuring, which takes minutes."""
    for target in targets:
        if not target.parent.is_dir():
            raise FileNotFoundError(
                f"There is no folder {target.parent} to write {target.name} to."
            )
        if target.is_dir():
            raise IsADirectoryError(f"{target} is a folder; name a file in it.")


def _refuse_unknown(picture: Path) -> None:
    """Refuse a picture in a format that cannot be written."""
    from PIL import Image

    written = {
        suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.SAVE
    }
    if picture.suffix.lower() not in written:
        raise ValueError(
            f"{picture.name} ends in no format of pictures. Call it {picture.stem}.png."
        )


def _refuse_namesakes(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"{names.count(name)} of the models are called {name}. Export them with --name."
            )


def _one_scale(scales: Mapping[str, int]) -> int:
    """Return the scale of all models.

    Raises
    ------
    ValueError
        If they differ: an image is shrunk by one factor.
    """
    if len(set(scales.values())) > 1:
        each = ", ".join(f"{name} by {scale}" for name, scale in scales.items())
        raise ValueError(f"The models enlarge by different factors ({each}). Measure them apart.")
    return next(iter(scales.values()))


def _draw(
    path: Path, data_sets: Mapping[str, list[Pair]], upscalers: Mapping[str, Upscaler], scale: int
) -> None:
    from PIL import Image

    from napari_srgan.training.metrics.evaluate import compare
    from napari_srgan.training.metrics.figures import draw_figure

    first = [pair for pairs in data_sets.values() for pair in pairs[:SHOWN]]
    rows = draw_figure([compare(pair, upscalers, scale=scale) for pair in first])
    Image.fromarray(rows).save(path)


@app.command()
def calibrate(
    model: Annotated[str, typer.Option(help="A name or a file.")],
    data: Annotated[Path, typer.Option(help="Images, or *_HR.png and *_LR.png, or such folders.")],
    hold: Annotated[
        bool, typer.Option("--hold", help="Hold the model's own law to account, fit none.")
    ] = False,
    json_to: Annotated[
        Path | None, typer.Option("--json", help="Write what was found here.")
    ] = None,
) -> None:
    """Measure how far the spread over eight orientations tells a model's errors.

    On images that the model was not trained on, this fits the law by which errors follow, for
    "uncertainty" in weights/registry.json; on others again, --hold says how true it is there.
    """
    with told():
        from napari_srgan.store.load import load_model
        from napari_srgan.training.metrics.calibration import as_lines, iter_calibrate
        from napari_srgan.training.metrics.pairs import find_data_sets

        loaded = load_model(model)
        if hold and loaded.uncertainty is None:
            raise ValueError(f"{model} has no law to hold to account: leave out --hold.")
        law = loaded.uncertainty if hold else None
        steps = iter_calibrate(loaded, find_data_sets(data), border=loaded.scale, law=law)
        found = with_bar(steps)
        typer.echo(as_lines(found))
        if json_to is not None:
            json_to.write_text(json.dumps(found.as_dict(), indent=2) + "\n", encoding="utf-8")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    to: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
    name: Annotated[str, typer.Option(help="How the model is called. [the file's name]")] = "",
    generator: Annotated[
        str,
        typer.Option(help="average, plain or best. [average; best where the recipe restores it]"),
    ] = "",
    half: Annotated[
        bool, typer.Option("--half", help="Store convolutions in 16 bits: half the size.")
    ] = False,
) -> None:
    """Make a run's generator a model file, and print its entry for weights/registry.json."""
    with told():
        from napari_srgan.training.run.export import export_generator
        from napari_srgan.training.run.folder import RunFolder

        if generator not in ("", "average", "plain", "best"):
            raise ValueError(f"--generator takes average, plain or best; got {generator!r}.")
        folder = RunFolder(run)
        usual = "best" if folder.recipe().validation.restore_best else "average"
        entry = export_generator(folder, to, name or to.stem, which=generator or usual, half=half)
        typer.echo(json.dumps(entry, indent=2, ensure_ascii=False))


@app.command()
def interpolate(
    faithful: Annotated[
        str, typer.Argument(help="A model trained for fidelity: a name or a file.")
    ],
    sharp: Annotated[str, typer.Argument(help="One trained on from it with a discriminator.")],
    to: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
    share: Annotated[float, typer.Option(help="Of the second model, 0 to 1.")],
    name: Annotated[str, typer.Option(help="How the model is called. [the file's name]")] = "",
    half: Annotated[
        bool, typer.Option("--half", help="Store convolutions in 16 bits: half the size.")
    ] = False,
) -> None:
    """Interpolate two networks, weight by weight: fewer artefacts for less sharpness."""
    with told():
        from napari_srgan.store.load import file_of
        from napari_srgan.training.run.export import export_interpolated

        one, other = file_of(faithful), file_of(sharp)
        entry = export_interpolated(one, other, to, name or to.stem, share=share, half=half)
        typer.echo(json.dumps(entry, indent=2, ensure_ascii=False))


app.command("blend", hidden=True, deprecated=True)(interpolate)  # its name until version 0.1


@app.command()
def info(run: Annotated[Path, typer.Argument(help="A run's folder.")]) -> None:
    """Say where a run stands."""
    with told():
        from napari_srgan.training.run.folder import RunFolder, standing

        typer.echo(standing(RunFolder(run)))


@app.command()
def plot(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    to: Annotated[Path, typer.Argument(help="The picture to write, such as curves.png.")],
) -> None:
    """Draw a run's losses and what it measured on images held back, by step."""
    with told():
        from napari_srgan.training.watch.curves import draw_curves, read_logs

        _refuse_lost([to])
        draw_curves(read_logs(run)).savefig(to)


@app.command()
def mos(
    ratings: Annotated[list[Path], typer.Argument(help="CSV files of a rating session.")],
    figure: Annotated[
        Path | None, typer.Option(help="Draw the distribution of scores (Fig. 5) here.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures here.")] = None,
    scores: Annotated[
        Path | None, typer.Option(help="From evaluate --json: PSNR and SSIM above MOS.")
    ] = None,
    paired_by: Annotated[
        str, typer.Option(help="rating, as in the paper; or means by image, by rater.")
    ] = "rating",
    leave_out: Annotated[list[str] | None, typer.Option(help="A rater; may be repeated.")] = None,
) -> None:
    """Analyse blind ratings: mean opinion scores, which differences are real, and the raters.

    The table is the paper's (§3.3): means, here with confidence intervals, and paired two-sided
    Wilcoxon signed-rank tests. The columns image, method, rater and rating are needed.
    """
    with told():
        from napari_srgan.rating.ratings import read_ratings
        from napari_srgan.training.metrics.mos.analysis import analyse, write_analysis
        from napari_srgan.training.metrics.mos.figure import draw_distribution
        from napari_srgan.training.metrics.mos.table import as_text, read_measured

        _refuse_lost([path for path in (json, figure) if path is not None])
        measured = read_measured(scores) if scores else None
        analysis = analyse(read_ratings(ratings), paired_by=paired_by, leave_out=leave_out or ())
        typer.echo(as_text(analysis, measured))
        if json:
            write_analysis(analysis, json)
        if figure:
            draw_distribution(analysis).savefig(figure)


@app.command()
def fetch(
    networks: Annotated[list[str], typer.Argument(help="vgg16, vgg19, alexnet.")],
) -> None:
    """Download perceptual networks, with torchvision's weights, for losses and for LPIPS."""
    with told():
        from napari_srgan.training.optimise.vgg import PUBLISHED, find_published

        by_name = {name.lower(): published for name, published in PUBLISHED.items()}
        if unknown := [name for name in networks if name.lower() not in by_name]:
            raise ValueError(f"Networks are {', '.join(by_name)}; got {unknown[0]!r}.")
        for name in networks:
            typer.echo(find_published(published=by_name[name.lower()], progress=True))


@app.command()
def recipes() -> None:
    """List the recipes that ship with the package."""
    for name in recipe_names():
        typer.echo(name)


@app.command()
def settings(
    recipe: Annotated[
        str, typer.Argument(help="A name (see: recipes) or a TOML file; left out, all there is.")
    ] = "",
) -> None:
    """Print a recipe's settings, what each is set by, and where its value is from.

    Its bases' and the defaults are among them.

    Without a recipe: what --set can replace, the default in brackets, which is the paper's where
    there is one.
    """
    with told():
        if recipe:
            for heading in headings(recipe):
                typer.echo(f"{heading}\n")
            for row in _columns(
                [(s.name, str(s.value), s.source, s.text) for s in resolve(recipe)]
            ):
                typer.echo(row)
            return
        for row in _columns([(name, text) for name, (_kind, text) in every_setting().items()]):
            typer.echo(row)


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines, their columns one below the other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows]
    return [line.rstrip() for line in lines]
