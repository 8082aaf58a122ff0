"""A million revisions into Hive while brokers and drivers are killed: `python3 -m bench.sinks revisions`.

Drivers produce the revisions by stages that change accumulators, and ship them through a proxy that swallows acknowledgements. Meanwhile the broker is
killed and restarted 10 times, and the driver killed and replaced 5 times. `andiron.hive.Ingest` writes the topics into a real metastore, once midway and
once at the end. Then every event id of every ship log, including those of killed drivers, must be in Hive once with its last revision, and every revision
must be in the raw tables. Writes the part `revisions` of build/bench-sinks.json. REVISIONS_TOTAL (1000000) and REVISIONS_SEED set the size and the times
of the kills.
"""

import contextlib
import json
import os
import random
import shutil
import time

from checks.services import kafka, proxy
from checks.services.hive import Hive, Metastore
from checks.services.kafka_checks import FAILURES, METRICS, PATIENCE_S, TOPICS, Application, Facts, Place
from harness.facts import BUILD, Built
from harness.spark import require

TOTAL = int(os.environ.get("REVISIONS_TOTAL", "1000000"))
SEED = int(os.environ.get("REVISIONS_SEED", "20200624"))
DRIVER_KILLS, BROKER_KILLS = 5, 10
ACCUMULATORS, AGE = 500, 20
"""The number of accumulators that a round changes, and the number of rounds that use the same set of them."""
SWALLOW_BYTES, SWALLOW_S = 20000, 5.0
MOST_RECORDS = ("--max-records", "250000")


class Drivers(contextlib.ExitStack):
    """Drivers in sequence, and the work of all of them. Leaving the `with` block ends them."""

    def __init__(self, place: Place, servers: str) -> None:
        super().__init__()
        self._place, self._servers = place, servers
        self.ids: list[str] = []
        self._finished = 0

    def start(self) -> None:
        name = f"driver-{len(self.ids) + 1}"
        self._done = self._place.folder / f"{name}.done"
        self.current = self.enter_context(Application(
            self._place, name, {"spark.andiron.kafka.bootstrap.servers": self._servers}, [str(ACCUMULATORS), str(AGE), str(self._done)], main="andiron.services.Revisions"))
        self.current.wait("it has started", lambda: bool(self.current.said("ready")))
        self.ids.append(self.current.id)

    @property
    def rounds(self) -> int:
        return self._finished + len(self.current.said("round"))

    def reach(self, rounds: int) -> None:
        self.current.wait(f"round {rounds} of all", lambda: self.rounds >= rounds)

    def kill(self) -> None:
        """Kills the current driver; another must be started next."""
        require(self.current.is_running, "the driver had ended before it was killed")
        self.current.end()
        self._finished = self.rounds

    def end(self) -> None:
        """Lets the last driver end normally."""
        self._done.touch()
        self.current.finish(PATIENCE_S)


def truth(place: Place, ids: list[str]) -> tuple[dict[str, tuple[int, Facts]], int]:
    """The last revision of each event in the logs, and the number of all revisions."""
    last: dict[str, tuple[int, Facts]] = {}
    revisions = 0
    for application in ids:
        for value in place.events(application):
            revisions += 1
            if value["event_id"] not in last or last[value["event_id"]][0] < value["revision"]:
                last[value["event_id"]] = (value["revision"], value)
    return last, revisions


def campaign(place: Place) -> Facts:
    chance = random.Random(SEED)
    total = TOTAL // ACCUMULATORS
    between = lambda parts, n: int(total * (n + chance.uniform(0.25, 0.75)) / parts)
    plan = sorted([(between(BROKER_KILLS, n), "broker") for n in range(BROKER_KILLS)] + [(between(DRIVER_KILLS, n), "driver") for n in range(DRIVER_KILLS)])
    begun, middle, kills = time.monotonic(), "", 0
    with proxy.swallowing(SWALLOW_BYTES, SWALLOW_S) as cutter, Metastore(place.built, place.folder / "hive") as metastore, \
            kafka.Broker(place.built, place.folder / "kafka", cutter.port) as broker:
        cutter.forward(broker.port)
        hive = Hive(place.built, metastore, place.folder, heap="2g")
        broker.create(*TOPICS)
        with Drivers(place, f"127.0.0.1:{cutter.port}") as drivers:
            drivers.start()
            for number, (at, what) in enumerate(plan):
                drivers.reach(at)
                if what == "driver":
                    drivers.kill()
                    kills += 1
                    if kills == DRIVER_KILLS // 2:
                        middle = hive.ingest(broker.address, *MOST_RECORDS)
                    drivers.start()
                else:
                    broker.kill()
                    time.sleep(chance.uniform(0, 5))
                    broker.start()
                print(f"round {drivers.rounds} of {total}: {what} killed ({number + 1} of {len(plan)})", flush=True)
            drivers.reach(total)
            drivers.end()
        made = time.monotonic() - begun
        said = place.ship(broker.address)
        require(" 0 left" in said, said)
        last, revisions = truth(place, drivers.ids)
        messages = {topic: broker.counts(topic) for topic in (METRICS, FAILURES)}
        end = hive.ingest(broker.address, *MOST_RECORDS)
        (_, found), (_, [raw]) = hive.ask([
            "SELECT event_id, revision, body FROM andiron.events",
            "SELECT count(*) AS many, count(DISTINCT event_id, revision) AS different FROM "
            "(SELECT event_id, revision FROM andiron.metrics_raw UNION ALL SELECT event_id, revision FROM andiron.failures_raw) AS both"])
    in_hive = {str(row["event_id"]): row for row in found}
    missing = [event for event in last if event not in in_hive]
    wrong = [event for event, (revision, value) in last.items() if event in in_hive and
             (in_hive[event]["revision"] != revision or json.loads(str(in_hive[event]["body"])) != value)]
    facts: Facts = {
        "revisions": revisions, "events": len(last), "drivers": len(drivers.ids), "driver_kills": DRIVER_KILLS, "broker_kills": BROKER_KILLS, "answers_swallowed": cutter.cuts,
        "messages": sum(count for count, _ in messages.values()), "different_messages": sum(different for _, different in messages.values()),
        "rows_in_raw_tables": raw["many"], "different_in_raw_tables": raw["different"], "events_in_hive": len(found), "ids_twice_in_hive": len(found) - len(in_hive),
        "ids_missing": len(missing), "ids_not_of_a_log": len(in_hive.keys() - last.keys()), "last_revision_wrong": len(wrong), "revisions_missing": revisions - int(str(raw["different"])),
        "making_s": round(made), "all_s": round(time.monotonic() - begun), "seed": SEED, "ingests": [middle, end],
    }
    print(json.dumps(facts, indent=1))
    for name in ("ids_twice_in_hive", "ids_missing", "ids_not_of_a_log", "last_revision_wrong", "revisions_missing"):
        require(facts[name] == 0, f"{name}: {facts[name]}, as {missing[:2] + wrong[:2]}")
    require(revisions >= TOTAL and cutter.cuts > 0, f"{revisions} revisions, {cutter.cuts} answers swallowed")
    return facts


def run() -> Facts:
    folder = BUILD / "revisions"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    facts = campaign(Place(Built.of(), folder))
    shutil.rmtree(folder, ignore_errors=True)
    return facts
