"""The cost of publishing to Atlas: `python3 -m bench.atlas [--publish]`, after `gradle assemble benchJar sparkHome atlasClasspath`.

An application of 45 steps publishes 200 series a second to a real Atlas and to the UDP port of an agent; the kernel counts the CPU time of
the publisher thread. Writes build/bench-atlas.json and the answers of Atlas for two graphs of that application; `--publish` copies both
to docs/data and draws docs/images/atlas.svg.
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
import urllib.parse
import urllib.request

from bench import charts, machine
from bench.section import write
from bench.spark_app import Setup, submit
from checks.services import atlas
from harness.facts import BUILD, ROOT, BuildError, Built, is_set
from harness.process import ServerError
from harness.spark import ApplicationError, Record

DATA, GRAPHS, PICTURE = "docs/data/bench-atlas.json", "docs/data/atlas-graph.json", "docs/images/atlas.svg"
STEPS, SECONDS, SERIES, STEP_S, MOST_SHARE = 45, 60, 200, 1, 0.005
TOP = 6
QUERIES = {
    "andiron.step.in": "name,andiron.step.in,:eq,:max,(,step,),:by",
    "andiron.step.dropRatio": "name,andiron.step.dropRatio,:eq,:max,(,step,),:by,100,:mul",
}
TITLES = {"andiron.step.in": ("Rows that steps have read", "rows"), "andiron.step.dropRatio": ("Share of rows that steps drop", "%")}


def measure(setup: Setup, label: str, settings: Record) -> Record:
    common = {"spark.andiron.atlas.step": f"{STEP_S}s", "spark.andiron.atlas.maxSeries": SERIES, "spark.andiron.log.dir": setup.work / f"log-{label}"}
    options = {"run": "publishing", "steps": STEPS, "seconds": SECONDS}
    return submit(setup, f"publishing-{label}", "local[2]", common | settings, options, "1g", True, 0)[0] | {"to": label}


def graph(uri: str, q: str) -> Record:
    """The lines with the most points in the last two minutes, without the steps before the first value."""
    with urllib.request.urlopen(f"{uri}/api/v1/graph?{urllib.parse.urlencode({'q': q, 'format': 'json', 's': 'e-2m'})}", timeout=60) as answer:
        told = json.load(answer)
    rows = [[None if math.isnan(float(value)) else float(value) for value in row] for row in told["values"]]
    first = next((i for i, row in enumerate(rows) if any(value is not None for value in row)), 0)
    keep = sorted(range(len(told["legend"])), key=lambda i: (-sum(row[i] is not None for row in rows), told["legend"][i]))[:TOP]
    return {"q": q, "step_ms": told["step"], "legend": [told["legend"][i] for i in keep], "values": [[row[i] for i in keep] for row in rows[first:]]}


def figures(runs: list[Record]) -> list[Record]:
    return [{"to": run["to"], "share": round(run["cpu_s"] / run["wall_s"], 6), "limit": MOST_SHARE, "reached": run["cpu_s"] / run["wall_s"] < MOST_SHARE}
            for run in runs]


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
        parts.append(charts.lines(f"{title} ({name})", "seconds", unit, lines))
    width, height = 620, 380
    # Markers at each second would hide the line.
    parts = ["\n".join(line for line in part.split("\n") if not line.startswith("<circle")) for part in parts]
    inner = "".join(f'<g transform="translate(0,{height * i})">\n{part[part.index(chr(10)) + 1:part.rindex("</svg>")]}</g>\n' for i, part in enumerate(parts))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height * len(parts)}" width="{width}" height="{height * len(parts)}" '
            f'font-family="sans-serif" font-size="13" fill="{charts.INK}" role="img">\n{inner}</svg>\n')


def main() -> int:
    started = time.time()
    try:
        setup = Setup(Built.located("bench"), BUILD / "bench-atlas")
        setup.work.mkdir(parents=True, exist_ok=True)
        facts = machine.facts(setup.built.jar())
        with atlas.with_agent(setup.built, setup.work / "server") as both:
            runs = [measure(setup, "http", {"spark.andiron.atlas.uri": both.atlas.uri})]
            time.sleep(5)  # Atlas rebuilds its index every two seconds.
            graphs = {name: graph(both.atlas.uri, q) for name, q in QUERIES.items()}
            agent = dict(word.split("=", 1) for word in both.agent.arguments())
            runs.append(measure(setup, "udp", {"spark.andiron.atlas.spectatord": agent["udp"]}))
    except (ApplicationError, BuildError, ServerError) as error:
        print(f"bench-atlas: {error}", file=sys.stderr)
        return 1
    content = facts | {"parameters": {"steps": STEPS, "seconds": SECONDS, "series": SERIES, "step_s": STEP_S}, "started": round(started), "raw": runs,
                       "figures": figures(runs)}
    write(BUILD / "bench-atlas.json", content)
    write(BUILD / "atlas-graph.json", graphs)
    for run, figure in zip(runs, content["figures"], strict=True):
        print(f"{run['to']:5} {100 * figure['share']:.3f} % of a core for {SERIES} series every {STEP_S} s, {run['sent']} points sent; limit {100 * MOST_SHARE:.1f} %")
    if "--publish" in sys.argv[1:] or is_set("BENCH_PUBLISH"):
        write(ROOT / DATA, content)
        write(ROOT / GRAPHS, graphs)
        (ROOT / PICTURE).write_text(picture(graphs), encoding="utf-8")
    return 0 if all(figure["reached"] for figure in content["figures"]) else 1


if __name__ == "__main__":
    sys.exit(main())
