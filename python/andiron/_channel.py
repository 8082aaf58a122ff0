"""How a Python worker asks its executor: lines of JSON over a socket of the loopback address, one connection for each cursor."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

from andiron.errors import BAD_SETTING, RELEASED, ReleasedError, SettingError, named

FILE = "andiron-python"
PATIENCE_S = 10.0


class Channel:
    """A cursor's connection. Closing it closes the cursor in the executor."""

    def __init__(self, dataset: str, catalog: str, task: int) -> None:
        self._dataset = dataset
        host, port, secret = _address(dataset)
        try:
            self._socket = socket.create_connection((host, port), PATIENCE_S)
        except OSError as error:
            raise ReleasedError(f"dataset '{dataset}': the executor of task {task} does not answer: {error}", RELEASED) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Waiting for a version takes as long as spark.andiron.cache.waitTimeout, and ends with the task.
        self._socket.settimeout(None)
        self._answers = self._socket.makefile("rb")
        try:
            self.ask(secret=secret, task=task, catalog=catalog)
        except BaseException:
            self.close()
            raise

    def ask(self, **request: object) -> dict[str, Any]:
        """The executor's answer; an error if it is one."""
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            line = self._answers.readline()
        except (OSError, ValueError) as error:
            raise self._ended() from error
        if not line.endswith(b"\n"):
            raise self._ended()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            message = answer["message"]
            named_already = any(f"{quote}{self._dataset}{quote}" in message for quote in "'\"")
            shown = message if named_already else f"dataset '{self._dataset}': {message}"
            raise named(answer["error"], shown, answer["code"])
        return answer

    def close(self) -> None:
        """Idempotent."""
        self._answers.close()
        self._socket.close()

    def _ended(self) -> ReleasedError:
        return ReleasedError(f"a cursor of dataset '{self._dataset}' has ended with its task, or with its executor: make one in each task", RELEASED)


def _address(dataset: str) -> tuple[str, int, str]:
    """Where the executor listens, and the secret that it wants to hear. Spark tells its workers the executor's own directories."""
    directory = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0]
    try:
        with open(os.path.join(directory, FILE), encoding="ascii") as file:
            host, port, secret = file.read().split()
    except (OSError, ValueError) as error:
        raise SettingError(
            f"dataset '{dataset}': this executor lets no Python worker lease ({error}). Start the application with "
            "--conf spark.plugins=andiron.AndironPlugin, and leave spark.andiron.python.enabled as it is", BAD_SETTING) from error
    return host, int(port), secret
