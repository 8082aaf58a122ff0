"""The figures of `make bench-cluster` and its section of docs/evidence/benchmarks.md."""

from __future__ import annotations

from statistics import median

from bench.figures import Record, figure
from bench.render import Table, commit, figure_table, hardware, jar, markdown, wrapped
from bench.section import Section

FILE = "bench-cluster.json"
GB = 2**30
MOST_GB = 1.1
TITLES = {"none": "no version", "shared": "one version, one cache directory", "own": "one version, a directory for each executor"}


def of(content: Record) -> list[Record]:
    """The figures, computed from the raw records."""
    turns, found = content["raw"]["memory"], []
    more = [_more(turns, turn, "shared") / GB for turn in _turns(turns)]
    if more:
        apart = median(_more(turns, turn, "own") / GB for turn in _turns(turns))
        found.append(figure("pss.shared", "PSS of two executors of one host with one version of 1 GB, over the job without it", median(more), "<=",
                            MOST_GB, "GB", f"{min(more):.3f} to {max(more):.3f} GB in {len(more)} turns; {apart:.2f} GB with a directory for each"))
        shared = [record for record in turns if record["how"] == "shared"]
        found.append(figure("downloads.shared", "downloads of that version, both executors together", max(r["downloads"] for r in shared), "<=", 1, ""))
    kills = content["raw"]["kills"]
    for name, title in (("executor", "executors"), ("worker", "workers")):
        mine = [record for record in kills if record["of"] == name]
        if mine:
            bad = sum(not record["right"] for record in mine)
            inside = sum(record["in_round"] for record in mine)
            found.append(figure(f"kills.{name}", f"kill -9 of one of two {title}: jobs with another digest, or with leftovers", bad, "<=", 0, "",
                                f"{len(mine)} random moments, {inside} of them before the job had ended"))
    return found


def _turns(records: list[Record]) -> list[int]:
    return sorted({record["turn"] for record in records})


def _more(records: list[Record], turn: int, how: str) -> int:
    """The difference to the job without a version in the same turn."""
    by = {record["how"]: record["peak_pss_bytes"] for record in records if record["turn"] == turn}
    return int(by[how] - by["none"])


def memory_table(records: list[Record]) -> Table:
    rows = []
    for how, title in TITLES.items():
        mine = [record for record in records if record["how"] == how]
        if mine:
            more = [_more(records, record["turn"], how) / GB for record in mine]
            rows.append((title, *(f"{median(r[key] for r in mine) / GB:.2f}" for key in ("peak_pss_bytes", "peak_rss_bytes")), f"{median(more):.3f}",
                         f"{max(record['downloads'] for record in mine):.0f}"))
    return ("job", "PSS, GB", "RSS, GB", "PSS over no version, GB", "downloads"), rows


def machine(content: Record) -> str:
    loads = [record["load_average"] for record in content["raw"]["memory"]]
    return (f"Commit {commit(content)}, Spark {content['spark']}, Scala {content['scala']}, {hardware(content)}. Seed {content['seed']}, {content['total_s']:.0f} s in all, "
            f"load average {min(loads):.1f} to {max(loads):.1f}. {jar(content)}")


def blocks(content: Record) -> dict[str, str]:
    """The generated blocks of the page, by name."""
    return {"cluster-machine": wrapped(machine(content)), "cluster-figures": markdown(*figure_table(of(content))), "cluster-memory": markdown(*memory_table(content["raw"]["memory"]))}


SECTION = Section("cluster", (FILE,), of, blocks)
