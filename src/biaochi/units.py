"""Units: what is scored, read from a table and checked."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from biaochi.errors import Place, Problem, Text, refuse, unknown
from biaochi.table import Table, code, find_column, missing_column, text


@dataclass(frozen=True)
class Unit:
    """What is scored: a province, a city, a county, a country."""

    code: str
    name_zh: str = ""
    name_en: str = ""
    parent: str | None = None
    ranked: bool = True
    """False for a reference unit (a total, a mean): scored on the others' scale, never ranked."""
    groups: tuple[tuple[str, str], ...] = ()
    """(grouping, group) pairs, such as ("region", "East")."""

    def name(self, lang: str = "en") -> str:
        """The name in one language, in the other where it has none, else the code."""
        first, second = (self.name_zh, self.name_en) if lang == "zh" else (self.name_en, self.name_zh)
        return first or second or self.code

    def to_dict(self) -> dict[str, Any]:
        """What matters for the numbers."""
        return {"code": self.code, "parent": self.parent, "ranked": self.ranked, "groups": dict(sorted(self.groups))}


def read_units(units: Any, found: list[Problem]) -> tuple[tuple[Unit, ...] | None, dict[str, Place]]:
    """Units from a table or a sequence of `Unit`; None when none are given."""
    if units is None:
        return None, {}
    if isinstance(units, (list, tuple)) and all(isinstance(u, Unit) for u in units):
        return _given(tuple(units), found), {}
    table = Table.of(units)
    named = {f: find_column(table, names) for f, names in _UNIT_COLUMNS.items()}
    if named["code"] is None:
        found.append(missing_column(table, _UNIT_COLUMNS["code"], Text("the unit's code", "单位代码")))
        return None, {}
    known = {code(c) for c in table.columns[named["code"]]} - {""}
    if not known:
        found.append(Problem("no-rows", Text("the table of units has no rows.", "单位表没有数据行。"), Text("Add the units.", "请补充单位。"), table.place()))
        return None, {}
    out: dict[str, Unit] = {}
    places: dict[str, Place] = {}
    for i, row in table.records():
        unit = _unit(table, i, row, named, known, found)
        place = table.place(i, named["code"])
        if not unit.code or unit.code in out:
            found.append(unit_code_problem(unit.code, place, places.get(unit.code)))
            continue
        out[unit.code], places[unit.code] = unit, place
    found.extend(unit_problems(out, places))
    return tuple(out.values()), places


def _given(units: tuple[Unit, ...], found: list[Problem]) -> tuple[Unit, ...]:
    """Units made in Python, each code once."""
    odd = [u for u in units if not isinstance(u.code, str) or not all(isinstance(g, tuple) and len(g) == 2 for g in u.groups)]
    if odd:
        what = Text(f"{odd[0]!r} cannot be used.", f"{odd[0]!r} 无法使用。")
        refuse(
            [*found, Problem("bad-type", what, Text("The code is a text, groups are (grouping, group) pairs.", "代码应为文本，groups 应为 (分组, 组) 对。"))]
        )
    again = [u.code for i, u in enumerate(units) if not u.code or u.code in {v.code for v in units[:i]}]
    found.extend(unit_code_problem(c, Place(), None) for c in again)
    by_code = {u.code: u for u in units}
    found.extend(unit_problems(by_code, {}))
    return tuple(by_code.values())


def _unit(table: Table, i: int, row: Mapping[str, Any], named: Mapping[str, str | None], known: Container[str], found: list[Problem]) -> Unit:
    """One row of a table of units."""
    cell = {f: code(row[c]) if c else "" for f, c in named.items()}
    if cell["ranked"].lower() not in _NO | _YES:
        what = Text(f"{cell['ranked']!r} is neither yes nor no.", f"{cell['ranked']!r} 既不是“是”也不是“否”。")
        found.append(Problem("bad-ranked", what, Text("Write yes or no.", "请填“是”或“否”。"), table.place(i, named["ranked"])))
    groupings = sorted(c for c in table.columns if c not in named.values())
    unclear = Text("NA may be the name of a group or a missing one.", "NA 可能是组名，也可能表示缺失。")
    fix = Text("Leave the cell empty, or write the name out.", "请留空，或写出全称。")
    found.extend(Problem("group-or-missing", unclear, fix, table.place(i, g)) for g in groupings if code(row[g]) in ("NA", "N/A", "n/a"))
    parent = cell["parent"] if cell["parent"] in known else text(cell["parent"])
    groups = tuple((g, code(row[g])) for g in groupings if code(row[g]))
    return Unit(cell["code"], cell["name_zh"], cell["name_en"], parent or None, cell["ranked"].lower() not in _NO, groups)


_UNIT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "code": ("code", "代码", "unit", "单位代码"),
    "name_zh": ("name_zh", "名称", "单位名称"),
    "name_en": ("name_en", "name", "英文名称"),
    "parent": ("parent", "上级"),
    "ranked": ("ranked", "参与排名", "是否参与排名"),
}
_NO = frozenset({"no", "false", "0", "否", "n"})
_YES = frozenset({"", "yes", "true", "1", "是", "y"})


def unit_problems(units: Mapping[str, Unit], places: Mapping[str, Place]) -> Iterator[Problem]:
    """Units whose parent is unknown or who are their own ancestor; no unit that is ranked."""
    for u in units.values():
        place = places.get(u.code, Place())
        if u.parent and u.parent not in units:
            yield Problem("unknown-unit-parent", unknown(Text("parent unit", "上级单位"), u.parent, sorted(units)),
                          Text("Correct it or add the unit.", "请更正或补上该单位。"), place)  # fmt: skip
        at, seen = u, {u.code}
        while at.parent is not None and at.parent in units and at.parent not in seen:
            at = units[at.parent]
            seen.add(at.code)
        if at.parent == u.code:
            yield Problem("unit-cycle", Text(f"the unit {u.code!r} lies within itself.", f"单位 {u.code!r} 的上级形成循环。"),
                          Text("Change the parent of one of the units.", "请更改其中一个单位的上级。"), place)  # fmt: skip
    if units and not any(u.ranked for u in units.values()):
        yield Problem("no-ranked-unit", Text("no unit is ranked.", "没有任何单位参与排名。"),
                      Text("Set ranked to yes for at least one unit.", "至少一个单位的 ranked 应为“是”。"), Place())  # fmt: skip


def unit_code_problem(code: str, place: Place, first: Place | None) -> Problem:
    """A row without a unit code, or with one seen before."""
    if not code:
        return Problem("no-unit-code", Text("the row has no unit code.", "该行没有单位代码。"),
                       Text("Give every unit a code.", "请填写单位代码。"), place)  # fmt: skip
    at = (f" (first in row {first.row})", f"（首次出现于第 {first.row} 行）") if first else ("", "")
    return Problem("duplicate-unit", Text(f"the unit {code!r} stands twice{at[0]}.", f"单位 {code!r} 重复{at[1]}。"),
                   Text("Delete one of the rows.", "请删除其中一行。"), place)  # fmt: skip
