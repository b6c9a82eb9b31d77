"""The benchmarks measure what they say, on a network small enough to do so here."""

from __future__ import annotations

import importlib
import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_srgan.graph.network import inference_network
from napari_srgan.graph.ops import run_layers
from napari_srgan.graph.stream_plan import StreamPlan
from napari_srgan.models.rrdb import RRDBNet
from napari_srgan.store.checkpoint import save_checkpoint
from napari_srgan.store.load import load_model

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is about Linux")


@pytest.fixture(scope="module")
def benchmark_module():
    """Return what imports a module that stands in the folder of benchmarks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module


@pytest.fixture(scope="module")
def weights(tmp_path_factory, random_network):
    """Return the file of a network that sees 23 pixels to each side, further than any pad here."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(path, random_network(blocks=8), {"name": "tiny"})
    return str(path)


@pytest.fixture(scope="module")
def image(benchmark_module):
    return benchmark_module("samples").photograph(40, 44)


@pytest.fixture(scope="module")
def compared(benchmark_module, weights, image):
    """Return a comparison in this process, of an engine of each kind and one that is missing."""
    engines, workers = benchmark_module("engines"), benchmark_module("workers")
    engine = engines.Engine
    entered = [
        engine("ours", partial(engines.ours, weights, "float32", "auto"), "ours"),
        engine("plain", partial(engines.plain, weights), "reference"),
        engine("tiles of 8", partial(engines.ours, weights, "float32", 8), "tiles"),
        engine("pad 4", partial(engines.padded_tiles, weights, 16, 4), "padded"),
        engine("absent", engines.plain, "whole", missing="not installed: pip install absent"),
    ]
    compare = benchmark_module("upscaling").compare
    return compare(entered, weights, image, 1, workers.LocalBench)


def test_every_engine_has_a_row_and_exact_ones_no_error(compared):
    rows = {row.name: row for row in compared.rows}
    assert list(rows) == ["ours", "plain", "tiles of 8", "pad 4", "absent"]
    assert rows["plain"].largest == 0
    for name in ("ours", "tiles of 8"):
        assert rows[name].largest < 0.1
        assert rows[name].changed == 0
    assert all(len(row.seconds) == 1 for row in compared.rows if not row.note)


def test_a_pad_that_is_too_small_is_found_out(compared):
    padded = compared.rows[3]
    assert padded.largest > 1
    assert 0 < padded.changed < 1


def test_the_report_has_every_row_and_says_what_is_missing(benchmark_module, compared):
    said = benchmark_module("comparison").report(compared)
    assert "absent      float32: not installed: pip install absent" in said
    assert "The best exact tiling: tiles of 8" in said
    assert f"Pad 4: off by up to {compared.rows[3].largest:.2f} grey levels" in said


def test_ratios_and_shares_go_to_the_file_of_figures(benchmark_module, compared):
    figures = benchmark_module("comparison").figures(compared)
    figures = json.loads(json.dumps(figures))
    ours, plain, *_, absent = figures["rows"]
    assert ours["ratio"] == 1
    assert plain["ratio"] == plain["seconds"][0] / ours["seconds"][0]
    rate = figures["flop_of_paper"] * 40 * 44 / ours["seconds"][0]
    assert ours["share_of_peak"] == pytest.approx(rate / figures["peak_rates"]["float32"])
    assert absent["ratio"] is None
    assert absent["note"].startswith("not installed")


def test_the_picture_has_what_was_measured(benchmark_module, compared, tmp_path):
    pytest.importorskip("matplotlib")
    draw, figures = benchmark_module("plots").draw, benchmark_module("comparison").figures
    found = {
        "machine": benchmark_module("machine").describe(),
        "comparison": figures(compared),
        "scaling": [{"edge": 256, "ratio": 1.0, "growth": 0}],
    }
    draw(found, tmp_path / "benchmark.svg")
    assert "<svg" in (tmp_path / "benchmark.svg").read_text()
    with pytest.raises(ValueError, match="nothing to draw"):
        draw({"machine": found["machine"]}, tmp_path / "empty.svg")


def test_an_engine_that_fails_has_a_row_that_says_why(benchmark_module, weights, image):
    engines, workers = benchmark_module("engines"), benchmark_module("workers")

    def start(load, path, scale):
        if load is out_of_memory:
            raise workers.WorkerError("MemoryError: no room")
        return workers.LocalBench(load, path, scale)

    def out_of_memory():
        raise AssertionError("start refuses it")

    plain = partial(engines.plain, weights)
    entered = [
        engines.Engine("ours", plain, "ours"),
        engines.Engine("plain", plain, "reference"),
        engines.Engine("large", out_of_memory, "whole"),
    ]
    compared = benchmark_module("upscaling").compare(entered, weights, image, 1, start)
    assert compared.rows[2].note == "failed: MemoryError: no room"


def test_bands_in_another_library_give_the_same(benchmark_module, weights, image):
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    engines, bands = benchmark_module("engines"), benchmark_module("openvino_bands")
    low = image.astype(np.float32) / 255
    wanted, got = (np.empty((160, 176, 3), np.float32) for _ in range(2))
    engines.plain(weights)(low, wanted)
    upscale = bands.open_vino_bands(weights, 1, "f32")
    for _ in range(2):  # a second image begins with the states of none
        got.fill(-1)
        upscale(low, got)
        assert np.abs(got - wanted).max() < 1e-4


def test_some_engines_are_chosen_by_parts_of_their_names(benchmark_module, tmp_path):
    chosen = benchmark_module("engines").chosen
    listed = benchmark_module("engines").list_engines("any", tmp_path / "none.onnx", 1)
    assert chosen(listed, []) == listed
    names = [engine.name for engine in chosen(listed, ["exact"])]
    assert names[:2] == ["ours", "plain PyTorch, whole image"]
    assert names[2:] == ["exact tiles of 128", "exact tiles of 256", "exact tiles of 512"]
    with pytest.raises(ValueError, match="No engine's name has 'exakt'"):
        chosen(listed, ["exakt"])


def test_an_engine_in_a_process_of_its_own_gives_the_same(
    benchmark_module, weights, image, tmp_path
):
    engines, workers = benchmark_module("engines"), benchmark_module("workers")
    np.save(tmp_path / "image.npy", image.astype(np.float32) / 255)
    load = partial(engines.padded_tiles, weights, 16, 4)
    for number, start in enumerate((workers.LocalBench, workers.Worker)):
        bench = start(load, tmp_path / "image.npy", 4)
        run = bench.run()
        assert run.seconds > 0
        assert run.growth >= 0
        bench.save(tmp_path / f"{number}.npy")
        bench.close()
    here, there = (np.load(tmp_path / f"{number}.npy") for number in range(2))
    np.testing.assert_allclose(there, here, atol=1e-5)


def test_what_an_engine_says_when_it_fails_is_passed_on(benchmark_module, tmp_path, capfd):
    workers = benchmark_module("workers")
    with pytest.raises(workers.WorkerError, match=r"^ValueError: invalid literal .* 'no engine'"):
        workers.Worker(partial(int, "no engine"), tmp_path / "image.npy", 4)
    assert "Traceback" in capfd.readouterr().err


def test_memory_is_asked_for_by_the_engines_that_take_the_image_whole(
    benchmark_module, weights, monkeypatch
):
    upscaling, engine = benchmark_module("upscaling"), benchmark_module("engines").Engine
    per_pixel = inference_network(load_model(weights).network).bytes_per_pixel(torch.float32)
    free = SimpleNamespace(available=100 * per_pixel)
    monkeypatch.setattr(upscaling.psutil, "virtual_memory", lambda: free)
    kinds = ("ours", "reference", "whole", "tiles", "bands", "padded")
    entered = [engine(kind, lambda: None, kind) for kind in kinds]
    entered.append(engine("absent", lambda: None, "whole", missing="not installed"))
    upscaling.check_memory(entered, weights, 5, 10)
    upscaling.check_memory(entered[:2], weights, 10, 10)
    with pytest.raises(MemoryError, match="fewer --engines"):
        upscaling.check_memory(entered, weights, 6, 10)


def test_the_difference_is_in_grey_levels_and_counted_over_all_rows(benchmark_module):
    reference = np.zeros((600, 2, 3), np.float32)
    result = reference.copy()
    result[599, 0, 0], result[0, 1, 2], result[300] = 2 / 255, -3 / 255, 0.5 / 255
    largest, changed = benchmark_module("upscaling").difference(result, reference)
    assert largest == pytest.approx(3)
    assert changed == 2 / result.size


def test_a_photograph_goes_on_in_its_mirror(benchmark_module):
    photograph = benchmark_module("samples").photograph
    large, small = photograph(700, 530), photograph(500, 512)
    assert large.shape == (700, 530, 3)
    np.testing.assert_array_equal(large[:500, :512], small)
    np.testing.assert_array_equal(large[512:700], large[511:323:-1])


def test_what_is_computed_is_counted_as_it_is_computed(benchmark_module, random_network):
    layers = inference_network(random_network()).layers
    h, w = 6, 10
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        run_layers(StreamPlan.of(layers).layers, torch.zeros(1, 3, h, w))
    count = benchmark_module("arithmetic").computed_multiply_adds(layers)
    assert 2 * h * w * count == counted.get_total_flops()


DEVICES = ["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)]


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_is_measured_in_every_way_that_suits_it(benchmark_module, weights, device):
    card = benchmark_module("card")
    ways = card.measure(weights, torch.device(device), (72, 40), bands=(4, 30), runs=1)

    names = [way.name for way in ways if way.precision == "float32"]
    assert names[0] == "image to image"
    assert [name for name in names if name.endswith(("4 rows", "30 rows", "whole"))] == [
        "on the device, bands of 4 rows",
        "on the device, bands of 30 rows",
        "on the device, whole",
    ]
    assert sum(name.endswith("recorded") for name in names) == (2 if device != "cpu" else 0)
    assert all(way.seconds > 0 < way.share < 1 for way in ways)
    assert card.report(ways, (72, 40)).count("\n") == len(ways) + 1


@on_linux
def test_a_peak_is_seen_after_it_has_passed_and_then_forgotten(benchmark_module):
    memory = benchmark_module("memory")
    memory.forget_peak()
    before = memory.peak()
    block = np.ones(2**26, np.uint8)
    block = None  # noqa: F841 -- what it took is given back
    assert memory.peak() >= before + 2**26 - 2**23  # Linux counts pages of threads late
    memory.forget_peak()
    assert memory.peak() < before + 2**25


def test_a_limit_that_the_result_fits_into_is_refused(benchmark_module):
    memory_limit = benchmark_module("memory_limit")
    with pytest.raises(ValueError, match="lower --limit"):
        memory_limit.refusal(np.zeros((8, 8, 3), np.uint16), memory_limit.small_model())


@on_linux
@pytest.mark.slow
def test_a_store_killed_on_the_way_equals_one_that_was_not(benchmark_module, tmp_path):
    kills = benchmark_module("kills")
    found = kills.run(tmp_path, planes=4, edge=50, kills=1, room=300, model="")
    assert 0 <= found.kills[0] <= 1
    assert found.most <= found.limit
    (tmp_path / "out.ome.zarr" / "0" / "zarr.json").write_text("{}")
    assert kills.differences(tmp_path / "whole.ome.zarr", tmp_path / "out.ome.zarr") == [
        "0/zarr.json"
    ]
    with pytest.raises(ValueError, match=r"opens .*whole.ome.zarr, which is not whole"):
        kills.refuse_to_open(tmp_path, tmp_path / "whole.ome.zarr")


def test_columns_are_aligned_and_remarks_are_not(benchmark_module):
    table = benchmark_module("texts").table
    text = table(("", "ms", "MiB"), [("import", "8", "1"), ("all", "1000", "12"), ("window", "no")])
    *aligned, remark = text.splitlines()
    assert {len(line) for line in aligned} == {len("import  1000  MiB")}
    assert remark == "window  no"


def test_a_family_is_held_to_its_arithmetic_and_to_the_whole_image(benchmark_module, monkeypatch):
    families, workers = benchmark_module("families"), benchmark_module("workers")
    small = {families.TILED: (partial(RRDBNet, blocks=1, features=8, growth=4), 24)}
    monkeypatch.setattr(families, "EDGES", small)
    monkeypatch.setattr(families, "Worker", workers.LocalBench)
    ours, exact, padded = families.measure(list(small), rounds=1)

    assert ours.name == families.TILED
    assert ours.of_arithmetic > 0
    assert ours.multiply_adds == padded.multiply_adds
    assert max(ours.largest, exact.largest) < 0.01
    assert f"(goal {families.TIME_GOAL})" in families.report([ours, exact, padded])
