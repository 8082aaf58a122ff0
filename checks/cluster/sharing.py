"""The files and pages that executors of one host share, and the access of other users to these files."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65534


@dataclass
class Mapped:
    """A file in the memory of several processes: resident bytes by process, and the bytes with each shared page counted once."""

    rss: dict[int, int]
    pss: int


def mapped(pids: Iterable[int], file: Path) -> Mapped:
    found = Mapped({}, 0)
    for pid in pids:
        rss = pss = 0
        inside = False
        for line in Path(f"/proc/{pid}/smaps").read_text(errors="replace").splitlines():
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                inside = line.endswith(str(file))
            elif inside and words[0] in ("Rss:", "Pss:"):
                rss += int(words[1]) * 1024 if words[0] == "Rss:" else 0
                pss += int(words[1]) * 1024 if words[0] == "Pss:" else 0
        found.rss[pid] = rss
        found.pss += pss
    return found


def files(cache: Path) -> list[Path]:
    """The published versions of all applications in a cache directory."""
    return sorted(cache.glob("*/*.bytes"))


def open_to_others(cache: Path) -> list[str]:
    """The paths whose modes let another user enter or read, one sentence each."""
    found = []
    for path in (cache, *cache.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & 0o077 or path.lstat().st_uid != os.getuid():
            found.append(f"{path.name} has mode {mode:04o} and user {path.lstat().st_uid}")
    return found


def readable_by_nobody(paths: list[Path]) -> list[str] | None:
    """The paths that a process of the user `nobody` can read; None if this user may not start one."""
    if os.getuid() != 0 or not shutil.which("setpriv"):
        return None
    def reads(path: Path) -> bool:
        words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "head", "-c", "1", str(path)]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    return [str(path) for path in paths if reads(path)]


def others_can_try(folder: Path) -> bool:
    """Whether `nobody` reaches a file of mode 0644 next to the cache directory; otherwise a refusal proves nothing about the cache."""
    probe = folder / "readable"
    probe.write_text("x")
    probe.chmod(0o644)
    return bool(readable_by_nobody([probe]))
