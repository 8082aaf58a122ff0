#!/usr/bin/env python3
"""What shipping to Kafka costs: the sink's rate against a bare producer, the listener's CPU with the sink and without, the library's size.

Starts a broker on loopback. Writes build/bench-sinks.json and prints the figures. Needs what `make bench-sinks` builds.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from services import kafka
from services.kafka_checks import METRICS, TOPICS, Application, Place

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
GRADLE = dict(line.split("=", 1) for line in (ROOT / "gradle.properties").read_text().splitlines() if "=" in line[:20])
TURNS = int(os.environ.get("BENCH_SINKS_TURNS", "3"))
ROUNDS = int(os.environ.get("BENCH_SINKS_ROUNDS", "100"))
TASKS_A_ROUND = 4

Facts = dict[str, object]


def rate(broker: kafka.Broker) -> Facts:
    """Of the sink and of a bare producer with the same settings and messages, in turns."""
    command = ["cargo", "bench", "--locked", "--quiet", "-p", "andiron", "--features", "tls", "--bench", "kafka"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"BENCH_KAFKA_SERVERS": broker.address}, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def listener_cpu(place: Place, name: str, settings: dict[str, str]) -> float:
    """Microseconds of CPU for each task of the thread that Spark's queue for Andiron's listener has."""
    app = Application(place, name, settings, [])
    try:
        app.rounds(ROUNDS)
        dump = subprocess.run(["jcmd", str(app.java), "Thread.print"], capture_output=True, text=True, check=True).stdout
        rounds = len(app.said("round"))
        app.end()
    finally:
        app.kill()
    [(milliseconds)] = re.findall(r'^"spark-listener-group-andiron[^"]*".*? cpu=([0-9.]+)ms', dump, re.MULTILINE)
    return 1000 * float(milliseconds) / (rounds * TASKS_A_ROUND)


def library() -> Facts:
    """The library as the jar has it, without what only a debugger reads."""
    stripped = BUILD / "bench-sinks.so"
    subprocess.run(["strip", "-o", str(stripped), str(ROOT / "target/release/libandiron.so")], check=True)
    read = lambda option: subprocess.run(["readelf", "-W", option, str(stripped)], capture_output=True, text=True, check=True).stdout
    versions = {tuple(map(int, version.split("."))) for version in re.findall(r"GLIBC_(\d+(?:\.\d+)+)", read("-V"))}
    facts: Facts = {
        "bytes": stripped.stat().st_size,
        "needed": re.findall(r"\(NEEDED\).*\[(.*)\]", read("-d")),
        "glibc": ".".join(map(str, max(versions))),
    }
    stripped.unlink()
    return facts


def main() -> int:
    folder = BUILD / "bench-sinks"
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    place = Place(ROOT, BUILD, folder, GRADLE["sparkVersion"], GRADLE["scalaVersion"], GRADLE["version"])
    cpu: dict[str, list[float]] = {"with": [], "without": []}
    with kafka.server(BUILD, folder / "kafka") as broker:
        broker.create(*TOPICS)
        rates = rate(broker)
        for turn in range(TURNS):
            cpu["without"].append(listener_cpu(place, f"without-{turn}", {}))
            cpu["with"].append(listener_cpu(place, f"with-{turn}", {"spark.andiron.kafka.bootstrap.servers": broker.address}))
        messages = broker.counts(METRICS)
    medians = {name: statistics.median(values) for name, values in cpu.items()}
    facts = {
        "load": os.getloadavg()[0], "rate": rates, "library": library(),
        "listener_us_a_task": {"turns": cpu, "medians": medians, "ratio": medians["with"] / medians["without"]},
        "messages": messages,
    }
    (BUILD / "bench-sinks.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(f"sink {rates['sink_median']:,} messages/s, bare producer {rates['bare_median']:,}: ratio {rates['ratio']} (0.8 is wanted)")
    print(f"listener: {medians['with']:.1f} us of CPU a task with the sink, {medians['without']:.1f} without")
    print(f"library: {facts['library']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
