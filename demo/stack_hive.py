"""Hive in `make demo-stack`: events from Kafka into its tables, and the questions of docs/operations/queries.sql with their answers as text."""

from __future__ import annotations

import json
from pathlib import Path

from demo.application import DRIVER_JVM, ApplicationError, Setup
from demo.stack_drivers import started
from checks.services.hive import Metastore

DATABASE = "andiron"
EVERY_EVENT = "SELECT app_id, event_id, revision FROM ${database}.events"
WIDEST, MOST = 40, 12
Answer = list[dict[str, object]]


class HiveError(Exception):
    """The answers are not what Ask writes."""


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
    """With a value for each `${name}`."""
    for name, value in variables.items():
        statement = statement.replace(f"${{{name}}}", value)
    if "${" in statement:
        raise HiveError(f"no value for a variable of: {statement}")
    return statement


def answer(text: str) -> tuple[list[str], Answer]:
    """The columns and rows of a file that Ask has written."""
    head, _, rows = text.partition("\n")
    return head.split(","), [json.loads(row) for row in rows.splitlines()]


def cell(value: object) -> str:
    """A value as a cell: null as nothing, numbers with marks between thousands, lists with commas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**11 else str(value)
    if isinstance(value, float):
        return f"{value:,.6g}"
    text = ", ".join(cell(one) for one in value) if isinstance(value, list) else " ".join(str(value).split())
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def table(columns: list[str], rows: Answer, most: int = MOST) -> str:
    """Columns side by side, numbers to the right; so many rows at most, without the columns that have nothing in them."""
    shown = rows[:most]
    columns = [column for column in columns if any(row.get(column) is not None for row in shown)]
    cells = [[cell(row.get(column)) for column in columns] for row in shown]
    right = [all(isinstance(row.get(column), (int, float, type(None))) and not isinstance(row.get(column), bool) for row in shown) for column in columns]
    widths = [max(len(column), *(len(row[at]) for row in cells)) for at, column in enumerate(columns)]
    lines = ["  " + "  ".join(text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in zip(line, widths, right)).rstrip()
             for line in [columns, *cells]]
    more = len(rows) - len(shown)
    return "\n".join(lines + ([f"  … and {more} more"] if more else [])) if rows else "  nothing"


class Hive:
    """Spark with Hive's classes, by spark-submit; each call is an application of its own."""

    def __init__(self, setup: Setup, metastore: Metastore, classpath: Path) -> None:
        self._setup, self._metastore = setup, metastore
        self._jars = ":".join(filter(None, classpath.read_text().splitlines()))

    def ingest(self, servers: str) -> str:
        """What the ingest says at its end."""
        words = ["--from", "kafka", "--bootstrap-servers", servers, "--checkpoint", str(self._setup.work / "checkpoint"), "--database", DATABASE]
        text = self._submit("ingest", "andiron.hive.Ingest", self._setup.andiron_jar, words)
        done = next((line for line in text.splitlines() if line.startswith("done: ")), "")
        if not done:
            raise ApplicationError(f"the ingest does not say that it is done:\n{text[-2000:]}")
        return done.removeprefix("done: ")

    def ask(self, statements: list[str]) -> list[tuple[list[str], Answer]]:
        """Columns and rows of each."""
        asked, answered = (self._setup.work / name for name in ("questions", "answers"))
        for folder in (asked, answered):
            folder.mkdir()
        for number, statement in enumerate(statements):
            (asked / f"{number:03d}.sql").write_text(statement)
        self._submit("ask", "andiron.demo.Ask", self._setup.demo_jar, [f"questions={asked}", f"answers={answered}"])
        return [answer((answered / f"{number:03d}.jsonl").read_text()) for number in range(len(statements))]

    def _submit(self, name: str, main_class: str, jar: Path | None, arguments: list[str]) -> str:
        conf = {
            "spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.sql.shuffle.partitions": "2",
            "spark.local.dir": self._setup.work / name / "local", "spark.hadoop.hive.metastore.uris": self._metastore.uri,
            "spark.sql.warehouse.dir": self._metastore.warehouse,
        }
        words = [
            str(self._setup.spark_home / "bin/spark-submit"), "--master", "local[2]", "--driver-memory", "1g", "--driver-java-options", DRIVER_JVM,
            "--driver-class-path", self._jars, "--class", main_class, *(word for key, value in conf.items() for word in ("--conf", f"{key}={value}")),
            str(jar), *arguments,
        ]
        with started(self._setup, name, words) as process:
            return process.finish()
