"""A real Atlas on the loopback interface, and an agent's sockets that write down what they are sent."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

CONFIGURATION = Path(__file__).with_name("atlas.conf")
STEP_S = 1
READY_S = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Atlas:
    """A process of its own. `uri` is what `spark.andiron.atlas.uri` takes."""

    def __init__(self, jars: Path, folder: Path) -> None:
        self.jars = [line for line in jars.read_text().splitlines() if line]
        self.folder = folder
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Starts it with nothing in its memory, and waits until it answers; ends it if it does not."""
        java = Path(os.environ["JAVA_HOME"]) / "bin/java" if "JAVA_HOME" in os.environ else Path("java")
        with (self.folder / "atlas.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(java), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", ":".join(self.jars),
                 "andiron.atlas.AtlasServer", str(CONFIGURATION), str(self.port)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder)
        try:
            self._await()
        except BaseException:
            self.kill()
            raise

    def _await(self) -> None:
        assert self.process is not None
        end = time.monotonic() + READY_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                text = (self.folder / "atlas.log").read_text(errors="replace")
                raise RuntimeError(f"Atlas does not answer; the end of its log:\n{text[-2000:]}")
            time.sleep(0.1)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/api/v1/tags", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()

    def arguments(self) -> list[str]:
        """What the program of checks/services is told."""
        return [f"atlas={self.uri}"]


@contextlib.contextmanager
def server(build: Path, folder: Path) -> Iterator[Atlas]:
    """`build` is the build's folder, where `gradle atlasClasspath` has listed the jars; logs go to `folder`."""
    lists = sorted(build.glob("scala-*/services/atlas.classpath"), key=lambda path: path.stat().st_mtime)
    if not lists:
        raise RuntimeError("no list of Atlas' jars: run gradle atlasClasspath")
    folder.mkdir(parents=True, exist_ok=True)
    atlas = Atlas(lists[-1], folder)
    try:
        yield atlas
    finally:
        atlas.kill()


class Agent:
    """Sockets as spectatord has them, of which each writes the lines that it gets to a file of `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # The address of such a socket has 107 bytes, which a folder of the build may be longer than.
        self.short = tempfile.TemporaryDirectory(prefix="andiron-agent-")
        self.path = Path(self.short.name, "spectatord.unix")
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.unix.bind(str(self.path))
        self.folder = folder
        self.files = {self.udp: folder / "udp.lines", self.unix: folder / "unix.lines"}
        for one, file in self.files.items():
            file.write_text("")
            threading.Thread(target=self.receive, args=(one, file), daemon=True).start()

    @staticmethod
    def receive(one: socket.socket, file: Path) -> None:
        with contextlib.suppress(OSError), file.open("a") as out:
            while datagram := one.recv(65536):
                out.write(datagram.decode() + "\n")
                out.flush()

    def arguments(self) -> list[str]:
        port = self.udp.getsockname()[1]
        return [f"udp=udp://127.0.0.1:{port}", f"unix=unix:{self.path}", f"lines={self.folder}"]

    def close(self) -> None:
        for one in self.files:
            one.close()
        self.short.cleanup()


class Both:
    """Atlas and agent, as the checks need them."""

    def __init__(self, atlas: Atlas, agent: Agent) -> None:
        self.atlas, self.agent, self.pid = atlas, agent, atlas.pid

    def arguments(self) -> list[str]:
        return self.atlas.arguments() + self.agent.arguments()


@contextlib.contextmanager
def with_agent(build: Path, folder: Path) -> Iterator[Both]:
    """The server, and an agent's sockets beside it."""
    with server(build, folder) as atlas:
        agent = Agent(folder / "agent")
        try:
            yield Both(atlas, agent)
        finally:
            agent.close()
