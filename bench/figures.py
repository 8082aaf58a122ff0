"""The figures of the cache benchmark, each a ratio or a difference of raw records of one run.

A figure has an id, a title, a value, a limit, a relation (`<=` or `>=`) of the value to the limit, and whether the relation holds.
Records are compared within a turn, and the value is the median over the turns.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

from bench import generate, rivals

Record = dict[str, Any]
MB = 1 << 20
SLACK = 64 * MB
BYTES = ("bytes", "bytes-half", "bytes-one", "inplace")


def figure(id: str, title: str, value: float, sense: str, limit: float, unit: str, note: str = "") -> Record:
    reached = value <= limit if sense == "<=" else value >= limit
    return {"id": id, "title": title, "value": round(value, 4), "sense": sense, "limit": round(limit, 4), "unit": unit,
            "reached": reached, "note": note}


class Turns:
    """The records of all approaches, by name and turn."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._by: dict[str, dict[int, Record]] = {}
        for record in records:
            self._by.setdefault(record["approach"], {})[record["turn"]] = record

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
        return median(compare(record, self._by[other][turn]) for turn, record in self._by[name].items())

    def extra(self, name: str, key: str = "peak_pss_bytes") -> float:
        """The median difference between the approach and the job without metadata."""
        return self.paired(name, "none", lambda mine, none: mine[key] - none[key])


def of_cache(content: Record) -> list[Record]:
    raw, p = content["raw"], content["parameters"]
    found: list[Record] = []
    turns = Turns(raw.get("approaches", []))
    if turns.has("none"):
        found += _memory(turns, p) + _collections(turns)
    if turns.has("oracle"):
        found += _walls(turns) + _gains(turns)
    found += _talk(raw.get("talk", []), p) + _rates(raw.get("rates", [])) + _kills(raw.get("kills", []))
    return found + _left(raw)


def _memory(turns: Turns, p: Record) -> list[Record]:
    one = p["version_mb"] * MB
    used = p["versions"] * one
    found = []
    for name in (*BYTES, "objects"):
        if turns.has(name):
            limit = 1.05 * min(turns.records(name)[0]["limit_bytes"], used) + SLACK
            found.append(figure(f"memory.{name}", f"peak PSS over no metadata: {rivals.BY_NAME[name].title}",
                                turns.extra(name) / MB, "<=", limit / MB, "MB", "1.05 x min(budget, bytes used) + 64 MB"))
    if turns.has("bytes-cold"):
        leased = turns.median("bytes-cold", "maxLeasedBytes")
        found.append(figure("memory.bytes-cold", f"peak PSS over no metadata: {rivals.BY_NAME['bytes-cold'].title}",
                            turns.extra("bytes-cold") / MB, "<=", (1.05 * leased + SLACK) / MB, "MB", "1.05 x bytes leased at once + 64 MB"))
    if turns.has("closure-direct"):
        found.append(figure("memory.closure", "a closure's peak PSS over no metadata, in versions", turns.extra("closure-direct") / one,
                            ">=", 0.95 * p["slots"], "versions", "a copy per task slot"))
    andiron = [record for name in turns.names() if rivals.BY_NAME[name].andiron for record in turns.records(name)]
    if andiron:
        found.append(figure("memory.over-budget", "most bytes that were ever admitted over the budget",
                            max(record["maxOverBudgetBytes"] for record in andiron), "<=", 0, "bytes"))
    return found


def _collections(turns: Turns) -> list[Record]:
    if not turns.has("bytes"):
        return []
    none = turns.median("none", "gc_millis")
    return [figure("gc.bytes", "pauses of the collector", turns.median("bytes", "gc_millis"), "<=", max(1.1 * none, none + 50), "ms",
                   f"no metadata: {none:.0f} ms, plus 10 % or 50 ms")]


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
            loads = max(median(load_seconds(record) for record in turns.records(name)), 1e-3)
            length = turns.median(oracle, "wall_s") / loads
            found.append(figure(f"wall.{name}", f"wall time over the oracle's: {rivals.BY_NAME[name].title}",
                                turns.paired(name, oracle, lambda mine, theirs: mine["wall_s"] / theirs["wall_s"]), "<=", 1.1, "x",
                                f"the job is {length:.0f} x as long as one load"))
    return found


def _gains(turns: Turns) -> list[Record]:
    """The oracle has no idle cores, no loads and no shuffle, so the difference between a rival and the oracle bounds the gain."""
    found = []
    for name in ("stages", "repartition"):
        if turns.has(name, "bytes"):
            bound = turns.paired(name, "oracle", lambda rival, oracle: rival["wall_s"] / oracle["wall_s"])
            gain = turns.paired(name, "bytes", lambda rival, mine: rival["wall_s"] / mine["wall_s"])
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


def _talk(records: list[Record], p: Record) -> list[Record]:
    by = {name: sorted((r for r in records if r["approach"] == name), key=lambda r: r["turn"]) for name in ("stages", "andiron-bytes")}
    if not all(by.values()):
        return []
    pairs = list(zip(by["stages"], by["andiron-bytes"], strict=True))
    gain = median(stages["wall_s"] / mine["wall_s"] for stages, mine in pairs)
    bound = median(stages["wall_s"] / ideal(mine, p) for stages, mine in pairs)
    waits = median(stages["wall_s"] / (ideal(mine, p) + (mine["versions"] - 1) * mine["load_ms"] / 1e3) for stages, mine in pairs)
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


def _rates(records: list[Record]) -> list[Record]:
    by: dict[str, dict[int, float]] = {}
    for record in records:
        by.setdefault(record["what"], {})[record["turn"]] = record["bytes"] / record["seconds"]
    return [
        figure(f"rate.{mine}/{other}", f"rate of loading: {title}", median(by[mine][turn] / by[other][turn] for turn in by[mine]), ">=", least, "x")
        for mine, other, least, title in RATES if mine in by and other in by
    ]


def _kills(records: list[Record]) -> list[Record]:
    if not records:
        return []
    return [figure("kill", "a killed task that waits for the budget stops, at most after", max(r["seconds"] for r in records) * 1e3, "<=", 200, "ms",
                   f"{len(records)} tasks, median {median(r['seconds'] for r in records) * 1e3:.0f} ms")]


def _left(raw: Record) -> list[Record]:
    approaches = [record for record in raw.get("approaches", []) if rivals.BY_NAME[record["approach"]].andiron]
    others = [record for part in ("sweep", "talk", "kills") for record in raw.get(part, [])]
    if not approaches and not others:
        return []
    leases = sum(record["leases"] + record["closed_leases"] for record in approaches) + sum(record["leases_left"] for record in others)
    waiting = sum(record["waiting"] + record["closed_waiting"] for record in approaches) + sum(record.get("waiting_left", 0) for record in others)
    found = [figure("left.leases", "leases after a job, over all jobs", leases, "<=", 0, ""),
             figure("left.waiting", "tasks that wait after a job, over all jobs", waiting, "<=", 0, "")]
    if approaches:
        found.append(figure("left.bytes", "admitted bytes after catalog.close(), over all jobs",
                            sum(record["closed_reservedBytes"] for record in approaches), "<=", 0, "bytes"))
    return found


def of_micro(content: Record) -> list[Record]:
    by: dict[str, dict[int, float]] = {}
    for record in content["raw"].get("micro", []):
        by.setdefault(record["benchmark"], {})[record["turn"]] = record["ns"]

    def one(id: str, name: str, title: str, limit: float) -> list[Record]:
        return [figure(id, title, median(by[name].values()), "<=", limit, "ns")] if name in by else []

    def ratio(id: str, name: str, other: str, title: str) -> list[Record]:
        if name not in by or other not in by:
            return []
        return [figure(id, title, median(by[name][turn] / by[other][turn] for turn in by[name]), "<=", 1.5, "x",
                       f"{median(by[name].values()):.2f} ns against {median(by[other].values()):.2f} ns")]

    return [
        *one("micro.same-text", "CursorBenchmark.sameVersionSameText", "same version? per row, rows that share its text", 2),
        *one("micro.own-text", "CursorBenchmark.sameVersionOwnText", "same version? per row, each with a text of its own", 2),
        *one("micro.advance", "CursorBenchmark.advanceToResident", "advance to another resident version, from Scala", 1000),
        *one("micro.advance-two", "CursorBenchmark.advanceToResidentTwoThreads", "the same from two threads at once", 1000),
        *ratio("micro.read", "ReadBenchmark.oneByOne", "ReadBenchmark.oneByOneUnsafe",
               "a long in place over Unsafe.getLong, each read needing the one before"),
        *ratio("micro.read-disorder", "ReadBenchmark.inDisorder", "ReadBenchmark.inDisorderUnsafe", "the same, independent reads in disorder"),
        *ratio("micro.read-order", "ReadBenchmark.inOrder", "ReadBenchmark.inOrderUnsafe", "the same, a scan"),
    ]


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
    turns = Turns(raw.get("approaches", []))
    for name in turns.names():
        if sorted(record["turn"] for record in turns.records(name)) != list(range(p["turns"])):
            found.append(f"{name} has not all of {p['turns']} turns")
    expected = p["partitions"] * p["versions"] * p["stripes"]
    if any(record["rows"] != expected for record in raw.get("approaches", [])):
        found.append(f"not all jobs have {expected} rows")
    return found
