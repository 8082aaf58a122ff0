#!/usr/bin/env python3
"""Checks of Andiron against real services: HDFS, S3, Hive, Kafka and Atlas on the loopback interface.

    [SERVICES_SPARK=4.0.0] python3 -m checks.services.run [SERVICE ...]

Checks the named services, or all; each is one application of checks/services/scala, started by spark-submit under -Xcheck:jni. Builds the
programs, writes build/services.json, prints one line per check and then `N passed, N failed`.
"""

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from checks.faults.leftovers import jni_warnings
from checks.services import atlas, hive, kafka
from checks.services.kafka_tls import Checks as KafkaChecks
from harness import spark
from harness.facts import BUILD, ROOT, SPARK, Built, gradle, installed
from harness.process import free_port
from harness.spark import ApplicationError, Record as Row

BUILT = Built.of(os.environ.get("SERVICES_SPARK", SPARK))
PACKAGES = BUILD / "python-services"
TIMEOUT_S = 2400


@dataclass(frozen=True)
class Service:
    """`name`: as in the Gradle task `<name>Classpath` and in the program's `service=`; `checks`: the number of checks that it must report.

    `server`: starts the service's processes and yields options of the program; `needs`: other services whose classpaths the checks
    need; `classpath`: whether the program has the service's classpath; `rows`: returns the rows of the checks in place of a program.
    """

    name: str
    checks: int
    server: Callable[[Built, Path], contextlib.AbstractContextManager[list[str]]] | None = None
    needs: tuple[str, ...] = ()
    classpath: bool = True
    rows: Callable[[Path], list[Row]] | None = None


def packages() -> Path:
    """The folder with the packages of requirements.txt."""
    return installed(PACKAGES, Path(__file__).with_name("requirements.txt"))


@contextlib.contextmanager
def s3(*_: object) -> Iterator[list[str]]:
    """The program itself starts moto, a server with the S3 API, because its checks end it and start it again."""
    port = free_port()
    yield [f"server=env PYTHONPATH={packages()} {sys.executable} -m moto.server -H 127.0.0.1 -p {port}", f"port={port}"]


def kafka_rows(folder: Path) -> list[Row]:
    return KafkaChecks(BUILT, folder, packages()).run()


@contextlib.contextmanager
def hive_and_kafka(built: Built, folder: Path) -> Iterator[list[str]]:
    with hive.Metastore(built, folder / "hive") as metastore, kafka.Broker(built, folder / "kafka") as broker:
        yield [f"metastore={metastore.uri}", f"warehouse={metastore.warehouse}", f"kafka={broker.address}", f"classpath={built.out / 'services/hive.classpath'}",
               f"programs={built.jar('services')}"]


@contextlib.contextmanager
def atlas_and_agent(built: Built, folder: Path) -> Iterator[list[str]]:
    with atlas.with_agent(built, folder) as both:
        yield both.arguments()


SERVICES = (
    Service("hdfs", 19), Service("s3", 17, server=s3), Service("hive", 25, server=hive_and_kafka, needs=("kafka",)),
    Service("kafka", 12, rows=kafka_rows), Service("atlas", 14, server=atlas_and_agent, classpath=False),
)


def command(service: Service, folder: Path, more: list[str]) -> list[str]:
    jars = BUILT.classpath(service.name) if service.classpath else []
    conf = spark.PLUGIN | spark.settings(folder) | {"spark.driver.extraJavaOptions": spark.checked(folder)}
    options = spark.pairs({"service": service.name, "folder": folder, "jar": BUILT.jar(), "docs": ROOT / "docs"})
    return spark.submit(BUILT.home, BUILT.jar("services"), [*options, *more], conf, "--driver-class-path", ":".join(jars),
                        main="andiron.services.Services", master="local[2]", jars=[BUILT.jar()])


def run(service: Service) -> tuple[list[Row], list[str]]:
    """The rows of one service, and all other faults."""
    folder = BUILD / "services" / service.name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    if service.rows is not None:
        rows = [{"service": service.name} | row for row in service.rows(folder)]
        return rows, [] if len(rows) == service.checks else [f"{service.name}: {len(rows)} of {service.checks} checks reported"]
    wrong: list[str] = []
    with contextlib.ExitStack() as stack:
        more = stack.enter_context(service.server(BUILT, folder / "server")) if service.server else []
        app = stack.enter_context(spark.Application(command(service, folder, more), spark.environment(BUILT.home), folder))
        try:
            app.status(TIMEOUT_S)
        except ApplicationError as error:
            wrong.append(str(error))
        if left := app.left(0):
            wrong.append(f"processes that had not ended: {left}")
    rows = [{"service": service.name} | row for row in spark.records(folder / "results.jsonl")]
    if app.process.returncode != 0 or len(rows) != service.checks:
        wrong.append(f"exit status {app.process.returncode}, {len(rows)} of {service.checks} checks reported; {app.tail()}")
    wrong += jni_warnings(app.out + app.log)
    wrong += [f"left behind: {path.relative_to(folder)}" for path in (folder / "cache").rglob("*") if path.name != ".andiron.lock"]
    return rows, [f"{service.name}: {text}" for text in wrong]


def classpaths(names: list[str]) -> list[str]:
    """The Gradle tasks for the classpaths of these services."""
    return sorted({f"{path}Classpath" for service in SERVICES if service.name in names for path in (service.name, *service.needs)})


def main() -> int:
    names = sys.argv[1:] or [service.name for service in SERVICES]
    unknown = set(names) - {service.name for service in SERVICES}
    if unknown:
        print(f"services: no service {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in SERVICES)}", file=sys.stderr)
        return 2
    gradle("nativeCommand", *classpaths(names), spark=BUILT.spark)
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
    facts = {"spark": BUILT.spark, "seconds": round(time.monotonic() - started, 1), "passed": passed, "failed": failed, "complaints": wrong, "checks": rows}
    (BUILD / "services.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
