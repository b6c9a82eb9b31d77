"""Model files of other projects: what was recognised in one, and one written as this package's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from napari_srgan.files.atomic import check_place
from napari_srgan.store.checkpoint import Model, load_checkpoint, save_checkpoint
from napari_srgan.store.foreign.recognise import dialect_named
from napari_srgan.store.generative import as_metadata, in_words
from napari_srgan.store.self_test import make_self_test
from napari_srgan.wording import listed, printable

_UNKNOWN_LICENCE = "not stated in the file; ask {}"
_KEPT = ("dialect", "project", "taken_from", "averaged")  # of how the source was read


def describe(path: Path, dialect: str | None = None) -> Iterator[str]:
    """Yield what was recognised in a model file and why, a line each.

    Raises
    ------
    OSError, ValueError
        If it cannot be loaded; see :func:`napari_srgan.store.checkpoint.load_checkpoint`.
    """
    model = load_checkpoint(path, dialect=dialect)
    said = {key: printable(value) for key, value in model.metadata.items()}
    source = said.get("source")
    if source is not None:
        yield f"Converted from {source} (SHA-256 {said.get('source_sha256', 'not known')})."
    if "dialect" in said:
        yield f"Names of tensors: {said['dialect']}, as {said.get('project', '')} gives them."
        if source is None and dialect is None:
            yield f"Recognised by: {listed(dialect_named(said['dialect']).marks)}."
    else:
        yield "Names of tensors: this package's."
    if "taken_from" in said:
        kind = "a running average of the weights" if said.get("averaged") == "true" else "weights"
        yield f"Taken from: {said['taken_from']}, {kind}."
    yield f"Network: {model.network.family}, ×{', ×'.join(map(str, model.scales))}."
    for name, value in model.network.sizes().items():
        yield f"    {name} = {value}"
    numbers = sum(parameter.numel() for parameter in model.network.parameters())
    yield f"Parameters: {numbers:,}.".replace(",", " ")
    yield f"Invented detail: {in_words(model.generative)}."
    yield f"Licence: {said.get('licence', 'not stated in the file')}."
    yield f"SHA-256: {model.sha256}."


def convert(
    source: Path,
    target: Path,
    *,
    dialect: str | None = None,
    licence: str = "",
    generative: bool | None = None,
    overwrite: bool = False,
) -> Model:
    """Write a model file of another project as one of this package's, and return what it holds.

    The new file computes the same, loads without another project's names, says what it was made of,
    and has a self-test.

    Parameters
    ----------
    source, target : Path
        The file; the safetensors file to write.
    dialect : str, optional
        How to read the file, where its tensors allow several ways.
    licence : str
        Terms of use of the weights, a line. Default: what the file says.
    generative : bool, optional
        Whether the model invents detail. Default: what the file says, if anything.
    overwrite : bool
        Whether to replace a file that exists.

    Raises
    ------
    OSError, ValueError
        If the source cannot be loaded, or the target exists, is no name of a safetensors
        file or in no folder that is there.
    """
    if target.suffix.lower() != ".safetensors":
        raise ValueError(f"Give a name that ends in .safetensors; got {target}.")
    check_place(target)
    if target.exists() and (not overwrite or target.samefile(source)):
        raise FileExistsError(f"{target} exists. Choose another name.")
    model = load_checkpoint(source, dialect=dialect)
    model = replace(model, generative=model.generative if generative is None else generative)
    project = model.metadata.get("project", "whoever made it")
    metadata = {
        "name": model.name,
        "family": model.network.family,
        "source": source.name,
        "source_sha256": model.sha256,
        "licence": licence or model.metadata.get("licence", _UNKNOWN_LICENCE.format(project)),
        **{key: model.metadata[key] for key in _KEPT if key in model.metadata},
        **as_metadata(model.generative),
    }
    save_checkpoint(target, model.network, metadata, make_self_test(model.network))
    return load_checkpoint(target)
