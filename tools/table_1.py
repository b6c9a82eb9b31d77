"""Train the five networks of SRGAN's Table 1 from one start, as long each, and measure them.

    python tools/table_1.py OUT IMAGES BENCHMARKS --networks FOLDER [--steps 4000] [-- MORE …]

The paper's Table 1 (Ledig et al., arXiv:1609.04802v5, §3.4) with what a few hours of a CPU can do:
its recipes, from a trained SRResNet, with VGG16 in VGG19's place. What is behind `--` is handed on
to each training. A run that was stopped goes on; the table is OUT/table_1.txt.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TRAINING = (sys.executable, "-m", "napari_srgan.training")
RATE = "1e-4"  # §3.2, before it falls to a tenth in the second half of phase 2


@dataclass(frozen=True)
class System:
    """A network of the table: its name there, its recipe, the phase that trains it, its loss."""

    name: str
    recipe: str
    phase: str
    content_loss: str

    def settings(self, steps: int) -> list[str]:
        """Return the arguments by which a run of some steps is this network's."""
        values = {"content_loss": self.content_loss, "steps": steps, "learning_rate": RATE}
        if self.phase == "adversarial":
            values["drop_at"] = steps // 2
        return [f"--set={self.phase}.{name}={value}" for name, value in values.items()]


SYSTEMS = (
    System("srresnet-mse", "srresnet-mse", "pretrain", "mse"),
    System("srresnet-vgg22", "srresnet-vgg22", "pretrain", "vgg16-22"),
    System("srgan-mse", "srgan-mse", "adversarial", "mse"),
    System("srgan-vgg22", "srgan-vgg22", "adversarial", "vgg16-22"),
    System("srgan-vgg53", "srgan-vgg16-53", "adversarial", "vgg16-53"),
)


def main() -> None:
    """Train, export and measure."""
    own, more = _halves(sys.argv[1:])
    given = arguments().parse_args(own)
    models = [trained(system, given, more) for system in SYSTEMS]
    command = [*TRAINING, "evaluate", f"--data={given.benchmarks}"]
    command += [f"--model={model}" for model in (given.start, *models)]
    command += [f"--perceptual-weights={given.networks}"]
    table = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    (given.out / "table_1.txt").write_text(table, encoding="utf-8")
    print(table)


def _halves(words: list[str]) -> tuple[list[str], list[str]]:
    """Return what is before `--` and what is behind it."""
    cut = words.index("--") if "--" in words else len(words)
    return words[:cut], words[cut + 1 :]


def trained(system: System, given: argparse.Namespace, more: list[str]) -> Path:
    """Return the file of a network, trained if it is not there yet."""
    model: Path = given.out / f"{system.name}.safetensors"
    if not model.exists():
        run = given.out / system.name
        start = "--start-from" if system.phase == "pretrain" else "--phase-1-weights"
        command = [*TRAINING, "train", str(given.images), f"--out={run}"]
        command += [f"--recipe={system.recipe}", f"{start}={given.start}"]
        command += [f"--perceptual-weights={given.networks}", *system.settings(given.steps)]
        subprocess.run([*command, *more], check=True)
        export = [*TRAINING, "export", str(run), str(model), "--name", system.name]
        subprocess.run([*export, "--generator", "average"], check=True)
    return model


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="a folder for runs, models and the table")
    parser.add_argument("images", type=Path, help="a folder of images to train on")
    parser.add_argument("benchmarks", type=Path, help="the folder of Set5 and Set14")
    parser.add_argument("--networks", type=Path, required=True, help="the folder of VGG16, AlexNet")
    parser.add_argument("--start", default=ROOT / "weights" / "srresnet-x4.safetensors", type=Path)
    parser.add_argument("--steps", type=int, default=4000, help="of each network")
    return parser


if __name__ == "__main__":
    main()
