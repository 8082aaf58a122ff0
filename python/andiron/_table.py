"""Tables on the driver: keyed side data whose versions share the rows that did not change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, Optional, Union

from andiron._session import java, java_frame, java_session
from andiron.errors import BAD_ARGUMENT, ArgumentError, calling

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row
    from pyspark.sql.types import DataType, StructType

On = Union[str, Iterable[str], Mapping[str, str]]


class Table:
    """Keyed side data whose versions share the rows that did not change. Created by andiron.table on the driver.

    The versions are those that the table had when this object was made, refreshed, or published by it.
    """

    def __init__(self, spark: Any, uri: str, driver: Any, handle: Any) -> None:
        self.uri = uri
        self._spark, self._driver, self._handle = spark, driver, handle

    @property
    def versions(self) -> tuple[str, ...]:
        """The names of the versions, in the order of their publication."""
        return tuple(json.loads(calling(self._driver.versions, self._handle)))

    @property
    def key(self) -> tuple[str, ...]:
        """The names of the key columns in the newest version, in the order of the key."""
        return tuple(json.loads(calling(self._driver.key, self._handle)))

    @property
    def schema(self) -> StructType:
        """The columns of the newest version. Raises an UnknownVersionError if there is no version."""
        from pyspark.sql.types import StructType

        return StructType.fromJson(json.loads(calling(self._driver.schema, self._handle)))

    def refresh(self) -> None:
        """Reads the list of versions again."""
        calling(self._handle.refresh)

    def publish(
        self, rows: DataFrame, version: str, key: Union[str, Iterable[str]] = (), valid_from: Optional[datetime] = None, base: bool = False,
        shards: int = 0,
    ) -> None:
        """Publishes all of `rows` as a version. It is visible when the call returns, and not at all if it fails: what
        differs from the newest version is written, and a step's gate is asked before.

        `key` names the key columns and may be left out once the table has a version. A key that is null or occurs
        twice is a TableError that names it. `valid_from` is the time from which on the version is valid; without a
        time zone it is local time, as in PySpark. `base` writes all rows, as for a change of the columns that older rows
        do not allow. `shards`, of a new table, is a power of two up to 4,096, or 0: from the rows.
        """
        names = [key] if isinstance(key, str) else list(key)
        for name, value, kinds in (("version", version, (str,)), ("valid_from", valid_from, (datetime, type(None))), ("base", base, (bool,))):
            if not isinstance(value, kinds):
                raise ArgumentError(f"a version of table {self.uri} is published with {value!r} as its {name}", BAD_ARGUMENT)
        if not all(isinstance(name, str) for name in names):
            raise ArgumentError(f"the key of table {self.uri} is names of columns, not {key!r}", BAD_ARGUMENT)
        if isinstance(shards, bool) or not isinstance(shards, int) or not 0 <= shards <= 4096:
            raise ArgumentError(f"table {self.uri}: {shards!r} is no number of shards: a power of two up to 4,096, or 0", BAD_ARGUMENT)
        frame = java_frame(rows, f"a version of table {self.uri}")
        calling(self._driver.publish, self._handle, frame, version, names, _micros(valid_from), base, shards)

    def get(self, version: str, key: Any) -> Optional[Row]:
        """The row with this key in a version; None if there is none, or if a part of the key is null. A key of several
        columns is a tuple.

        Loads the version in the driver's process: a peek, and no way to join.
        """
        from pyspark.sql import DataFrame

        if not isinstance(version, str):
            raise ArgumentError(f"a version of table {self.uri} is a str, not {version!r}", BAD_ARGUMENT)
        parts, schema = key if isinstance(key, tuple) else (key,), self.schema
        types = [schema[name].dataType for name in self.key]
        if len(parts) != len(types):
            raise ArgumentError(f"the key of table {self.uri} is ({', '.join(self.key)}), and {key!r} has {len(parts)} parts", BAD_ARGUMENT)
        internal = [self._part(part, of) for part, of in zip(parts, types)]
        found = calling(self._driver.get, self._spark._jsparkSession, self._handle, version, internal)
        rows = DataFrame(found, self._spark).collect()
        return rows[0] if rows else None

    def read(self, version: str) -> DataFrame:
        """The rows of a version, with the columns that it has."""
        from pyspark.sql import DataFrame

        if not isinstance(version, str):
            raise ArgumentError(f"a version of table {self.uri} is a str, not {version!r}", BAD_ARGUMENT)
        return DataFrame(calling(self._handle.read, version), self._spark)

    def _part(self, part: Any, of: DataType) -> Any:
        from pyspark.sql.types import DateType, DecimalType, TimestampNTZType, TimestampType

        if part is None:
            return None
        try:
            if isinstance(of, (DateType, TimestampType, TimestampNTZType)):
                return of.toInternal(part)
            if isinstance(of, DecimalType):
                number = Decimal(part)
                if not number.is_finite():
                    raise ValueError(part)
                return str(number)
        except (ArithmeticError, AttributeError, TypeError, ValueError):
            raise ArgumentError(f"a key of table {self.uri} has {part!r} for a {of.simpleString()}", BAD_ARGUMENT) from None
        return bytearray(part) if isinstance(part, bytes) else part

    def __contains__(self, version: object) -> bool:
        return version in self.versions

    def __reduce__(self) -> NoReturn:
        raise ArgumentError(f"{self!r} stays on the driver and cannot be used in a function", BAD_ARGUMENT)

    def __repr__(self) -> str:
        count = len(self.versions)
        return f"Table({self.uri!r}, {count} version{'' if count == 1 else 's'})"


def table(spark: Any, uri: str) -> Table:
    """The table in a directory, a path or URI as Hadoop reads it, which need not exist before the first version is
    published.

    Reads the list of its versions. Raises a SettingError without the jar, a TableError if the table's documents are
    damaged or of a later release, and a ConnectError over Spark Connect.
    """
    what = "a table"
    session = java_session(spark, what)
    if not isinstance(uri, str) or not uri:
        raise ArgumentError(f"the directory of a table is a str, not {uri!r}", BAD_ARGUMENT)
    driver = java(spark, "PythonTables", what)
    handle = calling(driver.table, session, uri)
    return Table(spark, calling(handle.uri), driver, handle)


def lookup(
    rows: DataFrame, table: Table, on: On, version: Any = None, select: Iterable[str] = (), *, as_of: Any = None, missing: str = "fail",
) -> DataFrame:
    """Adds columns of the table to every row: those of the record that has the row's key in its version. They are null
    if there is no such record, or if version or key is null.

    `on` are columns of the rows that have the names of the key columns, or a dict of column and key column. The version
    is that of `version`, a column or its name, or the one that is valid at the time of `as_of`: the one with the
    latest `valid_from` that is not after it. `select` names columns of the newest version; by default all but the key.
    `missing` says what becomes of a row whose version is not null and not in the table: `fail`, `null`, or `skip`.
    """
    arguments = checked(rows, table, on, as_of if version is None else version, select)
    if (version is None) == (as_of is None):
        raise ArgumentError(f"a lookup in table {table.uri} takes either a version or as_of", BAD_ARGUMENT)
    if missing not in ("fail", "null", "skip"):
        raise ArgumentError(f"rows whose version table {table.uri} lacks can fail, null or skip, not {missing!r}", BAD_ARGUMENT)
    if version is None:
        found = calling(table._driver.lookupAsOf, *arguments)
    else:
        found = calling(table._driver.lookup, *arguments, missing)
    return type(rows)(found, table._spark)


def checked(rows: Any, table: Any, on: Any, version: Any, select: Any) -> tuple[Any, ...]:
    """The arguments of a lookup as the JVM takes them."""
    from pyspark.sql import functions as F

    if not isinstance(table, Table):
        raise ArgumentError(f"a lookup needs a Table, not {table!r}", BAD_ARGUMENT)
    what = f"a lookup in table {table.uri}"
    try:
        pairs: dict[Any, Any] = dict(on) if isinstance(on, Mapping) else {name: name for name in ([on] if isinstance(on, str) else list(on))}
        names = [select] if isinstance(select, str) else list(select)
    except TypeError:
        pairs, names = {None: None}, []
    if not all(isinstance(name, str) for name in (*pairs, *pairs.values(), *names)):
        raise ArgumentError(f"{what} is on names of columns, and selects such, not {on!r} and {select!r}", BAD_ARGUMENT)
    frame = java_frame(rows, what)
    column = F.col(version) if isinstance(version, str) else version
    if not hasattr(column, "_jc"):
        raise ArgumentError(f"{what} takes its version or time from a column or its name, not {version!r}", BAD_ARGUMENT)
    return frame, table._handle, pairs, column._jc, names


def _micros(time: Optional[datetime]) -> Optional[int]:
    """Microseconds since the epoch, as PySpark counts them."""
    from pyspark.sql.types import TimestampType

    return None if time is None else TimestampType().toInternal(time)
