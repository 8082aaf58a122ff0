"""Tables of the metrics benchmark; see render.py."""

from __future__ import annotations

from statistics import median

from bench import metrics_figures as figures
from bench.figures import MB, Record, spread
from bench.render import Table, commit, jar, loads, spark
from bench.section import Section

LISTENERS = {"nothing": "a listener that does nothing", "sparkmeasure": "sparkMeasure 0.24, stage mode", "andiron": "Andiron"}
STREAMS = {"job": "job", "stream": "stream", "filled": "stream, queue full beforehand"}
GROUPS = {"tasks_ns": "task threads", "scheduler_ns": "scheduler", "listeners_ns": "listener queues", "andiron_ns": "Andiron's own threads", "rest_ns": "the rest"}
ROWS = {"rdd-plain": "RDD, `map`", "rdd-guarded": "RDD, `step.map`", "dataset-plain": "Dataset, `map`", "dataset-partitions": "Dataset, `mapPartitions` of Spark's", "dataset-guarded": "Dataset, `step.map`"}
LOG = {"log": "ship log, until the last is acknowledged", "bare": "one write a record, `fdatasync` after 64", "bare_grouped": "one write for 64 records, `fdatasync` after each",
       "append": "ship log, the calls of `append` alone", "durable": "ship log, a sync for each record", "bare_each": "a write and an `fdatasync` for each record"}


def machine(content: Record) -> str:
    load, lacking = loads(content), SECTION.lacking(content)
    return (f"Commit {commit(content)}, {spark(content)}. {content['parameters']['turns']} turns of applications, "
            f"seed {content['seed']}, {content['total_s']:.0f} s in all. Load average at the start of the parts: {min(load):.1f} to {max(load):.1f}. "
            + jar(content) + (f"\n**Not measured in this run: {', '.join(lacking)}.**" if lacking else ""))


def listener_table(content: Record) -> Table:
    found = []
    for what, title in STREAMS.items():
        by = figures.by_listener(content["raw"].get("listeners", []), what)
        for name, of in LISTENERS.items():
            turns = list(by.get(name, {}).values())
            if turns:
                cpu = [figures.cpu_us(r) for r in turns]
                found.append((title, of, f"{median(cpu):.2f}", spread(cpu, 2), "" if what == "job" else f"{median(map(figures.rate, turns)):.0f}",
                              str(sum(r["dropped"] for r in turns))))
    return ("events", "listener", "thread CPU, µs a task", "all turns", "thousand tasks a second", "dropped"), found


def overhead_table(content: Record) -> Table:
    turns = figures.turns_of_overhead(content["raw"].get("overhead", [])).values()
    costs = {title: [median(figures.cpu_per_task(turn[step], (group,)) for turn in turns) for step in (False, True)] for group, title in GROUPS.items() if turns}
    if turns:
        costs["wall time"] = [median(r["wall_s"] / r["tasks"] * 1e6 for turn in turns for r in turn[step]) for step in (False, True)]
    return ("µs a task", "without Andiron", "with", "more"), [(title, f"{without:.1f}", f"{with_:.1f}", f"{with_ - without:+.1f}") for title, (without, with_) in costs.items()]


def row_table(content: Record) -> Table:
    costs = figures.row_costs(content["raw"].get("rows", []))
    return ("map", "CPU, ns a row", "all turns"), [
        (title, f"{median(costs[name].values()):.1f}", spread(costs[name].values(), 1)) for name, title in ROWS.items() if name in costs]


def log_table(content: Record) -> Table:
    each = {what: [r["ns_per_record"] / 1e3 for r in content["raw"].get("log", []) if r["what"] == what] for what in LOG}
    return ("way", "µs a record", "all turns"), [(LOG[what], f"{median(times):.1f}", spread(times, 1)) for what, times in each.items() if times]


def logged_table(content: Record) -> Table:
    raw, found = content["raw"], []
    for r in raw.get("stages", []):
        kinds = ", ".join(f"{count} {kind}" for kind, count in r["kinds"].items())
        found += [("`stages_changed`", str(r["stages_changed"])), ("`revisions_shipped`", f"{r['revisions_shipped']} of {r['figures_shipped']} figures"),
                  ("revisions that changed nothing", str(r["revisions_unchanged"])), ("events in the ship log", f"{r['events_shipped']} ({kinds}), {r['bytes_shipped'] / MB:.2f} MiB")]
    for r in raw.get("failing", []):
        found.append((f"event log of {r['tasks']} tasks, {r['failing_rows']:,} rows failing, {'with' if r['step'] else 'without'} Andiron", f"{r['event_log_bytes']:,} bytes"))
    for r in raw.get("memory", []):
        found.append((f"memory for {r['tasks']:,} tasks with {r['accumulators']} accumulators", f"{r['rss_bytes']:,} bytes resident, {r['own_bytes']:,} by its own account"))
    return ("quantity", "measured"), found


PARTS = {"listeners": figures.listeners, "overhead": figures.overhead, "rows": figures.rows, "log": figures.log, "stages": figures.stages, "failing": figures.failing,
         "memory": figures.memory}
SECTION = Section("metrics", PARTS, machine, {"listeners": listener_table, "overhead": overhead_table, "rows": row_table, "log": log_table, "logged": logged_table},
                  wrong=figures.wrong, lacks=lambda content: [])
