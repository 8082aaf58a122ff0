"""Steps: named parts of a pipeline whose rows are counted once, however often Spark computes them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Optional, Union

from andiron._guarded import Guarded, Shown, counting
from andiron._session import java, java_frame, java_session
from andiron.errors import BAD_ARGUMENT, ArgumentError, calling

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row
    from pyspark.sql.types import StructType

Schema = Union["StructType", str]
Text = Optional[Callable[["Row"], object]]
Group = Optional[Callable[["Row", BaseException], object]]
Redact = Optional[Callable[[str], object]]


@dataclass(frozen=True)
class Figures:
    """What a step has counted. `counters` has `in`, `out`, `dropped` and the user's own; `reason` says why the figures are not exact."""

    step: str
    counters: dict[str, int]
    exact: bool
    reason: str

    def __getitem__(self, counter: str) -> int:
        return self.counters.get(counter, 0)


class Counter:
    """A counter of a step's own, for the functions that its operators run. It counts each row once. Elsewhere it counts nothing."""

    def __init__(self, step: str, name: str) -> None:
        self.step, self.name = step, name

    def add(self, n: int) -> bool:
        """Adds `n`, which may be negative. Returns whether it was counted."""
        return counting.add(self.name, n)

    def increment(self) -> bool:
        """Adds one."""
        return self.add(1)


class Step:
    """A named part of a pipeline. Made on the driver; close it when no job of it will run any more.

    A row for which a function raises is dropped, counted and sampled; the job goes on. The functions run in Python workers, row by row, and the
    step's own operator after them in the JVM counts. What needs whole batches, as mapInPandas does, cannot be guarded row by row: compute
    there, and let `count` count before and after. RDDs have no steps in Python: make a DataFrame of them.
    """

    def __init__(self, spark: Any, name: str) -> None:
        what = f"step {name!r}"
        session = java_session(spark, what)
        if not isinstance(name, str) or not name.strip():
            raise ArgumentError(f"a step needs a name, not {name!r}", BAD_ARGUMENT)
        self.name = name
        self._operators = java(spark, "PythonSteps", what)
        self._driver = java(spark, "PythonDriver", what)
        self._spark = spark
        self._step = calling(spark._jvm.andiron.Step.apply, session, name)
        self._counters: dict[str, Any] = {}

    def counter(self, name: str) -> Counter:
        """The counter of this name; the same one for the same name. Make it before the operators whose functions use it."""
        if not isinstance(name, str):
            raise ArgumentError(f"a counter of step '{self.name}' is named by a str, not by {name!r}", BAD_ARGUMENT)
        if name not in self._counters:
            self._counters[name] = calling(self._step.counter, name)
        return Counter(self.name, name)

    def map(
        self, rows: DataFrame, function: Callable[[Row], Any], schema: Schema, *, key: Text = None, describe: Text = None, version: Text = None,
        group: Group = None, redact: Redact = None
    ) -> DataFrame:
        """`function` of every row, a Row, tuple or dict of `schema`. `key`, `describe` and `version` say how samples show a failed row,
        and `group`, a function of the row and the error, what its cause is called: top causes are counted by that.

        `redact` gives what may be shown of a text: of key, row, version, group, message and stack. The hashes of keys and rows are keyed with a secret then.
        """
        return self._evaluated("map", rows, function, _schema(schema), Shown(key, describe, version, group, redact))

    def flat_map(
        self, rows: DataFrame, function: Callable[[Row], Iterable[Any]], schema: Schema, *, key: Text = None, describe: Text = None,
        version: Text = None, group: Group = None, redact: Redact = None
    ) -> DataFrame:
        """All that `function` makes of every row. A row of which it makes a part before it raises is dropped as a whole."""
        from pyspark.sql.types import ArrayType

        return self._evaluated("flatMap", rows, function, ArrayType(_schema(schema)), Shown(key, describe, version, group, redact))

    def filter(
        self, rows: DataFrame, function: Callable[[Row], bool], *, key: Text = None, describe: Text = None, version: Text = None,
        group: Group = None, redact: Redact = None
    ) -> DataFrame:
        """The rows for which `function` is true. Those for which it is not are neither out nor dropped."""
        from pyspark.sql.types import BooleanType

        return self._evaluated("filter", rows, function, BooleanType(), Shown(key, describe, version, group, redact))

    def count(self, rows: DataFrame) -> DataFrame:
        """The same rows, counted."""
        return self._frame(rows, calling(self._operators.count, self._step, java_frame(rows, f"step '{self.name}'"), _place()))

    @property
    def figures(self) -> Figures:
        """What has been counted so far by the operators of this object; reports add up the steps of one name."""
        told = json.loads(calling(self._driver.figures, self._step))
        return Figures(told["step"], told["counters"], told["exact"], told["reason"])

    @property
    def failures(self) -> DataFrame:
        """The samples of the rows that have failed so far in the operators of this object, as they are now; `andiron.failures` has the columns."""
        from pyspark.sql import DataFrame

        return DataFrame(calling(self._step.failures), self._spark)

    def close(self) -> None:
        """Lets the step go. Its figures stay in the report. Idempotent."""
        calling(self._step.close)

    def _evaluated(self, operator: str, rows: DataFrame, function: Any, value: Any, shown: Shown) -> DataFrame:
        from pyspark.sql.functions import struct, udf

        java_frame(rows, f"step '{self.name}'")
        for what, given in (("function", function), *shown._asdict().items()):
            if not callable(given) and (given is not None or what == "function"):
                of = "text" if what == "redact" else "row"
                raise ArgumentError(f"the {what} of {operator} in step '{self.name}' is a function of a {of}, not {given!r}", BAD_ARGUMENT)
        guarded = Guarded(function, value, shown)
        evaluate = udf(guarded, guarded.result(), useArrow=False).asNondeterministic()
        together = struct(*[rows[column] for column in map(_quoted, rows.columns)])
        # The row is read once for the function and once for the result, which only filter has.
        made = rows.select(together.alias("row"), evaluate(together).alias("made")) if operator == "filter" else rows.select(evaluate(together).alias("made"))
        apply = getattr(self._operators, operator)
        return self._frame(rows, calling(apply, self._step, made._jdf, list(self._counters.values()), _place()))

    @staticmethod
    def _frame(like: DataFrame, java_rows: Any) -> DataFrame:
        from pyspark.sql import DataFrame

        return DataFrame(java_rows, like.sparkSession)

    def __reduce__(self) -> NoReturn:
        raise ArgumentError(
            f"{self} stays on the driver and goes into no function: make its counters before, `hits = step.counter('hits')`, and use those in functions",
            BAD_ARGUMENT)

    def __enter__(self) -> Step:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"step '{self.name}'"


def _quoted(column: str) -> str:
    return "`" + column.replace("`", "``") + "`"


def _schema(schema: Schema) -> StructType:
    from pyspark.sql.types import StructType, _parse_datatype_string

    made = _parse_datatype_string(schema) if isinstance(schema, str) else schema
    if not isinstance(made, StructType):
        raise ArgumentError(f"a schema is a StructType or a text as 'id long, name string', not {schema!r}", BAD_ARGUMENT)
    return made


def _place() -> str:
    """File and line of the program that calls."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "andiron":
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}"
