"""Gates on steps, and reports on an application."""

from __future__ import annotations

import json
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NoReturn, Optional

from andiron._session import java, java_session
from andiron.errors import BAD_ARGUMENT, AndironError, ArgumentError, GateError, calling, java_of, of_java
from andiron._steps import Step

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MOST = (1 << 63) - 1


class Gate:
    """A limit on the rows that a step drops, from its creation until the step is closed.

    A DataFrame write with rows of the step is committed only if the gate passes; `guard` raises after its body if the
    gate fails; and a running stage is cancelled once more than `max_dropped` rows are dropped. If the counts are
    unknown, `on_unknown` decides. `min_out_ratio` is the minimum of out / in, `max_counters` the maximum of user
    counter / in by counter name.
    """

    def __init__(
        self, step: Step, max_drop_ratio: float = 0.001, max_dropped: Optional[int] = None, min_rows: int = 0, on_zero_rows: str = "fail",
        on_unknown: str = "fail", min_out_ratio: float = 0.0, max_counters: Optional[dict[str, float]] = None
    ) -> None:
        if not isinstance(step, Step):
            raise ArgumentError(f"a gate needs a Step, not {step!r}", BAD_ARGUMENT)
        for name, value, kinds in (("max_drop_ratio", max_drop_ratio, (Real,)), ("min_rows", min_rows, (Integral,)),
                                   ("max_dropped", max_dropped, (Integral, type(None))), ("on_zero_rows", on_zero_rows, (str,)),
                                   ("on_unknown", on_unknown, (str,)), ("min_out_ratio", min_out_ratio, (Real,)),
                                   ("max_counters", max_counters, (dict, type(None)))):
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise ArgumentError(f"the gate on {step} has {value!r} as its {name}", BAD_ARGUMENT)
        self.step = step
        self._gate = calling(
            step._driver.gate, step._step, float(max_drop_ratio), MOST if max_dropped is None else int(max_dropped), int(min_rows), on_zero_rows,
            on_unknown, float(min_out_ratio), {name: float(most) for name, most in (max_counters or {}).items()})

    def __reduce__(self) -> NoReturn:
        raise ArgumentError(f"the {self!r} stays on the driver and cannot be used in a function", BAD_ARGUMENT)

    def __repr__(self) -> str:
        return f"gate on {self.step}"


class guard:
    """`with andiron.guard(gate, ...): body` raises a GateError if one of the gates fails after the body, or has made
    the body fail.

    For actions that Andiron's commit does not cover: `collect`, `foreach`, RDD saves, writes of Delta and Iceberg. The
    gates judge the jobs of the calling thread, and of threads that inherit its local properties
    (pyspark.InheritableThread). Results that the body has already published are not undone.
    """

    def __init__(self, *gates: Gate) -> None:
        for gate in gates:
            if not isinstance(gate, Gate):
                raise ArgumentError(f"guard takes gates, not {gate!r}", BAD_ARGUMENT)
        self._gates = gates
        self._sessions: list[Any] = []

    def __enter__(self) -> guard:
        if self._gates:
            self._sessions.append(calling(self._gates[0].step._driver.guard, [gate._gate for gate in self._gates]))
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], stack: Any) -> None:
        if not self._sessions:
            return
        session = self._sessions.pop()
        try:
            calling(session.leave)
            if error is None:
                calling(session.judge)
                return
            java = java_of(error)
            ours = of_java(java) if java is not None else None
            if isinstance(ours, GateError):
                raise ours from error
            if java is not None and self._gates[0].step._driver.isOfGate(java):
                try:
                    calling(session.judge)
                except AndironError as failure:
                    raise failure from error
        finally:
            calling(session.close)


def report(spark: Any, html: bool = False) -> str:
    """The report on the application so far, as text or as one HTML page."""
    java(spark, "PythonDriver", "a report")
    session = java_session(spark, "a report")
    andiron = spark._jvm.andiron.Andiron
    text: str = calling(andiron.reportHtml if html else andiron.report, session)
    return text


def failures(spark: Any, log_directory: Optional[str] = None, application: Optional[str] = None) -> DataFrame:
    """The samples of failed rows of steps, one row each. Without a directory they are those of this application so far;
    with a directory or an archive of logs those of all applications with a log there, including ended ones, or of one
    of them.

    Columns: `app_id`, `app_attempt`, `run_id`, `step`, `site`, `error_class`, `message`, `stack`, `stack_hash`,
    `group`, `row_key`, `key_hash`, `record`, `record_cut`, `version`, `stage`, `stage_attempt`, `partition`,
    `task_attempt`, `executor`, `host`, `committed`, `count` and `time`.
    """
    from pyspark.sql import DataFrame

    java(spark, "PythonDriver", "failed rows")
    for name, value in (("log_directory", log_directory), ("application", application)):
        if not isinstance(value, (str, type(None))) or (name == "application" and value is not None and log_directory is None):
            raise ArgumentError(f"failures takes a log directory and the id of an application in it as str, not {value!r} as its {name}", BAD_ARGUMENT)
    of = [value for value in (log_directory, application) if value is not None]
    return DataFrame(calling(spark._jvm.andiron.Andiron.failures, java_session(spark, "failed rows"), *of), spark)


def cache_stats(spark: Any) -> list[dict[str, Any]]:
    """The cache's figures of every process that has used it, each with `executor`, `final` and `figures`;
    docs/guide/figures.md defines them."""
    driver = java(spark, "PythonDriver", "the cache's figures")
    found: list[dict[str, Any]] = json.loads(calling(driver.cacheStats, java_session(spark, "the cache's figures")))
    return found


def cache_totals(spark: Any) -> dict[str, int]:
    """The figures of `cache_stats` combined: sums of the counters and of the gauges of live processes, and the greatest
    of each maximum."""
    driver = java(spark, "PythonDriver", "the cache's figures")
    found: dict[str, int] = json.loads(calling(driver.cacheTotals, java_session(spark, "the cache's figures")))
    return found
