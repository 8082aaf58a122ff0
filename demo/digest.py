"""The digest of a job's features: SHA-256 of the CSV lines sorted by flight, each ended by a newline."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Digest:
    rows: int
    sha256: str


def of_lines(lines: Iterable[str]) -> Digest:
    """The digest of lines that are sorted already."""
    sha, rows = hashlib.sha256(), 0
    for line in lines:
        sha.update(line.encode("ascii") + b"\n")
        rows += 1
    return Digest(rows, sha.hexdigest())


def of_output(folder: Path) -> Digest:
    """The digest of a job's output files; neither the order of the lines nor the split into files changes it."""
    lines: list[str] = []
    for path in sorted(folder.rglob("part-*")):
        lines += path.read_text(encoding="ascii").splitlines()
    return of_lines(sorted(lines, key=lambda line: int(line.split(",", 1)[0])))
