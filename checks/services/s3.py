"""The server that speaks S3: moto, from pinned packages in build/python-services."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from checks.services.packages import packages


def arguments(build: Path) -> tuple[list[str], dict[str, str]]:
    """What the program of checks/services is told, and the environment that the server needs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return [f"server={sys.executable} -m moto.server -H 127.0.0.1 -p {port}", f"port={port}"], {"PYTHONPATH": str(packages(build))}
