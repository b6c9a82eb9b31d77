"""What a user waits for: import, the first result. Each in a fresh process, median of five."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

STEPS = {
    "python alone": "",
    "import napari_srgan": "import napari_srgan",
    "command line help": "from napari_srgan.cli import app",
    "first result, 32 × 32": (
        "import numpy as np, napari_srgan as ns; ns.upscale(np.zeros((32, 32), np.uint8))"
    ),
}


def main() -> None:
    """Print a table."""
    times: dict[str, list[float]] = {name: [] for name in STEPS}
    for _ in range(5):
        for name, code in STEPS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times[name].append(time.perf_counter() - began)
    bare = statistics.median(times["python alone"])
    for name, taken in times.items():
        print(f"{name:24} {1000 * (statistics.median(taken) - bare):8.0f} ms over python alone")


if __name__ == "__main__":
    main()
