"""Processes on this machine: sessions, JDK tools, servers on loopback. Processes are ended by their ids."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from harness import wait

START_S, END_S = 180, 60


def _fields() -> dict[int, list[str]]:
    """State, parent, group and session of every process."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(stat.parent.name)] = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def processes(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    return [pid for pid, fields in _fields().items() if int(fields[3]) == session and fields[0] != "Z"]


def descendants(root: int) -> list[int]:
    tree: dict[int, list[int]] = {}
    for pid, fields in _fields().items():
        tree.setdefault(int(fields[1]), []).append(pid)
    found = list(tree.get(root, []))
    for pid in found:
        found += tree.get(pid, [])
    return found


def command(pid: int) -> list[str]:
    """The command line of the process; empty once the process has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def kill(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def tail(log: Path, lines: int = 25) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def jdk(tool: str) -> str:
    """The path of `java`, `keytool` or another JDK tool, from JAVA_HOME if that is set."""
    home = os.environ.get("JAVA_HOME")
    return f"{home}/bin/{tool}" if home else tool


def java(jars: list[str], *words: str, heap: str = "256m") -> list[str]:
    """The command that starts a small JVM."""
    return [jdk("java"), f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", ":".join(jars), *words]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerError(RuntimeError):
    """A server did not become ready."""


class Server:
    """A server on loopback in its own session, started and stopped by a `with` block or by its methods. `ready`: the pattern of the output line that it prints once it serves; a group in it captures the port."""

    def __init__(self, command: list[str], log: Path, ready: str, variables: dict[str, str] | None = None) -> None:
        self._command, self.log, self._ready, self._variables = command, log, ready, variables
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server is not started"
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, command: list[str] | None = None) -> None:
        """Starts the server and waits until it is ready; ends it if it does not become ready. `command` replaces the constructor's."""
        self.launch(command)
        try:
            found = self.said(self._ready)
            self.port = int(found[1]) if found.groups() else self.port
        except BaseException:
            self.kill()
            raise

    def launch(self, command: list[str] | None = None) -> None:
        self._command = command or self._command
        self._begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._variables, cwd=self.log.parent, start_new_session=True)

    def said(self, pattern: str) -> re.Match[str]:
        """The first match in the output since the last start."""
        assert self.process is not None
        def found() -> re.Match[str] | None:
            return re.search(pattern, self.log.read_bytes()[self._begin:].decode(errors="replace"))
        wait.until(lambda: found() or not self.is_running, START_S)
        if match := found():
            return match
        raise ServerError(f"{self.log.stem} did not say {pattern!r} within {START_S} s; the end of its log:\n{tail(self.log)}")

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The process is stopped by SIGSTOP within the `with` block."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """Sends SIGKILL to this process only; other processes of its session may survive."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """Sends SIGTERM, and SIGKILL if the process still runs after END_S; then kills the rest of its session."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()
        kill(processes(self.pid))
