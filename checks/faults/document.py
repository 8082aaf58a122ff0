"""Renders docs/evidence/faults.md from the figures of a full campaign."""

from __future__ import annotations

from checks.faults.results import Row

MEANING = {
    "none": "the job, with bytes and with objects",
    "task-failure": "tasks throw while they hold a version, and are retried",
    "job-failure": "the same in local mode, where the job fails and the next one must be right",
    "fetch-failure": "all map outputs are deleted between two jobs; tasks find them missing while they hold a version",
    "loader-errors": "loaders throw StackOverflowError, OutOfMemoryError, NoSuchMethodError, ThreadDeath; no executor ends",
    "cancel-waiting": "`cancelJobGroup` while half of the tasks wait for the budget",
    "cancel-computing": "the same while the tasks read leased versions",
    "cancel-loading": "the same while the versions are being loaded; the loads continue",
    "late-readers": "`rdd.pipe` threads read, and ask for leases, after their tasks have ended and versions were evicted",
    "kill-during-load": "kill -9 of an executor that writes a version, while others wait for the same file",
    "kill-during-job": "kill -9 of an executor whose tasks hold versions",
    "terminate-during-job": "the same with SIGTERM",
    "exit-during-job": "a task calls System.exit",
    "kill-idle": "kill -9 between two jobs; the executor that replaces it loads again",
    "kill-driver": "kill -9 of the driver; its executors end by themselves and clean up",
    "kill-application": "kill -9 of driver and executors at once; the next application of the directory sweeps",
    "speculation": "a slow task gets a copy on another host, which wins; the first is killed",
    "two-class-loaders": "two more copies of the jar in one JVM: one cache; bytes load once in all, objects once each",
    "leases-left-open": "the context is stopped while the driver holds leases; every later use is a typed error",
    "two-contexts": "one context after another in one JVM, with another budget",
    "unknown-version": "rows name a version that the catalog does not have, an empty one, or none",
    "missing-source": "the source is removed between the creation of the catalog and the load",
    "truncated-source": "the source is truncated in the same interval",
    "rewritten-source": "the source is rewritten in the middle of the load",
    "wrong-checksum": "the source does not have the checksum that the catalog declares",
    "loader-throws": "a loader throws at its first call; another always",
    "loader-lies": "objects are larger than the budget though declared small, or null, or of negative size",
    "version-too-large": "a version is larger than the whole budget",
    "loader-hangs": "a loader does not return before the load's time-out, and later does",
    "budget-of-zero": "an application has a budget of zero, the next one has a normal budget",
    "disk-full": "the disk of the cache directory is full while versions load, and has room again later",
}

HEAD = """# Faults

Generated from [docs/data/faults.json](../data/faults.json) by `make check-faults`, which runs on any machine; do not
edit by hand.

`make check-faults` runs a job of 2,400 rows over six versions, with a budget of two, by `spark-submit` and under
`-Xcheck:jni`, and injects faults. After each the job runs again. The campaign fails unless all of this holds: every
digest equals the one computed without Spark; no lease, wait or attempt is left; admitted bytes exceed the budget only
by counted admissions; no process crashed; the JVM reported no error in Andiron's natives; after `catalog.close()` no
version is resident; after the application's end its folder in the cache directory is removed. `make test` runs the most
important faults once.

Spark starts no speculative copy on the host that already runs the task, and the executors of `local-cluster` share one
host name: there it launched none. So that fault runs on a standalone cluster of two workers with the names 127.0.0.1
and 127.0.0.2.
"""

SECURITY = """## Other users, full stacks, crafted logs

Suites test faults that a campaign does not inject; these are their figures of 30 November 2026, on two cores that other
work shared.

| attack | command | before | now |
|---|---|---|---|
| a directory that is swept is exchanged for a link to 5,000 files of root's, by the user `nobody`, with `fs.protected_symlinks` 0 | `gradle test --tests '*OtherUsersSuite'` | 4,982 are deleted | none, with 0 and with 1 |
| the same by a process of the same user | the same | 4,547 are deleted | none, with 0 and with 1 |
| a link replaces the file with the secret for Python workers while it is written, 5,000 times | the same | the link's target is overwritten | the target is unchanged |
| a pipe in place of a log's segment or lock | `cargo test -p andiron --lib shiplog::tests::others` | the reader waits without an end | the pipe is ignored |
| 1,000 overflows of the stack for each of 53 natives and for `Bytes.buffer`, with a call from some twenty of the 300 frames above each, in a process for each native | `gradle test --tests '*StackDepthsSuite'` | `Bytes.buffer` ends the process at once | no process ends: on Java 17 521,200 calls return, 801,890 are typed errors, 218,450 StackOverflowErrors; on Java 25 517,170, 888,727 and 135,643 |
| the same for `lease`, `cursor`, `acquireAll`, in a task and outside any | the same | 2 attempts stay, in another run 129 | none |

The time to read a log of false records, each a complete header that claims half of the log as its body, is proportional
to the log's bytes (`cargo bench -p andiron --bench damaged`, milliseconds, the least of 15; `text`: 1,000 bytes of text
follow each header). Before, such logs of 1.2, 2.4 and 4.9 MB took 1,500, 4,700 and 16,600 ms.

| MB | `heads` | `text` |
|---|---|---|
| 1 | 0.8 | 0.4 |
| 2 | 1.6 | 0.8 |
| 4 | 3.3 | 1.6 |
| 8 | 6.5 | 3.3 |
"""


def name_of(row: Row) -> str:
    return str(row["fault"]).removesuffix("-interrupt")


def where(row: Row) -> str:
    return "two hosts" if str(row["master"]).startswith("spark://") else str(row["master"])


def table(rows: list[Row]) -> list[str]:
    lines = ["| fault | on | runs | right | leases left | over budget | crashes |", "|---|---|---|---|---|---|---|"]
    for key in dict.fromkeys((row["fault"], where(row)) for row in rows):
        mine = [row for row in rows if (row["fault"], where(row)) == key]
        right = sum(bool(row["digests_equal"]) for row in mine)
        lines.append(
            f"| `{key[0]}` | `{key[1]}` | {sum(row['runs'] for row in mine)} | {right} of {len(mine)} | {sum(row['leases_left'] for row in mine)} "
            f"| {max(row['max_over_budget'] for row in mine)} | {max(row['crashes'] for row in mine)} |")
    return lines


def text(facts: dict[str, object]) -> str:
    rows: list[Row] = facts["faults"]
    stops = [row["observed"]["slowest_stop_ms"] for row in rows if row["fault"].startswith("cancel-waiting") and "slowest_stop_ms" in row["observed"]]
    refused = sum(row["observed"].get("released_exceptions", 0) for row in rows)
    found = [
        HEAD, f"## The last full campaign\n\n{facts['spark']}, commit {facts['commit'][:12]}, {len({row['seed'] for row in rows})} seeds, "
        f"{facts['total_s']:.0f} s; {len(rows)} faults, {len(facts['complaints'])} complaints.\nTasks that waited for the budget ended at most "
        f"{max(stops, default=0)} ms after their job was cancelled. Threads that outlived\ntheir tasks were refused {refused:,} reads.\n",
        "\n".join(table(rows)), "\n## The faults\n", "\n".join(f"- `{fault}`: {meaning}." for fault, meaning in MEANING.items()),
        "\nA name that ends in `-interrupt` has `interruptOnCancel` set.\n", SECURITY]
    return "\n".join(found)
