"""Peak memory of an application's executors, from the kernel's counts.

Every 200 ms the sampler reads `smaps_rollup` of each executor process and sums over the executors: Rss counts a page in every
process that maps it, Pss divides a shared page by the number of processes that map it. The peaks are maxima of these sums
from the executors' start to their end, with nothing subtracted.
"""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness import process

EXECUTOR = "org.apache.spark.executor.CoarseGrainedExecutorBackend"
PERIOD_S = 0.2


@dataclass
class Peak:
    rss: int = 0
    pss: int = 0
    samples: int = 0


def executors(root: int) -> list[int]:
    """The executor JVMs among the descendants of `root`."""
    return [pid for pid in process.descendants(root) if EXECUTOR in process.command(pid)]


def usage(pid: int) -> tuple[int, int] | None:
    """Rss and Pss in bytes; None when the process has gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    values = {line.split(":")[0]: line.split()[1] for line in text.splitlines()[1:]}
    return (int(values["Rss"]) * 1024, int(values["Pss"]) * 1024) if "Rss" in values else None


class Sampler:
    """Samples in its own thread from entry to exit of the `with` block."""

    def __init__(self, root: int, expected: int) -> None:
        self.peak = Peak()
        self.last_rss = 0
        self.error: BaseException | None = None
        self._root, self._expected = root, expected
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pids: list[int] = []
        try:
            while not self._stop.wait(PERIOD_S):
                if len(pids) < self._expected:
                    pids = executors(self._root)
                seen = self._once(pids)
                pids = list(seen)
                self.last_rss = sum(rss for rss, _ in seen.values())
                if seen:
                    self.peak.samples += 1
                self.peak.rss = max(self.peak.rss, self.last_rss)
                self.peak.pss = max(self.peak.pss, sum(pss for _, pss in seen.values()))
        except Exception as error:
            self.error = error

    def _once(self, pids: list[int]) -> dict[int, tuple[int, int]]:
        """Several processes are read twice, and the smaller reading counts: a page that becomes shared between the readings of two processes
        would otherwise count one and a half times."""
        seen = {pid: now for pid in pids if (now := usage(pid))}
        if len(seen) < 2:
            return seen
        again = {pid: now for pid in seen if (now := usage(pid))}
        return {pid: (min(seen[pid][0], now[0]), min(seen[pid][1], now[1])) for pid, now in again.items()}
