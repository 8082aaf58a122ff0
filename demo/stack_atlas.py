"""Atlas in `make demo-stack`: its answers for the graphs of docs/operations/atlas-graphs.json, as numbers."""

import json
import math
import re
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass

PATIENCE_S = 60
SINCE = "e-10m"
"""The window of the graphs. Its steps are seconds, so Atlas answers every second and no averages."""
MOST_LINES = 4


@dataclass(frozen=True)
class Line:
    """One line of a graph: its tags, the number of its points, and two of the points."""

    tags: str
    points: int
    greatest: float
    last: float


@dataclass(frozen=True)
class Graph:
    name: str
    says: str
    lines: list[Line]

    @property
    def points(self) -> int:
        return sum(line.points for line in self.lines)


def tags(legend: str) -> str:
    """The values of the tags in a legend, such as `labels` in `((step=labels) * 100.0)`; the legend of a division names each tag twice."""
    return ", ".join(dict.fromkeys(re.findall(r"[\w.-]+=([^,)\s]+)", legend))) or legend


def lines(told: dict[str, object]) -> list[Line]:
    """The lines of an answer that have a point; Atlas gives NaN for a step without one."""
    found = []
    for at, legend in enumerate(told["legend"]):
        values = [float(row[at]) for row in told["values"] if not math.isnan(float(row[at]))]
        if values:
            found.append(Line(tags(legend), len(values), max(values), values[-1]))
    return sorted(found, key=lambda line: line.tags)


def ask(uri: str, graphs: list[dict[str, str]], job: str) -> list[Graph]:
    """Queries every graph. Atlas shows new series after it rebuilds its index, so graphs without a point are queried again for a while."""
    end = time.monotonic() + PATIENCE_S
    while True:
        found = [Graph(graph["graph"], graph["says"], lines(_get(uri, graph["q"].replace("{job}", job)))) for graph in graphs]
        if all(graph.points for graph in found) or time.monotonic() > end:
            return found
        time.sleep(1)


def _get(uri: str, q: str) -> dict[str, object]:
    with urllib.request.urlopen(f"{uri}/api/v1/graph?{urllib.parse.urlencode({'q': q, 'format': 'json', 's': SINCE})}", timeout=60) as answer:
        return json.load(answer)


def rows(graphs: list[Graph]) -> list[dict[str, object]]:
    """The rows of a table: one per line, at most MOST_LINES per graph."""
    found = []
    for graph in graphs:
        for line in graph.lines[:MOST_LINES]:
            found.append({"graph": graph.name, "line": line.tags, "points": line.points, "greatest": line.greatest, "last": line.last})
    return found
