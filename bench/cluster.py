#!/usr/bin/env python3
"""The memory of a version in two executors of one host, and the state after kills: `make bench-cluster`.

    bench/cluster.py [--turns N] [--kills N] [--gigabytes N] [--seed N] [--publish]

Runs the Gradle tasks that it needs and writes build/bench-cluster.json: all raw records and the figures computed from them. --publish (or
BENCH_PUBLISH=1) also copies the file to docs/data and renders its section of docs/evidence/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time

from bench import machine
from bench import cluster_figures as figures
from bench.section import write
from checks.cluster import checks, run
from checks.cluster.application import Job, Setup
from checks.cluster.content import Content
from checks.cluster.standalone import Standalone
from harness.facts import BUILD, ROOT, SCALA, SPARK, is_set
from harness.memory import Sampler
from harness.process import ServerError
from harness.spark import ApplicationError, Record

MEGABYTE = 1 << 20


def memory(setup: Setup, content: Content, turn: int, how: str) -> Record:
    """The peak memory of both executors from start to end. Every row reads the whole version, four rows in each executor. Heaps are
    touched at the start, so that their growth is no part of the difference."""
    settings = {
        "spark.andiron.cache.budgetBytes": content.bytes + MEGABYTE, "spark.executor.defaultJavaOptions": "-Xms1g -XX:+AlwaysPreTouch",
    } | ({"spark.andiron.cache.dir": None} if how == "own" else {})
    job = Job(content, rows=8, partitions=8, rounds=2, read="none" if how == "none" else "all", settings=settings)
    load = os.getloadavg()[0]
    with Standalone(setup.built.home, setup.work / "memory-cluster") as cluster:
        # The workers are children of this process, and the executors are children of the workers.
        with checks.on(cluster, setup, job, "memory") as app, Sampler(os.getpid(), 2) as sampler:
            end = app.finished()
            downloads = app.downloads()
            checks.nothing_left(setup, app, cluster)
    if sampler.error is not None or sampler.peak.samples == 0 or end["executors"] != 2:
        raise ApplicationError(f"memory was not sampled in two executors: {sampler.error}, {sampler.peak.samples} samples, {end['executors']} executors")
    return {"turn": turn, "how": how, "bytes": content.bytes, "peak_pss_bytes": sampler.peak.pss, "peak_rss_bytes": sampler.peak.rss,
            "samples": sampler.peak.samples, "downloads": round(downloads, 3), "load_average": round(load, 2)}


def kills(setup: Setup, seed: int, count: int) -> list[Record]:
    """One record per kill, with the verdict. If a check of the application fails, all of its kills count as wrong."""
    found: list[Record] = []
    for name, number, workers in (("executor", count - count // 2, False), ("worker", count // 2, True)):
        row = run.ran(f"kill-{name}s", lambda setup, n=number, w=workers: checks.kills(setup, seed, n, w), setup, setup.built.scala, setup.built.spark)
        if "error" in row:
            print(f"bench-cluster: {row['error']}", file=sys.stderr)
        moments = row.get("moments") or [{"seconds": 0.0, "ended": 0, "in_round": False}] * number
        found += [{"of": name, "right": "error" not in row} | moment for moment in moments]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="a version's memory in two executors of one host, and kills")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--kills", type=int, default=run.KILLS)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=20200624)
    parser.add_argument("--publish", action="store_true", default=is_set("BENCH_PUBLISH"))
    p = parser.parse_args()
    started, work = time.time(), BUILD / "bench-cluster"
    shutil.rmtree(work, ignore_errors=True)
    content = Content(1, round(p.gigabytes * 1024), p.seed)
    try:
        setup = run.built(SCALA, SPARK, work)
        turns = []
        for turn in range(p.turns):
            for how in figures.TITLES:
                turns.append(memory(setup, content, turn, how))
                print(f"[{time.time() - started:5.0f} s] turn {turn + 1}, {figures.TITLES[how]}: PSS {turns[-1]['peak_pss_bytes'] / figures.GB:.3f} GB", flush=True)
        raw = {"memory": turns, "kills": kills(setup, p.seed, p.kills)}
    except (ApplicationError, ServerError) as error:
        print(f"bench-cluster: {error}", file=sys.stderr)
        return 1
    content_of_file = machine.facts(setup.built.jar()) | {
        "spark": setup.built.spark, "scala": setup.built.scala, "seed": p.seed, "started": round(started), "total_s": round(time.time() - started, 1),
        "parameters": {"turns": p.turns, "kills": p.kills, "gigabytes": p.gigabytes}, "raw": raw}
    content_of_file["figures"] = figures.of(content_of_file)
    write(BUILD / figures.FILE, content_of_file)
    if p.publish:
        figures.SECTION.publish(ROOT, content_of_file)
    for one in content_of_file["figures"]:
        print(f"{'reached' if one['reached'] else 'MISSED':8} {one['title']}: {one['value']:.3f} {one['unit']} (aimed at {one['sense']} {one['limit']}); {one['note']}")
    return 0 if all(one["reached"] for one in content_of_file["figures"]) else 1


if __name__ == "__main__":
    sys.exit(main())
