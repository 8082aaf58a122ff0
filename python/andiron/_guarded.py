"""The functions of steps in workers: the result of a row, or its error, for the step's operator in the JVM."""

from __future__ import annotations

import operator
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from andiron._plain import plain
from andiron.errors import BAD_ARGUMENT, ArgumentError

if TYPE_CHECKING:
    from pyspark.sql.types import DataType, StructType

MOST_FRAMES = 64
MOST_CHARACTERS = 1 << 16


class Counting(threading.local):
    """The additions to counters by the function that runs on this thread."""

    counts: Optional[dict[str, int]] = None

    def add(self, name: str, n: int) -> bool:
        number = _whole(name, n)
        if self.counts is None:
            return False
        self.counts[name] = _whole(name, self.counts.get(name, 0) + number)
        return True


def _whole(name: str, n: Any) -> int:
    """`n` as Spark's long. An error if it is no whole number, or would become null there."""
    try:
        number = operator.index(n)
    except TypeError:
        number = None
    if number is None or isinstance(n, bool) or not -(1 << 63) <= number < 1 << 63:
        raise ArgumentError(f"counter '{name}' counts whole numbers of 64 bits, not {n!r}", BAD_ARGUMENT)
    return number


counting = Counting()


class Shown(NamedTuple):
    """The functions that describe a failed row in its sample: `key`, `describe` and `version` of the row, `group` of
    the row and the error, and `redact` of each text. Without `describe` the row is shown by `str`, without `redact`
    texts are unchanged; else None means no text."""

    key: Optional[Callable[[Any], object]] = None
    describe: Optional[Callable[[Any], object]] = None
    version: Optional[Callable[[Any], object]] = None
    group: Optional[Callable[[Any, BaseException], object]] = None
    redact: Optional[Callable[[str], object]] = None


class Guarded:
    """A function of a row that raises no error of the user's function: its result has a value, or an error with the
    texts of the sample. PythonSteps.scala reads it."""

    def __init__(self, function: Callable[[Any], Any], value: DataType, shown: Shown) -> None:
        self._function, self._value, self._group, self._redact = function, value, shown.group, shown.redact
        texts = (("text", shown.describe or str), ("key", shown.key), ("version", shown.version))
        self._shown = {name: text for name, text in texts if text is not None}
        self._texts = (*self._shown, *(("group",) if shown.group is not None else ()), *(("identity", "stack") if shown.redact is not None else ()))
        self._verify: Optional[Callable[[Any], None]] = None
        self._plain: Optional[Callable[[Any], Any]] = None

    def result(self) -> StructType:
        """The type of its results."""
        from pyspark.sql.types import ArrayType, IntegerType, LongType, MapType, StringType, StructField, StructType

        def struct(**fields: DataType) -> StructType:
            return StructType([StructField(name, kind) for name, kind in fields.items()])

        text = StringType()
        frames = ArrayType(struct(module=text, function=text, file=text, line=IntegerType()))
        shown = {name: text for name in self._texts}
        return struct(value=self._value, error=struct(kind=text, message=text, frames=frames), counts=MapType(text, LongType()), **shown)

    def __call__(self, row: Any) -> tuple[Any, ...]:
        counts = counting.counts = {}
        try:
            value = self._checked(self._function(row))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # Includes SystemExit, and classes that derive only from BaseException, such as PyO3's panics: the worker
            # stays alive.
            return None, *self._failed(row, error, counts)
        finally:
            counting.counts = None
        return value, None, counts or None, *(None for _ in self._texts)

    def _failed(self, row: Any, error: BaseException, counts: dict[str, int]) -> tuple[Any, ...]:
        """The error, the counts, and the texts of the sample."""
        kind, message, frames = _told(error)
        texts = {name: _text(text, row) for name, text in self._shown.items()}
        identity, group = texts.get("key", texts["text"]), self._group
        if group is not None:
            texts["group"] = _text(lambda row: group(row, error), row)
        if self._redact is None:
            return (kind, _cut(message), frames), counts or None, *map(_cut, texts.values())
        lines = [f"{kind}: {message}", *(f"\tat {module}.{function}({file}:{line})" for module, function, file, line in frames)]
        # Cut after the redaction, so that `redact` sees whole texts.
        told, stack, *shown = (_cut(_text(self._redact, text)) for text in (message, "\n".join(lines), *texts.values()))
        return (kind, told, frames), counts or None, *shown, identity, stack

    def _checked(self, value: Any) -> Any:
        """The value, if it has the declared type: Spark would silently turn a value that it cannot convert into
        null."""
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
    return name, _text(str, error), _frames(error)


def _frames(error: BaseException) -> list[tuple[str, str, str, int]]:
    """Module, function, file and line of each frame, the innermost first, without the frames of this file."""
    found = [
        (frame.f_globals.get("__name__", "?"), frame.f_code.co_name, frame.f_code.co_filename.rsplit("/", 1)[-1], line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__") != __name__
    ]
    return found[::-1][:MOST_FRAMES]


def _text(text: Callable[[Any], object], of: Any) -> str:
    """The text of `of`; if the function raises, a text that says so."""
    try:
        return str(text(of))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"(not shown: {type(error).__name__})"


def _cut(text: str) -> str:
    return text[:MOST_CHARACTERS]
