"""A benchmark's section of docs/evidence/benchmarks.md: its published data, the figures and blocks computed from them, and all mismatches."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import Record
from bench.render import DATA, PAGE, blocks_differ, filled

FACTS = ("commit", "spark", "scala", "jar_sha256", "seed", "machine", "parameters", "started")


@dataclass(frozen=True)
class Section:
    """`name`: the target is `bench-<name>`, and the names of the blocks begin with `<name>-`; `files`: the data, the first with the figures;
    `figures` and `blocks` take the contents of all files, `wrong` that of the first. `lacks`: facts that the file does not have. `needs_all`:
    the figures of a wrong run cannot be computed."""

    name: str
    files: tuple[str, ...]
    figures: Callable[..., list[Record]]
    blocks: Callable[..., dict[str, str]]
    wrong: Callable[[Record], list[str]] = lambda content: []
    lacks: tuple[str, ...] = ()
    needs_all: bool = False

    def contents(self, root: Path) -> list[Record]:
        return [json.loads((root / DATA / file).read_text(encoding="utf-8")) for file in self.files]

    def mismatches(self, root: Path) -> list[str]:
        """The mismatches of figures, raw records and page, one sentence each."""
        missing = [f"{DATA / file} is missing: run `make bench-{self.name} BENCH_PUBLISH=1`" for file in self.files if not (root / DATA / file).exists()]
        if missing:
            return missing
        contents = self.contents(root)
        found = [f"{self.files[0]} does not say its {fact}" for fact in FACTS if fact not in self.lacks and not contents[0].get(fact)] + self.wrong(contents[0])
        if found and self.needs_all:
            return found
        return found + differences(self.files[0], contents[0]["figures"], self.figures(*contents)) + blocks_differ(root, self.blocks(*contents))

    def publish(self, root: Path, content: Record | None = None) -> None:
        """Writes the data if `content` is given, and renders the blocks of the page."""
        if content is not None:
            (root / DATA).mkdir(parents=True, exist_ok=True)
            write(root / DATA / self.files[0], content)
        page = root / PAGE
        page.write_text(filled(page.read_text(encoding="utf-8"), self.blocks(*self.contents(root)), f"{self.name}-"), encoding="utf-8")


def write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def differences(file: str, written: list[Record], computed: list[Record]) -> list[str]:
    """The figures of a file that differ from those computed from its raw records."""
    by = {figure["id"]: figure for figure in written}
    found = [f"{file}: {f['id']} is written as {by.get(f['id'], {}).get('value')}, but its raw records give {f['value']}"
             for f in computed if by.get(f["id"]) != f]
    return found + [f"{file}: {id} is written, but nothing gives it" for id in by.keys() - {f["id"] for f in computed}]
