"""The server that speaks S3: moto, from pinned packages in build/python-services."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

PINNED = Path(__file__).with_name("requirements.txt")


def packages(build: Path) -> Path:
    """The folder with moto; fetched if it is not there. A copy of the list beside what it installed says that it is done."""
    folder = build / "python-services"
    done = folder / "requirements.txt"
    if not done.exists() or done.read_text() != PINNED.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore",
            "--no-deps", "--require-hashes", "--target", folder, "-r", PINNED], check=True)
        shutil.copy(PINNED, done)
    return folder


def arguments(build: Path) -> tuple[list[str], dict[str, str]]:
    """What the program of jvm/src/services is told, and the environment that the server needs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return [f"server={sys.executable} -m moto.server -H 127.0.0.1 -p {port}", f"port={port}"], {"PYTHONPATH": str(packages(build))}
