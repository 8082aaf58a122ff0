"""The facts of a run: its machine and its commit."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from harness.facts import commit, git
from harness.process import jdk


def facts(jar: Path) -> dict[str, Any]:
    return {
        "commit": commit(),
        "uncommitted": bool(git("status", "--porcelain", "--", "jvm", "native", "harness", "bench", "checks", "build.gradle")),
        "jar": jar.name,
        "jar_sha256": hashlib.sha256(jar.read_bytes()).hexdigest(),
        "machine": {
            "cpu": _field("/proc/cpuinfo", "model name"),
            "cores": os.cpu_count(),
            "memory_kb": int(_field("/proc/meminfo", "MemTotal").split()[0]),
            "kernel": platform.release(),
            "libc": " ".join(platform.libc_ver()),
            "java": _java(),
        },
    }


def _field(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "0 unknown"


def _java() -> str:
    found = subprocess.run([jdk("java"), "-version"], capture_output=True, text=True, check=False)
    return next((line for line in found.stderr.splitlines() if "Runtime Environment" in line), "unknown")
