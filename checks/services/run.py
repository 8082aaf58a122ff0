"""Andiron against real services: what holds with HDFS, S3, Hive, Kafka and Atlas on the loopback interface.

    [SERVICES_SPARK=4.0.0] checks/services/run.py [SERVICE ...]

Runs the named services, or all; each is one application of checks/services, started by spark-submit under -Xcheck:jni. Builds what it
needs, writes build/services.json, prints a line for each check and, last, `N passed, N failed`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.process import kill, processes
from checks.faults.leftovers import jni_warnings
from checks.services import atlas, hive, kafka, s3
from checks.services.kafka_tls import Checks as KafkaChecks

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
FACTS = dict(line.split("=", 1) for line in (ROOT / "gradle.properties").read_text().splitlines() if "=" in line[:20])
SPARK, SCALA, VERSION = os.environ.get("SERVICES_SPARK", FACTS["sparkVersion"]), FACTS["scalaVersion"], FACTS["version"]
TIMEOUT_S = 2400

Row = dict[str, object]


@dataclass(frozen=True)
class Service:
    """`name` is that of the Gradle task `<name>Classpath` and of the program's `service=`; `checks`: how many it must report.

    `server`: what starts it as processes of their own, and tells by `arguments()` where they are; `needs`: other services whose classpaths these
    need; `classpath`: whether the program sees the service's; `rows`: in place of a program, what gives the rows of the checks.
    """

    name: str
    checks: int
    prepare: Callable[[Path], tuple[list[str], dict[str, str]]] = lambda build: ([], {})
    server: Callable[[Path, Path], contextlib.AbstractContextManager] | None = None
    needs: tuple[str, ...] = ()
    classpath: bool = True
    rows: Callable[[Path], list[Row]] | None = None


def kafka_rows(folder: Path) -> list[Row]:
    return KafkaChecks(ROOT, BUILD, folder, SPARK, SCALA, VERSION).run()


@dataclass(frozen=True)
class HiveAndKafka:
    metastore: hive.Metastore
    broker: kafka.Broker

    def arguments(self) -> list[str]:
        libs = BUILD / f"scala-{SCALA}/libs"
        return [
            f"metastore={self.metastore.uri}", f"warehouse={self.metastore.warehouse}", f"kafka={self.broker.address}",
            f"classpath={BUILD / f'scala-{SCALA}/services/hive.classpath'}", f"programs={libs / f'andiron-services_{SCALA}-{VERSION}.jar'}",
        ]


@contextlib.contextmanager
def hive_and_kafka(build: Path, folder: Path) -> Iterator[HiveAndKafka]:
    with hive.server(build, folder / "hive") as metastore, kafka.server(build, folder / "kafka") as broker:
        yield HiveAndKafka(metastore, broker)


SERVICES = (
    Service("hdfs", 19), Service("s3", 17, s3.arguments), Service("hive", 25, server=hive_and_kafka, needs=("kafka",)),
    Service("kafka", 12, rows=kafka_rows),
    Service("atlas", 14, server=atlas.with_agent, classpath=False),
)


def command(service: Service, folder: Path, more: list[str]) -> list[str]:
    out = BUILD / f"scala-{SCALA}"
    jars = [] if not service.classpath else (out / f"services/{service.name}.classpath").read_text().split("\n")
    jar = out / f"libs/andiron_{SCALA}-{VERSION}.jar"
    settings = {
        "spark.plugins": "andiron.AndironPlugin", "spark.ui.enabled": "false", "spark.local.dir": folder / "local",
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.sql.warehouse.dir": folder / "warehouse",
        "spark.driver.extraJavaOptions": f"-Xcheck:jni -XX:ErrorFile={folder}/hs_err_%p.log -Djava.io.tmpdir={folder}/tmp",
    }
    return [
        str(BUILD / f"spark-{SPARK}_{SCALA}/bin/spark-submit"), "--master", "local[2]", "--driver-memory", "1g",
        "--class", "andiron.services.Services", "--driver-class-path", ":".join(filter(None, jars)), "--jars", str(jar),
        *(word for key, value in settings.items() for word in ("--conf", f"{key}={value}")),
        str(out / f"libs/andiron-services_{SCALA}-{VERSION}.jar"), f"service={service.name}", f"folder={folder}", f"jar={jar}", f"docs={ROOT / 'docs'}", *more,
    ]


def run(service: Service) -> tuple[list[Row], list[str]]:
    """The rows of one service, and what is wrong beside them."""
    folder = BUILD / "services" / service.name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    if service.rows is not None:
        rows = [{"service": service.name} | row for row in service.rows(folder)]
        return rows, [] if len(rows) == service.checks else [f"{service.name}: {len(rows)} of {service.checks} checks reported"]
    more, variables = service.prepare(BUILD)
    environment = os.environ | {"SPARK_HOME": str(BUILD / f"spark-{SPARK}_{SCALA}"), "SPARK_LOCAL_IP": "127.0.0.1"} | variables
    wrong: list[str] = []
    with contextlib.ExitStack() as stack:
        if service.server:
            more += stack.enter_context(service.server(BUILD, folder / "server")).arguments()
        out, err = (stack.enter_context((folder / name).open("wb")) for name in ("out.log", "err.log"))
        process = subprocess.Popen(command(service, folder, more), stdout=out, stderr=err, env=environment, cwd=folder, start_new_session=True)
        try:
            process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            wrong.append(f"not done after {TIMEOUT_S} s")
        left = processes(process.pid)
        kill(left)
        process.wait()
    if left:
        wrong.append(f"processes that had not ended: {left}")
    results = folder / "results.jsonl"
    rows = [{"service": service.name} | json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    output = (folder / "out.log").read_text(errors="replace")
    log = (folder / "err.log").read_text(errors="replace")
    if process.returncode != 0 or len(rows) != service.checks:
        tail = "\n".join(log.splitlines()[-20:])
        wrong.append(f"exit status {process.returncode}, {len(rows)} of {service.checks} checks reported; the end of its log:\n{tail}")
    wrong += jni_warnings(output + log)
    wrong += [f"left behind: {path.relative_to(folder)}" for path in (folder / "cache").rglob("*") if path.name != ".andiron.lock"]
    return rows, [f"{service.name}: {text}" for text in wrong]


def classpaths(names: list[str]) -> list[str]:
    """The Gradle tasks that these services need."""
    return sorted({f"{path}Classpath" for service in SERVICES if service.name in names for path in (service.name, *service.needs)})


def main() -> int:
    names = sys.argv[1:] or [service.name for service in SERVICES]
    unknown = set(names) - {service.name for service in SERVICES}
    if unknown:
        print(f"checks/services/run.py: no service {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in SERVICES)}", file=sys.stderr)
        return 2
    subprocess.run([os.environ.get("GRADLE", "gradle"), "--no-daemon", "--quiet", f"-PtestSpark={SPARK}", "nativeCommand", *classpaths(names)], cwd=ROOT, check=True)
    started = time.monotonic()
    rows: list[Row] = []
    wrong: list[str] = []
    for service in (service for service in SERVICES if service.name in names):
        begun = time.monotonic()
        found, complaints = run(service)
        for row in found:
            print(f"  {service.name:6}{row['check']:34}{row['ms']:>7} ms  {row.get('error', 'ok')}")
        print(f"{service.name}: {len(found)} checks in {time.monotonic() - begun:.0f} s, {len(complaints)} complaints", flush=True)
        rows += found
        wrong += complaints
    for text in wrong:
        print(f"services: {text}", file=sys.stderr)
    failed = sum("error" in row for row in rows) + len(wrong)
    passed = sum("error" not in row for row in rows)
    facts = {"spark": SPARK, "seconds": round(time.monotonic() - started, 1), "passed": passed, "failed": failed, "complaints": wrong, "checks": rows}
    (BUILD / "services.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
