"""The errors of Andiron. Each message has the object, the reason and advice; `code` is stable, and the same as in
Scala."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional, TypeVar

A = TypeVar("A")
MOST_CAUSES = 100


class AndironError(Exception):
    """Any failure of Andiron."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message, code)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return self.message


class UnknownVersionError(AndironError, KeyError):
    """A row names no version, or one that the catalog does not have."""


class BudgetError(AndironError):
    """The budget cannot hold the version, or did not become free in time."""


class SourceError(AndironError):
    """A version's source is missing, was changed while it was read, or differs from its declaration in the catalog."""


class LoadError(AndironError):
    """A load failed or took too long."""


class StoreError(AndironError):
    """The executor's local directory or disk failed."""


class ReleasedError(AndironError):
    """A cursor, a version's bytes or a catalog was used after it was released or closed, or outside its task."""


class SettingError(AndironError):
    """A setting is wrong, or the jar or the plugin is missing."""


class MetricsError(AndironError):
    """The metrics' log or reports cannot be used."""


class GateError(AndironError):
    """A step drops more rows than its gate allows, or cannot be judged."""


class TableError(AndironError):
    """A table's files, rows or limits do not allow the operation."""


class OutOfBoundsError(AndironError, IndexError):
    """A read outside the version's bytes."""


class ArgumentError(AndironError, TypeError):
    """An argument of a wrong type or value."""


class ConnectError(AndironError):
    """The feature does not work over Spark Connect."""


BAD_ARGUMENT, BAD_SETTING, IO, RELEASED = 403, 116, 119, 114

_BY_CLASS: dict[str, type[AndironError]] = {
    "UnknownVersionException": UnknownVersionError, "BudgetException": BudgetError, "SourceException": SourceError,
    "LoadException": LoadError, "StoreException": StoreError, "ReleasedException": ReleasedError, "SettingException": SettingError,
    "MetricsException": MetricsError, "GateException": GateError, "EnvironmentException": SettingError, "TableException": TableError,
}


def named(name: str, message: str, code: int) -> AndironError:
    """The error for one of Scala's exceptions, by the name of its class."""
    kind = ArgumentError if code == BAD_ARGUMENT else _BY_CLASS.get(name, AndironError)
    return kind(message, code)


def of_java(throwable: Any) -> Optional[AndironError]:
    """The error for the first of Andiron's exceptions among a Java exception and its causes; None if there is none."""
    for _ in range(MOST_CAUSES):
        if throwable is None:
            return None
        package, _, name = throwable.getClass().getName().rpartition(".")
        if package == "andiron" and hasattr(throwable, "code"):
            return named(name, throwable.getMessage(), throwable.code())
        throwable = throwable.getCause()
    return None


def java_of(error: BaseException) -> Any:
    """The Java exception behind an exception of PySpark; None if there is none."""
    return getattr(error, "java_exception", None) or getattr(error, "_origin", None)


def calling(function: Callable[..., A], *arguments: object) -> A:
    """Calls the JVM and converts Andiron's Java exceptions to Python errors."""
    try:
        return function(*arguments)
    except Exception as error:
        java = java_of(error)
        ours = of_java(java) if java is not None else None
        if ours is None:
            raise
        raise ours from error
