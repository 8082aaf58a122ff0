"""The file of one version: little-endian integers at fixed offsets, read from the mapped file.

    0   8 bytes   "ANDMETA1"
    8   i32       month
    12  3 x i32   records of weather, planes, airports
    24  3 x i64   offsets of the three tables
    48  i64       offset of the pages, a multiple of 4096
    56  i64       number of pages

A table is sorted by key: key i64, then four i32. Weather: temp, wind, visib, precip by `weather_key`. Planes: year,
seats, engines, flights so far by `text_key` of the tail number. Airports: altitude, zone, flights so far, 0 by
`text_key` of the code. A page is 4096 bytes: its first i64 is (month << 32 | page number), the rest is a filler that
does not compress. Pages pad a version to the requested size; the job reads them, but the features do not depend on them.
"""

import random
import struct
from array import array
from collections.abc import Iterable
from pathlib import Path

from demo.sources import Version

MAGIC = b"ANDMETA1"
HEADER = struct.Struct("<8s4i5q")
RECORD = struct.Struct("<q4i")
PAGE = 4096
SEED = 2013
BLOCK_PAGES = 256

Record = tuple[int, int, int, int, int]


class LayoutError(Exception):
    """The file does not have the layout of a version."""


def text_key(text: str) -> int:
    """Up to seven ASCII characters as a positive number; among texts of one length the numbers sort like the texts."""
    raw = text.encode("ascii")
    if len(raw) > 7:
        raise LayoutError(f"{text!r} is longer than 7 characters")
    return int.from_bytes(raw, "big")


def weather_key(origin: str, hour: int) -> int:
    return text_key(origin) << 16 | hour


def tables(version: Version) -> tuple[list[Record], list[Record], list[Record]]:
    weather = [(weather_key(w.origin, w.hour), w.temp, w.wind, w.visib, w.precip) for w in version.weather]
    planes = [(text_key(p.tailnum), p.year, p.seats, p.engines, flights) for p, flights in version.planes]
    airports = [(text_key(a.faa), a.altitude, a.zone, flights, 0) for a, flights in version.airports]
    return sorted(weather), sorted(planes), sorted(airports)


def write(version: Version, path: Path, megabytes: int = 0) -> int:
    """Writes the file and returns its length: exactly `megabytes` MiB, or the size of the tables if `megabytes` is 0."""
    parts = tables(version)
    for part in parts:
        if len({record[0] for record in part}) != len(part):
            raise LayoutError(f"version {version.name} has two records of one key")
    starts = [HEADER.size]
    for part in parts:
        starts.append(starts[-1] + len(part) * RECORD.size)
    pages_at = -(-starts[-1] // PAGE) * PAGE
    pages = (megabytes * 2**20 - pages_at) // PAGE if megabytes else 0
    if pages < 0:
        raise LayoutError(f"version {version.name} needs {pages_at} bytes, more than {megabytes} MB")
    with path.open("wb") as file:
        file.write(HEADER.pack(MAGIC, version.month, *map(len, parts), *starts[:3], pages_at, pages))
        for part in parts:
            file.write(b"".join(RECORD.pack(*record) for record in part))
        file.write(bytes(pages_at - starts[-1]))
        for block in blocks(version.month, pages):
            file.write(block)
        return file.tell()


def blocks(month: int, pages: int) -> Iterable[memoryview]:
    """The pages, in blocks of several."""
    words = PAGE // 8
    block = array("Q", random.Random(SEED + month).randbytes(BLOCK_PAGES * PAGE))
    for first in range(0, pages, BLOCK_PAGES):
        block[::words] = array("Q", range(month << 32 | first, (month << 32 | first) + BLOCK_PAGES))
        yield memoryview(block)[: min(BLOCK_PAGES, pages - first) * words].cast("B")


def read(data: bytes) -> tuple[int, list[list[Record]], list[int]]:
    """The month, the tables and the first number of each page of a file, for tests."""
    magic, month, *places = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise LayoutError(f"starts with {magic!r}, not {MAGIC!r}")
    counts, starts, (pages_at, pages) = places[:3], places[3:6], places[6:]
    found = [list(RECORD.iter_unpack(data[start : start + count * RECORD.size])) for start, count in zip(starts, counts)]
    return month, found, [int.from_bytes(data[at : at + 8], "little") for at in range(pages_at, pages_at + pages * PAGE, PAGE)]
