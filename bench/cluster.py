"""The memory of a version in two executors of one host, and the state after kills: `make bench-cluster`; see run.py. Runs the Gradle tasks that it needs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from bench.cluster_figures import SECTION, TITLES
from bench.figures import MB
from bench.parameters import SEED, choice
from bench.run import Benchmark, Say
from checks.cluster import checks, run
from checks.cluster.application import Job, Setup
from checks.cluster.content import Content
from checks.cluster.standalone import Standalone
from harness.facts import SCALA, SPARK
from harness.memory import Sampler
from harness.spark import ApplicationError, Record


@dataclass(frozen=True)
class ClusterParameters:
    turns: int = choice(3, "turns of the three jobs")
    kills: int = choice(run.KILLS, "executors and workers to kill, in equal numbers")
    gigabytes: float = choice(1.0, "size of the version")
    seed: int = choice(SEED, "of the version and of the moments of the kills")


def memory(setup: Setup, p: ClusterParameters, say: Say) -> list[Record]:
    """Jobs with no version, with a shared one and with one of each executor, in turns."""
    content, found = Content(1, round(p.gigabytes * 1024), p.seed), []
    for turn in range(p.turns):
        for how, title in TITLES.items():
            found.append(_memory(setup, content, turn, how))
            say(f"turn {turn + 1}, {title}: PSS {found[-1]['peak_pss_bytes'] / 2**30:.3f} GB")
    return found


def _memory(setup: Setup, content: Content, turn: int, how: str) -> Record:
    """The peak memory of both executors from start to end. Every row reads the whole version, four rows in each executor. Heaps are
    touched at the start, so that their growth is no part of the difference."""
    settings = {
        "spark.andiron.cache.budgetBytes": content.bytes + MB, "spark.executor.defaultJavaOptions": "-Xms1g -XX:+AlwaysPreTouch",
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


def kills(setup: Setup, p: ClusterParameters, say: Say) -> list[Record]:
    """One record per kill, with the verdict. If a check of the application fails, all of its kills count as wrong."""
    found: list[Record] = []
    for name, number, workers in (("executor", p.kills - p.kills // 2, False), ("worker", p.kills // 2, True)):
        row = run.ran(f"kill-{name}s", lambda setup, n=number, w=workers: checks.kills(setup, p.seed, n, w), setup, setup.built.scala, setup.built.spark)
        if "error" in row:
            say(row["error"])
        moments = row.get("moments") or [{"seconds": 0.0, "ended": 0, "in_round": False}] * number
        found += [{"of": name, "right": "error" not in row} | moment for moment in moments]
    return found


BENCHMARK = Benchmark(SECTION, ClusterParameters, lambda work: run.built(SCALA, SPARK, work), {"memory": memory, "kills": kills}, strict=True)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
