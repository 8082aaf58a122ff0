"""The figures of the cache benchmark; see figures.py."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from statistics import median

from bench import generate, rivals
from bench.figures import MB, Record, figure, paired, series

SLACK = 64 * MB
BYTES = ("bytes", "bytes-half", "bytes-one", "inplace")


class Turns:
    """The records of all approaches, by name and turn."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._by = series(records, "approach")

    def has(self, *names: str) -> bool:
        return all(name in self._by for name in names)

    def names(self) -> list[str]:
        return [approach.name for approach in rivals.ALL if approach.name in self._by]

    def records(self, name: str) -> list[Record]:
        return list(self._by[name].values())

    def median(self, name: str, key: str) -> float:
        return median(record[key] for record in self.records(name))

    def paired(self, name: str, other: str, compare: Callable[[Record, Record], float]) -> float:
        """The median over the turns of a comparison of two approaches."""
        return paired(self._by[name], self._by[other], compare)

    def slower(self, name: str, other: str) -> float:
        """The median ratio of the wall times of two approaches."""
        return self.paired(name, other, lambda mine, theirs: mine["wall_s"] / theirs["wall_s"])

    def extra(self, name: str, key: str = "peak_pss_bytes") -> float:
        """The median difference between the approach and the job without metadata."""
        return self.paired(name, "none", lambda mine, none: mine[key] - none[key])


def approaches(records: list[Record], content: Record) -> list[Record]:
    turns = Turns(records)
    found = _memory(turns, content["parameters"]) if turns.has("none") else []
    return found + (_walls(turns) + _gains(turns) if turns.has("oracle") else [])


def _memory(turns: Turns, p: Record) -> list[Record]:
    one, found = p["version_mb"] * MB, []

    def over(name: str, limit: float, note: str) -> Record:
        return figure(f"memory.{name}", f"peak PSS over no metadata: {rivals.BY_NAME[name].title}", turns.extra(name) / MB, "<=", (1.05 * limit + SLACK) / MB, "MB", note)

    for name in (*BYTES, "objects"):
        if turns.has(name):
            found.append(over(name, min(turns.records(name)[0]["limit_bytes"], p["versions"] * one), "1.05 x min(budget, bytes used) + 64 MB"))
    if turns.has("bytes-cold"):
        found.append(over("bytes-cold", turns.median("bytes-cold", "maxLeasedBytes"), "1.05 x bytes leased at once + 64 MB"))
    if turns.has("closure-direct"):
        found.append(figure("memory.closure", "a closure's peak PSS over no metadata, in versions", turns.extra("closure-direct") / one,
                            ">=", 0.95 * p["slots"], "versions", "a copy per task slot"))
    andiron = [record for name in turns.names() if rivals.BY_NAME[name].andiron for record in turns.records(name)]
    if andiron:
        found.append(figure("memory.over-budget", "most bytes that were ever admitted over the budget",
                            max(record["maxOverBudgetBytes"] for record in andiron), "<=", 0, "bytes"))
    if turns.has("bytes"):
        none = turns.median("none", "gc_millis")
        found.append(figure("gc.bytes", "pauses of the collector", turns.median("bytes", "gc_millis"), "<=", max(1.1 * none, none + 50), "ms",
                            f"no metadata: {none:.0f} ms, plus 10 % or 50 ms"))
    return found


def load_seconds(record: Record) -> float:
    """The average time of one load in this run, in seconds."""
    if not record["loads"]:
        return 0.0
    seconds = record["loadMillis"] / 1e3 if "loadMillis" in record else record["load_nanos"] / 1e9
    return float(seconds) / record["loads"]


def _walls(turns: Turns) -> list[Record]:
    found = []
    for name, oracle in (("bytes", "oracle"), ("inplace", "oracle"), ("objects", "oracle"), ("bytes-short", "oracle-short")):
        if turns.has(name, oracle):
            length = turns.median(oracle, "wall_s") / max(median(load_seconds(record) for record in turns.records(name)), 1e-3)
            found.append(figure(f"wall.{name}", f"wall time over the oracle's: {rivals.BY_NAME[name].title}", turns.slower(name, oracle), "<=", 1.1, "x",
                                f"the job is {length:.0f} x as long as one load"))
    return found


def _gains(turns: Turns) -> list[Record]:
    """The oracle has no idle cores, no loads and no shuffle, so the difference between a rival and the oracle bounds the gain."""
    found = []
    for name in ("stages", "repartition"):
        if turns.has(name, "bytes"):
            gain, bound = turns.slower(name, "bytes"), turns.slower(name, "oracle")
            found.append(figure(f"gain.{name}", f"share of the possible gain over: {rivals.BY_NAME[name].title}", gain / bound, ">=", 0.9,
                                "of the bound", f"gain {gain:.2f} x, bound {bound:.2f} x"))
    return found


def pauses(record: Record, p: Record) -> list[float]:
    """The seconds that each task of a throttled job sleeps for its rows: the same numbers as in Member.feature in Scala."""
    per_partition = record["versions"]
    found = []
    for partition in range(record["partitions"]):
        ids = range(partition * per_partition, (partition + 1) * per_partition)
        shares = [(generate.mix(id ^ p["seed"]) >> 11) / 2**53 for id in ids]
        found.append(sum(int(record["pause_micros"] * (0.5 + share)) for share in shares) / 1e6)
    return found


def makespan(tasks: Iterable[float], slots: int) -> float:
    """The end of the last task if tasks start in order, each on the slot that is free first."""
    free = [0.0] * slots
    for seconds in tasks:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def ideal(record: Record, p: Record) -> float:
    """The time of the throttled job if it waits for the first load only."""
    return makespan(pauses(record, p), record["slots"]) + record["load_ms"] / 1e3


def talk(records: list[Record], content: Record) -> list[Record]:
    by, p = series(records, "approach"), content["parameters"]
    mine, stages = by["andiron-bytes"], {turn: record["wall_s"] for turn, record in by["stages"].items()}
    gain = paired(stages, mine, lambda wall, record: wall / record["wall_s"])
    bound = paired(stages, mine, lambda wall, record: wall / ideal(record, p))
    waits = paired(stages, mine, lambda wall, record: wall / (ideal(record, p) + (record["versions"] - 1) * record["load_ms"] / 1e3))
    return [
        figure("talk.gain", "the talk's job: time of one stage per version over Andiron's", gain, ">=", 10, "x"),
        figure("talk.share", "share of the possible gain, if every load but the first can be hidden", gain / bound, ">=", 0.9, "of the bound",
               f"bound {bound:.2f} x"),
        figure("talk.share-waiting", "the same if all tasks must wait for every load once", gain / waits, ">=", 0.9, "of the bound",
               f"bound {waits:.2f} x"),
    ]


RATES = (("inplace", "populate", 0.4, "mapped in place, over populating a mapping of a file just written"),
         ("inplace-read", "populate-read", 0.4, "the same of a file that was read: its pages are large"), ("stream", "cp", 0.7, "streamed through Hadoop's file system, over cp"),
         ("local", "cp", 0.7, "copied from a local file, over cp"), ("inplace", "broadcast", 20, "mapped in place, over a broadcast's first value"),
         ("stream", "broadcast", 20, "streamed, over a broadcast's first value"))


def rates(records: list[Record], _: Record) -> list[Record]:
    by = series(records, "what", lambda record: record["bytes"] / record["seconds"])
    return [figure(f"rate.{mine}/{other}", f"rate of loading: {title}", paired(by[mine], by[other]), ">=", least, "x") for mine, other, least, title in RATES]


def kills(records: list[Record], _: Record) -> list[Record]:
    return [figure("kill", "a killed task that waits for the budget stops, at most after", max(r["seconds"] for r in records) * 1e3, "<=", 200, "ms",
                   f"{len(records)} tasks, median {median(r['seconds'] for r in records) * 1e3:.0f} ms")]


def left(raw: Record) -> list[Record]:
    """The leases, waiting tasks and bytes that all jobs of a run have left."""
    approaches = [record for record in raw.get("approaches", []) if rivals.BY_NAME[record["approach"]].andiron]
    others = [record for part in ("sweep", "talk", "kills") for record in raw.get(part, [])]
    leases = sum(record["leases"] + record["closed_leases"] for record in approaches) + sum(record["leases_left"] for record in others)
    waiting = sum(record["waiting"] + record["closed_waiting"] for record in approaches) + sum(record.get("waiting_left", 0) for record in others)
    found = [figure("left.leases", "leases after a job, over all jobs", leases, "<=", 0, ""),
             figure("left.waiting", "tasks that wait after a job, over all jobs", waiting, "<=", 0, "")]
    if approaches:
        found.append(figure("left.bytes", "admitted bytes after catalog.close(), over all jobs",
                            sum(record["closed_reservedBytes"] for record in approaches), "<=", 0, "bytes"))
    return found


TIMES = (("same-text", "sameVersionSameText", "same version? per row, rows that share its text", 2),
         ("own-text", "sameVersionOwnText", "same version? per row, each with a text of its own", 2),
         ("advance", "advanceToResident", "advance to another resident version, from Scala", 1000),
         ("advance-two", "advanceToResidentTwoThreads", "the same from two threads at once", 1000))
READS = (("read", "oneByOne", "a long in place over Unsafe.getLong, each read needing the one before"),
         ("read-disorder", "inDisorder", "the same, independent reads in disorder"), ("read-order", "inOrder", "the same, a scan"))


def micro(records: list[Record], _: Record) -> list[Record]:
    by = series(records, "benchmark", lambda record: record["ns"])
    found = [figure(f"micro.{id}", title, median(by[f"CursorBenchmark.{name}"].values()), "<=", limit, "ns")
             for id, name, title, limit in TIMES if f"CursorBenchmark.{name}" in by]
    for id, name, title in READS:
        mine, unsafe = by.get(f"ReadBenchmark.{name}"), by.get(f"ReadBenchmark.{name}Unsafe")
        if mine and unsafe:
            found.append(figure(f"micro.{id}", title, paired(mine, unsafe), "<=", 1.5, "x", f"{median(mine.values()):.2f} ns against {median(unsafe.values()):.2f} ns"))
    return found


def wrong(content: Record) -> list[str]:
    """Faults of a benchmark, one sentence each: jobs with different digests, and missing turns."""
    raw, p = content["raw"], content["parameters"]
    found = []
    groups: dict[str, list[Record]] = {}
    for record in raw.get("approaches", []):
        groups.setdefault(f"approaches with {record['work']} rounds of work", []).append(record)
    for part in ("sweep", "talk"):
        for record in raw.get(part, []):
            groups.setdefault(f"{part} of {record['slots']} slots and {record['versions']} versions", []).append(record)
    for where, records in groups.items():
        results = {(record["rows"], record["digest"]) for record in records}
        if len(results) > 1:
            found.append(f"{where}: rows and digests differ: {sorted(results)}")
    for name, by_turn in series(raw.get("approaches", []), "approach").items():
        if sorted(by_turn) != list(range(p["turns"])):
            found.append(f"{name} has not all of {p['turns']} turns")
    expected = p["partitions"] * p["versions"] * p["stripes"]
    if any(record["rows"] != expected for record in raw.get("approaches", [])):
        found.append(f"not all jobs have {expected} rows")
    return found
