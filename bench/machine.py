"""The facts of a run: its machine, its commit, its jar and its versions."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from harness.facts import Built, commit, git
from harness.process import jdk


def facts(built: Built) -> dict[str, Any]:
    jar = built.jar()
    return {
        "commit": commit(),
        "uncommitted": bool(git("status", "--porcelain", "--", "jvm", "native", "harness", "bench", "checks", "build.gradle")),
        "jar": jar.name,
        "jar_sha256": hashlib.sha256(jar.read_bytes()).hexdigest(),
        "spark": built.spark,
        "scala": built.scala,
        "python": platform.python_version(),
        "machine": {
            "cpu": _found(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text()),
            "cores": os.cpu_count(),
            "memory_kb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 10,
            "kernel": platform.release(),
            "libc": " ".join(platform.libc_ver()),
            "java": _found("^(.*Runtime Environment.*)$", subprocess.run([jdk("java"), "-version"], capture_output=True, text=True, check=False).stderr),
        },
    }


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1].strip() if found else "unknown"
