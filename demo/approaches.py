"""The approaches, in the order in which they are run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Approach:
    """`name` is what the application and build/demo.json call it. `andiron`: needs the plugin and its jar."""

    name: str
    title: str
    andiron: bool = False


BASELINE = Approach("baseline", "baseline: facts in the rows, no metadata")
SORTED_CLOSURE = Approach("sorted-closure", "1 closure, sorted within partitions")
ANDIRON_BYTES = Approach("andiron-bytes", "5 Andiron, sorted within partitions, bytes", andiron=True)

ALL = (
    BASELINE,
    Approach("join", "plain Spark join"),
    Approach("closure", "1 closure, unsorted"),
    Approach("repartition", "2 repartition by version, closure"),
    Approach("stages", "3 one stage per version, closure"),
    Approach("repartition-andiron", "4 repartition by version, Andiron", andiron=True),
    ANDIRON_BYTES,
    Approach("andiron-objects", "5 Andiron, sorted within partitions, objects", andiron=True),
)

INFLATED = (BASELINE, SORTED_CLOSURE, ANDIRON_BYTES)
"""What the second table compares. An unsorted closure would load a version at nearly every row."""
