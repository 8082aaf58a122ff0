"""A benchmark as a program: `python3 -m bench.NAME [PART ...] [--publish] [--FLAG VALUE ...]`, of all parts by default.

Writes build/bench-NAME.json: all raw records of every turn, and the figures computed from them. `--help` lists the parts and the flags; each flag
also has an environment variable BENCH_FLAG. `--publish` (or BENCH_PUBLISH=1) also writes docs/data and the benchmark's section of
docs/evidence/benchmarks.md; parts that were not run keep their published records.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import machine, parameters
from bench.section import Section, write
from harness.facts import BUILD, ROOT, BuildError
from harness.process import ServerError
from harness.spark import ApplicationError, Record

Say = Callable[[str], None]


@dataclass(frozen=True)
class Benchmark:
    """
    `parameters`: the dataclass of the flags. `setup`: makes the setup of all parts from the benchmark's new folder; its `built` has the jar.
    `parts`: each takes the setup, the parameters and a function that prints progress, and returns its raw records. `facts` are written beside
    them. `strict`: a missed figure is an error.
    """

    section: Section
    parameters: Any
    setup: Callable[[Path], Any]
    parts: Mapping[str, Callable[[Any, Any, Say], list[Record]]]
    facts: Record = field(default_factory=dict)
    strict: bool = False

    def main(self) -> int:
        p, parts, publish = parameters.read(self.parameters, self.parts)
        name = f"bench-{self.section.name}"
        try:
            content = self.measure(p, parts, BUILD / name)
            print(f"{self.section.text(content)}\n{content['total_s']:.0f} s; raw figures in build/{self.section.file}")
            wrong = self.section.wrong(content)
            if publish and not wrong:
                self.section.publish(ROOT, self.section.completed(content, ROOT))
        except (ApplicationError, BuildError, ServerError, ValueError) as error:
            wrong = [str(error)]
        for sentence in wrong:
            print(f"{name}: {sentence}", file=sys.stderr)
        return 1 if wrong or self.strict and not all(figure["reached"] for figure in content["figures"]) else 0

    def measure(self, p: Any, parts: list[str], work: Path) -> Record:
        """Runs the parts; the file in build/ is written after each of them."""
        started = time.time()

        def say(text: str) -> None:
            print(f"[{time.time() - started:5.0f} s] {text}", flush=True)

        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        setup = self.setup(work)
        facts = machine.facts(setup.built)
        seed = {"seed": p.seed} if hasattr(p, "seed") else {}
        content: Record = facts | seed | self.facts | {"parameters": dataclasses.asdict(p), "raw": {}, "runs": {}, **start()}
        for part in parts:
            begun, at = time.time(), start()
            records = content["raw"][part] = self.parts[part](setup, p, say)
            source = {fact: facts[fact] for fact in ("commit", "uncommitted", "jar_sha256")}
            content["runs"][part] = source | at | {"total_s": round(time.time() - begun, 1)}
            content["scala"] = next((record["scala"] for record in records if "scala" in record), content["scala"])
            content |= {"total_s": round(time.time() - started, 1), "figures": self.section.figures(content)}
            write(BUILD / self.section.file, content)
            say(f"{part}: done")
        return content


def start() -> Record:
    """The time and the load average at the start of a part."""
    return {"started": round(time.time()), "load_average": round(os.getloadavg()[0], 2)}
