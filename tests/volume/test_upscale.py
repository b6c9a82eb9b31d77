"""OME-Zarr upscaled into pyramids: exact, in their place, and whole or hidden when killed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaozarrs
import zarr
from typer.testing import CliRunner

from napari_srgan.cli import app
from napari_srgan.files.provenance import KEY
from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings, finish
from napari_srgan.ngff import arrays, levels
from napari_srgan.ngff.stored import open_image
from napari_srgan.store.load import load_model
from napari_srgan.volume import labels as of_labels
from napari_srgan.volume import plan, upscale, window

SHAPE = (2, 2, 37, 53)  # channels, depth, height, width
SCALE, TRANSLATION = [1.0, 2.0, 0.5, 0.25], [0.0, 5.0, -3.0, 7.0]
OMERO = {"channels": [{"color": "00FF00", "label": "GFP", "active": True,
                       "window": {"start": 5, "end": 900, "min": 0, "max": 4095}}] * 2}  # fmt: skip


@pytest.fixture(autouse=True)
def _small_windows(monkeypatch):
    """Have a small image take six windows a plane, and chunks that do not divide it."""
    for module in (arrays, plan, of_labels, levels):
        monkeypatch.setattr(module, "WINDOW", 20)
    monkeypatch.setattr(levels, "_CHUNK", {2: 20, 3: 10})
    monkeypatch.setattr(levels, "SMALLEST_LEVEL", 16)


@pytest.fixture
def tiny(own_model):
    return load_model(own_model())


def stored(folder: Path, version: str = "0.5", dtype="u2") -> tuple[Path, np.ndarray]:
    path = folder / "in.ome.zarr"
    pixels = np.random.default_rng(5).integers(0, 4000, SHAPE).astype(dtype)
    pixels[1] //= 20
    group = zarr.create_group(path, zarr_format=3 if version == "0.5" else 2)
    group.create_array("full", data=pixels, chunks=(1, 1, 16, 16))
    kinds = {"c": "channel", "z": "space", "y": "space", "x": "space"}
    axes = [{"name": name, "type": kind} for name, kind in kinds.items()]
    for axis in axes[1:]:
        axis["unit"] = "micrometer"
    transforms = [
        {"type": "scale", "scale": SCALE},
        {"type": "translation", "translation": TRANSLATION},
    ]
    image = {"omero": OMERO, **multiscale("full", axes, transforms)}
    labels = group.create_group("labels")
    cells = labels.create_group("cells")
    cells.create_array("0", data=np.arange(np.prod(SHAPE[1:]), dtype="u4").reshape(SHAPE[1:]))
    label = multiscale("0", axes[1:], [{"type": "scale", "scale": SCALE[1:]}])
    coarse = labels.create_group("coarse")  # of another size than the image
    coarse.create_array("0", data=np.ones((2, 5, 7), np.uint8))
    for node, ome in (
        (group, image),
        (labels, {"labels": ["cells", "coarse"]}),
        (cells, {**label, "image-label": {"source": {"image": "../../"}}}),
        (coarse, {**label, "image-label": {}}),
    ):
        if version == "0.5":
            node.attrs.put({"ome": {"version": version, **ome}, "own": 1})
        else:
            for each in ome.get("multiscales", ()):
                each["version"] = version
            node.attrs.put({**ome, "own": 1})
    return path, pixels


def multiscale(path: str, axes: list, transforms: list) -> dict:
    datasets = [{"path": path, "coordinateTransformations": transforms}]
    return {"multiscales": [{"axes": axes, "datasets": datasets, "name": "cells"}]}


def upscaled(source, target, model, **options):
    settings = Settings(device="cpu", precision="float32")
    steps = upscale.iter_upscale_store(source, target, model, settings=settings,
                                      **{"normalize": "auto", **options})  # fmt: skip
    return finish(steps)


def expected(pixels, model):
    return upscale_array(
        pixels, model, channel_axis=0, settings=Settings(device="cpu", precision="float32")
    )


def files_of(store: Path) -> dict[str, bytes]:
    return {str(p.relative_to(store)): p.read_bytes() for p in store.rglob("*") if p.is_file()}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_store_becomes_a_valid_pyramid_of_the_same_pixels_as_in_memory(tmp_path, tiny, version):
    source, pixels = stored(tmp_path, version)
    target = tmp_path / "out.ome.zarr"
    upscaled(source, target, tiny)

    yaozarrs.validate_zarr_store(target)
    made = open_image(target)
    high = made.array[:]
    difference = high.astype(int) - expected(pixels, tiny)
    assert np.abs(difference).max() <= 1  # windows are rounded otherwise than the whole, at most
    assert (difference == 0).mean() > 0.999
    assert made.ome["omero"] == OMERO
    assert made.others["own"] == 1
    group = zarr.open_group(target, mode="r")
    assert [group[each].shape[2:] for each in "01234"] == [
        (148, 212), (74, 106), (37, 53), (19, 27), (10, 14),
    ]  # fmt: skip
    np.testing.assert_array_equal(group["2"][:], pixels)
    assert list(tmp_path.glob(".*")) == []


def test_the_outer_edges_of_every_level_lie_where_those_of_the_input_do(tmp_path, tiny):
    source, _ = stored(tmp_path)
    target = tmp_path / "out.ome.zarr"
    upscaled(source, target, tiny)

    group = zarr.open_group(target, mode="r")
    for dataset in group.attrs["ome"]["multiscales"][0]["datasets"]:
        scale, translation = (
            np.array(each[each["type"]]) for each in dataset["coordinateTransformations"]
        )
        shape = np.array(group[dataset["path"]].shape)
        first, last = (translation - scale / 2, translation + (shape - 0.5) * scale)
        np.testing.assert_allclose(first, np.array(TRANSLATION) - np.array(SCALE) / 2, atol=1e-12)
        np.testing.assert_allclose(last, TRANSLATION + (np.array(SHAPE) - 0.5) * SCALE, atol=1e-12)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_job_that_was_killed_anywhere_goes_on_and_ends_the_same(tmp_path, tiny, version,
                                                                  monkeypatch):  # fmt: skip
    source, _ = stored(tmp_path, version)
    whole, target = tmp_path / "whole.ome.zarr", tmp_path / "out.ome.zarr"
    upscaled(source, whole, tiny)

    computed = []
    real = window.iter_window

    def counted(*args):
        computed.append(args[1])
        return real(*args)

    monkeypatch.setattr(window, "iter_window", counted)
    for stops in (1, 3, 8):  # steps until it is stopped, mostly within a window
        steps = upscale.iter_upscale_store(
            source, target, tiny, normalize="auto",
            settings=Settings(device="cpu", precision="float32"),
        )  # fmt: skip
        before = len(computed)
        while len(computed) < before + stops:
            next(steps)
        steps.close()
        assert not target.exists()
        hidden = tmp_path / ".out.ome.zarr.part" / "store"
        with pytest.raises(OSError, match="no OME-Zarr image"):
            open_image(hidden)
    upscaled(source, target, tiny)

    assert files_of(target) == files_of(whole)
    assert len(computed) == 2 * 2 * 6 + 3  # of each interruption one window was begun again


def test_where_the_input_was_edited_windows_are_done_again(tmp_path, tiny, monkeypatch):
    source, _ = stored(tmp_path)
    target, anew = tmp_path / "out.ome.zarr", tmp_path / "anew.ome.zarr"
    steps = upscale.iter_upscale_store(
        source, target, tiny, normalize="dtype",
        settings=Settings(device="cpu", precision="float32"),
    )  # fmt: skip
    while (step := next(steps)).done < step.total:
        pass
    steps.close()  # at the last window
    array = zarr.open_group(source)["full"]
    edited = array[:]
    edited[1, 1, 19, 30] = 4000 - edited[1, 1, 19, 30]  # within the reach of all six windows
    edited[0, 0, 0, 0] = 4000 - edited[0, 0, 0, 0]  # of one
    array[:] = edited

    computed = []
    real = window.iter_window
    monkeypatch.setattr(window, "iter_window", lambda *a: computed.append(a[1]) or real(*a))
    upscaled(source, target, tiny, normalize="dtype")
    assert 2 <= len(computed) <= 1 + 6 + 1
    upscaled(source, anew, tiny, normalize="dtype")
    assert files_of(target) == files_of(anew)


def test_labels_are_as_large_as_the_image_at_every_level(tmp_path, tiny):
    source, _ = stored(tmp_path)
    target = tmp_path / "out.ome.zarr"
    upscaled(source, target, tiny)

    yaozarrs.validate_zarr_store(target / "labels" / "cells")
    made, cells = zarr.open_group(target), zarr.open_group(target / "labels" / "cells")
    low = zarr.open_group(source / "labels" / "cells")["0"][:]
    for level, factor in (("0", 4), ("1", 2), ("2", 1)):
        np.testing.assert_array_equal(cells[level][:], low.repeat(factor, 1).repeat(factor, 2))
    rows, columns = (2 * np.arange(19) + 1) * 37 // 38, (2 * np.arange(27) + 1) * 53 // 54
    np.testing.assert_array_equal(cells["3"][:], low[:, rows][:, :, columns])
    for level in "01234":
        assert cells[level].shape == made[level].shape[1:]
        assert cells[level].dtype == low.dtype
    of_image, of_cells = (
        zarr.open_group(path).attrs["ome"]["multiscales"][0]["datasets"]
        for path in (target, target / "labels" / "cells")
    )
    for image, label in zip(of_image, of_cells, strict=True):
        image, label = (each["coordinateTransformations"] for each in (image, label))
        assert label[0]["scale"] == image[0]["scale"][1:]
    ome = cells.attrs["ome"]
    assert ome["image-label"] == {"source": {"image": "../../"}}
    coarse = zarr.open_group(target / "labels" / "coarse")
    assert [coarse[each].shape for each in "01234"] == [
        (2, 20, 28), (2, 10, 14), (2, 5, 7), (2, 3, 4), (2, 2, 2),
    ]  # fmt: skip


def test_a_channel_axis_that_the_store_contradicts_is_refused(tmp_path, tiny):
    source, _ = stored(tmp_path)
    target = tmp_path / "out.ome.zarr"
    for wrong in (1, -3, 7):
        with pytest.raises(ValueError, match="c, z, y, x: axis 0 holds channels"):
            upscaled(source, target, tiny, channel_axis=wrong)
    upscaled(source, target, tiny, channel_axis=-4)


def test_what_is_said_of_all_levels_together_stays_said_and_counts(tmp_path, tiny):
    source, _ = stored(tmp_path)
    group = zarr.open_group(source)
    ome = group.attrs["ome"]
    ome["multiscales"][0]["coordinateTransformations"] = [
        {"type": "scale", "scale": [1.0, 1.0, 2.0, 2.0]},
        {"type": "translation", "translation": [0.0, 0.0, 100.0, 0.0]},
    ]
    group.attrs["ome"] = ome
    upscaled(source, tmp_path / "out.ome.zarr", tiny)
    low, high = open_image(source), open_image(tmp_path / "out.ome.zarr")
    assert low.scale[2:] == [1.0, 0.5]
    assert low.translation[2:] == [94.0, 14.0]
    for image, shape in ((low, SHAPE), (high, (*SHAPE[:2], 148, 212))):
        scale, first = np.array(image.scale)[2:], np.array(image.translation)[2:]
        np.testing.assert_allclose(first - scale / 2, [93.5, 13.75])
        np.testing.assert_allclose(first + (np.array(shape)[2:] - 0.5) * scale, [130.5, 40.25])


def test_what_another_job_left_is_not_gone_on_with(tmp_path, tiny):
    source, _ = stored(tmp_path)
    target, other = tmp_path / "out.ome.zarr", tmp_path / "other.ome.zarr"
    steps = upscale.iter_upscale_store(
        source, target, tiny, normalize="dtype", settings=Settings(device="cpu")
    )
    for _ in range(5):
        next(steps)
    steps.close()
    upscaled(source, target, tiny)
    upscaled(source, other, tiny)
    np.testing.assert_array_equal(open_image(target).array[:], open_image(other).array[:])


def test_a_store_that_is_being_written_is_left_alone(tmp_path, tiny):
    source, _ = stored(tmp_path)
    target = tmp_path / "out.ome.zarr"
    steps = upscale.iter_upscale_store(
        source, target, tiny, normalize="auto", settings=Settings(device="cpu")
    )
    next(steps)
    with pytest.raises(FileExistsError, match="Another process"):
        upscaled(source, target, tiny)
    steps.close()


def test_the_command_line_upscales_a_store_and_tells_how_it_was_made(tmp_path, own_model):
    source, _ = stored(tmp_path)
    name, target = own_model(), tmp_path / "out.ome.zarr"
    run = CliRunner()
    command = ["upscale", str(source), "-o", str(target), "--model", name]
    done = run.invoke(app, command)
    assert done.exit_code == 0, done.output
    told = run.invoke(app, ["info", str(target)]).output
    assert "OME-Zarr 0.5, 212 × 148 pixels" in told
    assert "y 0.125 micrometer, x 0.0625 micrometer" in told
    assert f"×4 by {name}" in told
    assert open_image(target).others[KEY]["device"] != "auto"

    assert "exists. Use --overwrite" in run.invoke(app, command).output
    assert run.invoke(app, [*command, "--overwrite"]).exit_code == 0
    assert "is the input" in run.invoke(app, ["upscale", str(source), "-o", str(source)]).output


def test_a_plate_is_refused_with_what_to_name_instead(tmp_path):
    group = zarr.create_group(tmp_path / "plate.zarr")
    group.attrs.put({"ome": {"version": "0.5", "plate": {}}})
    with pytest.raises(OSError, match="several images"):
        open_image(tmp_path / "plate.zarr")


def test_an_import_of_the_command_line_needs_no_zarr():
    code = "import sys; sys.modules['zarr'] = None; import napari_srgan.cli, {}"
    code = code.format("napari_srgan.volume.upscale")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
