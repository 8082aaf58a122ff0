"""The memory of a version in two executors of one host, and the state after kills: `make bench-cluster`; see run.py. Runs the Gradle tasks that it needs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from statistics import median

from bench.figures import MB, figure, series, spread
from bench.parameters import SEED, choice
from bench.render import Table, commits, jar, loads, spark
from bench.run import Benchmark, Say
from bench.section import Section
from checks.cluster import checks, run
from checks.cluster.application import Job, Setup
from checks.cluster.content import Content
from checks.cluster.standalone import Standalone
from harness.facts import SCALA, SPARK
from harness.memory import Sampler
from harness.spark import ApplicationError, Record

GB = 2**30
MOST_GB = 1.1
TITLES = {"none": "no version", "shared": "one version, one cache directory", "own": "one version, a directory for each executor"}


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
            say(f"turn {turn + 1}, {title}: PSS {found[-1]['peak_pss_bytes'] / GB:.3f} GB")
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


def more(records: list[Record], how: str) -> list[float]:
    """The differences to the job without a version in the same turn, in GB."""
    by = series(records, "how", lambda record: record["peak_pss_bytes"])
    return [(pss - by["none"][turn]) / GB for turn, pss in by[how].items()]


def memory_figures(records: list[Record], _: Record) -> list[Record]:
    shared = more(records, "shared")
    return [
        figure("pss.shared", "PSS of two executors of one host with one version of 1 GB, over the job without it", median(shared), "<=",
               MOST_GB, "GB", f"{spread(shared, 3)} GB in {len(shared)} turns; {median(more(records, 'own')):.2f} GB with a directory for each"),
        figure("downloads.shared", "downloads of that version, both executors together", max(r["downloads"] for r in records if r["how"] == "shared"), "<=", 1, "")]


def kill_figures(records: list[Record], _: Record) -> list[Record]:
    found = []
    for name in ("executor", "worker"):
        mine = [record for record in records if record["of"] == name]
        if mine:
            found.append(figure(f"kills.{name}", f"kill -9 of one of two {name}s: jobs with another digest, or with leftovers", sum(not r["right"] for r in mine), "<=", 0, "",
                                f"{len(mine)} random moments, {sum(r['in_round'] for r in mine)} of them before the job had ended"))
    return found


def memory_table(content: Record) -> Table:
    rows, records = [], content["raw"].get("memory", [])
    for how, title in TITLES.items():
        mine = [record for record in records if record["how"] == how]
        if mine:
            rows.append((title, *(f"{median(r[key] for r in mine) / GB:.2f}" for key in ("peak_pss_bytes", "peak_rss_bytes")), f"{median(more(records, how)):.3f}",
                         f"{max(record['downloads'] for record in mine):.0f}"))
    return ("job", "PSS, GB", "RSS, GB", "PSS over no version, GB", "downloads"), rows


def machine(content: Record) -> str:
    load = loads(content)
    return (f"{commits(content)}, {spark(content)}. Seed {content['seed']}, {content['total_s']:.0f} s in all, "
            f"load average {min(load):.1f} to {max(load):.1f}. {jar(content)}")


SECTION = Section("cluster", {"memory": memory_figures, "kills": kill_figures}, machine, {"memory": memory_table})
BENCHMARK = Benchmark(SECTION, ClusterParameters, lambda work: run.built(SCALA, SPARK, work), {"memory": memory, "kills": kills}, strict=True)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
