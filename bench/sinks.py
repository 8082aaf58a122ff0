#!/usr/bin/env python3
"""The cost and the losses of shipping: `python3 -m bench.sinks [--publish] [PART ...]`, of the parts rate, jobs, library and revisions, or all.

Measures the sink's rate against a bare producer; jobs whose broker works, is absent or silent; the size of the library; and a million revisions into
Hive while broker and drivers are killed. Servers run on loopback. Each part replaces its records in build/bench-sinks.json; `--publish` copies the file,
if it is complete, to docs/data and renders its part of docs/evidence/benchmarks.md. Needs the files that `make bench-sinks` builds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time

from bench import machine, sinks_measure, sinks_render
from bench.render import DATA, figure_table, plain
from bench.section import write
from bench.figures import Record
from checks.services import kafka, revisions
from checks.services.kafka_checks import TOPICS, Place
from harness.facts import BUILD, ROOT, Built, is_set



def measure(part: str, place: Place, turns: int, rounds: int) -> list[Record]:
    if part == "rate":
        sinks_measure.build_rate()
        with kafka.Broker(place.built, place.folder / "kafka") as broker:
            broker.create(*TOPICS)
            return sinks_measure.rate(broker)
    if part == "jobs":
        return sinks_measure.jobs(place, turns, rounds, lambda text: print(text, flush=True))
    return sinks_measure.library(BUILD) if part == "library" else sinks_measure.million()


def main() -> int:
    parser = argparse.ArgumentParser(description="the cost and the losses of shipping")
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--publish", action="store_true", default=is_set("BENCH_PUBLISH"))
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    unknown = set(options.parts) - set(sinks_render.PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(sinks_render.PARTS)}")
    file, folder = BUILD / "bench-sinks.json", BUILD / "bench-sinks"
    built = Built.of()
    content: Record = {"raw": {}, "runs": {}} | (json.loads(file.read_text()) if file.exists() else {})
    for part in options.parts or sinks_render.PARTS:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        facts, started, load = machine.facts(built.jar()), time.time(), os.getloadavg()[0]
        place = Place(built, folder)
        content["raw"][part] = measure(part, place, options.turns, options.rounds)
        content["runs"][part] = {"commit": facts["commit"], "uncommitted": facts["uncommitted"], "load_average": round(load, 2), "started": round(started),
                                 "total_s": round(time.time() - started, 1)}
        content |= facts | {"spark": built.spark, "scala": built.scala, "seed": revisions.SEED, "started": round(started),
                            "parameters": {"turns": options.turns, "rounds": options.rounds}}
        write(file, content)
    shutil.rmtree(folder, ignore_errors=True)
    wrong = sinks_render.wrong(content)
    for sentence in wrong:
        print(f"bench-sinks: {sentence}", file=sys.stderr)
    if wrong:
        return 1
    atlas = json.loads((ROOT / DATA / sinks_render.ATLAS).read_text())
    content["figures"] = sinks_render.figures(content, atlas)
    write(file, content)
    print(plain(*figure_table(content["figures"])))
    if options.publish:
        sinks_render.SECTION.publish(ROOT, content)
    return 0 if all(figure["reached"] for figure in content["figures"]) else 1


if __name__ == "__main__":
    sys.exit(main())
