"""Prove the CUDA code on a card, measure it, and train with the time that is left.

    python tools/on_card.py OUT IMAGES [--minutes 12] [--recipe srresnet-mse] [--start-from MODEL]

For a card that is to be had for minutes. Each part has a limit of time and leaves its output in
OUT when it ends, however that ends; `summary.json` says after each what came of all so far. What
is trained is saved every minute, and exported in the end. With --device cpu it is a rehearsal.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TRAINING = (sys.executable, "-m", "napari_srgan.training")
PROBE_STEPS = 300  # by which the pace is found
EXPORT_SECONDS = 60  # kept for the end: the last checkpoint, validation, export
STOP_SECONDS = EXPORT_SECONDS / 2  # at most, for a part that is told to stop
SAVE_SECONDS = 60


@dataclass(frozen=True)
class Part:
    """What came of a part: its name, its exit status (None: out of time), and its seconds."""

    name: str
    status: int | None
    seconds: float


class Session:
    """Parts in a row, within one limit of time.

    Parameters
    ----------
    out : Path
        Where everything goes.
    minutes : float
        For all of it.
    """

    def __init__(self, out: Path, minutes: float) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.out, self.ends = out, time.monotonic() + 60 * minutes
        self.parts: list[Part] = []

    def left(self) -> float:
        """Return the seconds that are left."""
        return max(0.0, self.ends - time.monotonic())

    def run(self, name: str, *command: object, limit: float) -> bool:
        """Run a command into ``OUT/NAME.log``; told to stop when its time is up, as by Ctrl-C."""
        began, seconds = time.monotonic(), min(limit, self.left())
        print(f"{name}: at most {seconds:.0f} s", flush=True)
        with (self.out / f"{name}.log").open("w", encoding="utf-8") as log:
            work = subprocess.Popen(
                [str(part) for part in command], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )
            status: int | None
            try:
                status = work.wait(seconds)
            except subprocess.TimeoutExpired:
                status = None
                _stop(work)
        self.parts.append(Part(name, status, round(time.monotonic() - began, 1)))
        summary = json.dumps([asdict(part) for part in self.parts], indent=1)
        (self.out / "summary.json").write_text(summary + "\n", encoding="utf-8")
        print(f"{name}: {'out of time' if status is None else f'status {status}'}", flush=True)
        return status == 0


def _stop(work: subprocess.Popen[bytes]) -> None:
    work.send_signal(signal.SIGINT)
    try:
        work.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        work.kill()
        work.wait()


def main() -> int:
    """Do all parts, and return 1 if one of them failed."""
    options = _parse()
    session = Session(options.out.absolute(), options.minutes)
    benchmarks = (sys.executable, "benchmarks", "--only")
    no_window = ("-p", "no:napari", "-p", "no:pytest-qt", "-p", "no:xvfb")
    session.run("tests", sys.executable, "-m", "pytest", "-q", "-m", "gpu", *no_window, "tests",
                limit=0.25 * session.left())  # fmt: skip
    session.run("card", *benchmarks, "card", "--json", session.out / "card.json",
                limit=0.25 * session.left())  # fmt: skip
    session.run("step", *benchmarks, "training_step", limit=0.15 * session.left())
    _train(session, options)
    return int(any(part.status not in (0, None) for part in session.parts))


def _train(session: Session, options: argparse.Namespace) -> None:
    """Train for as long as there is time, its steps set by the pace of a short run before."""
    images, device = options.images.absolute(), ("--device", options.device)
    given: tuple[object, ...] = (
        "--recipe",
        options.recipe,
        "--cache",
        session.out / "cache",
        *device,
    )
    given += tuple(f"--hold-back={pattern}" for pattern in options.hold_back)
    given += () if options.start_from is None else ("--start-from", options.start_from.absolute())
    probe, run = session.out / "probe", session.out / "run"
    steps = f"--set=pretrain.steps={PROBE_STEPS}"
    session.run("probe", *TRAINING, "train", images, "--out", probe, *given, steps,
                "--report-every", 10, limit=0.3 * session.left())  # fmt: skip
    pace = _pace(probe)
    if pace is None:
        return
    count = int(pace * (session.left() - EXPORT_SECONDS) * 0.95)
    every = max(1, int(pace * SAVE_SECONDS))
    session.run("train", *TRAINING, "train", images, "--out", run, *given,
                f"--set=pretrain.steps={count}", "--save-every", every,
                "--validate-every", count, limit=session.left() - EXPORT_SECONDS)  # fmt: skip
    session.run("export", *TRAINING, "export", run, session.out / "trained.safetensors",
                limit=session.left())  # fmt: skip
    for cached in (session.out / "cache", probe):  # large, and of no use elsewhere
        shutil.rmtree(cached, ignore_errors=True)


def _pace(run: Path) -> float | None:
    """Return the steps a second of a run's last report; None where it has not reported."""
    path = run / "pretrain" / "training.csv"
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return float(rows[-1]["steps_per_second"]) if rows else None


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tests, figures and training on a card.")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("images", type=Path, metavar="IMAGES", help="to train on")
    parser.add_argument("--minutes", type=float, default=12, help="for all of it")
    parser.add_argument("--recipe", default="srresnet-mse")
    parser.add_argument("--start-from", type=Path, metavar="MODEL")
    parser.add_argument("--hold-back", nargs="*", default=[], metavar="PATTERN")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
