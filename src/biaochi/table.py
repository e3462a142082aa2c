"""A table as it came in: columns of cells, each cell with its place; and what may stand in a cell."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadInput, Place, Problem, Text, nearest
from biaochi.method import Array

MISSING = frozenset({"", "NA", "N/A", "n/a", "NaN", "nan", "null", "..", "…", "—"})
"""Texts that mean "no value"."""

MANY = 200_000
"""Rows from which on a table is read column by column where it is held so."""

LONGEST_CELL = 32_767
"""Characters a cell may hold: what a spreadsheet allows."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Table:
    """Columns of equal length under their headers, with file, sheet and row numbers for messages."""

    columns: Mapping[str, Sequence[Any]]
    file: str | None = None
    sheet: str | None = None
    rows: Sequence[int] = ()
    """The number a user sees beside each row."""
    letters: Mapping[str, str] = field(default_factory=dict)
    """Column letters of a spreadsheet, by header."""
    coded: Callable[[str], tuple[Sequence[Any], NDArray[np.intp]] | None] | None = None
    """Of a table held column by column: the different labels of a column, and which one each row has; None if it has gaps."""
    values: Callable[[str], Array | None] | None = None
    """Of such a table: a column as finite numbers, NaN for missing; None if it is not."""
    long: bool = False
    """One observation a row, whatever the headers: never to be read as wide."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def place(self, i: int | None = None, column: str | None = None) -> Place:
        """Where the i-th row of a column stands in the source."""
        row = None if i is None else (self.rows[i] if i < len(self.rows) else i)
        named = column
        if column is not None and column in self.letters:
            named = f"{self.letters[column]} ({column})"
        return Place(self.file, self.sheet, row, named)

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Rows as dictionaries, with their index; rows without any content are passed over."""
        names = list(self.columns)
        for i, cells in enumerate(zip(*self.columns.values(), strict=True)):
            if any(not is_missing(c) for c in cells):
                yield i, dict(zip(names, cells, strict=True))

    def renamed(self, names: Mapping[str, str]) -> Table:
        """The same table with some headers replaced."""
        columns = {names.get(c, c): cells for c, cells in self.columns.items()}
        letters = {names.get(c, c): letter for c, letter in self.letters.items()}
        return Table(columns, self.file, self.sheet, self.rows, letters)

    @classmethod
    def of(cls, data: Any, name: str | None = None) -> Table:
        """A table from a pandas, polars or Arrow frame, or from a mapping of columns.

        Raises
        ------
        BadInput
            If it is none of these, or its columns differ in length or share a name.
        """
        if isinstance(data, Table):
            return data
        try:
            columns = {str(k): list(v) for k, v in data.items()} if isinstance(data, Mapping) else _frame_columns(data)
        except Exception as e:  # every frame library has errors of its own
            what = Text(f"a table must be a pandas, polars or Arrow frame or a mapping of columns; got {type(data).__name__} ({e}).",
                        f"表应为 pandas、polars、Arrow 数据框或列的映射；得到 {type(data).__name__}（{e}）。")  # fmt: skip
            raise BadInput(
                [Problem("not-a-table", what, Text("Collect a lazy frame; name each column once.", "惰性数据框请先 collect；列名不得重复。"), Place(name))]
            ) from None
        lengths = {k: len(v) for k, v in columns.items()}
        if len(set(lengths.values())) > 1:
            what = Text(f"the columns differ in length: {lengths}.", f"各列长度不同：{lengths}。")
            raise BadInput([Problem("uneven-columns", what, Text("Give every column a value for each row.", "请补齐各列。"), Place(name))])
        return cls(columns, name, rows=range(max(lengths.values(), default=0)))


def _frame_columns(data: Any) -> dict[str, list[Any]]:
    import narwhals as nw

    frame = nw.from_native(data, eager_only=True)
    return {str(c): frame[c].to_list() for c in frame.columns}


def is_missing(cell: Any) -> bool:
    """Whether a cell says "no value"."""
    if cell is None:
        return True
    if isinstance(cell, str):
        return cell.strip() in MISSING
    try:
        return bool(cell != cell)  # float NaN, pandas NA and NaT
    except (TypeError, ArithmeticError):
        return True
    except ValueError:  # an array in a cell
        return False


def text(cell: Any) -> str:
    """A cell as text: spaces trimmed, 140100.0 as 140100, missing as the empty string."""
    if cell is None or (not isinstance(cell, str) and is_missing(cell)):
        return ""
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell))
    trimmed = str(cell).strip()
    return "" if trimmed in MISSING else trimmed


def code(cell: Any) -> str:
    """A cell as a code or a name of a group: like `text`, but NA is a code (Namibia), not a missing value."""
    return cell.strip() if isinstance(cell, str) else text(cell)


def number(cell: Any) -> float | tuple[str, Text, Text]:
    """A cell as a number, NaN for a missing one; or kind, sentence and fix when it is neither."""
    if isinstance(cell, str):
        trimmed = cell.strip()
        if _NUMBER.fullmatch(trimmed):
            value = float(trimmed)
            return value if value - value == 0 else _not_finite(cell)
        return np.nan if trimmed in MISSING else _fault(cell, trimmed)
    if isinstance(cell, (bool, np.bool_)):
        return ("boolean", Text(f"{cell} is a yes/no value, not a number.", f"{cell} 是逻辑值，不是数字。"), _WRITE_NUMBER)
    if isinstance(cell, (int, float, np.integer, np.floating)):
        value = float(cell) if not isinstance(cell, int) or abs(cell) < 10**300 else np.inf  # float() of a larger one overflows
        return _not_finite(cell) if value in (np.inf, -np.inf) else value
    if is_missing(cell):
        return np.nan
    if hasattr(cell, "isoformat"):
        return (
            "date-for-number",
            Text(f"the cell holds the date {cell}, not a number (spreadsheets turn 3-8 or 1/2 into dates).",
                 f"该单元格是日期 {cell}，不是数字（电子表格会把 3-8、1/2 自动变成日期）。"),
            Text("Format the cell as a number and type the value again.", "请将单元格设为数值格式并重新录入。"),
        )  # fmt: skip
    try:
        return number(float(cell))  # Decimal and the like
    except (TypeError, ValueError):
        return _fault(str(cell), str(cell).strip())


_WRITE_NUMBER = Text("Write a plain number, or leave the cell empty.", "请填写纯数字，无值则留空。")


def _not_finite(cell: Any) -> tuple[str, Text, Text]:
    return ("not-finite", Text(f"{shown(cell)} is not a finite number.", f"{shown(cell)} 不是有限数。"), _WRITE_NUMBER)


def _fault(cell: str, trimmed: str) -> tuple[str, Text, Text]:
    """Name what keeps a text from being a number and, where it can be told, the number meant."""
    said = shown(cell)
    for kind, en, zh, meant in _readings(trimmed):
        if _NUMBER.fullmatch(meant):
            return (kind, Text(f"{said} {en}.", f"{said} {zh}。"), Text(f"Write {meant}.", f"请写 {meant}。"))
    if trimmed.startswith("#"):
        return (
            "spreadsheet-error",
            Text(f"{said} is a spreadsheet error.", f"{said} 是电子表格错误值。"),
            Text("Mend the formula and paste the value.", "请修正公式并粘贴为数值。"),
        )
    if trimmed.lower().lstrip("+-") in {"inf", "infinity"}:
        return _not_finite(cell)
    return ("text-for-number", Text(f"{said} is not a number.", f"{said} 不是数字。"), _WRITE_NUMBER)


def _readings(trimmed: str) -> Iterator[tuple[str, str, str, str]]:
    """Ways a text may be a number in disguise: kind, what it has, in both languages, and the number."""
    plain = unicodedata.normalize("NFKC", trimmed)
    if plain != trimmed:
        yield "full-width-digits", "is written in full-width characters", "使用了全角字符", plain
    if plain[-1:] in ("%", "‰"):
        yield "percent-sign", "carries a percent sign (the unit belongs in the framework)", "带有百分号（单位应写在指标体系中）", plain[:-1].rstrip()
    yield "thousands-separator", "has thousands separators", "带有千分位分隔符", re.sub(r"(?<=\d)[,\u2009\u00a0'’ ](?=\d{3})", "", plain)
    yield "decimal-comma", "has a decimal comma", "使用了小数逗号", plain.replace(",", ".", 1)
    yield "minus-sign", "has a typographic minus sign", "使用了排版减号", re.sub("^[−–﹣]", "-", plain)


def shown(cell: Any) -> str:
    """A cell quoted for a message, cut to 40 characters."""
    quoted = str(cell)
    return repr(quoted if len(quoted) <= 40 else quoted[:39] + "…")


def numbers(table: Table, column: str, problems: list[Problem]) -> Array:
    """A column as numbers; faults go to ``problems`` with their place and become NaN."""
    cells = table.columns[column]
    out = np.empty(len(cells))
    for i, cell in enumerate(cells):
        got = number(cell)
        if isinstance(got, tuple):
            kind, what, fix = got
            problems.append(Problem(kind, what, fix, table.place(i, column)))
            got = np.nan
        out[i] = got
    return out


def find_column(table: Table, names: Iterable[str]) -> str | None:
    """The header that goes by one of these names, without regard to case, spaces and underscores."""
    wanted = {_plain(n) for n in names}
    return next((c for c in table.columns if _plain(c) in wanted), None)


def missing_column(table: Table, names: Sequence[str], what: Text) -> Problem:
    """The problem of a table without a column it must have."""
    close = next((c for n in names if (c := nearest(n, table.columns))), None)
    headers = ", ".join(map(repr, list(table.columns)[:12]))
    hint = (f" Is it {close!r}?", f"是否为 {close!r}？") if close else ("", "")
    return Problem(
        "missing-column",
        Text(f"no column for {what.en}; the headers are {headers}.{hint[0]}", f"缺少{what.zh}列；现有表头：{headers}。{hint[1]}"),
        Text(f"Name a column {names[0]!r}, or map it under [columns] in biaochi.toml.",
             f"请将该列命名为 {names[0]!r}，或在 biaochi.toml 的 [columns] 中指定。"),
        table.place(),
    )  # fmt: skip


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]", "", unicodedata.normalize("NFKC", name)).casefold()
