"""Many images, one after the other: progress, pause, cancel, and what came of each."""

import threading

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from PIL import Image as Pillow

import napari_srgan as ns
from napari_srgan.inference.planes import Plane
from napari_srgan.inference.settings import Settings
from napari_srgan.plugin.messages import Choices
from napari_srgan.plugin.queue import enqueue
from napari_srgan.plugin.queue.items import State
from napari_srgan.plugin.queue.widget import Queue

rng = np.random.default_rng(7)
GREY = rng.integers(0, 256, (20, 28), dtype=np.uint8)
FRAMES = [rng.integers(0, 1000 * (n + 1), (20, 28)).astype(np.uint16) for n in range(3)]
CHANNELS = np.stack([FRAMES[0], 30 * FRAMES[1]])


@pytest.fixture
def choices(own_model):
    return Choices(own_model(), "auto", Settings(precision="float32"), None)


@pytest.fixture
def queue(qtbot):
    viewer = ViewerModel()
    queue = Queue(viewer)
    qtbot.addWidget(queue.native)
    queue.viewer = viewer
    yield queue
    queue._leave()


@pytest.fixture
def run(queue, qtbot):
    def work():
        queue.start.native.click()
        qtbot.waitUntil(lambda: not queue.busy, timeout=60_000)
        return [item.state for item in queue.items]

    return work


def add(queue, choices, *pixels, **options):
    layers = [
        queue.viewer.add_image(each, name=f"image {n}", **options) for n, each in enumerate(pixels)
    ]
    queue.add_layers(layers, choices)
    return layers


def test_layers_become_what_each_would_become_alone(queue, run, choices):
    layers = add(queue, choices, GREY, np.stack(FRAMES))
    assert run() == [State.DONE, State.DONE]
    for layer, result in zip(layers, list(queue.viewer.layers)[2:], strict=True):
        alone = ns.upscale(layer, choices.model, precision="float32")
        np.testing.assert_array_equal(result.data, alone.data)
        np.testing.assert_allclose(result.translate, alone.translate)
    assert queue.summary.value == "2 done"
    assert not queue.cancel.enabled


def test_one_that_fails_stops_none_of_the_others_and_says_why(queue, run, choices):
    add(queue, choices, GREY.astype(float) * np.nan, GREY, contrast_limits=(0, 1))
    assert run() == [State.FAILED, State.DONE]
    assert "NaN" in queue.items[0].reason
    assert queue.summary.value == "1 done, 1 failed"


def test_one_that_was_removed_before_its_turn_is_skipped(queue, run, choices):
    first, _second = add(queue, choices, GREY, GREY)
    queue.viewer.layers.remove(first)
    assert run() == [State.SKIPPED, State.DONE]


@pytest.mark.parametrize("axis_labels", [None, ("c", "y", "x")])
def test_a_series_of_layers_has_one_black_and_white_and_channels_their_own(
    queue, run, choices, axis_labels
):
    series = FRAMES if axis_labels is None else [CHANNELS, CHANNELS[:, ::-1] // 2]
    add(queue, choices, *series, axis_labels=axis_labels)
    queue.shared.value = True
    run()
    together = ns.upscale(
        np.stack(series), choices.model, precision="float32", channel_axis=axis_labels and 1
    )
    results = [layer.data for layer in list(queue.viewer.layers)[len(series) :]]
    np.testing.assert_allclose(np.stack(results).astype(int), together, atol=1)


def test_what_cannot_share_values_is_told_before_the_work(queue, run, choices):
    add(queue, choices, FRAMES[0], GREY)
    queue.shared.value = True
    assert run() == [State.WAITING, State.WAITING]
    assert "image 1 is uint8, the first is uint16" in queue.problem.value


def test_a_folder_is_written_into_another_and_what_is_there_is_skipped(
    queue, run, choices, tmp_path
):
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    output.mkdir()
    for n, frame in enumerate(FRAMES):
        tifffile.imwrite(source / f"{n}.tif", frame)
    (source / "broken.png").write_bytes(b"no picture")
    Pillow.fromarray(GREY).save(source / "there.png")
    (output / "there.png").write_bytes(b"mine")
    queue.add_folder(source, output, choices)
    run()

    states = {item.name: item.state for item in queue.items}
    assert states.pop("broken.png") == State.FAILED
    assert states.pop("there.png") == State.SKIPPED
    assert set(states.values()) == {State.DONE}
    assert (output / "there.png").read_bytes() == b"mine"
    expected = ns.upscale(FRAMES[1], choices.model, precision="float32")
    np.testing.assert_array_equal(tifffile.imread(output / "1.tif"), expected)
    assert queue.summary.value == "3 done, 1 failed, 1 skipped"
    queue.tidy.native.click()
    assert queue.items == []


def test_files_of_a_series_share_black_and_white(queue, run, choices, tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for n, frame in enumerate(FRAMES):
        tifffile.imwrite(source / f"{n}.tif", frame)
    queue.add_folder(source, output, choices)
    queue.shared.value = True
    assert run() == [State.DONE] * 3
    together = ns.upscale(np.stack(FRAMES), choices.model, precision="float32")
    written = [tifffile.imread(output / f"{n}.tif") for n in range(3)]
    np.testing.assert_allclose(np.stack(written).astype(int), together, atol=1)


@pytest.fixture
def gate(monkeypatch):
    begun, allowed, read = [], threading.Semaphore(0), Plane.read

    def gated(plane, *args):
        begun.append(plane)
        assert allowed.acquire(timeout=60)
        return read(plane, *args)

    monkeypatch.setattr(Plane, "read", gated)
    yield begun, allowed
    allowed.release(1000)


def test_while_it_is_paused_nothing_more_is_begun_and_then_it_goes_on(
    queue, choices, gate, qtbot, run
):
    begun, allowed = gate
    add(queue, choices, np.stack(FRAMES))
    queue.start.native.click()
    qtbot.waitUntil(lambda: len(begun) == 1)
    queue.pause.native.click()
    assert queue.pause.text == "Go on"
    allowed.release(1000)
    qtbot.wait(300)
    assert len(begun) == 1
    assert "paused" in queue.summary.value
    queue.pause.native.click()
    qtbot.waitUntil(lambda: not queue.busy, timeout=60_000)
    assert queue.items[0].state == State.DONE
    alone = ns.upscale(np.stack(FRAMES), choices.model, precision="float32")
    np.testing.assert_array_equal(queue.viewer.layers[-1].data, alone)


@pytest.mark.parametrize("paused", [False, True])
def test_cancelling_ends_what_runs_and_all_that_waits(queue, choices, gate, qtbot, paused):
    begun, allowed = gate
    add(queue, choices, np.stack(FRAMES), GREY)
    queue.start.native.click()
    qtbot.waitUntil(lambda: len(begun) == 1)
    if paused:
        queue.pause.native.click()
    queue.cancel.native.click()
    allowed.release(1000)
    qtbot.waitUntil(lambda: not queue.busy, timeout=60_000)
    assert [item.state for item in queue.items] == [State.SKIPPED, State.SKIPPED]
    assert len(queue.viewer.layers) == 2
    assert not queue.paused


def test_the_widget_puts_the_selected_layers_and_a_folder_into_the_queue(
    make_napari_viewer, choices, tmp_path, monkeypatch, qtbot
):
    viewer = make_napari_viewer()
    Pillow.fromarray(GREY).save(tmp_path / "a.png")
    layers = [viewer.add_image(GREY), viewer.add_image(FRAMES[0]), viewer.add_points([(1, 1)])]
    viewer.layers.selection = {layers[0], layers[2]}
    enqueue.enqueue_selected(viewer, choices)
    answers = iter([str(tmp_path), str(tmp_path / "out")])
    monkeypatch.setattr(enqueue.QFileDialog, "getExistingDirectory", lambda *_: next(answers))
    enqueue.enqueue_folder(viewer, choices)
    (name,) = [name for name in viewer.window.dock_widgets if "queue" in name]
    queue = viewer.window.dock_widgets[name]
    assert [item.name for item in queue.items] == [layers[0].name, "a.png"]


def test_a_folder_that_would_be_written_into_itself_is_refused(queue, choices, tmp_path):
    Pillow.fromarray(GREY).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="Choose another folder"):
        queue.add_folder(tmp_path, tmp_path, choices)
