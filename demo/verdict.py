"""The conditions on the measurements. Each function returns one sentence per breach."""

from __future__ import annotations

from collections.abc import Sequence

from demo.application import Measured
from demo.approaches import ANDIRON_BYTES, BASELINE, SORTED_CLOSURE
from demo.digest import Digest

LEAST_RATIO = 1.8


def same_features(measured: Sequence[Measured], truth: Digest) -> list[str]:
    """All approaches have all rows and the digest that is computed without Spark."""
    return [
        f"{m.approach} ({m.version_mb} MB): {m.rows} rows with digest {m.digest}, not {truth.rows} with {truth.sha256}"
        for m in measured
        if (m.rows, m.digest) != (truth.rows, truth.sha256)
    ]


def nothing_left(measured: Sequence[Measured]) -> list[str]:
    return [f"{m.approach} ({m.version_mb} MB): {m.leases_left} leases left" for m in measured if m.leases_left]


def within_budget(measured: Sequence[Measured], budget: int) -> list[str]:
    """Andiron never held more bytes than the budget."""
    return [
        f"{m.approach} ({m.version_mb} MB): {m.max_resident_bytes} bytes resident, the budget is {budget}"
        for m in measured
        if m.approach == ANDIRON_BYTES.name and m.max_resident_bytes > budget
    ]


def ratio(measured: Sequence[Measured], figure: str) -> float:
    """The closure's peak above the baseline divided by Andiron's; infinite if Andiron's peak is not above the baseline."""
    peak = {m.approach: getattr(m, figure) for m in measured}
    andiron = peak[ANDIRON_BYTES.name] - peak[BASELINE.name]
    closure = peak[SORTED_CLOSURE.name] - peak[BASELINE.name]
    return closure / andiron if andiron > 0 else float("inf")


def saves_memory(measured: Sequence[Measured]) -> list[str]:
    return [
        f"{figure}: the closure's peak over the baseline is {ratio(measured, figure):.2f} x Andiron's, less than {LEAST_RATIO} x"
        for figure in ("peak_rss_bytes", "peak_pss_bytes")
        if ratio(measured, figure) < LEAST_RATIO
    ]
