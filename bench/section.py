"""A benchmark's section of docs/evidence/benchmarks.md: its published data, the figures and blocks computed from them, and all mismatches."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import Record
from bench.render import DATA, PAGE, PICTURES, Table, blocks_differ, figure_table, filled, markdown, plain, wrapped

FACTS = ("commit", "spark", "scala", "jar_sha256", "seed", "machine", "parameters", "started")


@dataclass(frozen=True)
class Section:
    """
    `name`: the target is `bench-<name>`, and the names of the blocks begin with `<name>-`.

    `parts`: by name of the part, its figures, computed from its raw records and from the content of the file. `machine`: the sentences about
    the run. `tables` and `charts` by name of block and file, computed from the content. `wrong`: faults of a run, and `lacks`: the names that
    a run lacks for publication, by default all parts without records.
    """

    name: str
    parts: Mapping[str, Callable[[Any, Record], list[Record]]]
    machine: Callable[[Record], str]
    tables: Mapping[str, Callable[[Record], Table]]
    charts: Callable[[Record], dict[str, str]] = lambda content: {}
    wrong: Callable[[Record], list[str]] = lambda content: []
    lacks: Callable[[Record], list[str]] | None = None
    facts: tuple[str, ...] = FACTS

    @property
    def file(self) -> str:
        return f"bench-{self.name}.json"

    def content(self, root: Path) -> Record:
        """The published data."""
        content: Record = json.loads((root / DATA / self.file).read_text(encoding="utf-8"))
        return content

    def figures(self, content: Record) -> list[Record]:
        return [figure for part, figures in self.parts.items() if content["raw"].get(part) for figure in figures(content["raw"][part], content)]

    def lacking(self, content: Record) -> list[str]:
        """The parts that a run lacks."""
        return [part for part in self.parts if not content["raw"].get(part)]

    def blocks(self, content: Record) -> dict[str, str]:
        """The generated blocks of the page, by name."""
        tables = {"figures": figure_table(self.figures(content)), **{name: table(content) for name, table in self.tables.items()}}
        found = {"machine": wrapped(self.machine(content)), **{name: markdown(*table) for name, table in tables.items()}}
        return {f"{self.name}-{name}": block for name, block in found.items()}

    def text(self, content: Record) -> str:
        """The results for the terminal."""
        tables = {"": figure_table(self.figures(content)), **{name: table(content) for name, table in self.tables.items()}}
        return "\n".join(f"\n{title}\n{plain(*table)}" for title, table in tables.items() if table[1])

    def mismatches(self, root: Path) -> list[str]:
        """The mismatches of figures, raw records, page and charts, one sentence each."""
        if not (root / DATA / self.file).exists():
            return [f"{DATA / self.file} is missing: run `make bench-{self.name} BENCH_PUBLISH=1`"]
        content = self.content(root)
        found = [f"{self.file} does not say its {fact}" for fact in self.facts if not content.get(fact)] + self.wrong(content)
        found += self._differences(content["figures"], self.figures(content))
        for name, chart in self.charts(content).items():
            file = root / PICTURES / name
            if not file.exists() or file.read_text(encoding="utf-8") != chart:
                found.append(f"{PICTURES / name} is not the chart of these figures")
        return found + blocks_differ(root, self.blocks(content))

    def _differences(self, written: list[Record], computed: list[Record]) -> list[str]:
        """The written figures that differ from those computed from the raw records."""
        by = {figure["id"]: figure for figure in written}
        found = [f"{self.file}: {f['id']} is written as {by.get(f['id'], {}).get('value')}, but its raw records give {f['value']}"
                 for f in computed if by.get(f["id"]) != f]
        return found + [f"{self.file}: {id} is written, but nothing gives it" for id in by.keys() - {f["id"] for f in computed}]

    def completed(self, new: Record, root: Path) -> Record:
        """A run, completed by the published records of the parts that it left out, with its figures. Raises if those have other parameters."""
        old = self.content(root) if (root / DATA / self.file).exists() else {"raw": {}, "parameters": {}}
        kept = {part: records for part, records in old["raw"].items() if part not in new["raw"]}
        differing = [name for name, value in new["parameters"].items() if name != "micro_only" and old["parameters"].get(name) != value]
        if kept and differing:
            raise ValueError(f"not to be published: {', '.join(kept)} were measured with other {', '.join(differing)}; run all parts")
        source = {fact: old.get(fact) for fact in ("commit", "uncommitted", "jar_sha256", "started", "load_average")}
        runs = {part: old.get("runs", {}).get(part, source) for part in kept}
        whole = new | {"raw": kept | new["raw"], "runs": runs | new["runs"]}
        return whole | {"figures": self.figures(whole)}

    def publish(self, root: Path, content: Record | None = None) -> None:
        """Writes the data if `content` is given, and renders the charts and the blocks of the page. Raises if the run lacks a part."""
        if content is not None:
            if lacks := (self.lacks or self.lacking)(content):
                raise ValueError(f"not to be published: the run lacks {', '.join(lacks)}")
            write(root / DATA / self.file, content)
        content = self.content(root)
        for name, chart in self.charts(content).items():
            (root / PICTURES / name).write_text(chart, encoding="utf-8")
        page = root / PAGE
        page.write_text(filled(page.read_text(encoding="utf-8"), self.blocks(content)), encoding="utf-8")


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
