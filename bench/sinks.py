"""The cost and the losses of shipping: `make bench-sinks`; see run.py.

Measures the sink's rate against a bare producer; jobs whose broker works, is absent or silent; the size of the library; a million revisions into Hive
while broker and drivers are killed; and the cost of publishing to an Atlas (atlas.py). Servers run on loopback. Needs the files that `make bench-sinks` builds.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass

from bench import atlas
from bench.parameters import choice
from bench.run import Benchmark, Say
from bench.sinks_render import SECTION
from bench.spark_app import Setup
from checks.services import kafka, revisions
from checks.services.kafka_checks import TOPICS, Application, Place
from harness.facts import ROOT, Built
from harness.process import free_port
from harness.spark import Record

WARM_UP, TASKS_A_ROUND, DUMPS = 10, 4, 10
JOBS = ("off", "works", "absent", "silent")
"""Without Kafka; with a broker that works; with an address where no server listens; with a server that accepts connections and never answers."""
HEADS = re.compile(r'^"(?P<name>[^"]+)".*? cpu=(?P<cpu>[0-9.]+)ms', re.MULTILINE)
RATE = ["cargo", "bench", "--locked", "--quiet", "-p", "andiron", "--features", "tls", "--bench", "kafka"]


@dataclass(frozen=True)
class SinksParameters:
    turns: int = choice(5, "turns of the jobs")
    rounds: int = choice(60, "timed rounds of a job")
    steps: int = choice(45, "steps whose series are published to Atlas")
    seconds: int = choice(60, "length of that application")
    series: int = choice(200, "the most series that are published at once")
    step_s: int = choice(1, "seconds between two of its publications")


def rate(setup: Setup, _: object, say: Say) -> list[Record]:
    """The rates of the sink and of a bare producer with the same settings and messages, in turns."""
    subprocess.run([*RATE, "--no-run"], cwd=ROOT, check=True)
    with kafka.Broker(setup.built, setup.work / "kafka-rate") as broker:
        broker.create(*TOPICS)
        done = subprocess.run(RATE, cwd=ROOT, env=os.environ | {"BENCH_KAFKA_SERVERS": broker.address}, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return [{"turn": turn, "events": told["events"], "sink": sink, "bare": bare} for turn, (sink, bare) in enumerate(zip(told["sink"], told["bare"], strict=True))]


def job(place: Place, turn: int, rounds: int, brokers: dict[str, str]) -> list[Record]:
    """One application for each of JOBS: the times of its rounds, the frames of its threads, the CPU time of the listener thread, and the time of its end."""
    found = []
    # The order changes each turn, so that no job always follows the same one.
    for name in (*JOBS[turn % len(JOBS):], *JOBS[:turn % len(JOBS)]):
        settings = {} if name == "off" else {"spark.andiron.kafka.bootstrap.servers": brokers[name]}
        app = Application(place, f"{name}-{turn}", settings, [])
        try:
            app.rounds(WARM_UP)
            app.rounds(rounds)
            # A dump stops all threads, so dumps are taken outside of the timed rounds.
            dumps = []
            for _ in range(DUMPS):
                app.rounds(2)
                dumps.append((_dump(app.pid), _dump(app.pid)))
            walls = [int(ms) for _, ms in app.said("round")][WARM_UP:WARM_UP + rounds]
            tasks = len(app.said("round")) * TASKS_A_ROUND
            stop = app.ended()
        finally:
            app.end()
        [listener] = [float(head["cpu"]) for head in HEADS.finditer(dumps[-1][-1]) if head["name"].startswith("spark-listener-group-andiron")]
        found.append({"broker": name, "turn": turn, "rounds": rounds, "round_ms": walls, "stop_ms": stop, "listener_us_a_task": 1000 * listener / tasks,
                      "dumps": len(dumps), "in_andiron": standing(dumps), "load_average": os.getloadavg()[0]})
    return found


def _dump(java: int) -> str:
    return subprocess.run(["jcmd", str(java), "Thread.print"], capture_output=True, text=True, check=True).stdout


def standing(dumps: list[tuple[str, str]]) -> Record:
    """The number of pairs of dumps in which a thread of Spark's waits in Andiron's code, or runs a native method of it, at the same frame in
    both dumps, by thread (names without numbers). A thread that only passes through is elsewhere in the second dump."""
    found: Counter[str] = Counter()
    for first, second in dumps:
        before = _in_andiron(first)
        found.update(f"{re.sub(r'[0-9.]+', 'N', name)} in {frame}" for name, frame in _in_andiron(second).items() if before.get(name) == frame)
    return dict(found)


def _in_andiron(dump: str) -> dict[str, str]:
    """The frame of Andiron in which each thread waits or runs native code."""
    found = {}
    for block in dump.split("\n\n"):
        name, frames = re.match(r'"([^"]+)"', block), re.findall(r"\tat (.+)", block)
        if name and frames and not name[1].startswith("andiron"):
            ours = [frame.split("/")[-1] for frame in frames[:12] if "andiron.internal." in frame or "spark.andironshim." in frame]
            passes = "java.lang.Thread.State: RUNNABLE" in block and not frames[0].endswith("(Native Method)")
            if ours and not passes:
                found[name[1]] = ours[0].split("(")[0]
    return found


def jobs(setup: Setup, p: SinksParameters, say: Say) -> list[Record]:
    found: list[Record] = []
    # A connection to a server that only listens is established by the kernel, and is never answered.
    with kafka.Broker(setup.built, setup.work / "kafka-jobs") as broker, socket.create_server(("127.0.0.1", 0), backlog=4096) as silent:
        broker.create(*TOPICS)
        for turn in range(p.turns):
            brokers = {"works": broker.address, "absent": f"127.0.0.1:{free_port()}", "silent": f"127.0.0.1:{silent.getsockname()[1]}"}
            found += job(Place(setup.built, setup.work), turn, p.rounds, brokers)
            say(f"jobs: turn {turn + 1} of {p.turns}")
    return found


def library(setup: Setup, _: object, say: Say) -> list[Record]:
    """The library as in the jar, without debug sections."""
    stripped = setup.work / "stripped.so"
    subprocess.run(["strip", "-o", str(stripped), str(ROOT / "target/release/libandiron.so")], check=True)

    def read(option: str) -> str:
        return subprocess.run(["readelf", "-W", option, str(stripped)], capture_output=True, text=True, check=True).stdout

    versions = {tuple(map(int, version.split("."))) for version in re.findall(r"GLIBC_(\d+(?:\.\d+)+)", read("-V"))}
    return [{"bytes": stripped.stat().st_size, "needed": re.findall(r"\(NEEDED\).*\[(.*)\]", read("-d")), "glibc": ".".join(map(str, max(versions)))}]


PARTS = {"rate": rate, "jobs": jobs, "library": library, "revisions": lambda setup, p, say: [revisions.run()], "atlas": atlas.measure}
BENCHMARK = Benchmark(SECTION, SinksParameters, lambda work: Setup(Built.of(), work), PARTS, {"seed": revisions.SEED}, strict=True)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
