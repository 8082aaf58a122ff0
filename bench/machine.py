"""What the figures were measured on, and from."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from pathlib import Path
from typing import Any


def facts(root: Path, jar: Path) -> dict[str, Any]:
    return {
        "commit": _git(root, "rev-parse", "HEAD") or "unknown",
        "uncommitted": bool(_git(root, "status", "--porcelain", "--", "jvm", "native", "ci", "build.gradle")),
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


def _git(root: Path, *words: str) -> str:
    found = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    return found.stdout.strip()


def _field(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "0 unknown"


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    found = subprocess.run([f"{home}/bin/java" if home else "java", "-version"], capture_output=True, text=True, check=False)
    return next((line for line in found.stderr.splitlines() if "Runtime Environment" in line), "unknown")
