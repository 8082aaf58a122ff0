"""A base of the tests of a benchmark's section: a folder with its data and a page with the section's markers."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from bench.figures import Record
from bench.render import DATA, PAGE


class Published(unittest.TestCase):
    """`render`: the section's module; `names`: its generated blocks; `made`: a complete run; `beside`: other data that the rendering needs."""

    render: Any
    names: tuple[str, ...]
    beside: dict[str, Record] = {}

    def made(self) -> Record:
        raise NotImplementedError

    def mismatches(self) -> list[str]:
        return self.render.SECTION.mismatches(self.root)

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / DATA).mkdir(parents=True)
        for name, data in self.beside.items():
            (self.root / DATA / name).write_text(json.dumps(data))
        (self.root / PAGE.parent).mkdir(parents=True)
        (self.root / PAGE).write_text("".join(f"<!-- begin {name} -->\n\n<!-- end {name} -->\n" for name in self.names))
        self.write(self.made())
        self.render.SECTION.publish(self.root)

    def write(self, made: Record) -> None:
        (self.root / DATA / self.render.FILE).write_text(json.dumps(made))
