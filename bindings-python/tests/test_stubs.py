"""The stubs say what the module is, and the package is typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent.parent


def test_the_stubs_agree_with_the_module() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "lockstep_oauth._native", "--mypy-config-file", str(HERE / "pyproject.toml")],
        capture_output=True, text=True, cwd=HERE, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_package_passes_the_type_checker() -> None:
    run = subprocess.run([sys.executable, "-m", "mypy"], capture_output=True, text=True, cwd=HERE, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_package_says_that_it_is_typed() -> None:
    assert (HERE / "python/lockstep_oauth/py.typed").exists()
