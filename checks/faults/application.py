"""Runs an application of checks/faults/scala by spark-submit, under -Xcheck:jni, until all of its processes have ended."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from checks.faults.groups import FATAL, TWO_HOSTS, Group
from harness import spark
from harness.facts import Built
from harness.process import kill, processes

TIMEOUT_S = 900
READY = "ready: kill the driver"


def settings(folder: Path) -> dict[str, object]:
    """The settings of an application with executors, as in the cluster checks."""
    return spark.settings(folder) | spark.andiron(folder) | {"spark.executor.memory": "1g", "spark.executor.cores": "2"}


def command(built: Built, group: Group, faults: tuple[str, ...], seed: int, folder: Path) -> list[str]:
    checked = spark.checked(folder)
    conf = settings(folder) | {
        "spark.driver.extraJavaOptions": checked, "spark.executor.extraJavaOptions": f"{checked} -XX:+UseSerialGC"}
    two = group.master == TWO_HOSTS
    names = ["kill-driver" if fault in FATAL else fault for fault in faults]
    options = spark.pairs({"folder": folder, "faults": ",".join(names), "seed": seed, "hosts": "two" if two else "one"})
    return spark.submit(built.home, built.jar("faults"), options, conf, main="andiron.faults.Faults", master="" if two else group.master, jars=[built.jar()])


def run(built: Built, group: Group, faults: tuple[str, ...], seed: int, folder: Path) -> tuple[int, list[str]]:
    """The driver's exit status, and complaints about processes that did not end."""
    words, variables = command(built, group, faults, seed, folder), spark.environment(built.home)
    if group.name == "disk":
        words, variables = on_small_disk(words, variables, folder)
    complaints: list[str] = []
    with spark.Application(words, variables, folder) as app:
        started, killed = time.monotonic(), False
        while app.is_running:
            time.sleep(0.1)
            if not killed and READY in app.out:
                kill([app.pid] if "kill-driver" in faults else stopped(app.pid))
                killed = True
            if time.monotonic() - started > TIMEOUT_S:
                complaints.append(f"the application took more than {TIMEOUT_S} s")
                app.end()
        complaints += [f"process {pid} had not ended {spark.EXIT_S} s after its driver" for pid in app.left()]
    return app.process.returncode, complaints


def stopped(session: int) -> list[int]:
    """All processes of the session, stopped by SIGSTOP. So one that is killed is not noticed by another: an executor would clean up, and a
    driver would start another executor."""
    found: set[int] = set()
    while new := set(processes(session)) - found:
        for pid in new:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        found |= new
    return sorted(found)


def on_small_disk(words: list[str], environment: dict[str, str], folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command and environment with a cache directory of 16 MB: a tmpfs if mounts are allowed, else a preloaded library that fails writes
    while the directory has a file `filler`. FAULTS_DISK=library forces the library."""
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
