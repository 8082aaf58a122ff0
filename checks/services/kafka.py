"""A Kafka broker on loopback in its own JVM, from the jars of `kafkaClasspath`: one node as broker and controller."""

from __future__ import annotations

import base64
import json
import subprocess
import uuid
from pathlib import Path

from harness.facts import Built
from harness.process import Server, free_port, java

# Small buffers, since the default takes 128 MB of heap; short sessions, so that a killed broker can restart within seconds.
SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised},SASL://127.0.0.1:{sasl}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_andiron="{password}";
log.dirs={folder}/logs
num.partitions=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=2097152
log.cleaner.io.buffer.size=65536
log.index.size.max.bytes=1048576
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
"""
PASSWORD = "correct-horse"
"""The password of the user `andiron` on the listener `sasl_address`."""


class Broker:
    """A broker process. `address` is the value of bootstrap.servers; address and messages survive restarts. `advertised`: the port of a proxy
    to which the broker refers its clients; `more`: settings of the broker; `format`: options of the tool that formats its folder."""

    def __init__(self, built: Built, folder: Path, advertised: int | None = None, more: dict[str, str] | None = None, format: tuple[str, ...] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._java = java([*built.classpath("kafka"), str(built.jar("services"))], heap="192m")
        self.port, sasl = free_port(), free_port()
        self.address, self.sasl_address = f"127.0.0.1:{self.port}", f"127.0.0.1:{sasl}"
        settings = folder / "server.properties"
        text = SETTINGS.format(port=self.port, sasl=sasl, advertised=advertised or self.port, controller=free_port(), folder=folder, password=PASSWORD)
        settings.write_text(text + "".join(f"{key}={value}\n" for key, value in (more or {}).items()))
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        subprocess.run([*self._java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings), *format], check=True, capture_output=True)
        self._server = Server([*self._java, "-Dorg.apache.logging.log4j.level=INFO", "kafka.Kafka", str(settings)], folder / "kafka.log", r"Kafka Server started")

    @property
    def pid(self) -> int:
        return self._server.pid

    def start(self) -> None:
        self._server.start()

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def kill(self) -> None:
        self._server.kill()

    def stop(self) -> None:
        self._server.stop()

    def restart(self) -> None:
        """Ends the broker if it runs, and starts it again."""
        self._server.stop()
        self._server.start()

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
