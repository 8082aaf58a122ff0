"""Steps: named parts of a pipeline. Each row counts once, even if Spark computes it several times."""

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

    from andiron._table import On, Table

Schema = Union["StructType", str]
Text = Optional[Callable[["Row"], object]]
Group = Optional[Callable[["Row", BaseException], object]]
Redact = Optional[Callable[[str], object]]


@dataclass(frozen=True)
class Figures:
    """The figures of a step. `counters` has `in`, `out`, `dropped` and the user's own; `reason` says why the figures
    are not exact."""

    step: str
    counters: dict[str, int]
    exact: bool
    reason: str

    def __getitem__(self, counter: str) -> int:
        return self.counters.get(counter, 0)


class Counter:
    """A user counter of a step, for the functions of its operators. It counts each row once. Outside these functions it
    counts nothing."""

    def __init__(self, step: str, name: str) -> None:
        self.step, self.name = step, name

    def add(self, n: int) -> bool:
        """Adds `n`, which may be negative. Returns whether it was counted."""
        return counting.add(self.name, n)

    def increment(self) -> bool:
        """Adds one."""
        return self.add(1)


class Step:
    """A named part of a pipeline. Create it on the driver; close it when no further job of it will run.

    A row for which a function raises is dropped, counted and sampled, and the job continues. The functions run in
    Python workers, row by row; the step's operator, which follows them in the JVM, counts. Functions of whole batches,
    as in mapInPandas, cannot be guarded row by row: use `count` before and after them. RDDs have no steps in Python:
    convert them to DataFrames.
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
        """The counter of this name; each name has one. Create it before the operators whose functions use it."""
        if not isinstance(name, str):
            raise ArgumentError(f"a counter of step '{self.name}' is named by a str, not by {name!r}", BAD_ARGUMENT)
        if name not in self._counters:
            self._counters[name] = calling(self._step.counter, name)
        return Counter(self.name, name)

    def map(
        self, rows: DataFrame, function: Callable[[Row], Any], schema: Schema, *, key: Text = None, describe: Text = None, version: Text = None,
        group: Group = None, redact: Redact = None
    ) -> DataFrame:
        """Applies `function` to every row; it returns a Row, tuple or dict of `schema`. `key`, `describe` and `version`
        are functions of the row for the sample of a failed row. `group`, a function of the row and the error, names the
        cause by which top causes are counted.

        `redact` returns the part of a text that may be shown; it is applied to key, row, version, group, message and
        stack. With `redact` the hashes of keys and rows are keyed with a secret.
        """
        return self._evaluated("map", rows, function, _schema(schema), Shown(key, describe, version, group, redact))

    def flat_map(
        self, rows: DataFrame, function: Callable[[Row], Iterable[Any]], schema: Schema, *, key: Text = None, describe: Text = None,
        version: Text = None, group: Group = None, redact: Redact = None
    ) -> DataFrame:
        """All results of `function` for every row. A row for which it raises after some results is dropped as a
        whole."""
        from pyspark.sql.types import ArrayType

        return self._evaluated("flatMap", rows, function, ArrayType(_schema(schema)), Shown(key, describe, version, group, redact))

    def filter(
        self, rows: DataFrame, function: Callable[[Row], bool], *, key: Text = None, describe: Text = None, version: Text = None,
        group: Group = None, redact: Redact = None
    ) -> DataFrame:
        """The rows for which `function` returns true. The others count neither as `out` nor as `dropped`."""
        from pyspark.sql.types import BooleanType

        return self._evaluated("filter", rows, function, BooleanType(), Shown(key, describe, version, group, redact))

    def count(self, rows: DataFrame) -> DataFrame:
        """The same rows, counted."""
        return self._frame(rows, calling(self._operators.count, self._step, java_frame(rows, f"step '{self.name}'"), _place()))

    def lookup(self, rows: DataFrame, table: Table, on: On, version: Any, select: Iterable[str] = ()) -> DataFrame:
        """The rows whose key has a record in the version that they name, with columns of that record; see
        `andiron.lookup`. A row is dropped, counted and sampled if its version is null or unknown, or if the version has no
        record of its key."""
        from andiron._table import checked

        frame, handle, pairs, column, names = checked(rows, table, on, version, select)
        return self._frame(rows, calling(table._driver.stepLookup, self._step, frame, handle, pairs, column, names, _place()))

    @property
    def figures(self) -> Figures:
        """The counts so far of the operators of this object; reports sum the steps of one name."""
        told = json.loads(calling(self._driver.figures, self._step))
        return Figures(told["step"], told["counters"], told["exact"], told["reason"])

    @property
    def failures(self) -> DataFrame:
        """The samples so far of failed rows in the operators of this object; `andiron.failures` lists the columns."""
        from pyspark.sql import DataFrame

        return DataFrame(calling(self._step.failures), self._spark)

    def close(self) -> None:
        """Closes the step. Its figures remain in the report. Idempotent."""
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
        # Only filter returns the row itself beside the result of the function.
        made = rows.select(together.alias("row"), evaluate(together).alias("made")) if operator == "filter" else rows.select(evaluate(together).alias("made"))
        apply = getattr(self._operators, operator)
        return self._frame(rows, calling(apply, self._step, made._jdf, list(self._counters.values()), _place()))

    @staticmethod
    def _frame(like: DataFrame, java_rows: Any) -> DataFrame:
        from pyspark.sql import DataFrame

        return DataFrame(java_rows, like.sparkSession)

    def __reduce__(self) -> NoReturn:
        raise ArgumentError(
            f"{self} stays on the driver and cannot be used in a function: create its counters before, `hits = step.counter('hits')`, and use those in functions",
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
        raise ArgumentError(f"a schema is a StructType or a string such as 'id long, name string', not {schema!r}", BAD_ARGUMENT)
    return made


def _place() -> str:
    """File and line of the caller's program."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "andiron":
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}"
