"""The metrics benchmark: `make bench-metrics`.

    python3 bench/metrics.py [--smoke] [--FLAG VALUE ...]

Needs `gradle -PscalaVersion=2.12 assemble benchJar sparkHome`. Writes build/bench-metrics.json: all raw records of every turn and the
figures computed from them. `--help` lists the flags; each flag also has an environment variable BENCH_FLAG. `--publish` (or
BENCH_PUBLISH=1) also copies the file to docs/data and renders its section of docs/evidence/benchmarks.md.
"""

from __future__ import annotations

import dataclasses
import sys
import time

from bench import machine, metrics_figures, metrics_measure, metrics_render, parameters
from bench.section import write
from bench.spark_app import Setup
from harness.facts import BUILD, ROOT, BuildError, Built, is_set
from harness.spark import ApplicationError, Record



def main() -> int:
    words = sys.argv[1:]
    publish = "--publish" in words or is_set("BENCH_PUBLISH")
    p = parameters.read_metrics([word for word in words if word != "--publish"])
    started = time.time()

    def say(text: str) -> None:
        print(f"[{time.time() - started:5.0f} s] {text}", flush=True)

    try:
        wanted = p.parts.split(",")
        if unknown := [part for part in wanted if part not in metrics_measure.PARTS]:
            raise ValueError(f"no part {', '.join(unknown)}; there are {', '.join(metrics_measure.PARTS)}")
        setup = Setup(Built.located("bench", scala="2.12"), BUILD / "bench-metrics")
        setup.work.mkdir(parents=True, exist_ok=True)
        facts = machine.facts(setup.built.jar())
        raw: Record = {part: run(setup, p, say) for part, run in metrics_measure.PARTS.items() if part in wanted}
    except (ApplicationError, BuildError, ValueError) as error:
        print(f"bench-metrics: {error}", file=sys.stderr)
        return 1
    content: Record = facts | {
        "parameters": dataclasses.asdict(p), "seed": p.seed, "started": round(started), "total_s": round(time.time() - started, 1), "raw": raw,
        "spark": next((r["spark"] for records in raw.values() for r in records if "spark" in r), ""),
        "scala": next((r["scala"] for records in raw.values() for r in records if "scala" in r), ""),
    }
    content["figures"] = metrics_figures.of(content)
    write(BUILD / "bench-metrics.json", content)
    print(metrics_render.text(content))
    print(f"{content['total_s']:.0f} s; raw figures in build/bench-metrics.json")
    wrong = metrics_figures.wrong(content)
    if publish and not wrong:
        try:
            metrics_render.SECTION.publish(ROOT, content)
        except ValueError as error:
            wrong.append(str(error))
    for sentence in wrong:
        print(f"bench-metrics: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
