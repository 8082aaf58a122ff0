"""The rows of a batch by version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from andiron.errors import BAD_ARGUMENT, ArgumentError


def parts(batch: Any, column: str, dataset: str) -> Iterator[tuple[object, Callable[[], Any]]]:
    """Each value of the column, nulls included, with a function that returns the rows of that value in their order."""
    kind = type(batch).__module__.split(".")[0]
    if kind not in ("pandas", "pyarrow") or not hasattr(batch, "columns"):
        raise ArgumentError(f"a batch for dataset '{dataset}' is a pandas.DataFrame, a RecordBatch or a Table, not a {type(batch).__name__}", BAD_ARGUMENT)
    names = batch.columns if kind == "pandas" else batch.schema.names
    if column not in names:
        raise ArgumentError(f"a batch for dataset '{dataset}' has no column {column!r}, which names the version; it has {', '.join(map(str, names))}", BAD_ARGUMENT)
    return _of_pandas(batch, column) if kind == "pandas" else _of_arrow(batch, column)


def _of_pandas(batch: Any, column: str) -> Iterator[tuple[object, Callable[[], Any]]]:
    for version, rows in batch.groupby(column, dropna=False, sort=False, observed=True):
        yield version, partial(_same, rows)


def _same(rows: Any) -> Any:
    return rows


def _of_arrow(batch: Any, column: str) -> Iterator[tuple[object, Callable[[], Any]]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    # In Arrow nulls and NaN equal no value, but their indices in the dictionary can be compared.
    values = batch.column(column)
    whole = pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) and values.num_chunks else values
    whole = whole.cast(whole.type.value_type) if pa.types.is_dictionary(whole.type) else whole
    if not len(whole):
        return
    coded = whole.dictionary_encode("encode")

    def rows(at: int) -> Any:
        return batch.filter(pc.equal(coded.indices, at))

    for at, version in enumerate(coded.dictionary):
        yield version, partial(rows, at)
