"""Figures and tables of the sinks benchmark; see render.py."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from bench.atlas import picture
from bench.figures import MB, Record, figure, series, spread
from bench.render import Table, commit, hardware
from bench.section import FACTS, Section

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


def rate(records: list[Record], _: Record) -> list[Record]:
    rates = [r["sink"] / r["bare"] for r in records]
    sink, bare = (median(r[name] for r in records) / 1e3 for name in ("sink", "bare"))
    return [figure("sinks-rate", "rate of the Kafka sink over a bare producer with the same settings", median(rates), ">=", LEAST_RATE, "x",
                   f"{spread(rates, 2)} in {len(rates)} turns; {sink:.0f} thousand a second against {bare:.0f}")]


def jobs(records: list[Record], _: Record) -> list[Record]:
    def over_off(broker: str, value: Callable[[Record], float]) -> tuple[float, str]:
        """The median ratio to the job without Kafka in the same turn, and all ratios."""
        by = series(records, "broker", value)
        ratios = [number / by["off"][turn] for turn, number in by[broker].items() if turn in by["off"]]
        return median(ratios), f"{spread(ratios, 2)} in {len(ratios)} turns"

    found = []
    for name in ("absent", "silent"):
        ratio, note = over_off(name, lambda r: median(r["round_ms"]))
        found.append(figure(f"sinks-job-{name}", f"time of a round of a job, the broker {name}, over the same without Kafka", ratio, "<=", 1.1, "x", note))
    ratio, note = over_off("works", lambda r: float(r["listener_us_a_task"]))
    off = {r["turn"]: r["stop_ms"] / 1e3 for r in records if r["broker"] == "off"}
    return [
        *found, figure("sinks-listener", "CPU of the listener's thread per task, with the sink over without", ratio, "<=", 1.1, "x", note),
        figure("sinks-waiting", "times that a thread of Spark's waited below Andiron's code, in pairs of thread dumps", sum(_waits(r) for r in records), "<=", 0, "",
               f"{sum(r['dumps'] for r in records)} pairs"),
        figure("sinks-stop", "the most that a broker adds to the end of an application", max(r["stop_ms"] / 1e3 - off[r["turn"]] for r in records), "<=", STOP_MS / 1e3, "s",
               f"spark.stop() over that of the same turn without Kafka, which takes {median(off.values()):.1f} s")]


def _waits(record: Record) -> int:
    """The number of waits in Andiron's code, except those of the listener's queue for its next event."""
    return sum(count for thread, count in record["in_andiron"].items() if not thread.startswith("spark-listener-group-andiron"))


def revisions(records: list[Record], _: Record) -> list[Record]:
    return [figure("sinks-lost", "ids of a million revisions that are not in Hive once and right", sum(r[name] for name in LOST), "<=", 0, "",
                   f"{r['revisions']:,} revisions of {r['events']:,} ids") for r in records]


def library(records: list[Record], _: Record) -> list[Record]:
    [record] = records
    return [
        figure("sinks-library", "the library, stripped", record["bytes"] / MB, "<=", MOST_BYTES / MB, "MiB", f"needs {', '.join(record['needed'])}; glibc {record['glibc']} as built here"),
        figure("sinks-needed", "libraries that it needs beside libc, libm and libgcc_s", len(set(record["needed"]) - LIBRARIES), "<=", 0, "", "and the loader itself")]


def atlas(records: list[Record], _: Record) -> list[Record]:
    shares = {r["to"]: 100 * r["cpu_s"] / r["wall_s"] for r in records}
    return [figure("sinks-atlas", "share of a core that an executor spends on Atlas", max(shares.values()), "<=", MOST_SHARE, "%",
                   f"200 series every second; {', '.join(f'{share:.3f} % by {to}' for to, share in shares.items())}")]


def wrong(content: Record) -> list[str]:
    """The faults that invalidate the raw records, one sentence each."""
    jobs, million = (content["raw"].get(part, []) for part in ("jobs", "revisions"))
    found = [f"the broker {name} lacks turn {turn}" for name in BROKERS for turn in sorted({r["turn"] for r in jobs})
             if sum(r["broker"] == name and r["turn"] == turn for r in jobs) != 1]
    found += [f"{r['revisions']:,} revisions are no million" for r in million if r["revisions"] < 1_000_000]
    return found + [f"{r['driver_kills']} drivers and {r['broker_kills']} brokers were killed, {r['answers_swallowed']} answers swallowed" for r in million
                    if r["driver_kills"] < 5 or r["broker_kills"] < 10 or r["answers_swallowed"] < 1]


def machine(content: Record) -> str:
    runs = ", ".join(f"{part} at {commit(run)}, load {run['load_average']:.1f}" for part, run in sorted(content["runs"].items()))
    return (f"Spark {content['spark']}, {hardware(content)}; Kafka 4.4.0 and a Hive metastore 2.3.9 on "
            f"loopback. Parts: {runs}.")


def job_table(content: Record) -> Table:
    rows = []
    for name, title in BROKERS.items():
        these = [r for r in content["raw"].get("jobs", []) if r["broker"] == name]
        if these:
            rounds, cpu = [median(r["round_ms"]) for r in these], [r["listener_us_a_task"] for r in these]
            rows.append((title, *(f"{median(values):.0f} ({spread(values, 0)})" for values in (rounds, cpu)),
                         f"{max(r['stop_ms'] for r in these) / 1e3:.1f}", str(sum(_waits(r) for r in these)), str(sum(r["dumps"] for r in these))))
    return ("broker", "a round, ms", "listener, µs of CPU a task", "longest end, s", "waiting", "pairs of dumps"), rows


def revision_table(content: Record) -> Table:
    return ("quantity", "number"), [(title, f"{record[name]:,}") for record in content["raw"].get("revisions", []) for name, title in COUNTS.items()]


PARTS = {"rate": rate, "jobs": jobs, "revisions": revisions, "library": library, "atlas": atlas}
SECTION = Section("sinks", PARTS, machine, {"jobs": job_table, "revisions": revision_table},
                  charts=lambda content: {"atlas.svg": picture(record["graphs"]) for record in content["raw"]["atlas"] if "graphs" in record}, wrong=wrong, facts=(*FACTS, "runs"))
