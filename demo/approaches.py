"""The approaches, in the order of their runs. The benchmark has the other approaches of the talk."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Approach:
    """`name` identifies the approach in the application and in build/demo.json. `andiron`: the approach needs the plugin and its jar."""

    name: str
    title: str
    andiron: bool = False


BASELINE = Approach("baseline", "baseline: facts in the rows, no metadata")
SORTED_CLOSURE = Approach("sorted-closure", "closure, sorted within partitions")
ANDIRON_BYTES = Approach("andiron-bytes", "Andiron, sorted within partitions", andiron=True)

INFLATED = (BASELINE, SORTED_CLOSURE, ANDIRON_BYTES)
"""The approaches of the second table."""
ALL = (BASELINE, Approach("join", "plain Spark join"), SORTED_CLOSURE, ANDIRON_BYTES)
