"""Applications of spark-submit: their command, their settings, and a running application in its own session."""

import json
import os
import re
import subprocess
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from harness import process, wait
from harness.facts import BUILD, Built

Record = dict[str, Any]
Settings = Mapping[str, object]
PLUGIN = {"spark.plugins": "andiron.AndironPlugin"}
EXIT_S, COMMAND_S = 60, 600


class ApplicationError(Exception):
    """The application failed, hung, or does not behave as expected."""


def require(condition: object, what: object) -> None:
    if not condition:
        raise ApplicationError(str(what))


def settings(folder: Path) -> dict[str, object]:
    """Settings of every application: no Spark UI, loopback, and folders below `folder`."""
    return {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
            "spark.local.dir": folder / "local", "spark.sql.warehouse.dir": folder / "warehouse"}


def andiron(folder: Path) -> dict[str, object]:
    """Settings that add the plugin, with its cache and ship log below `folder`."""
    return {**PLUGIN, "spark.andiron.cache.dir": folder / "cache", "spark.andiron.log.dir": folder / "log"}


def checked(folder: Path) -> str:
    """JVM options that check JNI calls, with dumps and temporary files in `folder`."""
    return f"-Xcheck:jni -XX:ErrorFile={folder}/hs_err_%p.log -Djava.io.tmpdir={folder}/tmp"


def submit(home: Path, program: Path, arguments: Iterable[object], conf: Settings, *options: object, main: str = "", master: str = "",
           jars: Iterable[Path] = (), heap: str = "1g") -> list[str]:
    """The command of spark-submit, without settings that are None and options that are empty."""
    named = {"--master": master, "--driver-memory": heap, "--class": main, "--jars": ",".join(map(str, jars))}
    words = [home / "bin/spark-submit", *(word for name, value in named.items() if value for word in (name, value)), *options]
    words += [word for key, value in conf.items() if value is not None for word in ("--conf", f"{key}={value}")]
    return [*map(str, words), str(program), *map(str, arguments)]


def pairs(options: Mapping[str, object]) -> list[str]:
    """`key=value` for each option, as the programs of this repository take them; booleans in lower case."""
    return [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in options.items()]


def environment(home: Path) -> dict[str, str]:
    return os.environ | {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}


@dataclass(frozen=True)
class Place:
    """The built files, and a folder for applications, whose ship logs are in its folder `log`."""

    built: Built
    folder: Path

    @property
    def log_dir(self) -> Path:
        return self.folder / "log"

    def andiron(self, *words: object) -> str:
        """The output of the command `andiron` for the ship logs; raises if its exit status is not 0."""
        command = [BUILD / "bin/andiron", *words, "--log-dir", self.log_dir]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=COMMAND_S, check=False)
        require(done.returncode == 0, f"andiron {' '.join(map(str, words))} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def ship(self, servers: str, *more: str) -> str:
        """Ships the logs to Kafka with the command and returns its output."""
        return self.andiron("ship", "--conf", f"spark.andiron.kafka.bootstrap.servers={servers}", *more)

    def events(self, application: str) -> list[Record]:
        """All revisions in the log of an application."""
        return [json.loads(line) for line in self.andiron("events", application).split("\n") if line]


class Application:
    """An application that runs in `folder`, with its output in `<name>.out` and its log in `<name>.err`. Leaving the `with` block ends all its processes."""

    def __init__(self, words: list[str], variables: dict[str, str], folder: Path, name: str = "driver") -> None:
        self.folder, self.out_file, self.log_file = folder, folder / f"{name}.out", folder / f"{name}.err"
        folder.mkdir(parents=True, exist_ok=True)
        with self.out_file.open("ab") as out, self.log_file.open("ab") as err:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=variables, cwd=folder, start_new_session=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """The driver's process id: spark-submit replaces itself by the driver."""
        return self.process.pid

    @property
    def out(self) -> str:
        return self.out_file.read_text(errors="replace")

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def name(self) -> str:
        """Spark's application id, once the program has printed it; "" before."""
        return next(iter(re.findall(r"^application: (\S+)$", self.out, re.MULTILINE)), "")

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def tail(self) -> str:
        return f"the end of {self.log_file}:\n{process.tail(self.log_file)}"

    def wait_until(self, what: str, condition: Callable[[], object], seconds: float = 300) -> None:
        """Raises if the application ends before the condition holds, or if the condition does not hold in time."""
        wait.until(lambda: condition() or not self.is_running, seconds)
        if not condition():
            ended = "" if self.is_running else f", the application ended with {self.process.returncode}"
            raise ApplicationError(f"no {what} within {seconds:.0f} s{ended}; {self.tail()}")

    def status(self, seconds: float) -> int:
        """Waits for the end; raises if the application does not end in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ApplicationError(f"the application took more than {seconds:.0f} s; {self.tail()}") from None

    def finish(self, seconds: float) -> str:
        """Waits for the end and returns the output; raises if the exit status is not 0."""
        if status := self.status(seconds):
            raise ApplicationError(f"the application ended with {status}; {self.tail()}\n{self.out[-2000:]}")
        return self.out

    def left(self, seconds: float = EXIT_S) -> list[int]:
        """The processes of its session that still run after `seconds`."""
        wait.until(lambda: not process.processes(self.pid), seconds)
        return process.processes(self.pid)

    def end(self) -> None:
        process.kill(process.processes(self.pid))
        self.process.wait()


def observed(check: Callable[[], Record]) -> Record:
    """The observations of a check and its milliseconds; `error` if it fails, so that other checks can follow."""
    started, row = time.monotonic(), Record()
    try:
        row |= check()
    except (ApplicationError, process.ServerError) as error:
        row["error"] = str(error)[:4000]
    except Exception:
        row["error"] = traceback.format_exc()
    return {"ms": round(1000 * (time.monotonic() - started))} | row


def records(file: Path) -> list[Record]:
    """The objects of a file with one JSON object per line; empty if there is no file."""
    return [json.loads(line) for line in file.read_text().splitlines() if line] if file.exists() else []
