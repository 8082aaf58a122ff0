"""Figures and tables of the benchmark of Python; see render.py."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

from bench.figures import MB, Record, figure
from bench.render import DATA, PAGE, PYTHON, Table, figure_table, filled, markdown, plain

FILE = "bench-python.json"
PARAMETERS = {"records": 1_000_000, "record_bytes": 100, "workers": 4, "version_bytes": 1 << 30}
LEAST_TIMES, MOST_START_S, MOST_ADDED_MB = 10.0, 0.020, 50.0

__all__ = ["DATA", "FILE", "PARAMETERS", "blocks", "figure_table", "figures", "plain", "publish", "wrong"]


def figures(content: Record) -> list[Record]:
    """Each computed from the raw records."""
    raw = content["raw"]
    ours, theirs = (median(r[name] for r in raw["bulk"]) for name in ("andiron_s", "dict_s"))
    times = median(r["dict_s"] / r["andiron_s"] for r in raw["bulk"])
    cpu = median(r["dict_cpu_s"] / r["andiron_cpu_s"] for r in raw["bulk"])
    started = median(r["total_s"] for r in raw["start"])
    added = median(r["added_bytes"] / MB for r in raw["memory"])
    return [
        figure("python-bulk", "a million records of 100 bytes in disorder from a resident version, against a broadcast dict, first use included", times, ">=",
               LEAST_TIMES, "x", f"{ours * 1e3:.0f} ms against {theirs * 1e3:.0f} ms; by the worker's CPU {cpu:.1f} x"),
        figure("python-start", "what a worker spends before its first bytes", started * 1e3, "<=", MOST_START_S * 1e3, "ms",
               ", ".join(f"{title} {median(r[name] for r in raw['start']) * 1e3:.1f} ms" for name, title in
                         (("import_s", "import"), ("cursor_s", "cursor"), ("advance_s", "lease and mapping")))),
        figure("python-memory", "what four workers add when each reads all of one version of 1 GB (PSS)", added, "<=", MOST_ADDED_MB, "MB",
               f"{min(r['added_bytes'] for r in raw['memory']) / MB:.0f} to {max(r['added_bytes'] for r in raw['memory']) / MB:.0f} MB"),
    ]


def wrong(content: Record) -> list[str]:
    """What makes the raw records worthless, a sentence each."""
    raw = content["raw"]
    found = [f"turn {r['turn']} of {part} has read other bytes than it should" for part in ("bulk", "memory") for r in raw[part] if not r["equal"]]
    found += [f"turn {r['turn']} of start was in a worker that had the package already" for r in raw["start"] if not r["fresh"]]
    return found + [f"{part} has {len(raw[part])} of {content['parameters']['turns']} turns" for part in ("bulk", "start", "memory")
                    if len(raw[part]) != content["parameters"]["turns"]]


def blocks(content: Record) -> dict[str, str]:
    """The generated parts of the page, by name."""
    return {f"{PYTHON}machine": _machine(content), f"{PYTHON}figures": markdown(*figure_table(figures(content))), f"{PYTHON}turns": markdown(*_turns(content))}


def _machine(content: Record) -> str:
    at, p = content["machine"], content["parameters"]
    return (f"Commit `{content['commit'][:12]}`{' with uncommitted changes' if content['uncommitted'] else ''}, PySpark {content['spark']}, Python {content['python']}, "
            f"{at['java']}; {at['cores']} cores ({at['cpu']}), {at['memory_kb'] / 2**20:.0f} GB, Linux {at['kernel']}. {p['turns']} turns, each in new workers; "
            f"load average at the start {content['load_average']:.1f}, {content['total_s']:.0f} s in all.")


def _turns(content: Record) -> Table:
    raw = content["raw"]

    def row(title: str, values: list[float], digits: int) -> tuple[str, str, str]:
        return title, f"{median(values):.{digits}f}", f"{min(values):.{digits}f} to {max(values):.{digits}f}"

    rows = [
        row("resident version, `cursor` to records, ms", [r["andiron_s"] * 1e3 for r in raw["bulk"]], 0),
        row("broadcast dict, `value` to records, ms", [r["dict_s"] * 1e3 for r in raw["bulk"]], 0),
        row("of it until the dict is there, ms", [r["dict_unpickled_s"] * 1e3 for r in raw["bulk"]], 0),
        row("CPU of the worker, resident version, ms", [r["andiron_cpu_s"] * 1e3 for r in raw["bulk"]], 0),
        row("CPU of the worker, broadcast dict, ms", [r["dict_cpu_s"] * 1e3 for r in raw["bulk"]], 0),
        row("start of a worker, ms", [r["total_s"] * 1e3 for r in raw["start"]], 1),
        row("CPU of it, ms", [r["cpu_s"] * 1e3 for r in raw["start"]], 1),
        row("JVM and workers before they read 1 GB, PSS in MB", [(r["before"]["jvm"] + r["before"]["python"]) / MB for r in raw["memory"]], 0),
        row("after, MB", [(r["after"]["jvm"] + r["after"]["python"]) / MB for r in raw["memory"]], 0)]
    return ("what", "median", "all turns"), rows


def publish(root: Path) -> None:
    """Renders the page's parts from the published data."""
    page, content = root / PAGE, json.loads((root / DATA / FILE).read_text(encoding="utf-8"))
    page.write_text(filled(page.read_text(encoding="utf-8"), blocks(content), PYTHON), encoding="utf-8")
