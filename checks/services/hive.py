"""A Hive metastore on loopback, in a JVM of its own: the classes of `hiveClasspath` and the launcher of checks/services."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.process import Server

LAUNCHER = "andiron.services.Metastore"


class Metastore:
    """`uri` is what Spark's hive.metastore.uris is set to; it stays after a restart. Tables lie in `warehouse`."""

    def __init__(self, build: Path, folder: Path) -> None:
        out = next(path.parent for path in sorted(build.glob("scala-*/services")) if (path / "hive.classpath").exists())
        jars = [*(out / "services/hive.classpath").read_text().split(), *map(str, sorted((out / "libs").glob("andiron-services_*.jar")))]
        self.warehouse = folder / "warehouse"
        self.warehouse.mkdir(parents=True, exist_ok=True)
        java = os.environ.get("JAVA_HOME", "")
        self._command = [
            f"{java}/bin/java" if java else "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dderby.system.durability=test",
            f"-Dderby.stream.error.file={folder}/derby.log", f"-Djava.io.tmpdir={folder}", "--add-opens=java.base/java.net=ALL-UNNAMED",
            "-cp", ":".join(jars), LAUNCHER, str(folder),
        ]
        self._server = Server([*self._command, "0"], folder / "metastore.log", r"(?m)^port (\d+)$")
        self._server.start()
        self.uri = f"thrift://127.0.0.1:{self._server.port}"

    @property
    def pid(self) -> int:
        return self._server.pid

    def kill(self) -> None:
        self._server.kill()

    def restart(self) -> None:
        """Ends it and starts it again on the same port and the same database."""
        self._server.stop()
        self._server.start([*self._command, str(self._server.port)])


@contextmanager
def server(build: Path, folder: Path) -> Iterator[Metastore]:
    folder.mkdir(parents=True, exist_ok=True)
    metastore = Metastore(build, folder)
    try:
        yield metastore
    finally:
        metastore._server.stop()
