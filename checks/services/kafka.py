"""A Kafka broker on loopback in its own JVM, from the jars of `kafkaClasspath`: one node as broker and controller."""

import base64
import json
import subprocess
import uuid
from pathlib import Path

from harness.facts import Built
from harness.process import Server, free_port, java

SETTINGS = Path(__file__).with_name("kafka.properties")
PASSWORD = "correct-horse"
"""The password of the user `andiron` on the listener `sasl_address`."""


class Broker(Server):
    """A broker process. `address` is the value of bootstrap.servers; address and messages survive restarts. `advertised`: the port of a proxy
    to which the broker refers its clients; `more`: settings of the broker; `format`: options of the tool that formats its folder."""

    def __init__(self, built: Built, folder: Path, advertised: int | None = None, more: dict[str, str] | None = None, format: tuple[str, ...] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._java = java([*built.classpath("kafka"), str(built.jar("services"))], heap="192m")
        settings = folder / "server.properties"
        super().__init__([*self._java, "-Dorg.apache.logging.log4j.level=INFO", "kafka.Kafka", str(settings)], folder / "kafka.log", r"Kafka Server started")
        self.port, sasl = free_port(), free_port()
        self.address, self.sasl_address = f"127.0.0.1:{self.port}", f"127.0.0.1:{sasl}"
        text = SETTINGS.read_text().format(
            port=self.port, sasl=sasl, advertised=advertised or self.port, controller=free_port(), folder=folder, password=PASSWORD)
        settings.write_text(text + "".join(f"{key}={value}\n" for key, value in (more or {}).items()))
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        subprocess.run([*self._java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings), *format], check=True, capture_output=True)

    def create(self, *topics: str, partitions: int = 1, **settings: str) -> None:
        """Creates topics; underscores in the names of `settings` stand for dots."""
        pairs = [f"{key.replace('_', '.')}={value}" for key, value in settings.items()]
        self._tool("create", str(partitions), ",".join(topics), *pairs)

    def messages(self, topic: str) -> list[dict[str, object]]:
        """All messages of a topic, with `partition`, `offset`, `key`, `value`, `headers`; empty if the topic does not exist."""
        return [json.loads(line) for line in self._tool("read", topic).split("\n") if line]

    def counts(self, topic: str) -> tuple[int, int]:
        """The number of messages in a topic, and the number of distinct pairs of key and header `revision`."""
        messages, different = self._tool("count", topic).split()
        return int(messages), int(different)

    def _tool(self, *arguments: str) -> str:
        command = [*self._java, "-Dorg.apache.logging.log4j.level=OFF", "andiron.services.KafkaTool", self.address, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"KafkaTool {' '.join(arguments)}: {done.stderr[-2000:]}")
        return done.stdout
