import tempfile
import unittest
from pathlib import Path

from demo import layout
from demo.sources import NONE, Airport, Plane, Version, Weather


def small_version(month: int = 3) -> Version:
    weather = [Weather(month, origin, hour, 390 + hour, 100, 100, hour % 2)
               for origin in ("JFK", "EWR", "LGA") for hour in range(5, 40, 3)]
    planes = [(Plane("N14228", 1999, 149, 2), 17), (Plane("D942DN", NONE, 20, 1), 1), (Plane("N1EAMQ", 2001, 5, 1), 3)]
    airports = [(Airport("IAH", 97, -6), 40), (Airport("04G", 1044, -5), 0)]
    return Version(month, weather, planes, airports)


class LayoutTest(unittest.TestCase):
    def written(self, version: Version, megabytes: int = 0) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "v.bin"
            length = layout.write(version, path, megabytes)
            data = path.read_bytes()
        self.assertEqual(len(data), length)
        return data

    def test_every_record_is_found_where_it_was_written(self) -> None:
        version = small_version()
        for megabytes in (0, 1):
            self.assertEqual(layout.read(self.written(version, megabytes))[:2], (3, list(layout.tables(version))))

    def test_keys_that_were_not_written_are_not_found(self) -> None:
        _, tables, _ = layout.read(self.written(small_version()))
        for table, key in zip(tables, (layout.weather_key("EWR", 6), layout.text_key("N14229"), layout.text_key("ZZZ")), strict=True):
            self.assertNotIn(key, [record[0] for record in table])
            self.assertEqual(table, sorted(table), "readers search the tables")

    def test_an_empty_table_is_searched(self) -> None:
        self.assertEqual(layout.read(self.written(Version(1, [], [], [])))[1], [[], [], []])

    def test_inflated_to_the_size_asked_for_with_pages_that_differ(self) -> None:
        data = self.written(small_version(month=7), megabytes=2)
        self.assertEqual(len(data), 2 * 2**20)
        self.assertEqual(layout.read(data)[2], [7 << 32 | page for page in range(2 * 256 - 1)])

    def test_the_same_bytes_every_time(self) -> None:
        self.assertEqual(self.written(small_version(), 1), self.written(small_version(), 1))
        self.assertNotEqual(self.written(small_version(3), 1), self.written(small_version(4), 1))

    def test_what_does_not_fit_is_refused(self) -> None:
        twice = small_version()
        with self.assertRaisesRegex(layout.LayoutError, "two records of one key"):
            self.written(Version(3, twice.weather + twice.weather, twice.planes, twice.airports))
        planes = [(Plane(f"N{i:05d}", 1999, 1, 1), 1) for i in range(50_000)]
        with self.assertRaisesRegex(layout.LayoutError, "more than 1 MB"):
            self.written(Version(3, [], planes, []), 1)
        with self.assertRaisesRegex(layout.LayoutError, "longer than 7"):
            layout.text_key("N1234567")
        with self.assertRaisesRegex(layout.LayoutError, "starts with"):
            layout.read(b"PARQUET1" + bytes(100))
