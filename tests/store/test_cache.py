import gzip
import hashlib
import logging
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pooch
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_srgan.files.locks import take_lock
from napari_srgan.store import cache as store
from napari_srgan.store.cache import DownloadError, Fetch, Present, Refuse, Weights
from napari_srgan.store.download import SLOW_FOR, SLOWEST, download
from napari_srgan.store.part_folders import part_folder

BODY = bytes(range(256)) * 700
HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"
QUICK = (5.0, 0.3)


@dataclass
class Reply:
    """What the loopback server says: `sent` bytes of `body`, which it may announce otherwise."""

    body: bytes = BODY
    status: int = 200
    kind: str = "application/octet-stream"
    sent: int | None = None
    silent_after: int | None = None
    reason: str | None = None
    letter_by_letter: bool = False
    headers: dict[str, str] = field(default_factory=dict)


class Loopback(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies = {}
        self.hits = Counter()
        self.closing = threading.Event()

    def url(self, path, reply):
        self.replies[path] = reply
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Loopback

    def do_GET(self):
        reply = self.server.replies[self.path]
        self.server.hits[self.path] += 1
        if reply.silent_after == 0:
            self.server.closing.wait(10)
            return
        while reply.letter_by_letter and not self.server.closing.wait(0.02):
            self.wfile.write(b"H")
        self.send_response(reply.status, reply.reason)
        self.send_header("Content-Type", reply.kind)
        announced = {"Content-Length": str(len(reply.body)), **reply.headers}
        for name, value in announced.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body[: reply.silent_after or reply.sent])
        if reply.silent_after:
            self.wfile.flush()
            self.server.closing.wait(10)

    def log_message(self, format, *args):  # noqa: A002
        pass


@pytest.fixture(scope="module")
def running():
    server = Loopback()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server(running):
    running.replies.clear()
    running.hits.clear()
    return running


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv(store.CACHE_VARIABLE, raising=False)
    monkeypatch.delenv(store.OFFLINE_VARIABLE, raising=False)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def weights_at(*urls, body=BODY, file=None):
    return Weights(
        name="toy-x4",
        purpose="A toy",
        file=file,
        urls=urls,
        sha256=hashlib.sha256(body).hexdigest(),
        size=len(body),
        licence="BSD-3-Clause",
        training_data="None",
        scale=4,
        scales=(4,),
        metrics={},
        family="srresnet",
        generative=False,
    )


@pytest.fixture
def installation(tmp_path, monkeypatch):
    """Stand in for the folder of installed weights, which no test may put at risk."""
    folder = tmp_path / "installation"
    folder.mkdir()
    (folder / "toy.safetensors").write_bytes(BODY)
    monkeypatch.setattr(store, "bundled_folder", lambda: folder)
    return folder


def closed_port_url():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/toy"


def left_in(folder):
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


class Bar:
    """A progress bar that keeps what it is told."""

    def __init__(self, fails_with=None):
        self.total, self.seen, self.resets, self.closed = None, 0, 0, 0
        self.fails_with = fails_with

    def update(self, n):
        self.seen += n
        if self.fails_with is not None:
            raise self.fails_with

    def reset(self):
        self.seen = 0
        self.resets += 1

    def close(self):
        self.closed += 1


def test_a_fetched_file_has_the_bytes_and_is_never_fetched_again(server, cache):
    weights = weights_at(server.url("/good", Reply()))

    first = store.locate(weights, cache=cache)
    second = store.locate(weights, cache=cache)

    assert first.read_bytes() == BODY
    assert second == first
    assert left_in(cache) == [first.name]
    assert server.hits == {"/good": 1}


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (Reply(sent=1000), "cut short"),
        (Reply(body=BODY[:-1]), f"wrong size: {len(BODY) - 1} bytes, not {len(BODY)}"),
        (Reply(body=BODY + b"x"), f"more than the expected {len(BODY)} bytes"),
        (Reply(body=b""), "wrong size: 0 bytes"),
        (Reply(body=BODY[::-1]), hashlib.sha256(BODY[::-1]).hexdigest()),
        (Reply(body=HTML), "an HTML page"),
        (Reply(body=HTML.ljust(len(BODY))), "an HTML page"),
        (Reply(body=b"Please log in", kind="text/html; charset=utf-8"), "an HTML page"),
        (Reply(status=404), "HTTP status 404 Not Found"),
        (Reply(status=500), "HTTP status 500"),
        (Reply(status=500, reason="\x1b[2Jgone"), re.escape(r"HTTP status 500 \x1b[2Jgone")),
        (Reply(status=503), "HTTP status 503"),
        (Reply(silent_after=0), "timed out"),
        (Reply(silent_after=1000), "timed out"),
        (Reply(headers={"Content-Length": str(2 * len(BODY))}), "cut short"),
        (Reply(headers={"Content-Length": "1000"}), "wrong size: 1000 bytes"),
        (Reply(headers={"Content-Length": "5, 6"}), "multiple unmatching"),
        (Reply(headers={"Content-Encoding": "gzip"}), "decode"),
        (Reply(headers={"Content-Encoding": "gzip"}, body=gzip.compress(BODY)[:-1000]), "wrong"),
        (Reply(headers={"Transfer-Encoding": "chunked"}), "cut short"),
        (Reply(status=302, headers={"Location": "/bad"}), "Exceeded 30 redirects"),
        (Reply(status=302, headers={"Location": "file:///etc/hostname"}), "file:///etc/hostname"),
        (Reply(status=302, headers={"Location": "http://[nowhere"}), "Invalid IPv6 URL"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_answer_is_named_and_leaves_nothing_behind(server, cache, reply, cause):
    weights = weights_at(server.url("/bad", reply))

    with pytest.raises(DownloadError, match=cause):
        store.locate(weights, cache=cache, timeout=QUICK)

    assert left_in(cache) == []
    assert server.hits["/bad"] in (1, 31)


@pytest.mark.parametrize("length", ["abc", "-5", ""])
def test_a_length_that_is_no_number_does_not_matter(server, cache, length):
    weights = weights_at(server.url("/good", Reply(headers={"Content-Length": length})))

    assert store.locate(weights, cache=cache).read_bytes() == BODY


def test_an_answer_compressed_on_the_way_is_unpacked(server, cache):
    packed = Reply(body=gzip.compress(BODY), headers={"Content-Encoding": "gzip"})

    weights = weights_at(server.url("/good", packed))

    assert store.locate(weights, cache=cache).read_bytes() == BODY


def test_a_redirect_is_followed(server, cache):
    target = server.url("/elsewhere", Reply())
    weights = weights_at(server.url("/moved", Reply(status=302, headers={"Location": target})))

    assert store.locate(weights, cache=cache).read_bytes() == BODY


class Clock:
    """Seconds, of which so many pass at each look."""

    def __init__(self, step):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


def fetched(weights, cache, step):
    cache.mkdir()
    target = cache / "toy"
    download(
        weights.urls,
        target,
        sha256=weights.sha256,
        size=weights.size,
        clock=Clock(step),
    )
    return target.read_bytes()


def test_a_server_that_drips_is_given_up(server, cache):
    weights = weights_at(server.url("/drip", Reply()))
    a_look_at_64_kib = 65536 / SLOWEST * 1.5

    with pytest.raises(
        DownloadError, match=r"too slow: \d+ bytes in \d+ s, less than 1024 a second"
    ):
        fetched(weights, cache, a_look_at_64_kib)

    assert left_in(cache) == []


def test_headers_that_drip_are_given_up_too(server, cache, monkeypatch):
    monkeypatch.setattr("napari_srgan.store.download.SLOW_FOR", 0.2)
    weights = weights_at(server.url("/drip", Reply(letter_by_letter=True)))

    with pytest.raises(DownloadError, match="too slow: no answer in 1 s"):
        store.locate(weights, cache=cache, timeout=(0.2, 0.2))


@pytest.mark.parametrize("step", [0, 1])
def test_a_server_that_is_only_slow_is_waited_for(server, cache, step):
    assert fetched(weights_at(server.url("/slow", Reply())), cache, step) == BODY


def test_a_drip_is_seen_before_a_piece_is_full(server, cache):
    """A read that waits for a whole piece would wait for hours."""
    weights = weights_at(server.url("/drip", Reply(silent_after=10)))

    with pytest.raises(DownloadError, match="too slow: 10 bytes"):
        fetched(weights, cache, SLOW_FOR)


@given(body=st.binary(max_size=40))
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_other_bytes_are_ever_handed_out(server, cache, body):
    weights = weights_at(server.url("/any", Reply(body=body)), body=b"the expected bytes")

    with pytest.raises(DownloadError):
        store.locate(weights, cache=cache)

    assert left_in(cache) == []


def test_a_mirror_that_is_down_gives_way_to_the_next(server, cache):
    weights = weights_at(
        closed_port_url(),
        server.url("/gone", Reply(status=404)),
        server.url("/good", Reply()),
        server.url("/spare", Reply()),
    )

    assert store.locate(weights, cache=cache).read_bytes() == BODY
    assert server.hits == {"/gone": 1, "/good": 1}


def test_when_all_mirrors_fail_the_message_has_every_cause_and_every_way_out(server, cache):
    down, gone = closed_port_url(), server.url("/gone", Reply(status=404))
    weights = weights_at(down, gone)

    with pytest.raises(DownloadError) as caught:
        store.locate(weights, cache=cache)

    message = str(caught.value)
    assert f"{down}: connection refused" in message
    assert f"{gone}: HTTP status 404" in message
    assert weights.sha256 in message
    assert str(weights.size) in message
    assert "HTTPS_PROXY" in message
    step = store.plan(weights, cache, offline=False)
    assert f"as {step.target.name} in the folder {cache}" in message


def test_a_host_that_does_not_exist_is_named(monkeypatch, cache):
    def unknown(*args, **options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(DownloadError, match="the host is not known here"):
        store.locate(weights_at("https://weights.invalid/toy"), cache=cache)


def test_a_proxy_that_is_down_is_told_from_a_server_that_is(monkeypatch, cache):
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTP_PROXY", closed_port_url())

    with pytest.raises(DownloadError, match="the proxy failed: connection refused"):
        store.locate(weights_at("http://weights.invalid/toy"), cache=cache)


def test_a_certificate_that_cannot_be_verified_is_told_with_the_remedy(monkeypatch, cache):
    """As where an institute's proxy looks into connections."""

    def refuse(*args, **options):
        try:
            error = ssl.SSLCertVerificationError(1, "certificate verify failed")
            error.verify_message = "unable to get local issuer certificate"
            raise error
        except ssl.SSLError as cause:
            raise requests.exceptions.SSLError("HTTPSConnectionPool(host=…)") from cause

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", refuse)

    with pytest.raises(DownloadError, match=r"local issuer certificate\)\. .*REQUESTS_CA_BUNDLE"):
        store.locate(weights_at("https://weights.invalid/toy"), cache=cache)


def test_a_file_put_in_place_by_hand_is_taken_without_a_download(server, cache):
    weights = weights_at(server.url("/good", Reply()))
    target = store.plan(weights, cache, offline=False).target
    cache.mkdir()
    target.write_bytes(BODY)

    assert store.locate(weights, cache=cache) == target
    assert not server.hits


@pytest.mark.parametrize("damage", [BODY[:1000], BODY[::-1]], ids=["size", "bytes"])
def test_a_damaged_cached_file_is_named_and_replaced(server, cache, caplog, damage):
    weights = weights_at(server.url("/good", Reply()))
    path = store.locate(weights, cache=cache)
    path.write_bytes(damage)

    assert store.locate(weights, cache=cache).read_bytes() == BODY
    assert str(path) in caplog.text
    assert server.hits == {"/good": 2}


def test_a_damaged_cached_file_is_removed_even_where_no_mirror_answers(cache):
    weights = weights_at(closed_port_url())
    cache.mkdir()
    store.plan(weights, cache, offline=False).target.write_bytes(BODY[::-1])

    with pytest.raises(DownloadError):
        store.locate(weights, cache=cache)

    assert left_in(cache) == []


def test_offline_refuses_to_fetch_and_says_what_to_do(server, cache, monkeypatch):
    monkeypatch.setenv(store.OFFLINE_VARIABLE, "1")
    weights = weights_at(server.url("/good", Reply()))

    with pytest.raises(OSError, match=f"{store.OFFLINE_VARIABLE} forbids") as caught:
        store.locate(weights, cache=cache)

    assert all(text in str(caught.value) for text in (*weights.urls, weights.sha256, str(cache)))
    assert not server.hits


@pytest.mark.parametrize("damage", [BODY[:1000], BODY[::-1]], ids=["size", "bytes"])
def test_offline_a_damaged_cached_file_is_named_and_kept(server, cache, monkeypatch, damage):
    weights = weights_at(server.url("/good", Reply()))
    path = store.locate(weights, cache=cache)
    path.write_bytes(damage)
    monkeypatch.setenv(store.OFFLINE_VARIABLE, "1")

    with pytest.raises(OSError, match=r"is damaged .*forbids fetching it again") as caught:
        store.locate(weights, cache=cache)

    assert str(path) in str(caught.value)
    assert path.read_bytes() == damage


def test_offline_a_cached_file_is_found(server, cache, monkeypatch):
    weights = weights_at(server.url("/good", Reply()))
    path = store.locate(weights, cache=cache)
    monkeypatch.setenv(store.OFFLINE_VARIABLE, "1")

    assert store.locate(weights, cache=cache) == path


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("yes", True), ("", False), ("0", 0)])
def test_offline_is_set_by_any_value_but_zero(monkeypatch, value, offline):
    monkeypatch.setenv(store.OFFLINE_VARIABLE, value)

    assert store.is_offline() == bool(offline)


def test_a_bundled_file_needs_no_network(server, cache, installation):
    weights = weights_at(server.url("/good", Reply()), file="toy.safetensors")

    assert store.locate(weights, cache=cache) == installation / "toy.safetensors"
    assert not server.hits
    assert not cache.exists()


@pytest.mark.parametrize("damage", [BODY[:1000], BODY[::-1]], ids=["size", "bytes"])
def test_a_damaged_bundled_file_is_an_error_that_says_reinstall(
    server, cache, installation, damage
):
    weights = weights_at(server.url("/good", Reply()), file="toy.safetensors")
    (installation / "toy.safetensors").write_bytes(damage)

    with pytest.raises(OSError, match=r"toy\.safetensors .*damaged.*Reinstall napari-srgan"):
        store.locate(weights, cache=cache)

    assert (installation / "toy.safetensors").read_bytes() == damage
    assert not server.hits


def test_a_missing_bundled_file_without_urls_says_reinstall(cache, installation):
    with pytest.raises(OSError, match=r"nowhere\.safetensors.*missing.*Reinstall"):
        store.locate(weights_at(file="nowhere.safetensors"), cache=cache)


def test_a_missing_bundled_file_with_urls_is_fetched(server, cache, installation):
    weights = weights_at(server.url("/good", Reply()), file="nowhere.safetensors")

    assert store.locate(weights, cache=cache).read_bytes() == BODY


@pytest.mark.parametrize(
    "weights", [one for one in store.registry() if one.file], ids=lambda one: one.name
)
def test_every_bundled_file_is_what_the_registry_says(weights, cache):
    assert store.locate(weights, cache=cache).name == weights.file


def test_the_plan_changes_nothing_and_asks_no_server(server, cache, installation):
    weights = weights_at(server.url("/good", Reply()))

    bundled = weights_at(file="toy.safetensors")
    step = store.plan(weights, cache, offline=False)

    assert isinstance(step, Fetch)
    assert step.urls == weights.urls
    assert step.target.parent == cache
    assert isinstance(store.plan(weights, cache, offline=True), Refuse)
    assert isinstance(store.plan(bundled, cache, offline=True), Present)
    assert not cache.exists()
    assert not server.hits


def test_two_versions_of_a_model_do_not_share_a_file(cache):
    old, new = (weights_at("https://example.org/toy", body=body) for body in (b"old", b"new"))

    targets = {store.plan(weights, cache, offline=False).target for weights in (old, new)}

    assert len(targets) == 2


def test_an_unknown_name_suggests_the_nearest(cache):
    with pytest.raises(ValueError, match="did you mean 'srresnet-x4'"):
        store.locate("srresnet-4x", cache=cache)


def test_weights_without_urls_cannot_be_fetched(cache):
    with pytest.raises(ValueError, match="has no URL"):
        store.fetch(weights_at(file="toy.safetensors"), cache)


def test_many_fetching_at_once_all_get_the_whole_file(server, cache):
    weights = weights_at(server.url("/good", Reply()))

    with ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(store.locate, weights, cache=cache) for _ in range(6)]
        paths = {run.result() for run in runs}

    (path,) = paths
    assert path.read_bytes() == BODY
    assert left_in(cache) == [path.name]


DIES = """
import sys, time
from pathlib import Path
from napari_srgan.store.part_folders import part_folder
with part_folder(Path(sys.argv[1])) as folder:
    (folder / "half").write_bytes(b"half")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def fetching(cache):
    """Return a process that is in the middle of a download into the cache, and its folder."""
    cache.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", DIES, cache], stdout=subprocess.PIPE, text=True
    )
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.communicate()


def test_what_a_killed_download_left_goes_with_the_next_and_a_living_one_is_left(
    server, cache, fetching
):
    process, folder = fetching
    weights = weights_at(server.url("/good", Reply()))

    path = store.locate(weights, cache=cache)
    assert sorted(file.name for file in folder.iterdir()) == ["half", "lock"]

    process.kill()
    process.wait()
    path.unlink()
    store.locate(weights, cache=cache)
    assert left_in(cache) == [path.name]


@pytest.mark.parametrize("inside", [[], ["half"], ["lock"], ["lock", "half"]])
def test_folders_that_nobody_holds_are_removed(server, cache, inside):
    folder = cache / ".fetching-left"
    folder.mkdir(parents=True)
    for name in inside:
        (folder / name).write_bytes(b"x")
    beside = cache / "notes"
    beside.mkdir()

    path = store.locate(weights_at(server.url("/good", Reply())), cache=cache)

    assert left_in(cache) == ["notes", path.name]


def test_a_folder_taken_away_before_it_was_locked_is_made_again(cache, monkeypatch):
    cache.mkdir()
    made = []

    def unlucky_at_first(path):
        made.append(path.parent)
        if len(made) < 3:
            shutil.rmtree(path.parent)
        return take_lock(path)

    monkeypatch.setattr("napari_srgan.files.locks.take_lock", unlucky_at_first)
    with part_folder(cache) as folder:
        assert folder == made[-1]
        assert folder.is_dir()

    assert left_in(cache) == []


def test_folders_made_at_once_are_never_taken_for_dead_ones(cache):
    cache.mkdir()

    def make_and_use(_):
        with part_folder(cache) as folder:
            (folder / "half").write_bytes(b"half")
            return sorted(file.name for file in folder.iterdir())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(make_and_use, range(400))) == [["half", "lock"]] * 400

    assert left_in(cache) == []


def test_where_there_are_no_locks_files_are_fetched_and_nothing_else_is_touched(
    server, cache, monkeypatch
):
    (cache / ".fetching-anothers").mkdir(parents=True)
    (cache / ".fetching-anothers" / "lock").touch()

    def no_locks(path):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("napari_srgan.files.locks.take_lock", no_locks)
    path = store.locate(weights_at(server.url("/good", Reply())), cache=cache)

    assert left_in(cache) == [".fetching-anothers", "lock", path.name]


def test_a_file_that_is_being_read_where_that_forbids_replacing_it_is_enough(
    server, cache, monkeypatch
):
    """As on Windows: two processes fetch a file, and one of them reads its own already."""
    weights = weights_at(server.url("/good", Reply()))
    path = store.locate(weights, cache=cache)

    def refuse(self, target):
        raise PermissionError(13, "in use")

    monkeypatch.setattr(Path, "replace", refuse)
    assert store.fetch(weights, cache) == path
    path.write_bytes(b"other bytes")
    with pytest.raises(OSError, match="in use"):
        store.fetch(weights, cache)


def test_the_environment_overrules_the_preferred_cache(monkeypatch, tmp_path):
    monkeypatch.setenv(store.CACHE_VARIABLE, str(tmp_path / "job"))

    assert store.cache_folder(tmp_path / "preferred") == tmp_path / "job"


def test_the_preferred_cache_overrules_the_systems(tmp_path):
    assert store.cache_folder(tmp_path / "preferred") == tmp_path / "preferred"
    assert store.cache_folder() == pooch.os_cache("napari-srgan")


def test_a_cache_in_the_home_folder_is_expanded(monkeypatch):
    monkeypatch.setenv(store.CACHE_VARIABLE, "~/weights")

    assert store.cache_folder().is_absolute()
    assert "~" not in str(store.cache_folder())


def test_a_cache_that_cannot_be_written_is_named(server, tmp_path):
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    weights = weights_at(server.url("/good", Reply()))

    with pytest.raises(OSError, match=r"Cannot write toy-x4.*NAPARI_SRGAN_CACHE") as caught:
        store.locate(weights, cache=blocked / "cache")

    assert not isinstance(caught.value, DownloadError)
    assert str(blocked / "cache") in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file sizes")
def test_a_disk_without_room_is_named_and_left_clean(server, cache):
    import resource

    weights = weights_at(server.url("/good", Reply()))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match=r"Cannot write toy-x4.*too large.*room"):
            store.locate(weights, cache=cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert left_in(cache) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits for others")
def test_a_shared_cache_can_be_read_by_others(server, cache):
    path = store.locate(weights_at(server.url("/good", Reply())), cache=cache)

    assert path.stat().st_mode & 0o777 == 0o644


def test_progress_counts_the_bytes_of_the_mirror_that_answers(server, cache):
    short, good = server.url("/short", Reply(body=BODY[:9000])), server.url("/good", Reply())
    bar = Bar()

    store.locate(weights_at(short, good), cache=cache, progress=bar)

    assert (bar.total, bar.seen, bar.resets, bar.closed) == (len(BODY), len(BODY), 2, 1)


def test_a_progress_bar_is_drawn_on_request_alone(server, cache, capsys):
    weights = weights_at(server.url("/good", Reply()))

    store.fetch(weights, cache)
    silent = capsys.readouterr()
    store.fetch(weights, cache, progress=True)
    drawn = capsys.readouterr()

    assert (silent.out, silent.err, drawn.out) == ("", "", "")
    assert "toy-x4" in drawn.err


def test_a_cancelled_download_leaves_nothing_behind(server, cache):
    bar = Bar(fails_with=KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        store.locate(weights_at(server.url("/good", Reply())), cache=cache, progress=bar)

    assert bar.closed == 1
    assert left_in(cache) == []


def test_pooch_is_quiet_for_us_and_speaks_to_other_threads(server, cache):
    def speak_elsewhere(n):
        speaker = threading.Thread(target=pooch.get_logger().info, args=("another's file",))
        speaker.start()
        speaker.join()

    heard = []
    listener = logging.Handler()
    listener.emit = lambda record: heard.append(record.getMessage())
    bar = Bar()
    bar.update = speak_elsewhere
    pooch.get_logger().addHandler(listener)
    try:
        store.locate(weights_at(server.url("/good", Reply())), cache=cache, progress=bar)
    finally:
        pooch.get_logger().removeHandler(listener)

    assert set(heard) == {"another's file"}
