"""A proxy that swallows acknowledgements: it forwards the client's bytes and closes the connection before the answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness.process import free_port


class Proxy:
    """A proxy on `port` of loopback. `cuts` counts the swallowed answers."""

    def __init__(self, least_bytes: int, every_s: float) -> None:
        self.port = free_port()
        self.cuts = 0
        self._target = 0
        self._least, self._every = least_bytes, every_s
        self._last = time.monotonic()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", self.port))

    def forward(self, target: int) -> None:
        """Starts to accept connections and forwards them to the port `target`."""
        self._target = target
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            sent = [0]
            threading.Thread(target=self._up, args=(client, broker, sent), daemon=True).start()
            threading.Thread(target=self._down, args=(client, broker, sent), daemon=True).start()

    @staticmethod
    def _up(client: socket.socket, broker: socket.socket, sent: list[int]) -> None:
        try:
            while data := client.recv(65536):
                broker.sendall(data)
                sent[0] += len(data)
        except OSError:
            pass
        _end(broker)

    def _down(self, client: socket.socket, broker: socket.socket, sent: list[int]) -> None:
        try:
            while data := broker.recv(65536):
                if sent[0] > self._least and self._is_time():
                    break
                client.sendall(data)
        except OSError:
            pass
        _end(client)
        _end(broker)

    def _is_time(self) -> bool:
        with self._lock:
            if time.monotonic() - self._last < self._every:
                return False
            self._last = time.monotonic()
            self.cuts += 1
            return True


def _end(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


@contextmanager
def swallowing(least_bytes: int, every_s: float) -> Iterator[Proxy]:
    """A proxy that swallows an answer after a connection has passed `least_bytes`, at most once in `every_s` seconds."""
    proxy = Proxy(least_bytes, every_s)
    try:
        yield proxy
    finally:
        proxy.close()
