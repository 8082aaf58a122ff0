"""A server of a test: a process on loopback that says on a line of its output where it listens, and ends by its pid."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from pathlib import Path

START_S = 180


class Server:
    """One process. `ready`: what a line of its output says once it works; what it captures is the port, if it captures anything."""

    def __init__(self, command: list[str], log: Path, ready: str, variables: dict[str, str] | None = None) -> None:
        self._command, self._log, self._ready, self._variables = command, log, re.compile(ready), variables
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not started"
        return self._process.pid

    def start(self, command: list[str] | None = None) -> None:
        """Starts it and waits until it is ready, or ends it; `command` in place of the one that it was made with."""
        self._command = command or self._command
        begin = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=self._variables, start_new_session=True)
        try:
            self._await(begin)
        except BaseException:
            self.kill()
            raise

    def _await(self, begin: int) -> None:
        """Until what the log says from `begin` on is that it is ready."""
        assert self._process is not None
        end = time.monotonic() + START_S
        while True:
            said = self._log.read_bytes()[begin:].decode(errors="replace")
            if found := self._ready.search(said):
                self.port = int(found.group(1)) if found.groups() else self.port
                return
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self._command[-3:]} did not start:\n" + "\n".join(said.splitlines()[-20:]))
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Asks it to end, and kills it if it has not after 30 s."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
