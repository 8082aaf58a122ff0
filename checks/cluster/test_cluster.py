import array
import json
import mmap
import os
import tempfile
import unittest
from pathlib import Path

from bench.figures import Record
from bench.render import DATA, PAGE, filled
from bench import cluster as figures
from checks.cluster import sharing
from checks.cluster.application import Job, Setup, command
from checks.cluster.content import Content, digest
from harness import facts
from harness.facts import ROOT, Built
from bench.cluster import GB

CONTENT = Content(versions=2, blocks=2, seed=7)


def contents() -> Record:
    """A complete run with invented numbers."""
    pss = {"none": GB, "shared": 2 * GB, "own": 3 * GB}
    return {"raw": {
        "memory": [{"turn": turn, "how": how, "bytes": GB, "peak_pss_bytes": bytes_ + turn * GB // 100 * (how == "shared"), "peak_rss_bytes": 2 * bytes_,
                    "downloads": 2.0 if how == "own" else 1.0, "load_average": 1.0} for turn in range(3) for how, bytes_ in pss.items()],
        "kills": [{"of": name, "right": True, "seconds": 0.5, "ended": 1, "in_round": True} for name in ("executor", "worker") for _ in range(10)],
    }}


class ContentTest(unittest.TestCase):
    def test_rows_are_those_of_the_files(self) -> None:
        """The digest computed from blocks equals the digest of the numbers in the files."""
        with tempfile.TemporaryDirectory() as folder:
            CONTENT.write(Path(folder) / "versions")
            numbers = [array.array("q", (Path(folder) / "versions" / name).read_bytes()) for name in CONTENT.names]
        self.assertEqual([len(of) * 8 for of in numbers], [CONTENT.bytes] * 2)

        def signed(x: int) -> int:
            return (x + (1 << 63)) % (1 << 64) - (1 << 63)

        rows = [(row, signed(row + sum(numbers[row % 2]))) for row in range(5)]
        self.assertEqual(digest(rows), CONTENT.digest(5, "all"))
        self.assertEqual(digest([(row, row) for row in range(5)]), CONTENT.digest(5, "none"))
        self.assertNotEqual(CONTENT.digest(5, "cells"), Content(2, 2, 8).digest(5, "cells"))


class SharingTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "cache"
        (self.folder / "app").mkdir(parents=True)
        for path in (self.folder, self.folder / "app"):
            path.chmod(0o700)
        self.file = self.folder / "app/d.bytes"
        self.file.write_bytes(b"x" * 4096)
        self.file.chmod(0o400)

    def test_modes(self) -> None:
        self.assertEqual((sharing.open_to_others(self.folder), sharing.files(self.folder)), ([], [self.file]))
        self.file.chmod(0o440)
        self.assertEqual(len(sharing.open_to_others(self.folder)), 1)

    def test_pages_of_a_file(self) -> None:
        with self.file.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapping:
            self.assertEqual(mapping[0], ord("x"))
            found = sharing.mapped([os.getpid()], self.file)
        self.assertEqual((found.rss, found.pss), ({os.getpid(): 4096}, 4096))
        self.assertEqual(sharing.mapped([os.getpid()], self.file).pss, 0)


class CommandTest(unittest.TestCase):
    def test_packages_come_from_the_one_repository(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            setup = Setup(Built(Path("/home"), "3.5.4", "2.13"), Path(folder))
            words = command(setup, "local", Job(CONTENT, by="--packages", settings={"spark.andiron.cache.dir": None}), Path(folder))
        self.assertIn((ROOT / "build/repo").as_uri(), words)
        self.assertIn(f"{facts.GROUP}:andiron_2.13:{facts.VERSION}", words)
        self.assertFalse([word for word in words if word == str(setup.built.jar()) or word.startswith("spark.andiron.cache.dir")])


class FiguresTest(unittest.TestCase):
    def test_turns_are_compared_with_themselves(self) -> None:
        found = {one["id"]: one for one in figures.SECTION.figures(contents())}
        self.assertEqual({one["reached"] for one in found.values()}, {True})
        self.assertEqual(found["pss.shared"]["value"], 1.01)

    def test_what_is_wrong_is_missed(self) -> None:
        content = contents()
        content["raw"]["kills"][0]["right"] = False
        content["raw"]["memory"][1]["downloads"] = 2.0
        missed = [one["id"] for one in figures.SECTION.figures(content) if not one["reached"]]
        self.assertEqual(missed, ["downloads.shared", "kills.executor"])

    def test_the_page_is_that_of_its_data(self) -> None:
        self.assertEqual(figures.SECTION.mismatches(ROOT), [])

    def test_a_changed_page_does_not_agree(self) -> None:
        page = (ROOT / PAGE).read_text()
        content = json.loads((ROOT / DATA / figures.SECTION.file).read_text())
        content["raw"]["memory"][0]["peak_pss_bytes"] += GB
        self.assertNotEqual(filled(page, figures.SECTION.blocks(content)), page)
        with self.assertRaises(ValueError):
            filled("no section", figures.SECTION.blocks(content))


class RunTest(unittest.TestCase):
    def test_the_versions_are_lines_that_gradle_knows(self) -> None:
        makefile = (ROOT / "Makefile").read_text()
        lines = next(line for line in makefile.splitlines() if line.startswith("CLUSTERS")).split("=")[1].split()
        self.assertEqual(lines, ["2.12:3.5.4", "2.13:3.5.4", "2.13:4.0.4", "2.13:4.1.3", "2.13:4.2.0"])
        self.assertIn(f"{facts.SCALA}:{facts.SPARK}", lines)
