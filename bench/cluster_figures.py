"""The figures of `make bench-cluster` and its section of docs/evidence/benchmarks.md."""

from __future__ import annotations

from statistics import median

from bench.figures import Record, figure, series, spread
from bench.render import Table, commit, jar, loads, spark
from bench.section import Section

GB = 2**30
MOST_GB = 1.1
TITLES = {"none": "no version", "shared": "one version, one cache directory", "own": "one version, a directory for each executor"}


def more(records: list[Record], how: str) -> list[float]:
    """The differences to the job without a version in the same turn, in GB."""
    by = series(records, "how", lambda record: record["peak_pss_bytes"])
    return [(pss - by["none"][turn]) / GB for turn, pss in by[how].items()]


def memory(records: list[Record], _: Record) -> list[Record]:
    shared = more(records, "shared")
    return [
        figure("pss.shared", "PSS of two executors of one host with one version of 1 GB, over the job without it", median(shared), "<=",
               MOST_GB, "GB", f"{spread(shared, 3)} GB in {len(shared)} turns; {median(more(records, 'own')):.2f} GB with a directory for each"),
        figure("downloads.shared", "downloads of that version, both executors together", max(r["downloads"] for r in records if r["how"] == "shared"), "<=", 1, "")]


def kills(records: list[Record], _: Record) -> list[Record]:
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
    return (f"Commit {commit(content)}, {spark(content)}. Seed {content['seed']}, {content['total_s']:.0f} s in all, "
            f"load average {min(load):.1f} to {max(load):.1f}. {jar(content)}")


SECTION = Section("cluster", {"memory": memory, "kills": kills}, machine, {"memory": memory_table})
