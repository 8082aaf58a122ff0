import os
import subprocess
import sys
import unittest

from harness.facts import ROOT


class PythonsTest(unittest.TestCase):
    def test_make_runs_every_pinned_pyspark(self) -> None:
        makefile = (ROOT / "Makefile").read_text()
        lines = next(line for line in makefile.splitlines() if line.startswith("PYTHONS")).split("=")[1].split()
        pinned = [file.stem.partition("-")[2] for file in (ROOT / "checks/python").glob("pyspark-*.txt")]
        self.assertEqual(sorted(lines), sorted(["2.12:3.5.4", *pinned]))

    def test_one_that_cannot_be_built_keeps_no_other_from_running(self) -> None:
        for gradle in ("false", ROOT / "no gradle"):
            words = [sys.executable, "-m", "checks.python.run", "0.0.1", "2.12:0.0.2"]
            told = subprocess.run(words, env=os.environ | {"GRADLE": str(gradle)}, cwd=ROOT, capture_output=True, text=True, check=False)
            self.assertEqual((told.returncode, told.stdout), (1, "test-python: failed on 0.0.1, 2.12:0.0.2\n"), told.stderr)
            self.assertEqual(told.stderr.count("cannot be built or fetched: "), 2, told.stderr)
