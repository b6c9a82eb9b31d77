"""Derive every number of the model cards from the weights, or hold what is written against it.

    python tools/cards.py BENCHMARKS [--networks FOLDER] [--only NAME ...] [--check]

Measures each model of `weights/registry.json` whose file lies beside it, in float32, on Set5 and
Set14 below BENCHMARKS, and writes: in the registry digest, size and metrics; in each card
`weights/NAME.md` the facts of the file, then the scores, then, of a model whose errors follow from
their spread by a law, how true that is there; in the README the table of models; in
`docs/comparison.md` papers' tables, what is measured beside their figures. In Markdown these stand
between `measured` marks. With --only these models alone are measured, and the others' scores in the
tables are the registry's: rounded twice, so that a last digit may be one off. With --check nothing
is written: each number that differs is named, and the exit status is then 1. A number agrees within
one unit of the last digit that the tables show, for processors round differently.

LPIPS and DISTS look through AlexNet and VGG16, whose weights are found where `evaluate` finds them,
or in a folder. Without them nothing is filled in; a check leaves those columns as they are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measured import Document, agree
from papers import EDSR_TABLE_3, TABLE_2, as_markdown

from napari_srgan.graph.analyse import multiply_adds
from napari_srgan.graph.trace import trace
from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings, iter_mapped
from napari_srgan.store.checkpoint import Model, load_checkpoint
from napari_srgan.store.registry import parse_registry
from napari_srgan.training.commands.running import with_bar
from napari_srgan.training.metrics.calibration import as_lines, iter_calibrate
from napari_srgan.training.metrics.evaluate import DECIMALS, Results, as_table, iter_evaluate
from napari_srgan.training.metrics.learned import HOW_TO_GET, LEARNED, find_distances
from napari_srgan.training.metrics.pairs import Pair, find_data_sets
from napari_srgan.training.metrics.table import FURTHER, Measure, column_of, measures_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from napari_srgan.models.generator import Generator
    from napari_srgan.training.metrics.learned import Distance

ROOT = Path(__file__).resolve().parent.parent
DATA_SETS = ("Set5", "Set14")
CONTROLS = ("nearest", "bicubic")  # beside a model in its card
REFERENCE = "srresnet-x4"  # whose cost is 1
# The README's columns, each of a measure on a data set.
COLUMNS = (
    ("Set5 dB", "Set5", "psnr"),
    ("Set14 dB", "Set14", "psnr"),
    ("Set5 LPIPS", "Set5", "lpips_alex"),
    ("Set14 LPIPS", "Set14", "lpips_alex"),
    ("high frequency", "Set14", "high_frequency"),
)
EVALUATE = "python -m napari_srgan.training evaluate --model {name} --data BENCHMARKS"
CALIBRATE = "python -m napari_srgan.training calibrate --model {name} --data BENCHMARKS --hold"

Entry = dict[str, Any]


@dataclass(frozen=True)
class Shipped:
    """A model whose file lies beside the registry, and its entry there."""

    entry: Entry
    path: Path
    model: Model

    @property
    def name(self) -> str:
        """What the registry calls it."""
        return self.model.name

    @property
    def cost(self) -> int:
        """Multiply-adds for each input pixel."""
        return multiply_adds(trace(self.model.network))

    @property
    def parts(self) -> int:
        """How many derived parts its card has."""
        return 2 if self.entry["uncertainty"] is None else 3


def main() -> int:
    """Do what the command line asks, and return the exit status."""
    parser = argparse.ArgumentParser(description="Derive every number of the model cards.")
    parser.add_argument("benchmarks", type=Path, help="the folder of Set5 and Set14")
    parser.add_argument("--networks", type=Path, help="the folder of AlexNet's and VGG16's weights")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="measure these models alone"
    )
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args()
    try:
        distances = find_distances(options.networks)
        only, check = frozenset(options.only), options.check
        return run(ROOT, options.benchmarks, distances, only=only, check=check)
    except (OSError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def run(
    root: Path,
    benchmarks: Path,
    distances: Mapping[str, Distance],
    *,
    only: Collection[str] = (),
    check: bool,
) -> int:
    """Fill or check a checkout, print the scores, and return the exit status.

    Parameters
    ----------
    root : Path
        The checkout.
    benchmarks : Path
        The folder of Set5 and Set14.
    distances : mapping of str to callable
        Those of `LEARNED` whose networks are here.
    only : collection of str
        The models to measure, by name. Default: all.
    check : bool
        Whether to compare only, and to leave alone what cannot be measured.

    Raises
    ------
    OSError, ValueError
        If a file, a data set or, to fill in, a network is missing or not as it should be; the
        message names it.
    """
    absent = [name for name in LEARNED if name not in distances]
    if absent and not check:
        titles = ", ".join(column_of(name).title for name in absent)
        raise FileNotFoundError(f"{titles}: the networks are not here. {HOW_TO_GET}")
    registry, readme = root / "weights" / "registry.json", root / "README.md"
    shipped = load_shipped(read_entries(registry), registry.parent)
    measured = _chosen(shipped, only)
    known = _known([one for one in shipped if one not in measured])
    comparison = root / "docs" / "comparison.md"
    expected = {registry.with_name(f"{one.name}.md"): one.parts for one in measured}
    expected |= {readme: 1, comparison: 2}
    for path, parts in expected.items():  # all that can fail does so before the measuring
        Document.read(path, parts)
    data_sets = find_benchmarks(benchmarks)
    results = measure(measured, data_sets, dict(FURTHER) | measures_of(distances))
    print(as_table(results))
    results = {data_set: means | known[data_set] for data_set, means in results.items()}
    tables = [as_markdown(table, results) for table in (TABLE_2, EDSR_TABLE_3)]
    print("\n" + "\n".join(tables))

    derived = [[*card_parts(one, results), *trust_parts(one, data_sets)] for one in measured]
    derived += [[models_table(shipped, results)], tables]
    facts = {one.name: facts_of(one, results) for one in measured}
    # Read now, for somebody may have written into them during the minutes of measuring.
    entries = read_entries(registry)
    documents = [Document.read(path, parts) for path, parts in expected.items()]
    pairs = list(zip(documents, derived, strict=True))
    if check:
        found = _all_departures(entries, facts, pairs, absent)
        print("\n" + ("\n".join(found) or "Every number is as measured."))
        return 1 if found else 0
    write_entries(registry, [entry | facts.get(entry["name"], {}) for entry in entries])
    for document, texts in pairs:
        document.write(texts)
    return 0


def _chosen(shipped: Sequence[Shipped], only: Collection[str]) -> list[Shipped]:
    """Return the models of these names, or all where there are none."""
    names = [one.name for one in shipped]
    if unknown := sorted(set(only).difference(names)):
        raise ValueError(f"There is no {' and no '.join(unknown)} to measure: {', '.join(names)}.")
    return [one for one in shipped if not only or one.name in only]


def _known(others: Sequence[Shipped]) -> Results:
    """Return the scores that the registry has of models."""
    if missing := [one.name for one in others if not set(DATA_SETS) <= set(one.entry["metrics"])]:
        raise ValueError(f"The registry has no scores of {', '.join(missing)}: measure them, too.")
    return {
        data_set: {one.name: one.entry["metrics"][data_set] for one in others}
        for data_set in DATA_SETS
    }


def _all_departures(
    entries: Sequence[Entry],
    facts: Mapping[str, Entry],
    documents: Sequence[tuple[Document, list[str]]],
    absent: Sequence[str],
) -> list[str]:
    """Return a line for each number that is not as measured; those of absent measures may be so."""
    titles = {column_of(measure).title for measure in absent}
    titles |= {title for title, _, measure in COLUMNS if measure in absent}
    found = [
        text
        for entry in entries
        if entry["name"] in facts
        for text in departures(entry, facts[entry["name"]], absent)
    ]
    return found + [
        text for document, derived in documents for text in document.departures(derived, titles)
    ]


def read_entries(registry: Path) -> list[Entry]:
    """Return the registry as it is written, after making sure that it is valid."""
    text = registry.read_text(encoding="utf-8")
    parse_registry(text)
    entries: list[Entry] = json.loads(text)
    return entries


def write_entries(registry: Path, entries: Sequence[Entry]) -> None:
    """Write the registry."""
    text = json.dumps(entries, indent=2, ensure_ascii=False, allow_nan=False)
    registry.write_text(text + "\n", encoding="utf-8")


def load_shipped(entries: Sequence[Entry], folder: Path) -> list[Shipped]:
    """Return the models whose files lie in a folder, in the registry's order.

    Raises
    ------
    ValueError
        If the reference is not among them.
    """
    found = []
    for entry in entries:
        path = folder / entry["file"] if entry["file"] else None
        if path is None or not path.is_file():
            print(f"{entry['name']} is left out: its file is not in {folder}.")
            continue
        found.append(Shipped(entry, path, load_checkpoint(path, entry["name"])))
    if REFERENCE not in [one.name for one in found]:
        raise ValueError(f"{REFERENCE}, whose cost the others are given in, is not in {folder}.")
    return found


def find_benchmarks(folder: Path) -> dict[str, list[Pair]]:
    """Return the data sets that the cards report.

    Raises
    ------
    OSError
        If one is not there.
    """
    found = find_data_sets(folder)
    if missing := [name for name in DATA_SETS if name not in found]:
        raise FileNotFoundError(
            f"No {' and no '.join(missing)} in {folder}. `make evaluate` says what to put there."
        )
    return {name: pairs for name, pairs in found.items() if name in DATA_SETS}


def measure(
    models: Sequence[Shipped], data_sets: dict[str, list[Pair]], also: Mapping[str, Measure]
) -> Results:
    """Return the means of all measures for the models and the controls."""
    settings = Settings(precision="float32")
    upscalers = {
        one.name: partial(upscale_array, model=one.model, settings=settings) for one in models
    }
    steps = iter_evaluate(data_sets, upscalers, also=also)
    evaluation = with_bar(iter_mapped(steps, lambda progress: (progress.done, progress.total)))
    if evaluation.left_out:
        raise ValueError(f"Means of fewer images are others: {'; '.join(evaluation.left_out)}")
    return evaluation.results


def facts_of(one: Shipped, results: Results) -> Entry:
    """Return what the registry says of a model and its file, as it is."""
    content = one.path.read_bytes()
    metrics = {
        name: {key: round(value, DECIMALS) for key, value in results[name][one.name].items()}
        for name in DATA_SETS
    }
    return {"sha256": _digest(content), "size": len(content), "metrics": metrics}


def departures(entry: Entry, facts: Entry, absent: Sequence[str]) -> Iterator[str]:
    """Yield a line for each fact that the registry has otherwise, but for measures not made."""
    before, now = (dict(_by_name(values)) for values in (entry, facts))
    for key in before | now:
        if key.rpartition(" ")[2] in absent:
            continue
        written, measured = (values.get(key, "missing") for values in (before, now))
        if not agree(written, measured):
            yield f"registry.json: {entry['name']}, {key} is {written}, measured {measured}"


def _by_name(facts: Entry) -> Iterator[tuple[str, str]]:
    """Yield facts as text."""
    for key in ("sha256", "size"):
        yield key, str(facts[key])
    for data_set, measures in facts["metrics"].items():
        for key, value in measures.items():
            yield f"{data_set} {key}", _shown(key, value)


def card_parts(one: Shipped, results: Results) -> list[str]:
    """Return the derived parts of a card: the facts of the file, and the scores."""
    content, network = one.path.read_bytes(), one.model.network
    parameters = sum(parameter.numel() for parameter in network.parameters())
    file = {
        "file": f"`{one.path.name}`, {_spaced(len(content))} bytes",
        "sha256": f"`{_digest(content)}`",
        "licence": one.entry["licence"],
        "network": f"{_in_words(network)}, {_spaced(parameters)} parameters",
        "cost": f"{_spaced(one.cost)} multiply-adds for each input pixel",
    }
    rows = [f"| {key} | {value} |" for key, value in file.items()]
    shown = {
        data_set: {name: means[name] for name in (*CONTROLS, one.name)}
        for data_set, means in results.items()
    }
    scores = ["```", f"$ {EVALUATE.format(name=one.name)}", as_table(shown), "```"]
    return ["\n".join([*lines, ""]) for lines in (["| | |", "|---|---|", *rows], scores)]


def _in_words(network: Generator) -> str:
    """Return a network's sizes."""
    sizes = network.sizes()
    if "blocks" in sizes:
        return f"{sizes['blocks']} residual blocks, {sizes['features']} features"
    others = {name: size for name, size in sizes.items() if name not in ("channels", "scale")}
    return ", ".join(f"{name} {size}" for name, size in others.items())


def trust_parts(one: Shipped, data_sets: dict[str, list[Pair]]) -> list[str]:
    """Return the part of a card on how true its expected errors are; none where it has none."""
    law = one.entry["uncertainty"]
    if law is None:
        return []
    steps = iter_calibrate(one.model, data_sets, border=one.model.scale, law=tuple(law))
    calibration = with_bar(steps)
    lines = ["```", f"$ {CALIBRATE.format(name=one.name)}", as_lines(calibration), "```"]
    return ["\n".join([*lines, ""])]


def models_table(models: Sequence[Shipped], results: Results) -> str:
    """Return the README's table: bicubic interpolation, and every model."""
    costs = {one.name: one.cost for one in models}
    titles = ["name", "for", *(title for title, *_ in _columns(results)), "cost"]
    lines = [
        f"| {' | '.join(titles)} |",
        "|---" * len(titles) + "|",
        f"| bicubic | comparison | {_figures('bicubic', results)} | |",
    ]
    for one in models:
        link = f"[`{one.name}`](weights/{one.name}.md)"
        cost = f"{costs[one.name] / costs[REFERENCE]:.2f}"
        lines.append(
            f"| {link} | {one.entry['purpose']} | {_figures(one.name, results)} | {cost} |"
        )
    return "\n".join([*lines, ""])


def _figures(name: str, results: Results) -> str:
    return " | ".join(
        _shown(measure, results[data_set][name][measure])
        for _, data_set, measure in _columns(results)
    )


def _columns(results: Results) -> list[tuple[str, str, str]]:
    """Return the README's columns, but for those of measures that were not made."""
    measured = next(iter(results[DATA_SETS[0]].values()))
    return [column for column in COLUMNS if column[2] in measured]


def _shown(measure: str, value: float) -> str:
    """Return a number with the digits that tables show."""
    return f"{value:.{column_of(measure).decimals}f}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


if __name__ == "__main__":
    sys.exit(main())
