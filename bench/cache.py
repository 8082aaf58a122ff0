"""The cache benchmark: `make bench-cache`.

    python3 -m bench.cache [--smoke] [--FLAG VALUE ...]

Needs `make build`. Writes build/bench-cache.json and build/bench-micro.json: all raw records of every turn and the figures computed
from them. `--help` lists the flags; each flag also has an environment variable BENCH_FLAG. `--publish` (or BENCH_PUBLISH=1) also copies
the files to docs/data and renders docs/evidence/benchmarks.md; parts that were not run keep their published records.
"""

from __future__ import annotations

import dataclasses
import sys
import time

from bench import figures, machine, measure, parameters, render, rivals
from bench.section import write
from bench.spark_app import Setup
from harness.facts import BUILD, ROOT, BuildError, Built, is_set
from harness.spark import ApplicationError, Record

PARTS = {
    "approaches": measure.approaches, "sweep": measure.sweep, "talk": measure.talk, "rates": measure.rates, "kills": measure.kills,
}


def main() -> int:
    words = sys.argv[1:]
    publish = "--publish" in words or is_set("BENCH_PUBLISH")
    p = parameters.read([word for word in words if word != "--publish"])
    started = time.time()

    def say(text: str) -> None:
        print(f"[{time.time() - started:5.0f} s] {text}", flush=True)

    try:
        wanted = p.parts.split(",")
        if unknown := [part for part in wanted if part not in (*PARTS, "micro")]:
            raise ValueError(f"no part {', '.join(unknown)}; there are {', '.join((*PARTS, 'micro'))}")
        rivals.chosen(p.approaches)
        setup = Setup(Built.located("bench"), BUILD / "bench")
        setup.work.mkdir(parents=True, exist_ok=True)
        facts = machine.facts(setup.built.jar())
        raw: Record = {part: run(setup, p, say) for part, run in PARTS.items() if part in wanted}
        micro = {"micro": measure.micro(setup, p, say)} if "micro" in wanted else {}
    except (ApplicationError, BuildError, ValueError) as error:
        print(f"bench-cache: {error}", file=sys.stderr)
        return 1
    head: Record = facts | {
        "parameters": dataclasses.asdict(p), "seed": p.seed, "started": round(started), "total_s": round(time.time() - started, 1),
        "spark": next((records[0]["spark"] for records in raw.values() if records), ""),
        "scala": next((records[0]["scala"] for records in raw.values() if records), ""),
    }
    source = {fact: facts[fact] for fact in ("commit", "uncommitted", "jar_sha256")} | {"started": head["started"]}
    cache_file = head | {"raw": raw, "runs": {part: source for part in raw}}
    micro_file = head | {"raw": micro, "runs": {part: source for part in micro}}
    cache_file["figures"] = figures.of_cache(cache_file)
    micro_file["figures"] = figures.of_micro(micro_file)
    write(BUILD / "bench-cache.json", cache_file)
    write(BUILD / "bench-micro.json", micro_file)
    print(render.text(cache_file, micro_file))
    print(f"{head['total_s']:.0f} s; raw figures in build/bench-cache.json and build/bench-micro.json")
    wrong = figures.wrong(cache_file)
    if publish and not wrong:
        try:
            published = ROOT / render.DATA
            cache_file, micro_file = (render.completed(new, published / name) for name, new in ((render.CACHE, cache_file), (render.MICRO, micro_file)))
            render.publish(ROOT, cache_file | {"figures": figures.of_cache(cache_file)}, micro_file | {"figures": figures.of_micro(micro_file)})
        except ValueError as error:
            wrong.append(str(error))
    for sentence in wrong:
        print(f"bench-cache: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
