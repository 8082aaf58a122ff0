"""A real Atlas on the loopback interface, and the sockets of an agent that records each datagram."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import wait
from harness.facts import Built
from harness.process import START_S, Server, ServerError, free_port, java, tail

CONFIGURATION = Path(__file__).with_name("atlas.conf")
STEP_S = 1


class Atlas:
    """An Atlas process, whose memory is empty after each start. `uri` is the value of `spark.andiron.atlas.uri`."""

    def __init__(self, built: Built, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        words = java(built.classpath("atlas"), "andiron.atlas.AtlasServer", str(CONFIGURATION), str(self.port))
        self._server = Server(words, folder / "atlas.log", "")
        self.start()

    @property
    def pid(self) -> int:
        return self._server.pid

    def start(self) -> None:
        """Starts Atlas and waits until it answers; ends it if it does not answer."""
        self._server.launch()
        if not wait.until(lambda: self.answers() or not self._server.is_running, START_S) or not self.answers():
            self.kill()
            raise ServerError(f"Atlas does not answer; the end of its log:\n{tail(self._server.log)}")

    def __enter__(self) -> Atlas:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/api/v1/tags", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def kill(self) -> None:
        self._server.kill()

    def restart(self) -> None:
        self.kill()
        self.start()

    def arguments(self) -> list[str]:
        """The options of the program of checks/services/scala."""
        return [f"atlas={self.uri}"]


class Agent:
    """The sockets of a spectatord agent. Each writes the received lines to a file in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # The address of a Unix socket has at most 107 bytes, and the path of the build folder may be longer.
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


@dataclass(frozen=True)
class Both:
    """Atlas and an agent."""

    atlas: Atlas
    agent: Agent

    def arguments(self) -> list[str]:
        return self.atlas.arguments() + self.agent.arguments()


@contextlib.contextmanager
def with_agent(built: Built, folder: Path) -> Iterator[Both]:
    """Starts Atlas and an agent's sockets."""
    with Atlas(built, folder) as atlas:
        agent = Agent(folder / "agent")
        try:
            yield Both(atlas, agent)
        finally:
            agent.close()
