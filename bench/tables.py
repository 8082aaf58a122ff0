"""Tables: lookups in the core, and rows joined with ten versions: `make bench-tables`; see run.py. Needs `gradle assemble benchJar sparkHome`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from bench.figures import MB, figure, paired, series
from bench.parameters import TableParameters
from bench.render import Table, commits, jar, loads, spark
from bench.run import Benchmark, Say, start
from bench.section import Section
from bench.spark_app import Setup, submit
from harness.facts import ROOT
from harness.spark import ApplicationError, Record

APPROACHES = {
    "none": "no table: the rows and the digest alone",
    "andiron": "`rows.lookup(table, …)`", "twice": "two lookups, one after the other", "intervals": "a broadcast join on intervals of validity",
    "per-version": "one broadcast join for each version", "merge": "a sort-merge join on (version, key)"}
FIELDS = {"one": "one field", "all": "the whole record"}


def core(setup: Setup, p: Any, say: Say) -> list[Record]:
    """Criterion's medians of native/benches/table.rs, in nanoseconds for each key, and the bytes that it prints."""
    found = []
    for turn in range(p.turns):
        folder = ROOT / "target/criterion/table"
        shutil.rmtree(folder, ignore_errors=True)
        done = subprocess.run(
            [os.environ.get("CARGO", "cargo"), "bench", "--locked", "--quiet", "-p", "andiron", "--bench", "table"], cwd=ROOT, check=False, capture_output=True, text=True,
            env=os.environ | {"ANDIRON_BENCH_KEYS": str(p.core_keys), "ANDIRON_BENCH_CHURN": str(p.churn)})
        told = re.search(r"records: (\d+) bytes of one version, (\d+) of \d+; index: (\d+) of one, (\d+) of", done.stdout)
        if done.returncode != 0 or told is None:
            raise ApplicationError(f"cargo bench --bench table ended with {done.returncode}:\n{done.stderr[-4000:]}")
        sizes = dict(zip(("records_one", "records_all", "index_one", "index_all"), map(int, told.groups()), strict=True))
        nanos = dict(_criterion(folder))
        found.append({"turn": turn, **sizes, "ns": nanos, **start()})
        say(f"core, turn {turn + 1}: plain {nanos['plain']:.1f} ns, single {nanos['single/latest']:.1f} ns, batch {nanos['batch/latest']:.1f} ns a key")
    return found


def _criterion(folder: Path) -> list[tuple[str, float]]:
    """Names and median nanoseconds per element."""
    found = []
    for file in sorted(folder.glob("*/new/benchmark.json")):
        of = json.loads(file.read_text(encoding="utf-8"))
        median_ns = json.loads(file.with_name("estimates.json").read_text(encoding="utf-8"))["median"]["point_estimate"]
        found.append((of["function_id"], median_ns / of["throughput"]["Elements"]))
    return found


def sql(setup: Setup, p: Any, say: Say) -> list[Record]:
    """Every approach in an application of its own, with two slots; each approach runs once before any runs again."""
    data = setup.work / "data"
    common = {"data": data, "rows": p.rows, "keys": p.keys, "versions": p.versions, "churn": p.churn}
    # The broadcast of whole records exceeds Spark's default limit of a build's time on a loaded machine.
    settings = {"spark.sql.broadcastTimeout": "1200", "spark.andiron.cache.budgetBytes": 2048 * MB, "spark.andiron.log.dir": None}
    submit(setup, "table-data", "local[2]", settings, common | {"run": "table-data"}, p.heap, True, 0)
    say("sql: rows and versions are written")
    found = []
    for turn in range(p.turns):
        for fields in FIELDS:
            for approach in APPROACHES:
                options = common | {"run": "table", "approach": approach, "fields": fields}
                [record] = submit(setup, f"table-{approach}-{fields}", "local[2]", settings, options, p.heap, True, 0)
                found.append({"turn": turn, **record})
                say(f"turn {turn + 1}, {approach}, {fields}: {record['cpu_s']:.1f} s of CPU, {record['wall_s']:.1f} s, load average {record['load_average']}")
    shutil.rmtree(data)
    return found


def core_figures(records: list[Record], _: Record) -> list[Record]:
    def over_plain(name: str) -> float:
        return float(median(r["ns"][name] / median((r["ns"]["plain"], r["ns"]["plain, again"])) for r in records))

    one, every = (median(r[f"records_{n}"] + r[f"index_{n}"] for r in records) for n in ("one", "all"))
    return [
        figure("core.single", "one lookup in the newest version, over plain open addressing of one version", over_plain("single/latest"), "<=", 1.4, "x"),
        figure("core.by-row", "one lookup in the version that a row names", over_plain("single/by row"), "<=", 1.6, "x"),
        figure("core.batch", "256 lookups at a time in the newest version, each", over_plain("batch/latest"), "<=", 0.8, "x",
               f"{median(r['ns']['batch/latest'] for r in records):.0f} ns"),
        figure("core.miss", "one lookup of an absent key over that of a present one", float(median(r["ns"]["single/miss"] / r["ns"]["single/latest"] for r in records)), "<=", 1, "x"),
        figure("core.append", "opening the next version, over the first, checksums included", float(median(r["ns"]["append"] / r["ns"]["build"] for r in records)), "<=", 0.05, "x"),
        figure("core.bytes", "records and index of ten versions over those of one, at 1 % churn", every / one, "<=", 1.12, "x",
               f"index {median(r['index_one'] for r in records) / MB:.0f} MB of one, {median(r['index_all'] for r in records) / MB:.0f} MB of ten")]


def sql_figures(records: list[Record], _: Record) -> list[Record]:
    found = []
    for fields, title in FIELDS.items():
        by = series((r for r in records if r["fields"] == fields), "approach", lambda record: record["cpu_s"])
        for other, most in (("intervals", 0.5), ("per-version", 0.1), ("merge", 0.1)):
            found.append(figure(f"sql.{fields}.{other}", f"CPU of a job with a lookup of {title}, over {APPROACHES[other]}", paired(by["andiron"], by[other]), "<=", most, "x",
                                f"{median(by['andiron'].values()):.1f} s against {median(by[other].values()):.1f} s"))
    return found


def sql_table(content: Record) -> Table:
    rows, records = [], content["raw"].get("sql", [])
    for fields, title in FIELDS.items():
        for approach, name in APPROACHES.items():
            mine = [r for r in records if r["approach"] == approach and r["fields"] == fields]
            if mine:
                rows.append((f"{title}: {name}", *(f"{median(r[key] for r in mine):.1f}" for key in ("cpu_s", "again_cpu_s", "task_cpu_s", "wall_s")),
                             f"{median(r['shuffle_bytes'] for r in mine) / MB:.0f}"))
    return ("job", "CPU of the process, s", "once more, s", "of tasks, s", "wall, s", "shuffle, MB"), rows


def core_table(content: Record) -> Table:
    records = content["raw"].get("core", [])
    names = records[0]["ns"] if records else []
    return ("operation", "ns a key"), [(name, f"{median(r['ns'][name] for r in records):.1f}") for name in names]


def wrong(content: Record) -> list[str]:
    """Jobs whose digests differ."""
    found = []
    for fields in FIELDS:
        mine = {r["approach"]: r["digest"] for r in content["raw"].get("sql", []) if r["fields"] == fields and r["approach"] != "none"}
        if len(set(mine.values())) > 1:
            found.append(f"jobs with {FIELDS[fields]} have different digests: {mine}")
    return found


def machine(content: Record) -> str:
    load, p = loads(content), content["parameters"]
    return (f"{commits(content)}, {spark(content)}. {p['rows']:,} rows, {p['keys']:,} keys in {p['versions']} versions, of which one key in {p['churn']} changes in each; "
            f"{p['core_keys']:,} keys in the core. {content['total_s']:.0f} s in all, load average {min(load):.1f} to {max(load):.1f}. {jar(content)}")


SECTION = Section("tables", {"core": core_figures, "sql": sql_figures}, machine, {"core": core_table, "sql": sql_table}, wrong=wrong)
BENCHMARK = Benchmark(SECTION, TableParameters, Setup.located, {"core": core, "sql": sql})

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
