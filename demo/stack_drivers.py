"""The applications of `make demo-stack`: one whose driver is killed midway, and its successor."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from checks.services.kafka import Broker
from demo import application, steps
from harness import memory, process
from harness.spark import Place, Record as Event

MASTER = "local-cluster[2,1,2048]"
JOB = "flight-features"
"""The tag `job` of the series; the applications' names contain a comma and a number."""
RUN_ID = "flights-2013"
FIRST, COUNTER = "labels", "in"
PATIENCE_S = 300


@dataclass(frozen=True)
class Killed:
    """The state when the driver was killed. `owed`: events of its log that were not in Kafka; `left`: processes that survived it."""

    application: str
    counted: int
    owed: int
    executors: int
    ended_after_s: float
    left: list[int]
    finished: bool


class Logs(Place):
    """The ship logs, read by the command `andiron`."""

    def events(self, application: str) -> list[Event]:
        """Every event of an application, each with its `place`; empty before the log exists."""
        lines = self.andiron("events", application, "--numbered").splitlines() if application and (self.log_dir / application).is_dir() else []
        return [json.loads(body) | {"place": int(place)} for place, body in (line.split(maxsplit=1) for line in lines)]

    def shipped(self, name: str) -> int:
        """The place up to which the log is in Kafka."""
        try:
            return int((self.log_dir / name / "position-kafka").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return 0

    def owed(self, name: str) -> int:
        return sum(int(str(event["place"])) > self.shipped(name) for event in self.events(name))


def counted(events: list[Event], step: str, counter: str) -> int:
    """The step's counter once all of the step's partitions have reported; 0 before."""
    found = [event for event in events if event["kind"] == "Metric" and event.get("step") == step and event.get("acc") == counter and event.get("final")]
    return int(str(max(found, key=lambda event: int(str(event["revision"]))).get("committed") or 0)) if found else 0


def words(place: Place, name: str, table: Path, servers: str, atlas: str) -> list[str]:
    """The command of an application that ships to Kafka and publishes to Atlas."""
    more = {
        "spark.andiron.run.id": RUN_ID, "spark.andiron.kafka.bootstrap.servers": servers,
        # The second stage has one task per partition, so that it still runs when the driver is killed.
        "spark.sql.adaptive.coalescePartitions.enabled": "false",
        "spark.andiron.atlas.uri": atlas, "spark.andiron.atlas.step": "1s", "spark.andiron.atlas.tags": f"job={JOB}",
    }
    data = place.folder / "data"
    options = {"data": data, "versions": data / "versions", "table": table, "lost": steps.RUNS[0].lost_in_million}
    return application.command(place, name, "Pipeline", options, steps.BUDGET, more, MASTER)


def killed(logs: Logs, command: list[str], table: Path, broker: Broker) -> Killed:
    """Runs the pipeline. Kills the broker once Kafka has the first event, and the driver once the first step has counted all of its
    rows and the log has events that are not in Kafka: between the two stages of the job."""
    with application.started(logs, "killed", command) as driver:
        driver.wait_until("Kafka has its first event", lambda: logs.shipped(driver.name) > 0)
        broker.kill()
        driver.wait_until(f"{FIRST} has counted", lambda: counted(logs.events(driver.name), FIRST, COUNTER) > 0 and logs.owed(driver.name) > 0)
        executors = memory.executors(driver.pid)
        process.kill([driver.pid])
        driver.process.wait()
        at = time.monotonic()
        left = driver.left()
        after = round(time.monotonic() - at, 1)
        events = logs.events(driver.name)
        finished = any(event.get("ended_ms") for event in events if event["kind"] == "Application") or (table / "_SUCCESS").exists()
        return Killed(driver.name, counted(events, FIRST, COUNTER), logs.owed(driver.name), len(executors), after, left, finished)
