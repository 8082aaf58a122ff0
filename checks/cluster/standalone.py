"""A standalone cluster on loopback: a master and workers, one process each, ended by their process ids."""

import contextlib
import shutil
from pathlib import Path

from harness import spark
from harness.process import Server

CORES, MEMORY = 2, "3g"
URL = r"Starting Spark master at (spark://\S+:\d+)"
REGISTERED = "Successfully registered with master"


class Standalone(contextlib.ExitStack):
    """A master with workers; use it in a `with` statement. Each daemon logs to `<folder>/<name>.err`."""

    def __init__(self, home: Path, folder: Path, workers: int = 2, settings: dict[str, str] | None = None) -> None:
        super().__init__()
        self.home, self.folder, self.settings = home, folder, settings or {}
        self.workers: list[Server] = []
        self._started = 0
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.master = self._daemon("master", "master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        try:
            self.url = self.master.said(URL)[1]
            for _ in range(workers):
                self.add_worker(wait=False)
            for worker in self.workers:
                worker.said(REGISTERED)
        except BaseException:
            self.close()
            raise

    def _daemon(self, name: str, of: str, *words: str) -> Server:
        options = " ".join(f"-D{key}={value}" for key, value in self.settings.items())
        variables = spark.environment(self.home) | {
            "SPARK_LOCAL_DIRS": str(self.folder / f"local-{name}"), "SPARK_DAEMON_MEMORY": "256m", "SPARK_MASTER_OPTS": options, "SPARK_WORKER_OPTS": options}
        daemon = Server([str(self.home / "bin/spark-class"), f"org.apache.spark.deploy.{of}", *words], self.folder / f"{name}.err", "", variables)
        daemon.launch()
        self.callback(daemon.stop)
        return daemon

    def add_worker(self, wait: bool = True) -> Server:
        name = f"worker-{self._started}"
        self._started += 1
        worker = self._daemon(
            name, "worker.Worker", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0", "-c", str(CORES), "-m", MEMORY,
            "-d", str(self.folder / f"work-{name}"), self.url)
        self.workers.append(worker)
        if wait:
            worker.said(REGISTERED)
        return worker

    def kill_worker(self, worker: Server) -> None:
        """Sends SIGKILL to the worker; its executors must notice."""
        worker.kill()
        self.workers.remove(worker)
