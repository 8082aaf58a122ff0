import tempfile
import unittest
from pathlib import Path

from demo import digest, prepare, sources
from demo.features import COLUMNS, Lookup, features, lines
from demo.sources import NONE, Flight


class PackageTest(unittest.TestCase):
    """Tests on the real package."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.rows = sources.read()
        cls.versions = list(sources.versions(cls.rows))

    def test_twelve_versions_hold_all_weather_and_grow_in_planes(self) -> None:
        self.assertEqual([v.name for v in self.versions], [f"2013-{m:02d}" for m in range(1, 13)])
        self.assertEqual(sum(len(v.weather) for v in self.versions), 26_115)
        planes = [len(v.planes) for v in self.versions]
        self.assertEqual(planes, sorted(planes))
        self.assertLess(planes[0], planes[-1])
        self.assertEqual(planes[-1], 3_322)
        self.assertTrue(all(len(v.airports) == 1_458 for v in self.versions))

    def test_every_part_has_every_version_and_no_flight_is_lost(self) -> None:
        parts = prepare.spread(self.rows.flights)
        self.assertGreaterEqual(len(parts), 16)
        self.assertTrue(all({f.month for f in part} == set(range(1, 13)) for part in parts))
        self.assertEqual(sorted(f.id for part in parts for f in part), list(range(336_776)))

    def test_versions_are_mixed_within_a_part(self) -> None:
        part = prepare.spread(self.rows.flights)[0]
        switches = sum(a.month != b.month for a, b in zip(part, part[1:]))
        self.assertGreater(switches, len(part) // 2)

    def test_the_first_flight(self) -> None:
        first = self.rows.flights[0]
        self.assertEqual((first.origin, first.dest, first.tailnum, first.hour, first.dep_delay), ("EWR", "IAH", "N14228", 10, 2))
        values = dict(zip(COLUMNS, features(first, Lookup(self.versions[0]).facts(first)), strict=True))
        self.assertEqual((values["temp"], values["visib"], values["precip"]), (390, 100, 0))
        self.assertEqual((values["age"], values["seats"], values["altitude"], values["recovered"]), (14, 149, 97, -9))

    def test_another_version_gives_another_digest(self) -> None:
        lookups = {v.month: Lookup(v) for v in self.versions}
        truth = digest.of_lines(lines(self.rows.flights, lookups))
        self.assertEqual(truth.rows, 336_776)
        wrong = digest.of_lines(lines(self.rows.flights, lookups | {2: lookups[3]}))
        self.assertNotEqual(truth, wrong)


class RefusalTest(unittest.TestCase):
    def test_another_package_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(FileNotFoundError):
            sources.read(Path(folder))

    def test_decimals_are_scaled_and_rounded_half_up(self) -> None:
        self.assertEqual([sources.scaled(t, 10) for t in ("39.02", "10.357019999999999", "0.25", "NA")], [390, 104, 3, NONE])

    def test_hours_count_from_the_first_of_the_month_in_utc(self) -> None:
        self.assertEqual(sources.hour_of(1, "2013-01-01T10:00:00Z"), 10)
        self.assertEqual(sources.hour_of(1, "2013-02-01T04:00:00Z"), 31 * 24 + 4)

    def test_unknown_metadata_are_none(self) -> None:
        empty = Lookup(sources.Version(1, [], [], []))
        flight = Flight(0, 1, "EWR", 10, "N1", "XXX", NONE, NONE, 99)
        values = dict(zip(COLUMNS, features(flight, empty.facts(flight)), strict=True))
        self.assertEqual((values["age"], values["altitude_class"], values["delay_class"], values["exposure"]), (NONE, -1, 0, 0))
