"""A proxy that swallows acknowledgements: it forwards the client's bytes and closes the connection before the answer."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator


class Proxy:
    """A proxy on `port` of loopback. `cuts` counts the swallowed answers."""

    def __init__(self, least_bytes: int, every_s: float) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.cuts = 0
        self._least, self._every = least_bytes, every_s
        self._last = time.monotonic()
        self._lock = threading.Lock()

    def forward(self, target: int) -> None:
        """Starts to accept connections and forwards them to the port `target`."""
        threading.Thread(target=self._accept, args=(target,), daemon=True).start()

    def _accept(self, target: int) -> None:
        """Ends once the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                try:
                    broker = socket.create_connection(("127.0.0.1", target))
                except OSError:
                    client.close()
                    continue
                sent: list[int] = []
                for ends in ((client, broker, sent.append), (broker, client, lambda _, sent=sent: self._cut(sum(sent)))):
                    threading.Thread(target=_pump, args=ends, daemon=True).start()

    def _cut(self, sent: int) -> bool:
        """Whether this answer to a client that has sent so many bytes is swallowed."""
        with self._lock:
            if sent <= self._least or time.monotonic() - self._last < self._every:
                return False
            self._last = time.monotonic()
            self.cuts += 1
            return True


def _pump(source: socket.socket, target: socket.socket, stops: Callable[[int], object]) -> None:
    """Passes on bytes until an end closes the connection, or `stops`, which gets the size of each part, is true; then ends both connections."""
    with contextlib.suppress(OSError):
        while (data := source.recv(65536)) and not stops(len(data)):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def swallowing(least_bytes: int, every_s: float, target: int | None = None) -> Iterator[Proxy]:
    """A proxy that swallows an answer after a connection has passed `least_bytes`, at most once in `every_s` seconds. It forwards to the port
    `target`, or to none before a call of `forward`."""
    proxy = Proxy(least_bytes, every_s)
    with proxy.listener:
        if target is not None:
            proxy.forward(target)
        yield proxy
