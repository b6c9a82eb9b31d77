import dataclasses
import hashlib
import os
import pickle
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from napari_srgan.models.perceptual.vgg import VGG19Features
from napari_srgan.store import cache as store
from napari_srgan.store.cache import DownloadError
from napari_srgan.training.optimise import vgg as vgg_weights
from napari_srgan.training.optimise.vgg import (
    VGG19_IMAGENET,
    PublishedFile,
    find_published,
    load_vgg,
)

HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"
CLASSIFIER = {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}


def small_state():
    """Return weights of φ2,2: the first four convolutions."""
    generator = torch.Generator().manual_seed(5)
    state = VGG19Features(2, 2).state_dict()
    return {key: torch.randn(value.shape, generator=generator) for key, value in state.items()}


def torchvisions_state():
    """Return tensors with the names and shapes of torchvision's file, but hardly any storage."""
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in VGG19Features(5, 4).state_dict().items()}
    for place, (outputs, inputs) in CLASSIFIER.items():
        shapes[f"classifier.{place}.weight"] = (outputs, inputs)
        shapes[f"classifier.{place}.bias"] = (outputs,)
    state = {key: torch.tensor(0.01).expand(shape) for key, shape in shapes.items()}
    return state | small_state()


@pytest.fixture
def save(tmp_path):
    def save(content, name="own.pth", **options):
        torch.save(content, tmp_path / name, **options)
        return tmp_path / name

    return save


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv(store.CACHE_VARIABLE)
    monkeypatch.delenv(store.OFFLINE_VARIABLE, raising=False)
    return tmp_path / "cache"


class Loopback(ThreadingHTTPServer):
    """Serves `body` under any name."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.hits = b"", 0

    def publish(self, body, **changes):
        """Serve this body, and return what it should be, `changes` apart."""
        self.body = body
        return PublishedFile(
            name="vgg19-test.pth",
            urls=(f"http://127.0.0.1:{self.server_port}/vgg19-test.pth",),
            **{"sha256": hashlib.sha256(body).hexdigest()[:8], "size": len(body)} | changes,
        )


class Handler(BaseHTTPRequestHandler):
    server: Loopback

    def do_GET(self):
        self.server.hits += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format, *args):  # noqa: A002
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server = Loopback()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def same(network, state):
    return all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("zip_file", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("layer", [(1, 1), (2, 2), (5, 4)])
def test_a_file_with_torchvisions_keys_is_loaded_and_frozen(save, layer, zip_file):
    state = torchvisions_state()
    file = save(state, _use_new_zipfile_serialization=zip_file)

    vgg = load_vgg(layer, file=file)

    assert (vgg.network.i, vgg.network.j) == layer
    assert same(vgg.network, state)
    assert not vgg.network.training
    assert not any(weight.requires_grad for weight in vgg.network.parameters())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert vgg.source == f"own.pth (SHA-256 {digest})"


def test_the_layers_that_are_needed_are_enough(save):
    state = small_state()

    assert same(load_vgg((2, 2), file=save(state)).network, state)
    assert same(load_vgg((1, 2), file=save(state)).network, state)


def test_half_precision_weights_become_float32(save):
    file = save({key: value.half() for key, value in small_state().items()})

    assert {one.dtype for one in load_vgg((2, 2), file=file).network.parameters()} == {
        torch.float32
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features.7.bias": None}, r"features\.7\.bias is missing"),
        (
            {"features.7.weight": torch.zeros(128, 64, 3, 3)},
            r"features\.7\.weight is torch\.float32 of shape \(128, 64, 3, 3\), not real numbers "
            r"of shape \(128, 128, 3, 3\)",
        ),
        ({"features.10.bias": torch.zeros(3)}, r"features\.10\.bias is .*\(3,\), not .*\(256,\)"),
        ({"features.0.bias": [0.0] * 64}, r"features\.0\.bias is list, not real numbers"),
        ({"features.0.bias": torch.zeros(64, dtype=torch.complex64)}, "complex64"),
        ({"features.0.bias": torch.zeros(64, dtype=torch.int64)}, "int64"),
        ({"features.0.bias": torch.zeros(64).to_sparse()}, r"features\.0\.bias is"),
        ({"features.0.bias": torch.full((64,), torch.nan)}, r"features\.0\.bias has .*not finite"),
        ({"features.1.weight": torch.ones(64)}, r"features\.1\.weight is not one of VGG19's"),
        ({"classifier.1.weight": torch.ones(4)}, r"classifier\.1\.weight is not one of VGG19's"),
        ({7: torch.ones(4)}, "7 is not one of VGG19's"),
    ],
)
def test_anything_but_vgg19s_tensors_is_named(save, change, message):
    state = small_state() | change
    file = save({key: value for key, value in state.items() if value is not None})

    with pytest.raises(ValueError, match=message) as caught:
        load_vgg((2, 2), file=file)

    assert str(file) in str(caught.value)


@pytest.mark.parametrize("wrap", [lambda state: {"state_dict": state}, list, lambda state: None])
def test_a_file_of_another_structure_names_what_is_missing(save, wrap):
    with pytest.raises(ValueError, match=r"features\.0\.weight is missing; .* and \d more"):
        load_vgg((2, 2), file=save(wrap(small_state())))


class Touch:
    """An object that, unpickled without care, makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_code_in_a_file_is_named_and_not_run(save, tmp_path):
    trap = tmp_path / "run"
    by_torch = save(small_state() | {"features.0.bias": Touch(trap)})
    by_pickle = tmp_path / "plain.pth"
    by_pickle.write_bytes(pickle.dumps(Touch(trap), protocol=2))

    for file in (by_torch, by_pickle):
        with pytest.raises(ValueError, match="Nothing in it was run"):
            load_vgg((2, 2), file=file)

    assert not trap.exists()


@pytest.mark.parametrize("zip_file", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_a_file_cut_short_is_named(save, share, zip_file):
    file = save(small_state(), _use_new_zipfile_serialization=zip_file)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])

    with pytest.raises(ValueError, match=r"own\.pth .*(cut short|damaged)"):
        load_vgg((2, 2), file=file)


def test_a_web_page_in_place_of_a_file_is_named(tmp_path):
    file = tmp_path / "own.pth"
    file.write_bytes(HTML)

    with pytest.raises(ValueError, match="is a web page"):
        load_vgg((2, 2), file=file)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth"):
        load_vgg((2, 2), file=tmp_path / "nowhere.pth")


def test_random_weights_are_the_same_each_time_and_say_so():
    first, second = (load_vgg((2, 2), random=True) for _ in range(2))

    assert first.source == "random (seed 0)"
    assert same(first.network, second.network.state_dict())
    assert not any(weight.requires_grad for weight in first.network.parameters())


def test_random_features_keep_their_size_through_the_layers():
    images = torch.rand(2, 3, 48, 80)

    for layer in [(1, 1), (2, 2), (5, 4)]:
        assert 0.3 < load_vgg(layer, random=True).network(images).std() < 3


@pytest.mark.parametrize("random", [True, False])
def test_torchs_random_state_is_left_as_it_was(save, random):
    file = None if random else save(small_state())
    before = torch.get_rng_state()

    load_vgg((2, 2), random=random, file=file)

    assert torch.equal(torch.get_rng_state(), before)


def test_random_weights_and_a_file_exclude_each_other(save):
    with pytest.raises(ValueError, match=r"either random VGG weights or the file .*own\.pth"):
        load_vgg((2, 2), random=True, file=save(small_state()))


def test_the_published_file_is_torchvisions():
    assert VGG19_IMAGENET.name == f"vgg19-{VGG19_IMAGENET.sha256}.pth"
    assert VGG19_IMAGENET.urls == (f"https://download.pytorch.org/models/{VGG19_IMAGENET.name}",)
    # 143 667 240 parameters of 4 bytes, and some kilobytes of names
    assert 0 < VGG19_IMAGENET.size - 4 * 143_667_240 < 10_000


def test_the_published_file_is_fetched_once_and_then_loaded_from_the_cache(server, save, cache):
    state = small_state()
    published = server.publish(save(state).read_bytes())

    first = load_vgg((2, 2), cache=cache, published=published)
    second = load_vgg((1, 2), cache=cache, published=published)

    assert same(first.network, state)
    assert same(second.network, state)
    assert first.source == f"vgg19-test.pth (SHA-256 {hashlib.sha256(server.body).hexdigest()})"
    assert server.hits == 1


@pytest.mark.parametrize(
    ("body", "changes", "cause"),
    [
        (b"x" * 100, {"sha256": "dcbb9e9d"}, "the SHA-256 digest is [0-9a-f]{64}, .* dcbb9e9d"),
        (b"x" * 100, {"size": 200}, "wrong size: 100 bytes, not 200"),
        (HTML, {}, "an HTML page"),
    ],
    ids=["digest", "size", "page"],
)
def test_another_file_than_the_published_one_is_named_and_not_kept(
    server, cache, body, changes, cause
):
    published = server.publish(body, **changes)

    with pytest.raises(DownloadError, match=cause) as caught:
        load_vgg((2, 2), cache=cache, published=published)

    message = str(caught.value)
    digest = f"a SHA-256 digest that begins with {published.sha256}"
    for part in (*published.urls, digest, str(cache), "HTTPS_PROXY", "--vgg-weights"):
        assert part in message
    assert list(cache.iterdir()) == []


def test_offline_nothing_is_fetched_and_the_ways_out_are_named(server, cache, monkeypatch):
    monkeypatch.setenv(store.OFFLINE_VARIABLE, "1")
    published = server.publish(b"weights")

    with pytest.raises(OSError, match=f"it is missing.*{store.OFFLINE_VARIABLE}") as caught:
        find_published(cache, published)

    for part in (*published.urls, published.sha256, published.name, str(cache), "--vgg-weights"):
        assert part in str(caught.value)
    assert server.hits == 0


def test_offline_a_file_put_in_place_by_hand_is_found(cache, server, monkeypatch):
    monkeypatch.setenv(store.OFFLINE_VARIABLE, "1")
    published = server.publish(b"weights")
    cache.mkdir()
    (cache / published.name).write_bytes(b"weights")

    assert find_published(cache, published) == cache / published.name


@pytest.mark.parametrize("damage", [b"weight", b"WEIGHTS"], ids=["size", "bytes"])
def test_a_damaged_cached_file_is_named_and_replaced(server, cache, caplog, damage):
    published = server.publish(b"weights")
    path = find_published(cache, published)
    path.write_bytes(damage)
    os.utime(path, ns=(1, 1))

    assert find_published(cache, published).read_bytes() == b"weights"
    assert f"Removing {path}" in caplog.text
    assert server.hits == 2


def test_offline_a_damaged_cached_file_is_named_and_kept(server, cache, monkeypatch):
    published = server.publish(b"weights")
    cache.mkdir()
    path = cache / published.name
    path.write_bytes(b"WEIGHTS")
    monkeypatch.setenv(store.OFFLINE_VARIABLE, "1")

    with pytest.raises(OSError, match=rf"digest is \w+, which does not begin .*{published.sha256}"):
        find_published(cache, published)

    assert path.read_bytes() == b"WEIGHTS"


def test_no_mirror_is_asked_where_weights_are_given_or_random(server, save, cache):
    published = server.publish(b"weights")

    load_vgg((2, 2), file=save(small_state()), cache=cache, published=published)
    load_vgg((2, 2), random=True, cache=cache, published=published)

    assert server.hits == 0


@pytest.fixture
def digests(monkeypatch):
    """Count the files that are read for their digest."""
    read = []
    digest_of = hashlib.file_digest

    def counting(stream, *args):
        read.append(stream.name)
        return digest_of(stream, *args)

    monkeypatch.setattr(vgg_weights.hashlib, "file_digest", counting)
    return read


def test_the_digest_of_an_unchanged_file_is_read_once(server, save, cache, digests):
    published = server.publish(save(small_state()).read_bytes())

    sources = {load_vgg((2, 2), cache=cache, published=published).source for _ in range(3)}

    assert len(sources) == 1
    assert len(digests) == 1


def test_the_digest_of_a_changed_file_is_read_again(save, cache, digests):
    state = small_state()
    sources = set()
    for bias in (0.0, 1.0):
        file = save(state | {"features.0.bias": torch.full((64,), bias)})
        os.utime(file, ns=(1, int(bias) + 1))
        sources.add(load_vgg((2, 2), file=file, cache=cache).source)

    assert len(sources) == len(digests) == 2


def test_a_cache_that_cannot_be_written_costs_only_the_memory_of_the_digest(
    save, cache, digests, caplog
):
    cache.write_text("a file where the folder should be")
    file = save(small_state())

    with caplog.at_level("INFO"):
        sources = {load_vgg((2, 2), file=file, cache=cache).source for _ in range(2)}

    assert len(sources) == 1
    assert len(digests) == 2
    assert f"The digest of {file} is not remembered" in caplog.text


def test_an_unknown_layer_is_refused_before_anything_is_fetched(server, cache):
    published = dataclasses.replace(server.publish(b"weights"), name="vgg19-other.pth")

    with pytest.raises(ValueError, match="no layer φ2,3"):
        load_vgg((2, 3), cache=cache, published=published)

    assert server.hits == 0
