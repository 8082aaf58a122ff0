"""Python packages of the checks, pinned by hash in requirements.txt, in build/python-services."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

PINNED = Path(__file__).with_name("requirements.txt")


def packages(build: Path) -> Path:
    """The folder with them; fetched if it is not there."""
    return installed(build / "python-services", PINNED)


def installed(folder: Path, pinned: Path) -> Path:
    """`folder` with what `pinned` lists; fetched if it is not there. A copy of the list beside what it installed says that it is done."""
    done = folder / "requirements.txt"
    if not done.exists() or done.read_text() != pinned.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore",
            "--no-deps", "--require-hashes", "--target", folder, "-r", pinned], check=True)
        shutil.copy(pinned, done)
    return folder
