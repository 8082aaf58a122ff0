"""Versions of known content, and the result of the job over them, computed without Spark (harness/scala/andiron/harness/Features.scala)."""

import array
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MASK = (1 << 64) - 1
BLOCK = 1 << 20
"""The size of the block of random bytes that a version repeats, so that a gigabyte is written and digested in a second."""


@dataclass(frozen=True)
class Content:
    """Versions `v0`, `v1`, ... of `blocks` blocks each, generated from a seed."""

    versions: int
    blocks: int
    seed: int

    @property
    def names(self) -> list[str]:
        return [f"v{n}" for n in range(self.versions)]

    @property
    def bytes(self) -> int:
        """The size of each version."""
        return self.blocks * BLOCK

    def block(self, version: int) -> bytes:
        return random.Random(f"{self.seed} {version}").randbytes(BLOCK)

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        for version, name in enumerate(self.names):
            block = self.block(version)
            with (folder / name).open("wb") as file:
                for _ in range(self.blocks):
                    file.write(block)

    def digest(self, rows: int, read: str) -> str:
        """The digest of the job's rows; row n has the version n modulo the number of versions."""
        blocks = [array.array("q", self.block(version)) for version in range(self.versions)]
        sums = [sum(numbers) * self.blocks for numbers in blocks]
        count = self.bytes // 8

        def feature(row: int) -> int:
            if read == "none":
                return row
            if read == "all":
                return _signed(row + sums[row % self.versions])
            numbers = blocks[row % self.versions]
            return _signed(row + sum(numbers[_chosen(row * 8 + k, count) % len(numbers)] for k in range(8)))

        return digest([(row, feature(row)) for row in range(rows)])


def digest(rows: Sequence[tuple[int, int]]) -> str:
    return hashlib.sha256("".join(f"{row},{value}\n" for row, value in rows).encode()).hexdigest()


def mix(x: int) -> int:
    """The finaliser of SplitMix64 on unsigned numbers."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def _chosen(x: int, count: int) -> int:
    return _signed(mix(x)) % count


def _signed(x: int) -> int:
    x &= MASK
    return x - (1 << 64) if x >> 63 else x
