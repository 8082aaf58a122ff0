"""A real Atlas on the loopback interface, and the sockets of an agent that records each datagram."""

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


class Atlas(Server):
    """An Atlas process, whose memory is empty after each start. `uri` is the value of `spark.andiron.atlas.uri`."""

    def __init__(self, built: Built, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        super().__init__(java(built.classpath("atlas"), "andiron.atlas.AtlasServer", str(CONFIGURATION), str(port)), folder / "atlas.log", "")
        self.uri = f"http://127.0.0.1:{port}"

    def start(self, command: list[str] | None = None) -> None:
        """Starts Atlas and waits until it answers; ends it if it does not answer."""
        self.launch(command)
        if not wait.until(lambda: self.answers() or not self.is_running, START_S) or not self.answers():
            self.kill()
            raise ServerError(f"Atlas does not answer; the end of its log:\n{tail(self.log)}")

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/api/v1/tags", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def arguments(self) -> list[str]:
        """The options of the program of checks/services/scala."""
        return [f"atlas={self.uri}"]


class Agent(contextlib.ExitStack):
    """The sockets of a spectatord agent, open within the `with` block. Each writes the received lines to a file in `folder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True)
        # The address of a Unix socket has at most 107 bytes, and the path of the build folder may be longer.
        self.path = Path(self.enter_context(tempfile.TemporaryDirectory(prefix="andiron-agent-")), "spectatord.unix")
        self.folder, self.udp = folder, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        unix.bind(str(self.path))
        for name, one in (("udp", self.udp), ("unix", unix)):
            self.enter_context(one)
            file = folder / f"{name}.lines"
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
    with Atlas(built, folder) as atlas, Agent(folder / "agent") as agent:
        yield Both(atlas, agent)
