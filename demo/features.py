"""The features of every flight, computed without Spark: the expected result of all approaches."""

from collections.abc import Iterator

from demo.sources import NONE, YEAR, Flight, Version

Facts = tuple[int, ...]
"""temp, wind, visib, precip, year, seats, engines, plane_flights, altitude, zone, airport_flights; NONE if unknown"""

COLUMNS = (
    "id", "month", "dep_delay", "arr_delay", "recovered", "delay_class", "temp", "wind", "visib", "precip",
    "weather_class", "age", "seats", "engines", "plane_flights", "altitude", "altitude_class", "zone",
    "airport_flights", "distance_class", "exposure",
)


class Lookup:
    """One version of the metadata as dictionaries."""

    def __init__(self, version: Version) -> None:
        self.weather = {(w.origin, w.hour): (w.temp, w.wind, w.visib, w.precip) for w in version.weather}
        self.planes = {p.tailnum: (p.year, p.seats, p.engines, flights) for p, flights in version.planes}
        self.airports = {a.faa: (a.altitude, a.zone, flights) for a, flights in version.airports}

    def facts(self, flight: Flight) -> Facts:
        return (
            *self.weather.get((flight.origin, flight.hour), (NONE,) * 4),
            *self.planes.get(flight.tailnum, (NONE,) * 4),
            *self.airports.get(flight.dest, (NONE,) * 3),
        )


def delay_class(dep_delay: int) -> int:
    """0 cancelled, 1 less than a quarter of an hour late, 2 less than an hour, 3 more."""
    return 0 if dep_delay == NONE else 1 if dep_delay < 15 else 2 if dep_delay < 60 else 3


def weather_class(wind: int, visib: int, precip: int) -> int:
    """0 unknown, 1 fair, 2 rain, 3 below three miles of sight, 4 from 25 miles an hour of wind."""
    if visib == NONE:
        return 0
    return 4 if wind >= 250 else 3 if visib < 30 else 2 if precip > 0 else 1


def features(flight: Flight, facts: Facts) -> tuple[int, ...]:
    temp, wind, visib, precip, year, seats, engines, plane_flights, altitude, zone, airport_flights = facts
    dep, arr = flight.dep_delay, flight.arr_delay
    delay, weather = delay_class(dep), weather_class(wind, visib, precip)
    age = NONE if year == NONE else YEAR - year
    exposure = delay * 100_000 + weather * 10_000 + (0 if age == NONE else min(age, 99)) * 100 + max(plane_flights, 0) % 100
    return (
        flight.id, flight.month, dep, arr, NONE if NONE in (dep, arr) else dep - arr, delay, temp, wind, visib, precip,
        weather, age, seats, engines, plane_flights, altitude, -1 if altitude == NONE else max(altitude, 0) // 1000,
        zone, airport_flights, flight.distance // 500, exposure,
    )


def lines(flights: list[Flight], lookups: dict[int, Lookup]) -> Iterator[str]:
    """CSV lines in the order of the flights' ids."""
    for flight in flights:
        yield ",".join(map(str, features(flight, lookups[flight.month].facts(flight))))
