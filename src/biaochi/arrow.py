"""Arrow tables as ours without turning every cell into a Python object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadInput, Place, Problem, Text
from biaochi.method import Array
from biaochi.table import MANY, MISSING, Table


class _Column(Sequence[Any]):
    """A column whose cells become Python objects when they are asked for."""

    def __init__(self, column: Any) -> None:
        self._column = column
        self._cells: list[Any] | None = None

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, i: Any) -> Any:
        return self._column[i].as_py() if self._cells is None and isinstance(i, int) else self._list()[i]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._list())

    def _list(self) -> list[Any]:
        if self._cells is None:
            self._cells = self._column.to_pylist()
        return self._cells


def table_of(data: Any, name: str | None, rows: Sequence[int], tidy: Callable[[str], str] = str) -> Table:
    """An Arrow table as a `Table` that is held column by column.

    Raises
    ------
    BadInput
        If two columns share a name.
    """
    names = [tidy(n) for n in data.column_names]
    if len(set(names)) < len(names):
        raise BadInput(
            [Problem("duplicate-header", Text(f"columns share a name: {names}.", f"列名重复：{names}。"), Text("Rename one.", "请改名。"), Place(name))]
        )
    columns = dict(zip(names, data.columns, strict=True))
    return Table({n: _Column(c) for n, c in columns.items()}, name, rows=rows, coded=lambda n: _coded(columns[n]), values=lambda n: _numbers(columns[n]))


def as_table(data: Any) -> Table:
    """Anything `Table.of` takes; a large Arrow or polars table stays column by column."""
    kind = type(data).__module__.split(".", maxsplit=1)[0]
    if kind == "polars" and hasattr(data, "to_arrow") and len(data) >= MANY and not any(t.is_nested() or t.is_object() for t in data.dtypes):
        with suppress(Exception):  # types that Arrow does not have
            data, kind = data.to_arrow(), "pyarrow"
    if kind == "pyarrow" and hasattr(data, "itercolumns") and hasattr(data, "combine_chunks") and len(data) >= MANY:
        return table_of(data, None, range(len(data)))
    return Table.of(data)


def _coded(column: Any) -> tuple[Sequence[Any], NDArray[np.intp]] | None:
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if column.null_count or not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)):
        return None
    held = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    held = held.unify_dictionaries().combine_chunks()
    if isinstance(held, pa.ChunkedArray):
        held = held.chunk(0) if held.num_chunks else pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string()))
    return held.dictionary.to_pylist(), np.asarray(held.indices.to_numpy(zero_copy_only=False), np.intp)


def _numbers(column: Any) -> Array | None:
    """Finite numbers; text that is a plain number or says "no value" is taken for what it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        said = pc.utf8_trim(column, characters=" ")
        column = pc.if_else(pc.is_in(said, pa.array(sorted(MISSING))), None, said)
        spelt = pc.match_substring_regex(column, "(?i)nan")
        if pc.any(spelt).as_py():
            return None
    elif not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        return None
    try:
        values = np.array(column.cast(pa.float64()).to_numpy(), float)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return None if np.isinf(values).any() else values


def encoded(labels: Sequence[str], at: NDArray[np.integer[Any]]) -> Any:
    """A column of labels as Arrow holds it: the different ones, and which one each row has."""
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(np.asarray(at, np.int32)), pa.array(list(labels), pa.string()))


def table_from(columns: Mapping[str, Any]) -> Any:
    """An Arrow table from arrays and coded columns."""
    import pyarrow as pa

    return pa.table(dict(columns))
