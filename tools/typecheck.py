"""Check types of the package as it is installed, of these tools and the benchmarks, with mypy.

`training/` and `weights/` stand beside `src/` but belong to the package, which no path can tell
mypy. A tree of links that has the installed shape can.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHAPE = Path("build") / "typecheck"
PACKAGE = SHAPE / "napari_srgan"
BESIDE_SRC = ("training", "weights")
SCRIPTS = ("tools", "benchmarks")


def link_package() -> dict[str, str]:
    """Make the tree anew, and return where each linked path really is."""
    shutil.rmtree(ROOT / SHAPE, ignore_errors=True)
    (ROOT / PACKAGE).mkdir(parents=True)
    real = [*(ROOT / "src" / "napari_srgan").iterdir(), *(ROOT / name for name in BESIDE_SRC)]
    for path in real:
        (ROOT / PACKAGE / path.name).symlink_to(path)
    return {str(PACKAGE / path.name): str(path.relative_to(ROOT)) for path in real}


def main() -> int:
    """Run mypy, and print its findings with the paths people edit."""
    linked = link_package()
    mypy = [sys.executable, "-m", "mypy"]
    environment = {**os.environ, "MYPYPATH": str(SHAPE)}
    package = [*mypy, "--config-file", "pyproject.toml", "-p", "napari_srgan"]
    done = subprocess.run(
        package, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    for link, real in linked.items():
        said = said.replace(link, real)
    print(said, end="")
    # The package that they import has had its turn.
    failed = done.returncode
    for folder in SCRIPTS:
        scripts = ["--follow-imports=silent", *sorted(map(str, (ROOT / folder).glob("*.py")))]
        failed |= subprocess.call([*mypy, *scripts], cwd=ROOT, env=environment)
    return failed


if __name__ == "__main__":
    sys.exit(main())
