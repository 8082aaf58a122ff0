"""Writes the input of the Spark applications.

    flights/part-00.csv ..   flights distributed and sorted by hash: every part has all months, mixed
    joined/part-00.csv ..    the same rows joined with their facts, for the baseline
    tables/*.csv             the metadata as tables with a version column, for the plain join
    versions/2013-01.bin ..  the metadata as one file per version
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from demo import digest, layout, sources
from demo.digest import Digest
from demo.features import Lookup, lines
from demo.sources import Flight, Version, version_name

PARTS = 16


@dataclass(frozen=True)
class Input:
    """The flights, the versions of the metadata by month, and the folder with the files of both."""

    folder: Path
    flights: list[Flight]
    versions: list[Version]
    lookups: dict[int, Lookup]

    def truth(self) -> Digest:
        """The digest of all features, computed without Spark."""
        return digest.of_lines(lines(self.flights, self.lookups))


def read(folder: Path) -> Input:
    """Reads the package and writes the files below `folder`."""
    rows = sources.read()
    versions = list(sources.versions(rows))
    found = Input(folder, rows.flights, versions, {version.month: Lookup(version) for version in versions})
    write(found)
    return found


def row_hash(id: int) -> int:
    return zlib.crc32(b"%d:%d" % (layout.SEED, id))


def spread(flights: list[Flight]) -> list[list[Flight]]:
    """The flights in PARTS lists, each in the order of the rows' hashes."""
    parts: list[list[Flight]] = [[] for _ in range(PARTS)]
    for flight in sorted(flights, key=lambda flight: (row_hash(flight.id), flight.id)):
        parts[row_hash(flight.id) % PARTS].append(flight)
    return parts


def write(input: Input) -> None:
    for name in ("flights", "joined", "tables", "versions"):
        (input.folder / name).mkdir(parents=True)
    for number, part in enumerate(spread(input.flights)):
        facts = (input.lookups[flight.month].facts(flight) for flight in part)
        write_csv(input.folder / f"flights/part-{number:02d}.csv", map(columns, part))
        write_csv(input.folder / f"joined/part-{number:02d}.csv", (columns(flight) + fact for flight, fact in zip(part, facts)))
    tables = {
        "weather": ((v.name, w.origin, w.hour, w.temp, w.wind, w.visib, w.precip) for v in input.versions for w in v.weather),
        "planes": ((v.name, p.tailnum, p.year, p.seats, p.engines, n) for v in input.versions for p, n in v.planes),
        "airports": ((v.name, a.faa, a.altitude, a.zone, n) for v in input.versions for a, n in v.airports),
    }
    for name, rows in tables.items():
        write_csv(input.folder / f"tables/{name}.csv", rows)
    write_versions(input.versions, input.folder / "versions", 0)


def columns(f: Flight) -> tuple[object, ...]:
    return f.id, version_name(f.month), f.origin, f.hour, f.tailnum, f.dest, f.dep_delay, f.arr_delay, f.distance


def write_versions(versions: list[Version], folder: Path, megabytes: int) -> int:
    """Writes one file per version and returns the length of the largest."""
    return max(layout.write(version, folder / f"{version.name}.bin", megabytes) for version in versions)


def write_csv(path: Path, rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", encoding="ascii") as file:
        for row in rows:
            file.write(",".join(map(str, row)) + "\n")
