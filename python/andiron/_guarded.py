"""The functions of steps as workers run them: what a row becomes, or why it failed, for the step's operator in the JVM."""

from __future__ import annotations

import operator
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from andiron._plain import plain
from andiron.errors import BAD_ARGUMENT, ArgumentError

if TYPE_CHECKING:
    from pyspark.sql.types import DataType, StructType

MOST_FRAMES = 64
MOST_CHARACTERS = 1 << 16


class Counting(threading.local):
    """What the function that runs on this thread has added to counters."""

    counts: Optional[dict[str, int]] = None

    def add(self, name: str, n: int) -> bool:
        number = _whole(name, n)
        if self.counts is None:
            return False
        self.counts[name] = _whole(name, self.counts.get(name, 0) + number)
        return True


def _whole(name: str, n: Any) -> int:
    """`n` as Spark's long; an error for what would become null there, or no number."""
    try:
        number = operator.index(n)
    except TypeError:
        number = None
    if number is None or isinstance(n, bool) or not -(1 << 63) <= number < 1 << 63:
        raise ArgumentError(f"counter '{name}' counts whole numbers of 64 bits, not {n!r}", BAD_ARGUMENT)
    return number


counting = Counting()


class Guarded:
    """A function of a row that never raises: its result has a value, or an error and how the row is shown. PythonSteps.scala reads it."""

    def __init__(
        self, function: Callable[[Any], Any], value: DataType, key: Optional[Callable[[Any], object]],
        describe: Optional[Callable[[Any], object]], version: Optional[Callable[[Any], object]],
        group: Optional[Callable[[Any, BaseException], object]] = None
    ) -> None:
        self._function, self._value, self._group = function, value, group
        self._shown = {name: text for name, text in (("text", describe or str), ("key", key), ("version", version)) if text is not None}
        self._verify: Optional[Callable[[Any], None]] = None
        self._plain: Optional[Callable[[Any], Any]] = None

    def result(self) -> StructType:
        """The type of what it gives."""
        from pyspark.sql.types import ArrayType, IntegerType, LongType, MapType, StringType, StructField, StructType

        def struct(**fields: DataType) -> StructType:
            return StructType([StructField(name, kind) for name, kind in fields.items()])

        text = StringType()
        frames = ArrayType(struct(module=text, function=text, file=text, line=IntegerType()))
        shown = {name: text for name in ("key", "version") if name in self._shown} | ({"group": text} if self._group else {})
        return struct(value=self._value, error=struct(kind=text, message=text, frames=frames), counts=MapType(text, LongType()), text=text, **shown)

    def __call__(self, row: Any) -> tuple[Any, ...]:
        counts = counting.counts = {}
        try:
            value = self._checked(self._function(row))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # SystemExit too, and what libraries derive from neither, as PyO3 its panics: the worker lives on.
            return None, _told(error), counts or None, *(_shown(text, row) for text in self._shown.values()), *self._grouped(row, error)
        finally:
            counting.counts = None
        return value, None, counts or None, *(None for _ in self._shown), *self._grouped(row, None)

    def _grouped(self, row: Any, error: Optional[BaseException]) -> tuple[Optional[str], ...]:
        """What the user calls the cause of the row's failure, in the place that it has in the result, if there is one."""
        group = self._group
        if group is None:
            return ()
        return (None if error is None else _shown(lambda row: group(row, error), row),)

    def _checked(self, value: Any) -> Any:
        """The value, if it is what the step declares: what Spark cannot convert would become null without a word."""
        from pyspark.sql.types import ArrayType, _make_type_verifier

        if self._verify is None or self._plain is None:
            self._verify, self._plain = _make_type_verifier(self._value, nullable=False), plain(self._value)
        made = self._plain(list(value) if isinstance(self._value, ArrayType) else value)
        self._verify(made)
        return made

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_verify": None, "_plain": None}


def _told(error: BaseException) -> tuple[str, str, list[tuple[str, str, str, int]]]:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return name, _shown(str, error), _frames(error)


def _frames(error: BaseException) -> list[tuple[str, str, str, int]]:
    """Module, function, file and line, the innermost first, without this file's own."""
    found = [
        (frame.f_globals.get("__name__", "?"), frame.f_code.co_name, frame.f_code.co_filename.rsplit("/", 1)[-1], line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__") != __name__
    ]
    return found[::-1][:MOST_FRAMES]


def _shown(text: Callable[[Any], object], of: Any) -> str:
    """The text; what raises is replaced by a text that says so."""
    try:
        return str(text(of))[:MOST_CHARACTERS]
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"(not shown: {type(error).__name__})"
