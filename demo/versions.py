"""The twelve monthly versions of the metadata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from demo.sources import MONTHS, Airport, Plane, Sources, Weather, version_name


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


def build(sources: Sources) -> Iterator[Version]:
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
