"""A Kafka broker on loopback, in a JVM of its own: the jars of `kafkaClasspath`, one node that is broker and controller."""

from __future__ import annotations

import base64
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.servers import Server, free_port

# Small buffers, since the default is 128 MB of heap; short sessions, so that a broker that was killed can start again within seconds.
SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
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


class Broker:
    """`address` is what bootstrap.servers is set to; it stays after a restart, as do the messages."""

    def __init__(self, build: Path, folder: Path) -> None:
        jars = next(path for path in sorted(build.glob("scala-*/services/kafka.classpath"))).read_text().split()
        java = os.environ.get("JAVA_HOME", "")
        base = [f"{java}/bin/java" if java else "java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-Dorg.apache.logging.log4j.level=INFO", "-cp", ":".join(jars)]
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        settings = folder / "server.properties"
        settings.write_text(SETTINGS.format(port=port, controller=free_port(), folder=folder))
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        subprocess.run([*base, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", settings], check=True, capture_output=True)
        self._server = Server([*base, "kafka.Kafka", str(settings)], folder / "kafka.log", r"Kafka Server started")
        self._server.start()

    @property
    def pid(self) -> int:
        return self._server.pid

    def kill(self) -> None:
        self._server.kill()

    def restart(self) -> None:
        """Ends it, if it has not ended, and starts it again."""
        self._server.stop()
        self._server.start()


@contextmanager
def server(build: Path, folder: Path) -> Iterator[Broker]:
    folder.mkdir(parents=True, exist_ok=True)
    broker = Broker(build, folder)
    try:
        yield broker
    finally:
        broker._server.stop()
