"""Writes the input of the Spark applications.

    flights/part-00.csv ..   flights distributed and sorted by hash: every part has all months, mixed
    joined/part-00.csv ..    the same rows joined with their facts, for the baseline
    tables/*.csv             the metadata as tables with a version column, for the plain join
    versions/2013-01.bin ..  the metadata as one file per version
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from demo import layout
from demo.features import Lookup
from demo.sources import Flight, Sources, version_name
from demo.versions import Version

PARTS = 16


@dataclass(frozen=True)
class Prepared:
    flights: Path
    joined: Path
    tables: Path
    versions: Path


def row_hash(id: int) -> int:
    return zlib.crc32(b"%d:%d" % (layout.SEED, id))


def spread(flights: list[Flight]) -> list[list[Flight]]:
    """The flights in PARTS lists, each in the order of the rows' hashes."""
    parts: list[list[Flight]] = [[] for _ in range(PARTS)]
    for flight in sorted(flights, key=lambda flight: (row_hash(flight.id), flight.id)):
        parts[row_hash(flight.id) % PARTS].append(flight)
    return parts


def write_all(sources: Sources, versions: list[Version], lookups: dict[int, Lookup], folder: Path) -> Prepared:
    done = Prepared(folder / "flights", folder / "joined", folder / "tables", folder / "versions")
    for path in (done.flights, done.joined, done.tables, done.versions):
        path.mkdir(parents=True)
    parts = spread(sources.flights)
    write_flights(parts, done.flights)
    for number, part in enumerate(parts):
        facts = (lookups[flight.month].facts(flight) for flight in part)
        write_csv(done.joined / f"part-{number:02d}.csv", (columns(flight) + fact for flight, fact in zip(part, facts)))
    write_csv(done.tables / "weather.csv", (
        (v.name, w.origin, w.hour, w.temp, w.wind, w.visib, w.precip) for v in versions for w in v.weather))
    write_csv(done.tables / "planes.csv", (
        (v.name, p.tailnum, p.year, p.seats, p.engines, n) for v in versions for p, n in v.planes))
    write_csv(done.tables / "airports.csv", (
        (v.name, a.faa, a.altitude, a.zone, n) for v in versions for a, n in v.airports))
    write_versions(versions, done.versions, 0)
    return done


def columns(f: Flight) -> tuple[object, ...]:
    return f.id, version_name(f.month), f.origin, f.hour, f.tailnum, f.dest, f.dep_delay, f.arr_delay, f.distance


def write_flights(parts: list[list[Flight]], folder: Path) -> None:
    """Writes one file per part."""
    for number, part in enumerate(parts):
        write_csv(folder / f"part-{number:02d}.csv", map(columns, part))


def write_versions(versions: list[Version], folder: Path, megabytes: int) -> int:
    """Writes one file per version and returns the length of the largest."""
    return max(layout.write(version, folder / f"{version.name}.bin", megabytes) for version in versions)


def write_csv(path: Path, rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", encoding="ascii") as file:
        for row in rows:
            file.write(",".join(map(str, row)) + "\n")
