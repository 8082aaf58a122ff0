"""Tables of the metrics benchmark; see render.py."""

from __future__ import annotations

from statistics import median

from bench import metrics_figures as figures
from bench.figures import MB, Record
from bench.render import Table, commit, figure_table, hardware, jar, markdown, plain, wrapped
from bench.section import Section

FILE = "bench-metrics.json"
LISTENERS = {"nothing": "a listener that does nothing", "sparkmeasure": "sparkMeasure 0.24, stage mode", "andiron": "Andiron"}
STREAMS = {"job": "job", "stream": "stream", "filled": "stream, queue full beforehand"}
GROUPS = {"tasks_ns": "task threads", "scheduler_ns": "scheduler", "listeners_ns": "listener queues", "andiron_ns": "Andiron's own threads", "rest_ns": "the rest"}
ROWS = {"rdd-plain": "RDD, `map`", "rdd-guarded": "RDD, `step.map`", "dataset-plain": "Dataset, `map`", "dataset-partitions": "Dataset, `mapPartitions` of Spark's", "dataset-guarded": "Dataset, `step.map`"}
LOG = {"log": "ship log, until the last is acknowledged", "bare": "one write a record, `fdatasync` after 64", "bare_grouped": "one write for 64 records, `fdatasync` after each",
       "append": "ship log, the calls of `append` alone", "durable": "ship log, a sync for each record", "bare_each": "a write and an `fdatasync` for each record"}


def blocks(content: Record) -> dict[str, str]:
    """The generated blocks of the page, by name."""
    return {"metrics-machine": wrapped(machine(content)), "metrics-figures": markdown(*figure_table(figures.of(content)))} | {
        f"metrics-{name}": markdown(*table) for name, (_, table) in tables(content).items()}


def tables(content: Record) -> dict[str, tuple[str, Table]]:
    """All tables except that of the figures, each with its title."""
    raw = content["raw"]
    return {"listeners": ("listeners", listener_table(raw.get("listeners", []))), "overhead": ("thread CPU per task", overhead_table(raw.get("overhead", []))),
            "rows": ("guarded maps", row_table(raw.get("rows", []))), "log": ("appending", log_table(raw.get("log", []))),
            "logged": ("what is written", logged_table(raw))}


def machine(content: Record) -> str:
    loads = [r["load_average"] for part in content["raw"].values() for r in part]
    return (f"Commit {commit(content)}, Spark {content['spark']}, Scala {content['scala']}, {hardware(content)}. {content['parameters']['turns']} turns of applications, "
            f"seed {content['seed']}, {content['total_s']:.0f} s in all. Load average at the start of the parts: {min(loads):.1f} to {max(loads):.1f}. "
            + jar(content) + "".join(f"\n**Not measured in this run: {', '.join(lacking(content))}.**" for _ in lacking(content)[:1]))


def listener_table(records: list[Record]) -> Table:
    found = []
    for what, title in STREAMS.items():
        by = figures.by_listener(records, what)
        for name, of in LISTENERS.items():
            if name in by:
                turns = list(by[name].values())
                cpu = sorted(figures.per_event(r, "cpu_ns") / 1e3 for r in turns)
                rate = median(r["events"] / r["seconds"] / 1e3 for r in turns)
                found.append((title, of, f"{median(cpu):.2f}", f"{cpu[0]:.2f} to {cpu[-1]:.2f}", "" if what == "job" else f"{rate:.0f}", str(sum(r["dropped"] for r in turns))))
    return ("events", "listener", "thread CPU, µs a task", "all turns", "thousand tasks a second", "dropped"), found


def overhead_table(records: list[Record]) -> Table:
    turns = figures.turns_of_overhead(records).values()
    found = []
    for group, title in GROUPS.items():
        mid = [median(figures.cpu_per_task(turn[step], (group,)) for turn in turns) for step in (False, True)] if records else []
        if mid:
            found.append((title, f"{mid[0]:.1f}", f"{mid[1]:.1f}", f"{mid[1] - mid[0]:+.1f}"))
    if records:
        walls = [median(r["wall_s"] / r["tasks"] * 1e6 for turn in turns for r in turn[step]) for step in (False, True)]
        found.append(("wall time", f"{walls[0]:.1f}", f"{walls[1]:.1f}", f"{walls[1] - walls[0]:+.1f}"))
    return ("µs a task", "without Andiron", "with", "more"), found


def row_table(records: list[Record]) -> Table:
    costs = figures.row_costs(records)
    return ("map", "CPU, ns a row", "all turns"), [
        (title, f"{median(costs[name].values()):.1f}", f"{min(costs[name].values()):.1f} to {max(costs[name].values()):.1f}") for name, title in ROWS.items() if name in costs]


def log_table(records: list[Record]) -> Table:
    found = []
    for what, title in LOG.items():
        each = sorted(r["ns_per_record"] / 1e3 for r in records if r["what"] == what)
        if each:
            found.append((title, f"{median(each):.1f}", f"{each[0]:.1f} to {each[-1]:.1f}"))
    return ("way", "µs a record", "all turns"), found


def logged_table(raw: Record) -> Table:
    found = []
    for r in raw.get("stages", []):
        kinds = ", ".join(f"{count} {kind}" for kind, count in r["kinds"].items())
        found += [("`stages_changed`", str(r["stages_changed"])), ("`revisions_shipped`", f"{r['revisions_shipped']} of {r['figures_shipped']} figures"),
                  ("revisions that changed nothing", str(r["revisions_unchanged"])), ("events in the ship log", f"{r['events_shipped']} ({kinds}), {r['bytes_shipped'] / MB:.2f} MiB")]
    for r in raw.get("failing", []):
        found.append((f"event log of {r['tasks']} tasks, {r['failing_rows']:,} rows failing, {'with' if r['step'] else 'without'} Andiron", f"{r['event_log_bytes']:,} bytes"))
    for r in raw.get("memory", []):
        found.append((f"memory for {r['tasks']:,} tasks with {r['accumulators']} accumulators", f"{r['rss_bytes']:,} bytes resident, {r['own_bytes']:,} by its own account"))
    return ("quantity", "measured"), found


def text(content: Record) -> str:
    """The results as text for the terminal."""
    found = [("", figure_table(content["figures"])), *(entry for entry in tables(content).values() if entry[1][1])]
    return "\n".join(f"\n{title}\n{plain(*table)}" for title, table in found)


def lacking(content: Record) -> list[str]:
    """The names of the parts that were not run."""
    return [part for part in ("listeners", "overhead", "rows", "log", "stages", "failing", "memory") if not content["raw"].get(part)]


SECTION = Section("metrics", (FILE,), figures.of, blocks, figures.wrong)
