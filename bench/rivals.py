"""The approaches, in the order of their runs."""

from __future__ import annotations

from dataclasses import dataclass

from bench.parameters import Parameters


@dataclass(frozen=True)
class Approach:
    """
    `runs`: the name in the application. `budget`: the limit in versions, for approaches that take one; 0 is all versions, and
    -n an n-th of them. `keep_warm` is Andiron's setting. `work`: the work per row as a share of the usual work.
    """

    name: str
    title: str
    runs: str
    budget: int = 0
    keep_warm: bool = True
    work: float = 1

    @property
    def andiron(self) -> bool:
        return self.runs.startswith("andiron-")

    def limit(self, parameters: Parameters) -> int:
        """The limit in bytes. Objects take slightly more than the bytes that they are made from."""
        versions = self.budget if self.budget > 0 else -(-parameters.versions // max(1, -self.budget))
        slack = 1 if self.runs in ("andiron-bytes", "andiron-inplace") else 1.01
        return int(versions * parameters.version_bytes * slack)


ALL = (
    Approach("none", "no metadata", "none"),
    Approach("oracle", "oracle: all resident beforehand", "oracle"),
    Approach("closure", "closure, a copy per task on the heap", "closure"),
    Approach("closure-direct", "closure at its best: one buffer per task, reused", "closure-direct"),
    Approach("broadcast", "broadcast of all versions", "broadcast"),
    Approach("repartition", "repartition by version, closure at its best", "repartition"),
    Approach("stages", "one stage per version", "stages"),
    Approach("singleton", "JVM singleton that never releases", "singleton"),
    Approach("caffeine", "Caffeine, limit of all versions", "caffeine"),
    Approach("caffeine-half", "Caffeine, limit of half", "caffeine", budget=-2),
    Approach("objects", "Andiron, objects", "andiron-objects"),
    Approach("bytes", "Andiron, bytes", "andiron-bytes"),
    Approach("bytes-half", "Andiron, bytes, budget of half", "andiron-bytes", budget=-2),
    Approach("bytes-cold", "Andiron, bytes, keepWarm=false", "andiron-bytes", keep_warm=False),
    Approach("bytes-one", "Andiron, bytes, budget of one version", "andiron-bytes", budget=1),
    Approach("inplace", "Andiron, bytes, mapped where they are", "andiron-inplace"),
    Approach("oracle-short", "oracle, a fifth of the work", "oracle", work=0.2),
    Approach("bytes-short", "Andiron, bytes, a fifth of the work", "andiron-bytes", work=0.2),
)

BY_NAME = {approach.name: approach for approach in ALL}


def chosen(names: str) -> list[Approach]:
    if not names:
        return list(ALL)
    unknown = [name for name in names.split(",") if name not in BY_NAME]
    if unknown:
        raise ValueError(f"no approach {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    return [BY_NAME[name] for name in names.split(",")]
