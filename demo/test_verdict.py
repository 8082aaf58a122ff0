import dataclasses
import json
import tempfile
import unittest
from pathlib import Path

from demo import digest, table, verdict
from demo.application import Measured

TRUTH = digest.of_lines(["0,1,2", "1,3,4", "10,5,6"])
MB = 2**20


def measured(approach: str, peak_mb: int = 600, **changes: object) -> Measured:
    row = Measured(approach, 256, 1.0, 9.0, peak_mb * MB, peak_mb * MB, 12, 1, 256 * MB, 0, TRUTH.rows, TRUTH.sha256, "3.5.4")
    return dataclasses.replace(row, **changes)


def three(baseline: int, closure: int, andiron: int) -> list[Measured]:
    return [measured("baseline", baseline), measured("sorted-closure", closure), measured("andiron-bytes", andiron)]


class DigestTest(unittest.TestCase):
    def output(self, *files: str) -> digest.Digest:
        with tempfile.TemporaryDirectory() as folder:
            for number, text in enumerate(files):
                part = Path(folder) / f"2013-{number:02d}" / f"part-{number:05d}.txt"
                part.parent.mkdir()
                part.write_text(text)
                (part.parent / "_SUCCESS").touch()
            return digest.of_output(Path(folder))

    def test_files_and_their_order_do_not_matter(self) -> None:
        self.assertEqual(self.output("10,5,6\n0,1,2\n", "1,3,4\n"), TRUTH)
        self.assertEqual(self.output("1,3,4\n", "", "0,1,2\n10,5,6\n"), TRUTH)

    def test_a_changed_missing_or_repeated_row_does(self) -> None:
        for text in ("0,1,2\n1,3,5\n10,5,6\n", "0,1,2\n10,5,6\n", "0,1,2\n1,3,4\n1,3,4\n10,5,6\n"):
            self.assertNotEqual(self.output(text), TRUTH)


class VerdictTest(unittest.TestCase):
    def test_equal_digests_pass_and_one_that_differs_fails(self) -> None:
        good = three(600, 1600, 1100)
        self.assertEqual(verdict.same_features(good, TRUTH), [])
        bad = [*good, measured("join", digest="0" * 64)]
        self.assertEqual(len(verdict.same_features(bad, TRUTH)), 1)
        self.assertIn("join", verdict.same_features(bad, TRUTH)[0])
        self.assertEqual(len(verdict.same_features([measured("join", rows=2)], TRUTH)), 1)

    def test_leases_that_are_left_fail(self) -> None:
        self.assertEqual(verdict.nothing_left(three(600, 1600, 1100)), [])
        self.assertEqual(len(verdict.nothing_left([measured("andiron-bytes", leases_left=1)])), 1)

    def test_over_the_budget_fails_for_andiron_alone(self) -> None:
        self.assertEqual(verdict.within_budget(three(600, 1600, 1100), 256 * MB), [])
        self.assertEqual(len(verdict.within_budget(three(600, 1600, 1100), 255 * MB)), 1)

    def test_the_ratio_of_peaks_over_the_baseline(self) -> None:
        self.assertAlmostEqual(verdict.ratio(three(600, 1600, 1100), "peak_rss_bytes"), 2.0)
        self.assertEqual(verdict.saves_memory(three(600, 1600, 1100)), [])
        self.assertEqual(verdict.saves_memory(three(600, 1500, 1100)), [])
        self.assertEqual(len(verdict.saves_memory(three(600, 1480, 1100))), 2)
        self.assertEqual(verdict.ratio(three(600, 1600, 600), "peak_rss_bytes"), float("inf"))

    def test_json_has_an_object_per_row(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "demo.json"
            table.write_json(path, three(600, 1600, 1100), [{"approach": "steps-passing"}], {"commit": "c", "seed": 1})
            found = json.loads(path.read_text())
        self.assertEqual([o["approach"] for o in found], ["baseline", "sorted-closure", "andiron-bytes", "steps-passing"])
        self.assertEqual(found[3], {"approach": "steps-passing", "commit": "c", "seed": 1})
        self.assertLessEqual({
            "approach", "version_mb", "wall_s", "peak_rss_bytes", "peak_pss_bytes", "loads", "max_resident_versions",
            "max_resident_bytes", "leases_left", "rows", "digest", "commit", "seed", "spark_version",
        }, found[0].keys())
