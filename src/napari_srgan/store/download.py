"""Download one file from the first of its mirrors that gives exactly the expected bytes."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import IncompleteRead
from pathlib import Path
from queue import Empty, SimpleQueue
from re import IGNORECASE
from re import compile as regex
from typing import TYPE_CHECKING, Protocol, TypeVar

import pooch

from napari_srgan.store.part_folders import part_folder
from napari_srgan.wording import printable

CONNECT_TIMEOUT = 10.0
"""Seconds a server may take to accept a connection."""
READ_TIMEOUT = 30.0
"""Seconds a server may stay silent before its answer or within it."""
SLOWEST = 1024
"""Bytes a second; a server that sends fewer for `SLOW_FOR` seconds is given up."""
SLOW_FOR = 60.0

if TYPE_CHECKING:
    import urllib3

Answer = TypeVar("Answer")

_CHUNK = 64 * 1024
_PUBLIC = 0o644
_DIGEST_LENGTH = 64
_HTML = regex(rb"(\xef\xbb\xbf)?\s*<(!doctype|!--|\?xml|html|head|body|title)", IGNORECASE)

logger = logging.getLogger(__name__)


class Progress(Protocol):
    """What shows a download's progress: pooch's protocol, which every tqdm bar follows."""

    total: float | None

    def update(self, n: int, /) -> object:
        """Count `n` more bytes."""

    def reset(self) -> object:
        """Start again from zero, as for another mirror."""

    def close(self) -> object:
        """End, whether the download succeeded or not."""


class DownloadError(OSError):
    """No mirror gave the expected file; the message has each cause and the ways out."""


def download(
    urls: tuple[str, ...],
    target: Path,
    *,
    sha256: str,
    size: int,
    progress: bool | Progress = False,
    timeout: tuple[float, float] = (CONNECT_TIMEOUT, READ_TIMEOUT),
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Put the file with digest `sha256` and `size` bytes at `target`, whole or not at all.

    Parameters
    ----------
    urls
        Mirrors, each tried once, in order.
    target
        Where the file goes. Its folder exists; a file that is already there is replaced.
    sha256, size
        Hexadecimal digest, or as many of its first digits as are known, and length in bytes of
        the expected file.
    progress
        True for a bar on standard error, or an object that is told of the bytes received. What
        its ``update`` raises, a ValueError apart, ends the download.
    timeout
        Seconds to wait for a connection, and for the next bytes.
    clock
        Of seconds, by which a server is found too slow.

    Raises
    ------
    DownloadError
        If no mirror gave the file.
    OSError
        If the folder of `target` cannot be written.
    """
    bar = _bar(progress, target.name, size)
    receive = partial(_receive, size=size, bar=bar, timeout=timeout, clock=clock)
    causes = {}
    try:
        for url in urls:
            try:
                _retrieve(url, target, sha256, receive)
            except ValueError as error:
                causes[url] = printable(error)  # a server's words may be in it
                logger.info("%s gave no %s: %s", url, target.name, causes[url])
            else:
                return
    finally:
        if bar is not None:
            bar.close()
    tried = "\n".join(f"  {url}: {cause}" for url, cause in causes.items())
    raise DownloadError(
        f"Could not download {target.name}:\n{tried}\n"
        "Behind a proxy, set the environment variable HTTPS_PROXY to its address. "
        + by_hand(urls, target, sha256=sha256, size=size)
    )


def by_hand(urls: tuple[str, ...], target: Path, *, sha256: str, size: int) -> str:
    """Return the sentence that tells a person how to put the file at `target` themselves."""
    whole = len(sha256) == _DIGEST_LENGTH
    digest = "the SHA-256 digest" if whole else "a SHA-256 digest that begins with"
    return (
        f"To fetch the file by hand, save {' or '.join(urls)} as {target.name} in the folder "
        f"{target.parent}; it must have {size} bytes and {digest} {sha256}."
    )


def is_web_page(head: bytes) -> bool:
    """Tell whether a file that begins with `head` is a web page, as error and log-in pages are."""
    return _HTML.match(head) is not None


def _bar(progress: bool | Progress, name: str, size: int) -> Progress | None:
    # Not by truth value: a tqdm bar without a total has none.
    if progress is False:
        return None
    if progress is not True:
        return progress
    from tqdm import tqdm

    return tqdm(total=size, unit="B", unit_scale=True, desc=name)


def _retrieve(url: str, target: Path, sha256: str, receive: partial[None]) -> None:
    """Fetch `url`, check its digest, and move it to `target`; ValueError says why it is not it."""
    # pooch moves the file by copying where Windows finds the target taken; moved from a private
    # folder instead, two processes that fetch the same file never see half of it.
    with part_folder(target.parent) as folder, _pooch_only_warns():
        # The digest is checked here, because pooch knows whole digests alone.
        file = pooch.retrieve(url, None, fname=target.name, path=folder, downloader=receive)
        digest = pooch.file_hash(file)
        if not digest.startswith(sha256):
            raise ValueError(f"other bytes: the SHA-256 digest is {digest}, expected {sha256}")
        _move(Path(file), target, digest)


def _move(file: Path, target: Path, digest: str) -> None:
    try:
        file.replace(target)
    except PermissionError:  # on Windows: another process reads the target, the same file perhaps
        if not target.is_file() or pooch.file_hash(target) != digest:
            raise


@contextmanager
def _pooch_only_warns() -> Iterator[None]:
    """Keep pooch from reporting this thread's downloads on standard error, and no others."""
    here = threading.get_ident()

    def is_wanted(record: logging.LogRecord) -> bool:
        return record.thread != here or record.levelno >= logging.WARNING

    pooch_logger = pooch.get_logger()
    pooch_logger.addFilter(is_wanted)
    try:
        yield
    finally:
        pooch_logger.removeFilter(is_wanted)


def _receive(
    url: str,
    output: str,
    _: object,
    *,
    size: int,
    bar: Progress | None,
    timeout: tuple[float, float],
    clock: Callable[[], float],
) -> None:
    """Write the answer of `url` to the file `output`, as pooch wants its downloaders to."""
    import requests
    import urllib3

    file = Path(output)
    if bar is not None:
        bar.total = size
        bar.reset()
    try:
        # A compressed answer would make the number of bytes on the way another than `size`.
        plain = {"Accept-Encoding": "identity"}
        ask = partial(requests.get, url, stream=True, timeout=timeout, headers=plain)
        with _within(sum(timeout) + SLOW_FOR, ask) as answer:
            if not answer.ok:
                raise ValueError(f"HTTP status {answer.status_code} {answer.reason}")
            kind = answer.headers.get("Content-Type", "")
            received = _write(_pieces(answer.raw, clock), file, size, bar)
    except requests.exceptions.ProxyError as error:
        raise ValueError(f"the proxy failed: {_network_fault(error, timeout)}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise ValueError(_network_fault(error, timeout)) from error
    if fault := _content_fault(file, kind, received, size):
        raise ValueError(fault)
    # A temporary file is its owner's alone; weights are public and caches are shared.
    file.chmod(_PUBLIC)


def _within(seconds: float, ask: Callable[[], Answer]) -> Answer:
    """Return an answer that begins within some time, or raise a ValueError.

    A server that sends its headers letter by letter is never silent for long.
    """
    given: SimpleQueue[Answer | BaseException] = SimpleQueue()

    def put() -> None:
        try:
            given.put(ask())
        except BaseException as error:  # noqa: BLE001 - raised below
            given.put(error)

    threading.Thread(target=put, name="ask", daemon=True).start()
    try:
        answer = given.get(timeout=seconds)
    except Empty:
        raise ValueError(f"too slow: no answer in {seconds:.0f} s") from None
    try:
        if isinstance(answer, BaseException):
            raise answer
        return answer
    finally:
        del answer  # an error that its own traceback leads to keeps its connection open


def _pieces(answer: urllib3.BaseHTTPResponse, clock: Callable[[], float]) -> Iterator[bytes]:
    """Yield the bytes of an answer as they come; ValueError where they come too slowly."""
    began, received = clock(), 0
    while piece := answer.read1(_CHUNK, decode_content=True):
        yield piece
        received += len(piece)
        seconds = clock() - began
        if seconds >= SLOW_FOR:
            if received < SLOWEST * seconds:
                raise ValueError(
                    f"too slow: {received} bytes in {seconds:.0f} s, less than {SLOWEST} a second"
                )
            began, received = clock(), 0


def _write(chunks: Iterator[bytes], file: Path, size: int, bar: Progress | None) -> int:
    """Write `chunks` until they end or exceed `size`; return the number of bytes."""
    received = 0
    with file.open("wb") as stream:
        for chunk in chunks:
            stream.write(chunk)
            received += len(chunk)
            if bar is not None:
                bar.update(len(chunk))
            if received > size:
                break
    return received


def _content_fault(file: Path, kind: str, received: int, size: int) -> str | None:
    """Say what is wrong with the whole answer, as far as its size and first bytes tell."""
    with file.open("rb") as stream:
        head = stream.read(512)
    if is_web_page(head) or (received != size and "html" in kind.lower()):
        return "an HTML page came instead of the file (a log-in or error page?)"
    if received > size:
        return f"wrong size: more than the expected {size} bytes"
    if received < size:
        return f"wrong size: {received} bytes, not {size}"
    return None


def _network_fault(error: BaseException, timeout: tuple[float, float]) -> str:
    """Say why there was no whole answer, from the exceptions that led to `error`."""
    link: BaseException | None = error
    while link is not None:
        match link:
            case IncompleteRead():
                return f"the answer was cut short: {link}"
            case ssl.SSLCertVerificationError():
                return (
                    f"the server's certificate cannot be verified ({link.verify_message}). Where a "
                    "proxy looks into connections, as in many institutes, set REQUESTS_CA_BUNDLE "
                    "to the file of its certificates"
                )
            case TimeoutError():
                connect, read = timeout
                return f"timed out ({connect:g} s to connect, {read:g} s for the next bytes)"
            case ConnectionRefusedError():
                return "connection refused: no server answers there"
            case socket.gaierror():
                return f"the host is not known here: {link.strerror}"
        link = link.__cause__ or link.__context__
    return f"{type(error).__name__}: {error}"
