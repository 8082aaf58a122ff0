"""A Python worker's requests to its executor: lines of JSON over a loopback socket, one connection for each cursor."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from contextlib import suppress
from typing import Any, TextIO

from andiron.errors import BAD_SETTING, RELEASED, ReleasedError, SettingError, named

FILE = "andiron-python"
PATIENCE_S, GREETING_S = 10.0, 600.0


class Channel:
    """A cursor's connection. Closing it closes the cursor in the executor."""

    def __init__(self, dataset: str, catalog: str, hints: int, task: int) -> None:
        self._dataset = dataset
        host, port, secret = _address(dataset)
        try:
            self._socket = socket.create_connection((host, port), PATIENCE_S)
        except OSError as error:
            raise ReleasedError(f"dataset '{dataset}': the executor of task {task} does not answer: {error}", RELEASED) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")
        self._lock, self._process, self._asked = threading.Lock(), os.getpid(), 0
        try:
            # The executor may have to ask the driver for the catalog.
            self._socket.settimeout(GREETING_S)
            self.ask(secret=secret, task=task, catalog=catalog, hints=hints)
            # Waiting for a version is limited by spark.andiron.cache.waitTimeout, and ends with the task.
            self._socket.settimeout(None)
        except BaseException:
            self.close()
            raise

    def ask(self, **request: object) -> dict[str, Any]:
        """Sends a request and returns the executor's answer, or raises the error in it. If it is interrupted, the
        channel is closed: a pending answer would be taken for that of the next request."""
        with self._lock:
            if os.getpid() != self._process:
                raise self._ended()
            self._asked += 1
            try:
                self._socket.sendall(json.dumps(request | {"number": self._asked}).encode() + b"\n")
                line = self._answers.readline()
            except (OSError, ValueError) as error:
                self.close()
                raise self._ended() from error
            except BaseException:
                self.close()
                raise
            answer: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
            if answer.get("number") != self._asked:
                self.close()
                raise self._ended()
        if "error" in answer:
            message = answer["message"]
            named_already = any(f"{quote}{self._dataset}{quote}" in message for quote in "'\"")
            shown = message if named_already else f"dataset '{self._dataset}': {message}"
            raise named(answer["error"], shown, answer["code"])
        return answer

    def close(self) -> None:
        """Idempotent."""
        # A forked process also has the socket open, so that without the shutdown the lease would remain. The forked
        # process itself must not shut down its parent's connection.
        if os.getpid() == self._process:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._answers.close()
        self._socket.close()

    def _ended(self) -> ReleasedError:
        return ReleasedError(f"a cursor of dataset '{self._dataset}' has ended with its task, or with its executor: make one in each task", RELEASED)


def _own(path: str) -> TextIO:
    """Opens a file that only this user can access: in a directory that others can write to, another user could replace
    it and receive this worker's requests."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077:
        return os.fdopen(descriptor, encoding="ascii")
    os.close(descriptor)
    raise PermissionError(f"{path} is not accessible to this user alone (mode 0600)")


def _address(dataset: str) -> tuple[str, int, str]:
    """The executor's address, and the secret that it expects. Spark passes the executor's directories to its
    workers."""
    # The executor writes the file into the directory with most space.
    paths = [os.path.join(directory, FILE) for directory in os.environ.get("SPARK_LOCAL_DIRS", "").split(",")]
    try:
        with _own(next((path for path in paths if os.path.lexists(path)), paths[0])) as file:
            host, port, secret = file.read().split()
    except (OSError, ValueError) as error:
        raise SettingError(
            f"dataset '{dataset}': this executor does not serve Python workers ({error}). Start the application with "
            "--conf spark.plugins=andiron.AndironPlugin, and leave spark.andiron.python.enabled as it is", BAD_SETTING) from error
    return host, int(port), secret
