import dataclasses
import tempfile
import unittest
from pathlib import Path

from demo import reading, steps
from demo.features import Lookup
from demo.sources import NONE, Flight, Version

GOLDEN = Path(__file__).resolve().parents[1] / "native/tests/report/golden/failing.txt"

REPORT = """flight features  ENDED AT ITS GATE
app-1 · Spark 3.5.4

Gates
  FAILED  history dropped 200 of 1,000 rows, 20 % (limit 1 %)
          20.0 % of the rows were dropped, where at most 1 % may be

Steps, in execution order
  step               in    out  dropped  ratio  attempted in  exact  stages
  labels          1,000  1,000        0    0 %                yes    0
    cancelled        25                  2.5 %
  history         1,000    800      200   20 %         1,125  yes    0
    cache-misses    200                   20 %
  features          800    800        0    0 %                yes    1
    unknown-plane     7                0.875 %

Failed rows
  history: 200 of 200 failed rows sampled
  andiron.demo.HistoryLost: the cache has lost it
    200 samples in history, stack 9f1c0a52e7d3b846
"""


class ReadingTest(unittest.TestCase):
    def test_what_the_command_prints_is_read(self) -> None:
        found = reading.report(GOLDEN.read_text(encoding="utf-8"))
        self.assertEqual(found.outcome, "ENDED AT ITS GATE")
        self.assertEqual(list(found.steps), ["labels", "history", "features"])
        history = found.steps["history"]
        self.assertEqual((history.rows_in, history.rows_out, history.dropped, history.ratio, history.exact),
                         (100_000, 79_986, 20_014, "20 %", True))
        self.assertEqual(history.own, {"cache-misses": 21_218, "fetch-millis": 9_411_870})
        self.assertEqual(found.sampled["history"], (500, 20_014))
        self.assertEqual(len(found.gates), 2)

    def test_a_text_without_the_table_is_refused(self) -> None:
        for text in ("", "andiron: no log", REPORT.replace("Steps, in", "Steps in"), REPORT + REPORT):
            with self.assertRaises((reading.ReportError, IndexError)):
                reading.report(text)


class ToldTest(unittest.TestCase):
    def setUp(self) -> None:
        self.page = Path(self.enterContext(tempfile.TemporaryDirectory())) / "page.html"
        self.page.write_text('<details class="sample">' * 200)
        self.truth = steps.Truth(
            {"labels": (1000, 1000, 0, {"cancelled": 25}), "history": (1000, 800, 200, {"cache-misses": 200}),
             "features": (800, 800, 0, {"unknown-plane": 7})}, None, 200)

    def wrong(self, text: str = REPORT) -> list[str]:
        ran = steps.Ran(steps.RUNS[1], 1, "app-1", 1.0, text, self.page, reading.report(text))
        return list(steps.told_wrong(ran, self.truth))

    def test_the_truth_passes(self) -> None:
        self.assertEqual(self.wrong(), [])

    def test_every_figure_is_compared(self) -> None:
        for old, new in (
            ("AT ITS GATE", "AT NIGHT"), ("  labels          1,000  1,000        0", "  labels          1,001  1,000        0"),
            ("800      200", "801      200"), ("800      200", "800      199"), ("    cancelled        25", "    cancelled        26"),
            ("    cache-misses    200", "    cache-hits      200"), ("0 %                yes    1", "0 %                no     1"),
            ("200 of 200 failed", "199 of 200 failed"), ("  features          800", "  featured          800"),
        ):
            self.assertIn(old, REPORT)
            self.assertEqual(len(self.wrong(REPORT.replace(old, new, 1))), 1, new)

    def test_samples_of_the_page_are_counted(self) -> None:
        self.page.write_text('<details class="sample">' * 199)
        self.assertEqual(len(self.wrong()), 1)


class TableTest(unittest.TestCase):
    def test_any_change_is_told(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder)
            (table / "version=1").mkdir()
            part = table / "version=1" / "part-0"
            part.write_text("a")
            before = steps.contents(table)
            self.assertEqual(list(steps.changes(before, steps.contents(table))), [])
            (table / "_SUCCESS").touch()
            self.assertEqual(list(steps.changes(before, steps.contents(table))), ["_SUCCESS was added"])
            part.unlink()
            self.assertEqual(len(list(steps.changes(before, steps.contents(table)))), 2)
            part.write_text("a")
            self.assertIn("version=1/part-0 was changed", list(steps.changes(before, steps.contents(table))))
            self.assertEqual(list(steps.changes({}, {})), ["first run has left no file"])


class TruthTest(unittest.TestCase):
    def test_what_is_lost_is_known_beforehand(self) -> None:
        ids = range(100_000)
        few, many = ({id for id in ids if steps.is_lost(id, run.lost_in_million)} for run in steps.RUNS)
        self.assertTrue(50 < len(few) < 150 and 18_000 < len(many) < 22_000, (len(few), len(many)))
        self.assertLess(few, many)

    def test_lost_flights_have_no_features(self) -> None:
        flights = [Flight(id, 1, "JFK", 0, f"N{id}", "LAX", NONE if id % 10 == 0 else 5, 5, 100) for id in range(1000)]
        lookups = {1: Lookup(Version(1, [], [], []))}
        run = dataclasses.replace(steps.RUNS[1], lost_in_million=500_000)
        lost = sum(steps.is_lost(id, 500_000) for id in range(1000))
        found = steps.truth(flights, lookups, run)
        self.assertEqual(found.steps["labels"], (1000, 1000, 0, {"cancelled": 100}))
        self.assertEqual(found.steps["history"], (1000, 1000 - lost, lost, {"cache-misses": lost}))
        self.assertEqual(found.steps["features"], (1000 - lost, 1000 - lost, 0, {"unknown-plane": 1000 - lost}))
        self.assertEqual(found.published.rows, 1000 - lost)
