"""The part `atlas` of the sinks benchmark: the cost of publishing to Atlas.

An application of 45 steps publishes 200 series a second to a real Atlas and to the UDP port of an agent; the kernel counts the CPU time of
the publisher thread. The record of the first has the answers of Atlas for two graphs, from which docs/images/atlas.svg is drawn.
"""

from __future__ import annotations

import json
import math
import re
import time
import urllib.parse
import urllib.request
from typing import Any

from bench import charts
from bench.run import Say
from bench.spark_app import Setup, submit
from checks.services import atlas
from harness.spark import Record

TOP = 6
QUERIES = {
    "andiron.step.in": "name,andiron.step.in,:eq,:max,(,step,),:by",
    "andiron.step.dropRatio": "name,andiron.step.dropRatio,:eq,:max,(,step,),:by,100,:mul",
}
TITLES = {"andiron.step.in": ("Rows that steps have read", "rows"), "andiron.step.dropRatio": ("Share of rows that steps drop", "%")}


def measure(setup: Setup, p: Any, say: Say) -> list[Record]:
    def publish(to: str, settings: Record) -> Record:
        common = {"spark.andiron.atlas.step": f"{p.step_s}s", "spark.andiron.atlas.maxSeries": p.series, "spark.andiron.log.dir": setup.work / f"log-{to}"}
        options = {"run": "publishing", "steps": p.steps, "seconds": p.seconds}
        return submit(setup, f"publishing-{to}", "local[2]", common | settings, options, "1g", True, 0)[0] | {"to": to}

    with atlas.with_agent(setup.built, setup.work / "server") as both:
        http = publish("http", {"spark.andiron.atlas.uri": both.atlas.uri})
        time.sleep(5)  # Atlas rebuilds its index every two seconds.
        graphs = {name: graph(both.atlas.uri, q) for name, q in QUERIES.items()}
        agent = dict(word.split("=", 1) for word in both.agent.arguments())
        return [http | {"graphs": graphs}, publish("udp", {"spark.andiron.atlas.spectatord": agent["udp"]})]


def graph(uri: str, q: str) -> Record:
    """The lines with the most points in the last two minutes, without the steps before the first value."""
    with urllib.request.urlopen(f"{uri}/api/v1/graph?{urllib.parse.urlencode({'q': q, 'format': 'json', 's': 'e-2m'})}", timeout=60) as answer:
        told = json.load(answer)
    rows = [[None if math.isnan(float(value)) else float(value) for value in row] for row in told["values"]]
    first = next((i for i, row in enumerate(rows) if any(value is not None for value in row)), 0)
    keep = sorted(range(len(told["legend"])), key=lambda i: (-sum(row[i] is not None for row in rows), told["legend"][i]))[:TOP]
    return {"q": q, "step_ms": told["step"], "legend": [told["legend"][i] for i in keep], "values": [[row[i] for i in keep] for row in rows[first:]]}


def _step(legend: str) -> str:
    """The name of the step in a line's legend, such as `((step=step-0) * 100.0)`."""
    found = re.search(r"step=([^)]+)", legend)
    return found.group(1) if found else legend


def picture(graphs: Record) -> str:
    """Both graphs as one SVG, drawn from the answers of Atlas."""
    parts = []
    for name, told in graphs.items():
        title, unit = TITLES[name]
        step = told["step_ms"] / 1000
        lines = [charts.Line(_step(label), [(i * step, row[at]) for i, row in enumerate(told["values"]) if row[at] is not None])
                 for at, label in enumerate(told["legend"])]
        # Markers at each second would hide the line.
        parts.append(charts.lines(f"{title} ({name})", "seconds", unit, lines, markers=False))
    return charts.stacked(parts)
