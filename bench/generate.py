"""Writes the files of the versions that bench/scala/andiron/bench/Shape.scala defines.

A page of 4 KiB has the same noise as all other pages, and its stamp in word `page % 512`.
"""

from __future__ import annotations

import random
from array import array
from pathlib import Path

PAGE = 4096
WORDS = PAGE // 8
BLOCK = 256
PIECE = 128 << 10
"""The size of one write, as of cp and Hadoop's clients. The kernel caches larger writes in larger pages, which map faster."""
MASK = (1 << 64) - 1


def mix(number: int) -> int:
    """The finaliser of splitmix64."""
    a = (number + 0x9E3779B97F4A7C15) & MASK
    b = ((a ^ (a >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    c = ((b ^ (b >> 27)) * 0x94D049BB133111EB) & MASK
    return c ^ (c >> 31)


def stamp(seed: int, version: int, page: int) -> int:
    return mix((mix(seed + version) + page) & MASK)


def name(version: int) -> str:
    return f"v{version:03d}"


def write_version(path: Path, seed: int, version: int, size: int) -> None:
    if size % PAGE:
        raise ValueError(f"a version of {size} bytes is not made of pages")
    noise = random.Random(seed).randbytes(BLOCK * PAGE)
    start = mix(seed + version)
    with path.open("wb", buffering=0) as file:
        for first in range(0, size // PAGE, BLOCK):
            block = array("Q", noise)
            for i in range(BLOCK):
                block[i * WORDS + (first + i) % WORDS] = mix((start + first + i) & MASK)
            whole = memoryview(block).cast("B")[: min(BLOCK * PAGE, size - first * PAGE)]
            for at in range(0, len(whole), PIECE):
                file.write(whole[at : at + PIECE])


def write_versions(folder: Path, seed: int, count: int, size: int) -> None:
    folder.mkdir(parents=True)
    for version in range(count):
        write_version(folder / f"{name(version)}.bin", seed, version, size)
