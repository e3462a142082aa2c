"""What experts said, kept in a table of its own: a recipe names the file in place of the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from biaochi.errors import BadInput, BiaochiError, Place, Problem, Text
from biaochi.files import read_table
from biaochi.table import Table, find_column, is_missing, missing_column, number, text

COLUMNS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "comparisons": {"first": ("first", "甲"), "second": ("second", "乙"), "times": ("times", "倍数"), "expert": ("expert", "专家")},
    "points": {"child": ("child", "code", "指标", "代码"), "points": ("points", "分数"), "expert": ("expert", "专家")},
}
"""Columns of a table of comparisons or points; the expert may be left out."""


def with_tables(recipe: Any, folder: Path, problems: list[Problem], place: Place) -> Any:
    """A recipe's table with every file of comparisons or points read into the list it stands for.

    Parameters
    ----------
    recipe : mapping
        As read from TOML.
    folder : Path
        What file names are relative to; ``file.xlsx#Sheet`` names a sheet.
    problems : list
        Takes up what is wrong with the files.
    place : Place
        Where the recipe stands.
    """
    if not isinstance(recipe, Mapping):
        return recipe
    out = {}
    for key, value in recipe.items():
        if key in COLUMNS and isinstance(value, str):
            found, before = list[list[Any]](), len(problems)
            try:
                rows = list(_rows(read_table(folder / value), COLUMNS[key]))
                problems += [r for r in rows if isinstance(r, Problem)]
                found = [r for r in rows if not isinstance(r, Problem)]
            except BadInput as e:
                problems += e.problems
            except BiaochiError as e:
                problems.append(Problem("cannot-read", e.text, Text("", ""), place))
            if len(problems) > before:
                return {"method": "equal"}  # what is wrong is told; the rest of the recipe can still be checked
            out[key] = found
        else:
            out[key] = with_tables(value, folder, problems, place)
    return out


def _rows(table: Table, names: Mapping[str, Sequence[str]]) -> Iterator[list[Any] | Problem]:
    at = {column: find_column(table, headers) for column, headers in names.items()}
    absent = [c for c, header in at.items() if header is None and c != "expert"]
    for c in absent:
        yield missing_column(table, names[c], Text(c, names[c][-1]))
    if absent:
        return
    value = "times" if "times" in at else "points"
    codes = [c for c in at if c not in (value, "expert")]
    for i, r in table.records():
        row: list[Any] = [text(r[str(at[c])]) for c in codes]
        got = _times(r[str(at[value])])
        if isinstance(got, Text):
            yield Problem("bad-judgement", got, Text("Write a number, or a fraction such as 1/3.", "请填写数，或 1/3 这样的分数。"), table.place(i, at[value]))
            continue
        row.append(got)
        if at["expert"] is not None and not is_missing(r[at["expert"]]):
            row.append(text(r[at["expert"]]))
        yield row


def _times(cell: Any) -> float | Text:
    """A number, or a fraction as experts write them."""
    top, _, below = str(cell).partition("/")
    parts = [number(top.strip()), number(below.strip())] if below else [number(cell)]
    values = [p for p in parts if isinstance(p, float) and p == p]
    if len(values) != len(parts) or (below and not values[1]):
        return Text(f"{cell!r} is not a number.", f"{cell!r} 不是数。")
    return float(values[0] / values[1]) if below else float(values[0])
