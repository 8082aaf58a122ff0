"""A Hive metastore on loopback in its own JVM, from the classes of `hiveClasspath` and the launcher in checks/services/java."""

from pathlib import Path

from harness import spark
from harness.facts import Built
from harness.process import Server, java

PATIENCE_S = 3600
Answer = list[dict[str, object]]


class Metastore(Server):
    """A metastore process on a free port. Tables are in `warehouse`."""

    def __init__(self, built: Built, folder: Path) -> None:
        self.warehouse = folder / "warehouse"
        self.warehouse.mkdir(parents=True, exist_ok=True)
        command = java(
            [*built.classpath("hive"), str(built.jar("services"))], "-Dderby.system.durability=test", f"-Dderby.stream.error.file={folder}/derby.log",
            f"-Djava.io.tmpdir={folder}", "--add-opens=java.base/java.net=ALL-UNNAMED", "andiron.services.Metastore", str(folder), "0")
        super().__init__(command, folder / "metastore.log", r"(?m)^port (\d+)$")

    @property
    def uri(self) -> str:
        """The value of Spark's hive.metastore.uris once the metastore is started."""
        return f"thrift://127.0.0.1:{self.port}"


class Hive:
    """Spark with Hive's classes, by spark-submit. Each call is a separate application in a folder below `work`."""

    def __init__(self, built: Built, metastore: Metastore, work: Path, heap: str = "1g") -> None:
        self._built, self._metastore, self._work, self._heap = built, metastore, work, heap
        self._calls = 0

    def ingest(self, servers: str, *more: str) -> str:
        """Ingests Kafka's topics into the database `andiron`; returns the summary from its `done:` line."""
        words = ["--from", "kafka", "--bootstrap-servers", servers, "--checkpoint", (self._work / "checkpoint").as_uri(), "--database", "andiron", *more]
        text = self._submit("ingest", "andiron.hive.Ingest", self._built.jar(), words)
        done = [line for line in text.splitlines() if line.startswith("done: ")]
        spark.require(len(done) == 1, f"the ingest does not say that it is done:\n{text[-2000:]}")
        return done[0].removeprefix("done: ")

    def ask(self, statements: list[str]) -> list[tuple[list[str], Answer]]:
        """The columns and rows of each statement's answer."""
        asked, answered = (self._work / f"{name}-{self._calls}" for name in ("questions", "answers"))
        for folder in (asked, answered):
            folder.mkdir()
        for number, statement in enumerate(statements):
            (asked / f"{number:03d}.sql").write_text(statement)
        self._submit("ask", "andiron.services.Ask", self._built.jar("services"), [str(asked), str(answered)])
        return [answer(answered / f"{number:03d}") for number in range(len(statements))]

    def _submit(self, name: str, main: str, program: Path, arguments: list[str]) -> str:
        self._calls += 1
        folder = self._work / f"{name}-{self._calls}"
        conf = spark.settings(folder) | {
            "spark.sql.shuffle.partitions": "4", "spark.hadoop.hive.metastore.uris": self._metastore.uri, "spark.sql.warehouse.dir": self._metastore.warehouse}
        words = spark.submit(self._built.home, program, arguments, conf, "--driver-class-path", ":".join(self._built.classpath("hive")), main=main,
                             master="local[2]", heap=self._heap)
        with spark.Application(words, spark.environment(self._built.home), folder) as app:
            return app.finish(PATIENCE_S)


def answer(path: Path) -> tuple[list[str], Answer]:
    """The columns and rows of an answer that Ask has written."""
    rows = [row for part in sorted(path.glob("part-*")) for row in spark.records(part)]
    return path.with_suffix(".columns").read_text().split(","), rows
