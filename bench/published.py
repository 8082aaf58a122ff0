"""Tests of every benchmark's section: a folder with its data and a page with its blocks, in which tests change what they want found."""

from __future__ import annotations

import copy
import json
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.figures import Record
from bench.render import DATA, PAGE, PICTURES
from bench.section import Section

RUN: Record = {"commit": "c" * 40, "uncommitted": False, "jar_sha256": "d" * 64, "started": 1, "load_average": 1.0}
MACHINE: Record = {"cpu": "x", "cores": 2, "memory_kb": 1 << 24, "kernel": "6", "java": "17"}


def complete(section: Section, parameters: Record, raw: Record) -> Record:
    """The content of a run with these raw records and invented facts."""
    facts = {"spark": "3.5.4", "scala": "2.13.8", "python": "3.11.2", "jar": "andiron.jar", "seed": 1, "total_s": 60.0, "machine": MACHINE}
    content = RUN | facts | {"parameters": parameters, "raw": raw, "runs": dict.fromkeys(raw, RUN)}
    return content | {"figures": section.figures(content)}


class Published(unittest.TestCase):
    """`section`; `edit`: a text of the page that a test replaces, and `edited`: the names of the blocks that have it; `made`: a complete run."""

    section: Section
    edit: tuple[str, str]
    edited: tuple[str, ...]

    def made(self) -> Record:
        raise NotImplementedError

    def setUp(self) -> None:
        self.root = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for folder in (DATA, PAGE.parent, PICTURES):
            (self.root / folder).mkdir(parents=True)
        content = self.made()
        (self.root / PAGE).write_text("".join(f"<!-- begin {name} -->\n\n<!-- end {name} -->\n" for name in self.section.blocks(content)))
        self.section.publish(self.root, content)

    def mismatches(self, change: Callable[[Record], Any] = lambda content: None) -> list[str]:
        """The mismatches once the published data are changed."""
        content = copy.deepcopy(self.made())
        change(content)
        (self.root / DATA / self.section.file).write_text(json.dumps(content))
        return self.section.mismatches(self.root)

    def assert_found(self, change: Callable[[Record], Any], *texts: str) -> None:
        """Each text is in one of the mismatches."""
        found = self.mismatches(change)
        for text in texts:
            self.assertTrue(any(text in sentence for sentence in found), (text, found))

    def figure(self, id: str, change: Callable[[Record], Any] = lambda content: None) -> Record:
        """A figure of the changed run."""
        content = copy.deepcopy(self.made())
        change(content)
        return next(figure for figure in self.section.figures(content) if figure["id"] == id)


class Checks:
    """The tests that all sections share."""

    def test_what_was_published_verifies(self: Any) -> None:
        self.assertEqual(self.mismatches(), [])

    def test_a_changed_figure_is_found(self: Any) -> None:
        first = self.made()["figures"][0]
        found = self.mismatches(lambda content: content["figures"][0].update(value=99.5))
        self.assertEqual(found, [f"{self.section.file}: {first['id']} is written as 99.5, but its raw records give {first['value']}"])

    def test_an_edited_table_is_found(self: Any) -> None:
        page = self.root / PAGE
        page.write_text(page.read_text().replace(*self.edit))
        self.assertEqual([sentence.split()[2] for sentence in self.mismatches()], list(self.edited))

    def test_missing_data_are_found(self: Any) -> None:
        (self.root / DATA / self.section.file).unlink()
        self.assertEqual(len(self.section.mismatches(self.root)), 1)
