"""Forked processes compute, where torch alone would wait forever."""

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks on Windows")

HUNG = 120  # seconds after which a process is taken to wait forever


def forked(before, inside):
    """Run one piece of code, fork, and run another in the child; return what is printed."""
    code = f"""
        import logging, multiprocessing
        import numpy as np
        import napari_srgan as ns

        logging.basicConfig(format="%(levelname)s %(message)s")
        image = np.arange(40 * 50).reshape(40, 50).astype(np.uint8)

        def inside():
            {inside}

        {before}
        child = multiprocessing.get_context("fork").Process(target=inside)
        child.start()
        child.join()
        """
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=HUNG, check=True,
    )  # fmt: skip


COMPUTE = "print(int(ns.upscale(image, 'srresnet-small-x4').sum()))"


@pytest.mark.parametrize(
    ("before", "inside"),
    [
        (COMPUTE, COMPUTE),
        (
            "print(ns.load_model('srresnet-small-x4').scale)",
            "print(ns.load_model('srgan-x4').scale)",
        ),
    ],
    ids=["run", "load"],
)
def test_a_process_forked_after_torch_has_computed_goes_on_and_says_how(before, inside):
    done = forked(f"import torch; torch.set_num_threads(2); {before}", inside)

    parents, childs = done.stdout.splitlines()
    assert parents == childs
    assert "WARNING This process was forked" in done.stderr
    assert "get_context('spawn')" in done.stderr


def test_a_process_forked_before_torch_was_loaded_keeps_its_threads():
    count = "import torch; print(torch.get_num_threads())"

    done = forked("", f"{COMPUTE}; {count}")

    assert done.stdout.splitlines()[1] == forked(count, "pass").stdout.strip()
    assert done.stderr == ""


def test_one_that_has_one_thread_is_told_nothing():
    done = forked("import torch; torch.set_num_threads(1)", COMPUTE)

    assert done.stderr == ""
