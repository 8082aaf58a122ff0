"""Runs an application of checks/faults/scala by spark-submit, under -Xcheck:jni, until all of its processes have ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from checks.faults.groups import FATAL, TWO_HOSTS, Group

TIMEOUT_S = 900
EXIT_TIMEOUT_S = 60
READY = "ready: kill the driver"


@dataclass(frozen=True)
class Setup:
    spark_home: Path
    andiron: Path
    application: Path


@dataclass(frozen=True)
class Ended:
    """The driver's exit status, and what was wrong with the way that the processes ended."""

    status: int
    complaints: list[str]


def command(setup: Setup, group: Group, faults: tuple[str, ...], seed: int, folder: Path) -> list[str]:
    checked = f"-Xcheck:jni -XX:ErrorFile={folder}/hs_err_%p.log -Djava.io.tmpdir={folder}/tmp"
    settings = {
        "spark.plugins": "andiron.AndironPlugin",
        "spark.andiron.cache.dir": folder / "cache",
        "spark.andiron.log.dir": folder / "log",
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": folder / "local",
        "spark.sql.warehouse.dir": folder / "warehouse",
        "spark.executor.memory": "1g",
        "spark.executor.cores": "2",
        "spark.driver.extraJavaOptions": checked,
        "spark.executor.extraJavaOptions": f"{checked} -XX:+UseSerialGC",
    }
    master = [] if group.master == TWO_HOSTS else ["--master", group.master]
    names = ["kill-driver" if fault in FATAL else fault for fault in faults]
    return [
        str(setup.spark_home / "bin/spark-submit"), *master, "--driver-memory", "1g", "--class", "andiron.faults.Faults",
        "--jars", str(setup.andiron), *(word for key, value in settings.items() for word in ("--conf", f"{key}={value}")),
        str(setup.application), f"folder={folder}", f"faults={','.join(names)}", f"seed={seed}",
        f"hosts={'two' if group.master == TWO_HOSTS else 'one'}",
    ]


def processes(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def kill(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def run(setup: Setup, group: Group, faults: tuple[str, ...], seed: int, folder: Path) -> Ended:
    words = command(setup, group, faults, seed, folder)
    environment = os.environ | {"SPARK_HOME": str(setup.spark_home), "SPARK_LOCAL_IP": "127.0.0.1"}
    if group.name == "disk":
        words, environment = on_small_disk(words, environment, folder)
    complaints: list[str] = []
    with (folder / "driver.out").open("ab") as out, (folder / "driver.err").open("ab") as err:
        process = subprocess.Popen(words, stdout=out, stderr=err, env=environment, cwd=folder, start_new_session=True)
        started, killed = time.monotonic(), False
        while process.poll() is None:
            time.sleep(0.1)
            if not killed and READY in (folder / "driver.out").read_text(errors="replace"):
                kill([process.pid] if "kill-driver" in faults else processes(process.pid))
                killed = True
            if time.monotonic() - started > TIMEOUT_S:
                complaints.append(f"the application took more than {TIMEOUT_S} s")
                kill(processes(process.pid))
                process.wait()
    end = time.monotonic() + EXIT_TIMEOUT_S
    while (left := processes(process.pid)) and time.monotonic() < end:
        time.sleep(0.1)
    kill(left)
    complaints += [f"process {pid} had not ended {EXIT_TIMEOUT_S} s after its driver" for pid in left]
    return Ended(process.returncode, complaints)


def on_small_disk(words: list[str], environment: dict[str, str], folder: Path) -> tuple[list[str], dict[str, str]]:
    """The same with a cache directory of 16 MB: a tmpfs where that may be mounted, else a library that refuses to write while the
    directory has a file `filler`. FAULTS_DISK=library forces the latter."""
    cache = folder / "cache"
    cache.mkdir(mode=0o700)
    mount = f"mount -t tmpfs -o size=16m,mode=700 tmpfs '{cache}'"
    for unshare in (["unshare", "--mount"], ["unshare", "--mount", "--user", "--map-root-user"]):
        tried = os.environ.get("FAULTS_DISK") != "library" and shutil.which("unshare") is not None
        if tried and subprocess.run([*unshare, "sh", "-c", mount], capture_output=True, check=False).returncode == 0:
            return [*unshare, "sh", "-c", f'{mount} && exec "$@"', "sh", *words], environment
    library = folder / "fulldisk.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, Path(__file__).with_name("fulldisk.c"), "-ldl"], check=True)
    return words, environment | {"LD_PRELOAD": str(library), "FULLDISK": str(cache)}
