"""What every test shares: the user's files stay untouched, and Qt needs no screen."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from watching import Window, watch_passes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    import numpy as np
    import torch

    from napari_srgan.graph.stream_plan import StreamPlan
    from napari_srgan.graph.streaming import Work
    from napari_srgan.models.srresnet import SRResNet
    from napari_srgan.store.checkpoint import Model

# Qt platforms that have no OpenGL: the viewer works on them, but its canvas stays black.
PLATFORMS_WITHOUT_GL = ("offscreen", "minimal", "vnc")
OPENS_A_VIEWER = {"make_napari_viewer", "make_napari_viewer_proxy"}
GL_MAX_3D_TEXTURE_SIZE = 0x8073
TOOLS = Path(__file__).resolve().parent.parent / "tools"


# napari reads this once, when its settings are first imported, and would else write the user's.
_settings = tempfile.TemporaryDirectory(prefix="napari-settings-")
os.environ["NAPARI_CONFIG"] = str(Path(_settings.name) / "settings.yaml")


def pytest_configure(config: pytest.Config) -> None:
    config.add_cleanup(_settings.cleanup)
    # How long an example takes says more of the machine than of the code. Other examples are tried
    # by everyone who runs the tests; a change is judged by the same ones as the change before it.
    on_a_server = "CI" in os.environ
    hypothesis.settings.register_profile("any machine", deadline=None, derandomize=on_a_server)
    hypothesis.settings.load_profile("any machine")


def pytest_sessionstart(session: pytest.Session) -> None:
    # Without this Qt ends the whole process when it finds no screen.
    if sys.platform.startswith("linux") and not _has_screen():
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("display") and not _has_pixels():
        pytest.skip("needs a screen with OpenGL; Xvfb will do (Debian package xvfb)")
    if item.get_closest_marker("gpu") and not _has_gpu():
        pytest.skip("needs a CUDA or MPS device")


def _has_screen() -> bool:
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _has_pixels() -> bool:
    if os.environ.get("QT_QPA_PLATFORM") in PLATFORMS_WITHOUT_GL:
        return False
    return _has_screen() or not sys.platform.startswith("linux")


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()


@pytest.fixture(scope="session")
def random_pixels() -> Callable[..., np.ndarray[Any, Any]]:
    """Return a maker of pixels of a shape and dtype, from all of an integer's range."""
    import numpy as np

    def make(shape: Any, dtype: Any, seed: int = 0) -> np.ndarray[Any, Any]:
        dtype, source = np.dtype(dtype), np.random.default_rng(seed)
        if dtype.kind == "b":
            return source.random(shape) < 0.5
        if dtype.kind == "f":
            return source.normal(3, 50, shape).astype(dtype)
        info, native = np.iinfo(dtype), dtype.newbyteorder("=")
        return source.integers(info.min, info.max, shape, native, endpoint=True).astype(dtype)

    return make


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep downloaded and registered weights out of the user's cache."""
    monkeypatch.setenv("NAPARI_SRGAN_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def _own_preferences() -> Iterator[None]:
    """Forget the preferences that a test has set on the plugin's page."""
    yield
    settings = sys.modules.get("napari.settings")
    if settings is not None:
        settings._clear_plugin_settings_cache()
        Path(os.environ["NAPARI_CONFIG"]).with_name("napari-srgan.yaml").unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def _same_random_numbers() -> None:
    """Start every test from the same torch seed, where torch is in use at all."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _viewer_without_gl(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer napari's questions about the graphics card where there is none to ask."""
    without_gl = os.environ.get("QT_QPA_PLATFORM") in PLATFORMS_WITHOUT_GL
    if not without_gl or OPENS_A_VIEWER.isdisjoint(request.fixturenames):
        return
    from vispy.gloo import gl

    ask = gl.glGetParameter
    texts = {gl.GL_VENDOR, gl.GL_RENDERER, gl.GL_VERSION, gl.GL_EXTENSIONS}
    texts.add(gl.GL_SHADING_LANGUAGE_VERSION)
    sizes = {gl.GL_MAX_TEXTURE_SIZE, GL_MAX_3D_TEXTURE_SIZE}

    def answer(parameter: int) -> object:
        if parameter in texts:
            return ""
        return 2048 if parameter in sizes else ask(parameter)

    monkeypatch.setattr(gl, "glGetParameter", answer)


@pytest.fixture(scope="session")
def random_network() -> Callable[..., SRResNet]:
    """Return a maker of small networks in which every number is random, statistics included."""
    import torch

    from napari_srgan.models.srresnet import SRResNet

    torch.set_num_threads(1)  # networks as small as these cost more to share out than to run

    @torch.no_grad()
    def make(seed: int = 0, **sizes: Any) -> SRResNet:
        network = SRResNet(**{"blocks": 2, "features": 8, **sizes}).eval()
        source = torch.Generator().manual_seed(seed)
        for name, value in network.state_dict().items():
            if value.ndim == 4:
                value.normal_(std=value[0].numel() ** -0.5, generator=source)
            elif "norm" in name and name.endswith(("weight", "running_var")):
                value.uniform_(0.5, 1.5, generator=source)
            elif value.ndim == 1:
                value.uniform_(-0.3, 0.4, generator=source)
        return network

    return make


@pytest.fixture(scope="session")
def random_model(random_network: Callable[..., SRResNet]) -> Callable[..., Model]:
    """Return a maker of models of such networks."""
    from napari_srgan.store.checkpoint import Model

    return lambda *args, **sizes: Model("random", random_network(*args, **sizes), {})


@pytest.fixture(scope="session")
def in_bands() -> Callable[..., torch.Tensor]:
    """Return what puts a plan's output together from bands of rows."""
    import torch

    from napari_srgan.graph.streaming import RowStream

    def compute(
        plan: StreamPlan,
        image: torch.Tensor,
        band: int,
        record: Callable[[Work], Work] | None = None,
    ) -> torch.Tensor:
        height = image.shape[2]
        stream = RowStream(plan, height, image.shape[3], band, record)
        taken = [(start, stop) for start, stop in stream.steps if start < stop]
        assert taken == [(i, min(i + band, height)) for i in range(0, height, band)]
        parts = [stream.feed(image[:, :, start:stop]).clone() for start, stop in stream.steps]
        return torch.cat(parts, dim=2)

    return compute


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Window]]:
    """Return what has runners' passes watched, and fail where it is told to.

    ``passes(fails, error)`` returns the list that windows are added to as they are begun.
    ``fails(window, count)`` is asked before each is fed, ``count`` being all feeds so far.
    """
    return lambda fails=None, error=None: watch_passes(monkeypatch, fails, error)


@pytest.fixture
def fake_cards(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what has runs choose so many CUDA cards, for which the CPU computes."""
    import torch

    from napari_srgan.graph.back_project import FREE, Bounds
    from napari_srgan.inference import planning, run
    from napari_srgan.inference.runner import Pass, Runner, runner_for
    from napari_srgan.inference.transfers import DeviceTransfer

    cpu = torch.device("cpu")

    class Card(Runner):
        def __init__(self, network: Any, device: torch.device, precision: torch.dtype) -> None:
            super().__init__(network, device, precision)
            self.transfer = DeviceTransfer(cpu)
            self._cpu = Runner(network, cpu, precision)

        def begin(
            self, height: int, width: int, band: int | None = None, bounds: Bounds = FREE
        ) -> Pass:
            return self._cpu.begin(height, width, band, bounds)

        def on(self, device: torch.device, precision: torch.dtype | None = None) -> Runner:
            kind = Runner if device.type == "cpu" else Card
            return kind(self.network, device, precision or self.precision)

    def choose(count: int = 1, *, begin: Callable[..., Pass] | None = None) -> None:
        cards = [torch.device(f"cuda:{i}") for i in range(count)]

        def runner(
            model: Any, *, colour: bool, device: Any, precision: Any, refinement: Any
        ) -> Runner:
            made = runner_for(
                model, colour=colour, device=cpu, precision=precision, refinement=refinement
            )
            return Card(made.network, device, precision)

        if begin is not None:
            monkeypatch.setattr(Card, "begin", begin)
        monkeypatch.setattr(run, "choose_devices", lambda name: cards)
        monkeypatch.setattr(run, "runner_for", runner)
        monkeypatch.setattr(planning, "free_memory", lambda device: 2**34)

    return choose


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return what imports a module of ``tools/``, which is no package."""
    monkeypatch.syspath_prepend(TOOLS)
    return importlib.import_module


@pytest.fixture
def own_model(
    tmp_path: Path, random_network: Callable[..., SRResNet], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Return a maker of small models that can be chosen by name until the test ends."""
    from napari_srgan.store import load as library
    from napari_srgan.store import registry
    from napari_srgan.store.checkpoint import save_checkpoint
    from napari_srgan.store.generative import as_metadata

    monkeypatch.setattr(registry, "own_models", {})

    def make(name: str = "tiny", *, invents: bool | None = False, **sizes: Any) -> str:
        path = tmp_path / f"{name}.safetensors"
        metadata = {"name": name, **as_metadata(invents)}
        save_checkpoint(path, random_network(**sizes), metadata)
        return library.remember(path)

    return make
