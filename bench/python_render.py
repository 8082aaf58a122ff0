"""Figures and tables of the Python benchmark; see render.py."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from bench.figures import MB, Record, figure
from bench.render import Table, commit, figure_table, hardware, markdown, wrapped
from bench.section import Section

FILE = "bench-python.json"
PARAMETERS = {"records": 1_000_000, "record_bytes": 100, "workers": 4, "version_bytes": 1 << 30}
LEAST_TIMES, MOST_START_S, MOST_ADDED_MB = 10.0, 0.020, 50.0


def figures(content: Record) -> list[Record]:
    """The figures, computed from the raw records."""
    raw = content["raw"]
    ours, theirs = (median(r[name] for r in raw["batches"]) for name in ("andiron_s", "dict_s"))
    batches, at_once = _times(raw["batches"], "_s"), _times(raw["bulk"], "_s")
    started = median(r["total_s"] for r in raw["start"])
    added = median(r["added_bytes"] / MB for r in raw["memory"])
    return [
        figure("python-bulk", "a million records of 100 bytes in disorder from a resident version, in the 100 batches of `mapInArrow`, against a broadcast dict, "
               "first use included", batches, ">=", LEAST_TIMES, "x",
               f"{ours * 1e3:.0f} ms against {theirs * 1e3:.0f} ms; by the worker's CPU {_times(raw['batches'], '_cpu_s'):.1f} x; all at once {at_once:.1f} x"),
        figure("python-start", "time of a worker before its first bytes", started * 1e3, "<=", MOST_START_S * 1e3, "ms",
               ", ".join(f"{title} {median(r[name] for r in raw['start']) * 1e3:.1f} ms" for name, title in
                         (("import_s", "import"), ("cursor_s", "cursor"), ("advance_s", "lease and mapping")))),
        figure("python-memory", "memory that four workers add when each reads all of one version of 1 GB (PSS)", added, "<=", MOST_ADDED_MB, "MB",
               f"{min(r['added_bytes'] for r in raw['memory']) / MB:.0f} to {max(r['added_bytes'] for r in raw['memory']) / MB:.0f} MB"),
    ]


def _times(turns: list[Record], of: str) -> float:
    """The dict's time over the version's, in the median turn."""
    return median(r[f"dict{of}"] / r[f"andiron{of}"] for r in turns)


def wrong(content: Record) -> list[str]:
    """The faults that invalidate the raw records, one sentence each."""
    raw = content["raw"]
    found = [f"turn {r['turn']} of {part} has read other bytes than it should" for part in ("batches", "bulk", "designs", "memory") for r in raw[part] if not r["equal"]]
    found += [f"turn {r['turn']} of start was in a worker that had the package already" for r in raw["start"] if not r["fresh"]]
    return found + [f"{part} has {len(raw[part])} of {content['parameters']['turns']} turns" for part in ("batches", "bulk", "start", "memory")
                    if len(raw[part]) != content["parameters"]["turns"]]


def blocks(content: Record) -> dict[str, str]:
    """The generated blocks of the page, by name."""
    return {"python-machine": wrapped(_machine(content)), "python-figures": markdown(*figure_table(figures(content))), "python-turns": markdown(*_turns(content)),
            "python-designs": markdown(*_designs(content))}


def _machine(content: Record) -> str:
    return (f"Commit {commit(content)}, PySpark {content['spark']}, Python {content['python']}, {hardware(content)}. {content['parameters']['turns']} turns, each in new workers; "
            f"load average at the start {content['load_average']:.1f}, {content['total_s']:.0f} s in all.")


READS: list[tuple[str, Callable[[Record], float], int]] = [
    ("resident version, `cursor` to records, ms", lambda r: r["andiron_s"] * 1e3, 0),
    ("broadcast dict, `value` to records, ms", lambda r: r["dict_s"] * 1e3, 0),
    ("of that, until the dict is loaded, ms", lambda r: r["dict_unpickled_s"] * 1e3, 0),
    ("CPU of the worker, resident version, ms", lambda r: r["andiron_cpu_s"] * 1e3, 0),
    ("CPU of the worker, broadcast dict, ms", lambda r: r["dict_cpu_s"] * 1e3, 0),
    ("how many times as fast, x", lambda r: r["dict_s"] / r["andiron_s"], 1),
]


def _row(title: str, values: list[float], digits: int) -> tuple[str, str, str]:
    return title, f"{median(values):.{digits}f}", f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def _turns(content: Record) -> Table:
    raw = content["raw"]

    rows = [
        *(_row(f"{way}: {title}", [f(r) for r in raw[part]], digits) for part, way in (("batches", "in batches"), ("bulk", "all at once")) for title, f, digits in READS),
        _row("start of a worker, ms", [r["total_s"] * 1e3 for r in raw["start"]], 1),
        _row("CPU of it, ms", [r["cpu_s"] * 1e3 for r in raw["start"]], 1),
        _row("JVM and workers before they read 1 GB, PSS in MB", [(r["before"]["jvm"] + r["before"]["python"]) / MB for r in raw["memory"]], 0),
        _row("after, MB", [(r["after"]["jvm"] + r["after"]["python"]) / MB for r in raw["memory"]], 0)]
    return ("quantity", "median", "all turns"), rows


def _designs(content: Record) -> Table:
    """The designs of the read at once, the fastest first."""
    made: dict[str, list[float]] = {}
    for record in content["raw"]["designs"]:
        made.setdefault(record["design"], []).append(record["seconds"] * 1e3)
    return ("all at once, `cursor` to records", "median, ms", "all turns, ms"), [_row(name, times, 0) for name, times in sorted(made.items(), key=lambda one: median(one[1]))]


SECTION = Section("python", (FILE,), figures, blocks, wrong, lacks=("seed", "scala"))
