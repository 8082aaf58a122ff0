"""A standalone cluster on loopback: a master and workers, each a process of its own, ended by their process ids."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from harness.process import kill, processes

START_S = 120
END_S = 60
CORES, MEMORY = 2, "3g"
URL = re.compile(r"Starting Spark master at (spark://\S+:\d+)")
REGISTERED = "Successfully registered with master"


class ClusterError(Exception):
    """The cluster did not come up, or did not do what was asked of it."""


class Daemon:
    """A master or a worker. Its log goes to `<folder>/<name>.err`, what it leaves on disk into its own folders."""

    def __init__(self, home: Path, folder: Path, name: str, words: list[str], settings: dict[str, str]) -> None:
        self.name, self.log = name, folder / f"{name}.err"
        options = " ".join(f"-D{key}={value}" for key, value in settings.items())
        environment = os.environ | {
            "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": str(folder / f"local-{name}"), "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_MASTER_OPTS": options, "SPARK_WORKER_OPTS": options,
        }
        with self.log.open("ab") as err:
            self.process = subprocess.Popen(
                [str(home / "bin/spark-class"), *words], stdout=err, stderr=err, env=environment, cwd=folder, start_new_session=True)

    @property
    def pid(self) -> int:
        return self.process.pid

    def await_line(self, pattern: str | re.Pattern[str]) -> re.Match[str]:
        """The first match in its log."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if found := re.search(pattern, self.log.read_text(errors="replace")):
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        raise ClusterError(f"{self.name} did not say {pattern!r} within {START_S} s; the end of its log:\n{tail}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        """Ends it and, a minute later, whatever is left of its session."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        kill(processes(self.pid))


class Standalone:
    """A master with workers; use it in a `with`."""

    def __init__(self, home: Path, folder: Path, workers: int = 2, settings: dict[str, str] | None = None) -> None:
        self.home, self.folder, self.settings = home, folder, settings or {}
        self.workers: list[Daemon] = []
        self._started = 0
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.master = self._daemon("master", "master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        try:
            self.url = self.master.await_line(URL)[1]
            for _ in range(workers):
                self.add_worker(wait=False)
            for worker in self.workers:
                worker.await_line(REGISTERED)
        except BaseException:
            self.end()
            raise

    def _daemon(self, name: str, of: str, *words: str) -> Daemon:
        return Daemon(self.home, self.folder, name, [f"org.apache.spark.deploy.{of}", *words], self.settings)

    def add_worker(self, wait: bool = True) -> Daemon:
        name = f"worker-{self._started}"
        self._started += 1
        worker = self._daemon(
            name, "worker.Worker", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0", "-c", str(CORES), "-m", MEMORY,
            "-d", str(self.folder / f"work-{name}"), self.url)
        self.workers.append(worker)
        if wait:
            worker.await_line(REGISTERED)
        return worker

    def kill_worker(self, worker: Daemon) -> None:
        """kill -9; its executors are to notice."""
        worker.signal(signal.SIGKILL)
        worker.process.wait()
        self.workers.remove(worker)

    def end(self) -> None:
        for daemon in (*self.workers, self.master):
            daemon.end()

    def __enter__(self) -> Standalone:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
