"""Figures and tables of the sinks benchmark; see render.py."""

from __future__ import annotations

from statistics import median

from bench.figures import MB, Record, figure
from bench.render import Table, commit, figure_table, hardware, markdown, wrapped
from bench.section import Section

FILE, ATLAS = "bench-sinks.json", "bench-atlas.json"
PARTS = ("rate", "jobs", "library", "revisions")
LEAST_RATE, MOST_BYTES, MOST_SHARE, STOP_MS = 0.8, 15_000_000, 0.5, 5000
LIBRARIES = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"}
BROKERS = {"off": "Kafka is not set", "works": "works", "absent": "absent: no process listens", "silent": "silent: takes connections, answers nothing"}
COUNTS = {
    "revisions": "revisions in the ship logs", "events": "event ids", "drivers": "drivers that made them", "driver_kills": "drivers killed", "broker_kills": "times that the broker was killed",
    "answers_swallowed": "acknowledgements swallowed", "messages": "messages in the topics", "different_messages": "different ones", "rows_in_raw_tables": "rows of the raw tables",
    "different_in_raw_tables": "different ones, by id and revision", "events_in_hive": "events in Hive's view", "ids_twice_in_hive": "ids twice in it", "ids_missing": "ids missing",
    "last_revision_wrong": "ids whose last revision is another than the log's", "revisions_missing": "revisions missing in the raw tables",
}
LOST = ("ids_twice_in_hive", "ids_missing", "ids_not_of_a_log", "last_revision_wrong", "revisions_missing")


def figures(content: Record, atlas: Record) -> list[Record]:
    """The figures, computed from the raw records."""
    raw = content["raw"]
    rates = [r["sink"] / r["bare"] for r in raw["rate"]]
    [library], [record] = raw["library"], raw["revisions"]
    found = [
        figure("sinks-rate", "rate of the Kafka sink over a bare producer with the same settings", median(rates), ">=", LEAST_RATE, "x",
               f"{min(rates):.2f} to {max(rates):.2f} in {len(rates)} turns; {median(r['sink'] for r in raw['rate']) / 1e3:.0f} thousand a second against {median(r['bare'] for r in raw['rate']) / 1e3:.0f}")]
    times = _ratios(raw["jobs"], lambda r: median(r["round_ms"]))
    cpu = _ratios(raw["jobs"], lambda r: r["listener_us_a_task"])
    for name in ("absent", "silent"):
        found.append(figure(f"sinks-job-{name}", f"time of a round of a job, the broker {name}, over the same without Kafka", median(times[name]), "<=", 1.1, "x", _spread(times[name])))
    found += [
        figure("sinks-listener", "CPU of the listener's thread per task, with the sink over without", median(cpu["works"]), "<=", 1.1, "x", _spread(cpu["works"])),
        figure("sinks-waiting", "times that a thread of Spark's waited below Andiron's code, in pairs of thread dumps", sum(_waits(r) for r in raw["jobs"]), "<=", 0, "",
               f"{sum(r['dumps'] for r in raw['jobs'])} pairs"),
        figure("sinks-stop", "the most that a broker adds to the end of an application", _added_to_stop(raw["jobs"]) / 1e3, "<=", STOP_MS / 1e3, "s",
               f"spark.stop() over that of the same turn without Kafka, which takes {median(r['stop_ms'] for r in raw['jobs'] if r['broker'] == 'off') / 1e3:.1f} s"),
        figure("sinks-lost", "ids of a million revisions that are not in Hive once and right", sum(record[name] for name in LOST), "<=", 0, "",
               f"{record['revisions']:,} revisions of {record['events']:,} ids"),
        figure("sinks-library", "the library, stripped", library["bytes"] / MB, "<=", MOST_BYTES / MB, "MiB", f"needs {', '.join(library['needed'])}; glibc {library['glibc']} as built here"),
        figure("sinks-needed", "libraries that it needs beside libc, libm and libgcc_s", len(set(library["needed"]) - LIBRARIES), "<=", 0, "", "and the loader itself"),
    ]
    shares = {r["to"]: 100 * r["cpu_s"] / r["wall_s"] for r in atlas["raw"]}
    return found + [figure("sinks-atlas", "share of a core that an executor spends on Atlas", max(shares.values()), "<=", MOST_SHARE, "%",
                           f"200 series every second; {', '.join(f'{share:.3f} % by {to}' for to, share in shares.items())}")]


def _waits(record: Record) -> int:
    """The number of waits in Andiron's code, except those of the listener's queue for its next event."""
    return sum(count for thread, count in record["in_andiron"].items() if not thread.startswith("spark-listener-group-andiron"))


def _ratios(records: list[Record], of) -> dict[str, list[float]]:
    """The ratios of the jobs with each kind of broker to the job without Kafka, by turn."""
    by = {(r["broker"], r["turn"]): of(r) for r in records}
    return {name: [by[name, turn] / by["off", turn] for turn in sorted({r["turn"] for r in records})] for name in BROKERS}


def _added_to_stop(records: list[Record]) -> int:
    off = {r["turn"]: r["stop_ms"] for r in records if r["broker"] == "off"}
    return max(r["stop_ms"] - off[r["turn"]] for r in records)


def _spread(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f} in {len(values)} turns"


def wrong(content: Record) -> list[str]:
    """The faults that invalidate the raw records, one sentence each."""
    raw = content["raw"]
    found = [f"{part} has not run" for part in PARTS if not raw.get(part)] + ([] if content.get("runs") else [f"{FILE} does not say its runs"])
    if not found:
        turns = sorted({r["turn"] for r in raw["jobs"]})
        found += [f"the broker {name} lacks turn {turn}" for name in BROKERS for turn in turns if sum(r["broker"] == name and r["turn"] == turn for r in raw["jobs"]) != 1]
        found += [f"{r['revisions']:,} revisions are no million" for r in raw["revisions"] if r["revisions"] < 1_000_000]
        found += [f"{r['driver_kills']} drivers and {r['broker_kills']} brokers were killed, {r['answers_swallowed']} answers swallowed" for r in raw["revisions"]
                  if r["driver_kills"] < 5 or r["broker_kills"] < 10 or r["answers_swallowed"] < 1]
    return found


def blocks(content: Record, atlas: Record) -> dict[str, str]:
    """The generated blocks of the page, by name."""
    return {"sinks-machine": wrapped(_machine(content)), "sinks-figures": markdown(*figure_table(figures(content, atlas))), "sinks-jobs": markdown(*_jobs(content["raw"]["jobs"])),
            "sinks-revisions": markdown(*_revisions(content["raw"]["revisions"][0]))}


def _machine(content: Record) -> str:
    runs = ", ".join(f"{part} at {commit(run)}, load {run['load_average']:.1f}" for part, run in sorted(content["runs"].items()))
    return (f"Spark {content['spark']}, {hardware(content)}; Kafka 4.4.0 and a Hive metastore 2.3.9 on "
            f"loopback. Parts: {runs}.")


def _jobs(records: list[Record]) -> Table:
    rows = []
    for name, title in BROKERS.items():
        these = [r for r in records if r["broker"] == name]
        rounds, cpu = [median(r["round_ms"]) for r in these], [r["listener_us_a_task"] for r in these]
        rows.append((title, f"{median(rounds):.0f} ({min(rounds):.0f} to {max(rounds):.0f})", f"{median(cpu):.0f} ({min(cpu):.0f} to {max(cpu):.0f})",
                     f"{max(r['stop_ms'] for r in these) / 1e3:.1f}", str(sum(_waits(r) for r in these)), str(sum(r["dumps"] for r in these))))
    return ("broker", "a round, ms", "listener, µs of CPU a task", "longest end, s", "waiting", "pairs of dumps"), rows


def _revisions(record: Record) -> Table:
    return ("quantity", "number"), [(title, f"{record[name]:,}") for name, title in COUNTS.items()]


SECTION = Section("sinks", (FILE, ATLAS), figures, blocks, wrong, needs_all=True)
