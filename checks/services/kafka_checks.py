"""Checks of the Kafka sink with a real broker: one Spark application per check, while the broker stops, lags or refuses."""

import json
import shutil
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

from checks.services import kafka, proxy
from harness import spark
from harness.facts import ROOT, Built
from harness.spark import Place, Record as Facts, require

METRICS, FAILURES = "andiron.metrics.v1", "andiron.failures.v1"
TOPICS = (METRICS, FAILURES)
SECRET = "hunter2-is-wrong"
PATIENCE_S = 600
STOP_MS = 10 * 5000
"""The limit of an application's end: ten times spark.andiron.metrics.stopTimeout."""


class Application(spark.Application):
    """An application of checks/services/scala with its `options`. It prints lines `@word ...`."""

    def __init__(self, place: Place, name: str, settings: dict[str, str], options: list[str], variables: dict[str, str] | None = None,
                 main: str = "andiron.services.KafkaJob") -> None:
        self._done, built, folder = place.folder / f"{name}.done", place.built, place.folder
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        conf = spark.settings(folder) | spark.andiron(folder) | {"spark.driver.extraJavaOptions": spark.checked(folder)} | settings
        words = spark.submit(built.home, built.jar("services"), options or [f"until={self._done}"], conf, main=main, master="local[2]", jars=[built.jar()], heap="700m")
        super().__init__(words, spark.environment(built.home) | (variables or {}), folder, name)

    def said(self, word: str) -> list[list[str]]:
        return [line.split()[1:] for line in self.out.splitlines() if line.startswith(f"@{word} ")]

    @property
    def id(self) -> str:
        return self.said("ready")[0][0]

    def wait(self, what: str, until: Callable[[], bool]) -> None:
        self.wait_until(what, until, PATIENCE_S)

    def rounds(self, more: int) -> None:
        """Waits for `more` further rounds."""
        wanted = len(self.said("round")) + more
        self.wait(f"round {wanted}", lambda: len(self.said("round")) >= wanted)

    def ended(self) -> int:
        """Lets the application end; returns the milliseconds of its stop."""
        self._done.touch()
        self.finish(PATIENCE_S)
        require(not list(self.folder.glob("hs_err*")), "the JVM crashed")
        require("WARNING in native method" not in self.log + self.out, "-Xcheck:jni complained")
        return int(self.said("stopped")[0][0])

    @property
    def was_cut(self) -> bool:
        """Whether the application ended before the sink had all events. Messages in flight at that time may arrive, and are shipped again."""
        return "ships what these have not had: kafka" in self.log

    def failures(self) -> list[str]:
        """The messages about the sink in the driver log, one line per change of its state."""
        return [line for line in self.log.splitlines() if "sink kafka fails" in line]

    def await_failure(self, *parts: str) -> None:
        """Waits for a message that the sink fails; the first one must have all parts."""
        self.wait("the log says that the sink fails", lambda: bool(self.failures()))
        require(all(part in self.failures()[0] for part in parts), self.failures())


class Checks:
    def __init__(self, built: Built, folder: Path, packages: Path) -> None:
        sys.path.insert(0, str(packages))
        import jsonschema

        schema = json.loads((ROOT / "docs/internals/wire-format.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        self._validator = jsonschema.Draft202012Validator(schema)
        self._at = lambda name: Place(built, folder / name)
        self.kinds: set[str] = set()

    def app(self, place: Place, name: str, servers: str, more: dict[str, str] | None = None, options: list[str] | None = None,
             variables: dict[str, str] | None = None) -> Application:
        settings = {f"spark.andiron.kafka.{key}": value for key, value in ({"bootstrap.servers": servers} | (more or {})).items() if not key.startswith("spark.")}
        settings |= {key: value for key, value in (more or {}).items() if key.startswith("spark.")}
        return Application(place, name, settings, options or [], variables)

    def written_once(self, broker: kafka.Broker) -> int:
        """Requires that no message is in the topics twice, which holds within one producer only, as the next producer resends unacknowledged events.
        Returns the number of messages."""
        counts = [broker.counts(topic) for topic in TOPICS]
        require(all(messages == different for messages, different in counts), f"duplicates: {counts}")
        return sum(messages for messages, _ in counts)

    def compare(self, place: Place, broker: kafka.Broker, applications: list[str], fits: int = 1 << 30, once: bool = True) -> Facts:
        """Requires that every event of the logs whose value has fewer than `fits` characters is in the topics with the same value, that all
        messages are valid, and, unless `once` is false, that none is there twice."""
        messages = [message | {"topic": topic} for topic in TOPICS for message in broker.messages(topic)]
        arrived: dict[tuple[str, int], object] = {}
        for message in messages:
            value = json.loads(str(message["value"]))
            errors = [error.message for error in self._validator.iter_errors(value)]
            require(not errors, f"{errors[:3]} in {str(message['value'])[:500]}")
            self.kinds.add(value["kind"])
            headers = {"schema": "andiron.event/1", "kind": value["kind"], "app_id": value["app_id"], "app_attempt": value["app_attempt"],
                       "revision": str(value["revision"]), "content-type": "application/json"}
            require(message["headers"] == headers and message["key"] == value["event_id"], f"{message['headers']} of {message['key']}")
            require((message["topic"] == FAILURES) == (value["kind"] in ("Failure", "LogLine")), f"{value['kind']} in {message['topic']}")
            require(arrived.setdefault((value["event_id"], value["revision"]), value) == value, f"{value['event_id']} has another value the second time")
        logged = [value for application in applications for value in place.events(application)]
        missing = [value for value in logged if (value["event_id"], value["revision"]) not in arrived]
        lost = [value for value in missing if len(json.dumps(value)) < fits]
        require(logged and not lost, f"{len(lost)} of {len(logged)} events are missing: {lost[:3]}")
        different = [value for value in logged if value not in missing and arrived[value["event_id"], value["revision"]] != value]
        require(not different, different[:2])
        require(not once or len(messages) == len(arrived), f"{len(messages) - len(arrived)} duplicates among {len(messages)}")
        return {"events": len(logged), "missing": len(missing), "duplicates": len(messages) - len(arrived)}

    def require_all(self, place: Place, broker: kafka.Broker, applications: list[str]) -> int:
        """Requires that every revision of the applications' logs is in the topics, and returns the number of revisions."""
        arrived = {(message["key"], message["headers"]["revision"]) for topic in TOPICS for message in broker.messages(topic)}
        logged = [(value["event_id"], str(value["revision"])) for application in applications for value in place.events(application)]
        missing = set(logged) - arrived
        require(logged and not missing, f"{len(missing)} of {len(logged)} events are missing: {sorted(missing)[:3]}")
        return len(logged)

    def health(self, place: Place, application: str) -> Facts:
        return next(value for value in reversed(place.events(application)) if value["kind"] == "Health")["sinks"]["kafka"]

    def down_at_start(self, place: Place) -> Facts:
        broker = kafka.Broker(place.built, place.folder / "kafka")
        with self.app(place, "job", broker.address) as app:
            try:
                app.await_failure()
                app.rounds(3)
                broker.start()
                app.wait("the sink works", lambda: "sink kafka works again" in app.log)
                stop = app.ended()
                require(len(app.failures()) == 1, app.failures())
                return self.compare(place, broker, [app.id]) | {"stop_ms": stop}
            finally:
                broker.stop()

    def killed_and_restarted(self, place: Place) -> Facts:
        with kafka.Broker(place.built, place.folder / "kafka") as broker, self.app(place, "job", broker.address) as app:
            for _ in range(2):
                app.rounds(3)
                broker.kill()
                app.rounds(3)
                broker.start()
            app.rounds(3)
            stop = app.ended()
            self.written_once(broker)
            place.ship(broker.address)
            return self.compare(place, broker, [app.id], once=not app.was_cut) | {"stop_ms": stop, "told": len(app.failures()), "cut": app.was_cut}

    def cut_at_the_end(self, place: Place) -> Facts:
        """The broker is halted and reads the application's messages only after the application's end; the command then ships them a second time."""
        with kafka.Broker(place.built, place.folder / "kafka") as broker, self.app(place, "job", broker.address) as app:
            app.rounds(3)
            with broker.paused():
                app.rounds(3)
                stop = app.ended()
            require(app.was_cut, "the log does not say what is left")
            require(stop < STOP_MS, f"the end took {stop} ms")
            self.written_once(broker)
            said = place.ship(broker.address)
            require("kafka: " in said and " 0 left" in said, said)
            return self.compare(place, broker, [app.id], once=False) | {"stop_ms": stop}

    def away_all_day(self, place: Place) -> Facts:
        """The broker is away for a whole application: the command ships the log of the first, the next application that of the second."""
        broker = kafka.Broker(place.built, place.folder / "kafka")
        ids, stops = [], []
        for day in ("monday", "tuesday"):
            with self.app(place, day, broker.address, options=["rounds=15"]) as app:
                stops.append(app.ended())
                ids.append(app.id)
                require(len(app.failures()) == 1 and "bootstrap.servers" in app.failures()[0], app.failures())
                require(stops[-1] < STOP_MS, f"the end took {stops[-1]} ms")
                require("ships what these have not had: kafka" in app.log, "the log does not say what is left")
            if day == "monday":
                broker.start()
                said = place.ship(broker.address)
                require("kafka: " in said and " 0 left" in said, said)
                first = self.compare(place, broker, ids)
                broker.stop()
        try:
            broker.start()
            with self.app(place, "wednesday", broker.address, options=["rounds=30"]) as app:
                app.ended()
                ids.append(app.id)
            place.ship(broker.address)
            return self.compare(place, broker, ids) | {"first_day": first["events"], "stop_ms": max(stops)}
        finally:
            broker.stop()

    def topic_missing(self, place: Place) -> Facts:
        with kafka.Broker(place.built, place.folder / "kafka", more={"auto.create.topics.enable": "false"}) as broker:
            with self.app(place, "job", broker.address) as app:
                app.await_failure("there is no topic", "spark.andiron.kafka.topic.")
                broker.create(*TOPICS)
                app.wait("the sink works", lambda: "sink kafka works again" in app.log)
                app.ended()
                require(self.health(place, app.id)["failed"].get("topic", 0) > 0, "no failure for the topic is counted")
                return self.compare(place, broker, [app.id])

    def message_too_large(self, place: Place) -> Facts:
        """A message that is too large for the client, and one that only the broker refuses, together with the other messages of its batch."""
        facts: Facts = {}
        for who, own, brokers in (("client", "2500", "1000000"), ("broker", "1000000", "2500")):
            at = Place(place.built, place.folder / who)
            at.folder.mkdir(parents=True, exist_ok=True)
            with kafka.Broker(place.built, at.folder / "kafka") as broker:
                broker.create(*TOPICS, max_message_bytes=brokers)
                more = {"message.max.bytes": own, "compression.type": "none"}
                with self.app(at, "job", broker.address, more, ["rounds=12"]) as app:
                    app.ended()
                    require("sink kafka never gets" in app.log and "max.message.bytes" in app.log, "the log does not say what is too large")
                    at.ship(broker.address, "--conf", f"spark.andiron.kafka.message.max.bytes={own}")
                    # Key and headers add some hundred bytes to a value.
                    facts[who] = self.compare(at, broker, [app.id], fits=2000)
                    require(facts[who]["missing"], "nothing was too large")
        return facts

    def authentication(self, place: Place) -> Facts:
        """A wrong password from a file, then the right one from the environment. No output contains either."""
        place.folder.mkdir(parents=True, exist_ok=True)
        file = place.folder / "password"
        file.write_text(SECRET + "\n")
        sasl = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "andiron"}
        with kafka.Broker(place.built, place.folder / "kafka") as broker:
            with self.app(place, "wrong", broker.sasl_address, sasl | {"sasl.password.file": str(file), "spark.ui.enabled": "true", "spark.ui.port": "0"}) as app:
                app.await_failure("refuse to authenticate")
                ui = app.said("ready")[0][1]
                pages = [urllib.request.urlopen(ui + path, timeout=60).read().decode() for path in (
                    "/environment/", f"/api/v1/applications/{app.id}/environment")]
                require(all("sasl.password.file" in page for page in pages), "the page of the environment does not show the setting")
                app.rounds(2)
                stop = app.ended()
                require(self.health(place, app.id)["failed"].get("authentication", 0) > 0, "no failure to authenticate is counted")
                shown = "".join([*pages, app.log, app.out, place.andiron("report", app.id), place.andiron("events", app.id)])
                require(SECRET not in shown, "a secret is shown")
                wrong = app.id
            with self.app(place, "right", broker.sasl_address, sasl | {"sasl.password.env": "KAFKA_PASSWORD"}, ["rounds=10"],
                           {"KAFKA_PASSWORD": kafka.PASSWORD}) as app:
                app.ended()
                right = app.id
                require(kafka.PASSWORD not in app.log + app.out + place.andiron("report", app.id), "a secret is shown")
            place.ship(broker.address)
            return self.compare(place, broker, [wrong, right]) | {"stop_ms": stop}

    def refused_settings(self, place: Place) -> Facts:
        for key, value, named in (("sasl.password", SECRET, ".file"), ("acks", "1", "replicas"), ("no.such.property", "1", "No such configuration property"),
                                  ("sasl.mechanism", "OAUTHBEARER", "SCRAM")):
            with self.app(place, key, "127.0.0.1:9", {key: value}, ["rounds=1"]) as app:
                require(app.status(PATIENCE_S) != 0, f"an application with {key} has started")
                require(f"SettingException: spark.andiron.kafka.{key}" in app.log and named in app.log, app.log[-3000:])
                require(SECRET not in app.log + app.out, "a secret is shown")
        return {}

    def swallowed_acknowledgements(self, place: Place) -> Facts:
        with proxy.swallowing(20000, 2.0) as cutter, kafka.Broker(place.built, place.folder / "kafka", cutter.port) as broker:
            cutter.forward(broker.port)
            with self.app(place, "job", f"127.0.0.1:{cutter.port}") as app:
                app.wait("8 answers are swallowed", lambda: cutter.cuts >= 8)
                app.ended()
                # Checked before the command ships, because its session may send some messages again.
                messages = self.written_once(broker)
                place.ship(f"127.0.0.1:{cutter.port}")
                return {"swallowed": cutter.cuts, "events": self.require_all(place, broker, [app.id]), "messages": messages}

    def every_kind(self, _: Place) -> Facts:
        """Requires that the messages of all checks include every kind of event."""
        wanted = {"Application", "Metric", "Failure", "Stage", "Job", "Execution", "Verdict", "LogLine", "Health", "Gate"}
        require(wanted <= self.kinds, f"no event of {sorted(wanted - self.kinds)} has been compared with the schema")
        return {"kinds": len(self.kinds)}

    def checks(self) -> list[Callable[[Place], Facts]]:
        return [self.down_at_start, self.killed_and_restarted, self.away_all_day, self.topic_missing, self.message_too_large,
                self.authentication, self.refused_settings, self.swallowed_acknowledgements, self.cut_at_the_end]

    def run(self) -> list[Facts]:
        rows: list[Facts] = []
        for check in (*self.checks(), self.every_kind):
            name = check.__name__.replace("_", "-")
            place = self._at(name)
            place.folder.mkdir(parents=True, exist_ok=True)
            row = spark.observed(lambda check=check, place=place: check(place))
            if "error" not in row:
                shutil.rmtree(place.folder, ignore_errors=True)
            rows.append({"check": name} | row)
        return rows
