"""The figures and tables of the metrics benchmark; see figures.py and render.py."""

from __future__ import annotations

from statistics import median

from bench.figures import MB, Record, figure, paired, series, spread
from bench.render import Table, commits, jar, loads, spark
from bench.section import Section

WITH = ("tasks_ns", "scheduler_ns", "listeners_ns", "andiron_ns")
"""The thread groups that Spark and Andiron work in. The other threads belong to the JVM or serve no task."""


def by_listener(records: list[Record], what: str) -> dict[str, dict[int, Record]]:
    """The records of one kind, by listener and turn."""
    return series((record for record in records if record["what"] == what), "listener")


def cpu_us(record: Record) -> float:
    """The thread CPU of an event in microseconds."""
    return float(record["cpu_ns"]) / record["events"] / 1e3


def rate(record: Record) -> float:
    """Thousands of events a second."""
    return float(record["events"]) / record["seconds"] / 1e3


def listeners(records: list[Record], _: Record) -> list[Record]:
    found = []
    job, stream, filled = (by_listener(records, what) for what in ("job", "stream", "filled"))
    for what, by, where in (("job", job, "in a job"), ("stream", stream, "in a stream of task ends")):
        mine, other, none = (median(map(cpu_us, by[name].values())) for name in ("andiron", "sparkmeasure", "nothing"))
        ratio = paired(by["andiron"], by["sparkmeasure"], lambda mine, other: cpu_us(mine) / cpu_us(other))
        found.append(figure(f"listener.cpu-{what}", f"thread CPU of the listener per task over sparkMeasure's, {where}", ratio, "<=", 2, "x",
                            f"{mine:.2f} µs against {other:.2f} µs, doing nothing {none:.2f} µs; below 1 x is the aim"))
    for what, by, title in (("stream", stream, "rate of task ends into Rust over a listener that does nothing"), ("filled", filled, "the same, from a queue that is full beforehand")):
        rates = [median(map(rate, by[name].values())) for name in ("andiron", "nothing")]
        found.append(figure(f"listener.rate-{what}", title, paired(by["andiron"], by["nothing"], lambda mine, none: none["seconds"] / mine["seconds"]), ">=", 0.25, "x",
                            f"{rates[0]:.0f} thousand a second against {rates[1]:.0f}"))
    lost = sum(mine["dropped"] for turn, mine in job["andiron"].items() if job["nothing"][turn]["dropped"] == 0)
    return [*found, figure("listener.dropped", "events dropped in jobs in which a listener that does nothing drops none", lost, "<=", 0, "",
                           f"{len(job['andiron'])} jobs, queues of the same size")]


def turns_of_overhead(records: list[Record]) -> dict[int, dict[bool, list[Record]]]:
    """The jobs of each turn, by whether they have a step."""
    found: dict[int, dict[bool, list[Record]]] = {}
    for record in records:
        found.setdefault(record["turn"], {}).setdefault(record["step"], []).append(record)
    return found


def cpu_per_task(records: list[Record], groups: tuple[str, ...] = WITH) -> float:
    """CPU time per task in microseconds, the median over the jobs."""
    return median(sum(r[group] for group in groups) / r["tasks"] / 1e3 for r in records)


def overhead(records: list[Record], _: Record) -> list[Record]:
    turns = turns_of_overhead(records).values()
    ratios = sorted(median(r["wall_s"] for r in turn[True]) / median(r["wall_s"] for r in turn[False]) for turn in turns)
    more = median(cpu_per_task(turn[True]) - cpu_per_task(turn[False]) for turn in turns)
    share = median(cpu_per_task(turn[True]) / cpu_per_task(turn[False]) for turn in turns)
    sure = 100 * (1 - 0.5 ** (len(ratios) - 1))
    return [
        figure("overhead.wall", "wall time of a job of many small tasks, with a step, listener and ship log over without", median(ratios), "<=", 1.02, "x",
               f"{ratios[0]:.3f} to {ratios[-1]:.3f} in {len(ratios)} turns, which holds the median with {sure:.1f} %"),
        figure("overhead.cpu", "thread CPU of the same, per task", share, "<=", 1.02, "x", f"{more:.1f} µs more; no limit is set, 2 % is the wall time's"),
    ]


def row_costs(records: list[Record]) -> dict[str, dict[int, float]]:
    """Nanoseconds of CPU per row, by kind of map and turn."""
    return series(records, "what", lambda record: record["cpu_s"] * 1e9 / record["rows"])


def rows(records: list[Record], _: Record) -> list[Record]:
    costs, found = row_costs(records), []
    for kind, title in (("rdd", "an RDD's"), ("dataset", "a Dataset's")):
        plain, guarded = costs[f"{kind}-plain"], costs[f"{kind}-guarded"]
        more = paired(guarded, plain, lambda guarded, plain: guarded - plain)
        found.append(figure(f"row.{kind}", f"CPU of a guarded map over a plain one, {title} row", more, "<=", 20, "ns",
                            f"{median(guarded.values()):.1f} ns against {median(plain.values()):.1f} ns"))
    return found


LOOPS = (("bare", "a bare loop that writes the same bytes and syncs every 64"), ("bare_grouped", "the same with one write for 64"))


def log(records: list[Record], _: Record) -> list[Record]:
    by = series(records, "what", lambda record: record["ns_per_record"])
    return [figure(f"log.{other}", f"rate of appending to the ship log, acknowledged, over {title}", paired(by[other], by["log"]), ">=", 0.8, "x",
                   f"{1e6 / median(by['log'].values()):.1f} thousand a second against {1e6 / median(by[other].values()):.1f}") for other, title in LOOPS]


def stages_expected(record: Record) -> int:
    """The number of stages of ManyStages (Scala) that change a figure."""
    return sum(stage % 3 != 2 or stage % 10 == 0 for stage in range(record["stages"]))


def stages(records: list[Record], _: Record) -> list[Record]:
    return [found for r in records for found in (
        figure("stages.unchanged", f"a job of {r['stages']} stages and {r['accumulators']} accumulators: revisions shipped that changed nothing",
               r["revisions_unchanged"], "<=", 0, "", f"{r['revisions_shipped']} revisions of {r['figures_shipped']} figures, {r['stages_changed']} stages changed some"),
        figure("stages.wrong", "stages that changed something but do not say so, or the reverse", abs(r["stages_changed"] - stages_expected(r)), "<=", 0, ""))]


def failing(records: list[Record], _: Record) -> list[Record]:
    size = {record["step"]: record["event_log_bytes"] for record in records}
    r = records[0]
    return [figure("event-log", f"growth of the event log: {r['tasks']} tasks with {r['failing_rows'] // r['tasks']} failed rows each",
                   (size[True] - size[False]) / 1e6, "<=", 1, "MB", f"{size[True] / 1e6:.2f} MB against {size[False] / 1e6:.2f}")]


def memory(records: list[Record], _: Record) -> list[Record]:
    return [figure("memory", f"memory for the ends of {r['tasks']:,} tasks with {r['accumulators']} accumulators", r["rss_bytes"] / MB, "<=",
                   r["tasks"] * (8 * r["accumulators"] + 32) / MB + 1, "MiB", f"8 bytes a cell, 32 a task and 1 MiB; by its own account {r['own_bytes'] / MB:.1f} MiB")
            for r in records]


def wrong(content: Record) -> list[str]:
    """Faults of a run, one sentence each."""
    raw, p = content["raw"], content["parameters"]
    found = [f"{part}: the jobs did not compute the same" for part in ("overhead", "rows") if len({record["digest"] for record in raw.get(part, [])}) > 1]
    turns = {f"listeners: {name} has not all of {p['listener_turns']} turns of {what}": (by, p["listener_turns"])
             for what in ("stream", "filled", "job") for name, by in by_listener(raw.get("listeners", []), what).items()}
    turns |= {f"rows: {name} has not all of {p['row_turns']} turns": (by, p["row_turns"]) for name, by in row_costs(raw.get("rows", [])).items()}
    found += [sentence for sentence, (by, number) in turns.items() if sorted(by) != list(range(number))]
    if any(len(turn.get(step, [])) != p["repeats"] for turn in turns_of_overhead(raw.get("overhead", [])).values() for step in (False, True)):
        found.append(f"overhead: not all turns have {p['repeats']} jobs with a step and as many without")
    for r in raw.get("stages", []):
        if (r["stages_in_log"], r["accumulators_in_log"]) != (r["stages"], r["accumulators"]):
            found.append(f"stages: the log has {r['stages_in_log']} of {r['stages']} stages and {r['accumulators_in_log']} of {r['accumulators']} accumulators")
    return found


LISTENERS = {"nothing": "a listener that does nothing", "sparkmeasure": "sparkMeasure 0.24, stage mode", "andiron": "Andiron"}
STREAMS = {"job": "job", "stream": "stream", "filled": "stream, queue full beforehand"}
GROUPS = {"tasks_ns": "task threads", "scheduler_ns": "scheduler", "listeners_ns": "listener queues", "andiron_ns": "Andiron's own threads", "rest_ns": "the rest"}
ROWS = {"rdd-plain": "RDD, `map`", "rdd-guarded": "RDD, `step.map`", "dataset-plain": "Dataset, `map`", "dataset-partitions": "Dataset, `mapPartitions` of Spark's", "dataset-guarded": "Dataset, `step.map`"}
LOG = {"log": "ship log, until the last is acknowledged", "bare": "one write a record, `fdatasync` after 64", "bare_grouped": "one write for 64 records, `fdatasync` after each",
       "append": "ship log, the calls of `append` alone", "durable": "ship log, a sync for each record", "bare_each": "a write and an `fdatasync` for each record"}


def machine(content: Record) -> str:
    load, lacking = loads(content), SECTION.lacking(content)
    return (f"{commits(content)}, {spark(content)}. {content['parameters']['turns']} turns of applications, "
            f"seed {content['seed']}, {content['total_s']:.0f} s in all. Load average at the start of the parts: {min(load):.1f} to {max(load):.1f}. "
            + jar(content) + (f"\n**Not measured in this run: {', '.join(lacking)}.**" if lacking else ""))


def listener_table(content: Record) -> Table:
    found = []
    for what, title in STREAMS.items():
        by = by_listener(content["raw"].get("listeners", []), what)
        for name, of in LISTENERS.items():
            turns = list(by.get(name, {}).values())
            if turns:
                cpu = [cpu_us(r) for r in turns]
                found.append((title, of, f"{median(cpu):.2f}", spread(cpu, 2), "" if what == "job" else f"{median(map(rate, turns)):.0f}",
                              str(sum(r["dropped"] for r in turns))))
    return ("events", "listener", "thread CPU, µs a task", "all turns", "thousand tasks a second", "dropped"), found


def overhead_table(content: Record) -> Table:
    turns = turns_of_overhead(content["raw"].get("overhead", [])).values()
    costs = {title: [median(cpu_per_task(turn[step], (group,)) for turn in turns) for step in (False, True)] for group, title in GROUPS.items() if turns}
    if turns:
        costs["wall time"] = [median(r["wall_s"] / r["tasks"] * 1e6 for turn in turns for r in turn[step]) for step in (False, True)]
    return ("µs a task", "without Andiron", "with", "more"), [(title, f"{without:.1f}", f"{with_:.1f}", f"{with_ - without:+.1f}") for title, (without, with_) in costs.items()]


def row_table(content: Record) -> Table:
    costs = row_costs(content["raw"].get("rows", []))
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


PARTS = {"listeners": listeners, "overhead": overhead, "rows": rows, "log": log, "stages": stages, "failing": failing,
         "memory": memory}
SECTION = Section("metrics", PARTS, machine, {"listeners": listener_table, "overhead": overhead_table, "rows": row_table, "log": log_table, "logged": logged_table},
                  wrong=wrong, lacks=lambda content: [])
