#!/usr/bin/env python3
"""The whole chain with real services on loopback: the driver of the main job is killed midway and a second application continues; the events
go through Kafka into Hive and the figures to Atlas, and queries of Hive and Atlas are checked.

    demo/stack.py [--publish]        after `make build` and `gradle kafkaClasspath hiveClasspath atlasClasspath`

Prints the checks and the answers of SQL and of Atlas, and writes build/demo-stack.json. Exit status 1 if a check fails. All started
processes have ended when it ends, also after Ctrl-C or SIGTERM. `--publish` copies figures and text to docs/data, from which demo/page.py
writes docs/evidence/demo.md. Environment: as for demo/run.py.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

from demo import sources
from demo.run import locate
from demo.stack_chain import Chain
from harness.facts import BUILD, ROOT, BuildError, commit
from harness.process import kill
from harness.spark import ApplicationError

FACTS = BUILD / "demo-stack.json"
MARK = "ANDIRON_DEMO_STACK"
"""An environment variable of every started process, which identifies processes that are left over."""


def marked(mark: str) -> list[int]:
    """The processes with the mark in their environment, without this one."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        pid = int(environment.parent.name)
        with contextlib.suppress(OSError):
            if pid != os.getpid() and f"{MARK}={mark}".encode() in environment.read_bytes().split(b"\0"):
                found.append(pid)
    return found


def interrupted(*_: object) -> None:
    """Ends the started processes once; later signals are ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    mark = os.environ[MARK] = uuid.uuid4().hex
    work, chain, failure = BUILD / "demo-stack", Chain(), ""
    shutil.rmtree(work, ignore_errors=True)
    try:
        with contextlib.ExitStack() as services:
            place = locate(work)
            chain.facts |= {"commit": commit(), "spark": place.built.spark}
            chain.run(place, services)
    except KeyboardInterrupt:
        failure = "interrupted"
    except (ApplicationError, BuildError, sources.SourceError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        failure = str(error)
    except Exception as error:  # after any error the processes are ended and the figures written
        failure = f"{type(error).__name__}: {error}"
    left = marked(mark)
    kill(left)
    chain.check("no process is left", [f"process {pid} had not ended" for pid in left])
    shutil.rmtree(work / "data", ignore_errors=True)
    seconds, broken = round(time.monotonic() - chain.begun, 1), sum(bool(check["breaches"]) for check in chain.checks)
    chain.print(f"{len(chain.checks) - broken} of {len(chain.checks)} checks hold, in {seconds:.0f} s; figures in build/demo-stack.json")
    FACTS.write_text(json.dumps(chain.facts | {"seconds": seconds, "failure": failure, "checks": chain.checks}, indent=2) + "\n")
    if failure:
        print(f"demo-stack: {failure}", file=sys.stderr)
    good = chain.holds and not failure
    if good and "--publish" in sys.argv[1:]:
        shutil.copy(FACTS, ROOT / "docs/data/demo-stack.json")
        (ROOT / "docs/data/demo-stack.txt").write_text(chain.text, encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
