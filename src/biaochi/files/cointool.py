"""The JRC's COIN Tool, an Excel workbook: its sheets Database and Framework, and codes made from names as COINr makes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from biaochi.errors import BadOption, MissingExtra, Place, Problem, Text, refuse
from biaochi.files.excel import cannot_be_read, letter
from biaochi.files.project import Project
from biaochi.framework import Framework, Node
from biaochi.method import is_whole
from biaochi.panel import Panel
from biaochi.recipe import Choice, Recipe
from biaochi.table import Table, number, shown, text
from biaochi.table import code as code_of
from biaochi.units import Unit

WEIGHT, DIRECTION, LOW, HIGH, LEVELS, NAME, CODE, FIRST = 6, 7, 8, 9, (10, 11, 12, 13), 14, 15, 16
"""Rows of the sheet Database, counted from 0: weight, direction, goalposts, codes from index to sub-pillar, name, code, first unit."""
UNIT_NAME, UNIT_CODE, COLUMN = 1, 2, 4
"""Columns of the same: the unit's name and code, and the first indicator."""
SHEETS = ("database", "framework")
UNDATED = "2000"
"""The period of a workbook that is run as it stands; the project's notice says that it is none."""

Rows = list[list[Any]]


def is_cointool(path: Path) -> bool:
    """Whether a workbook is a COIN Tool: it has a sheet Database, and Framework beside it."""
    try:
        import python_calamine
    except ImportError:
        return False
    try:
        with python_calamine.CalamineWorkbook.from_path(str(path)) as book:
            return {n.lower() for n in book.sheet_names} >= set(SHEETS)
    except (python_calamine.CalamineError, OSError):
        return False


def read_cointool(path: str | Path, *, period: str, make_codes: bool = False) -> tuple[Framework, Panel]:
    """Framework and panel from a workbook of the JRC's COIN Tool (2019, and the older one).

    The tool is full of formulas, so the values it shows are read. Its layout: Database with weights, directions, goalposts,
    parents from the index down to sub-pillars, names and codes in rows 7 to 16 from column E, units in columns B and C
    from row 17; Framework with code, weight and name of each dimension in columns C, E and H.

    Parameters
    ----------
    path : str or Path
        An .xlsx or .xlsm file.
    period : str
        The tool has no time: say which period its values are of.
    make_codes : bool
        Make codes of indicators from their names (`codes_from_names`), as the tool's own are "Ind.01" and so on.

    Returns
    -------
    Framework, Panel
        Dimensions the tool marks as unused (``--``) are left out, and their children go to the next one up. ``n/a`` is a
        missing value.

    Raises
    ------
    BadInput
        With every problem, each with its sheet, row and column.

    References
    ----------
    .. [1] COINr 1.1.14, import_coin_tool (which lets empty columns shift names and data against each other).
    """
    path = Path(path)
    sheets = _sheets(path)
    found: list[Problem] = []
    database = sheets["database"]
    found.extend(_unreadable(path))
    columns = [c for c in range(COLUMN, max(map(len, database), default=0)) if code_of(_at(database, CODE, c)) or text(_at(database, NAME, c))]
    found.extend(_nameless(database, columns, path.name))
    listed, unused = _dimensions(sheets["framework"], path.name, found)
    found.extend(_unlisted(database, columns, {*listed, *unused}, path.name))
    nodes, codes = _nodes(database, columns, listed, path.name, found, make_codes=make_codes)
    table, units = _data(database, columns, codes, path.name)
    if not columns or not len(table):
        what = Text("the sheet Database has no indicators from column E or no units from row 17.", "Database 工作表自 E 列起没有指标，或自第 17 行起没有单位。")
        found.append(
            Problem(
                "not-cointool",
                what,
                Text("Is it a COIN Tool workbook, saved with its values?", "请确认是否为已保存数值的 COIN Tool 工作簿。"),
                Place(path.name, "Database"),
            )
        )
    refuse(found)
    return Framework(nodes, place=Place(path.name, "Framework")), Panel.of(table, units=units, period=period)


def _sheets(path: Path) -> dict[str, Rows]:
    try:
        import python_calamine
    except ImportError:
        raise MissingExtra("python-calamine", "excel") from None
    if not path.is_file():
        refuse([Problem("no-file", Text("there is no such file.", "文件不存在。"), Text("Check the name.", "请检查文件名。"), Place(path.name))])
    try:
        with python_calamine.CalamineWorkbook.from_path(str(path)) as book:
            got = {n.lower(): book.get_sheet_by_name(n).to_python(skip_empty_area=False) for n in book.sheet_names if n.lower() in SHEETS}
    except python_calamine.CalamineError as e:
        refuse([cannot_be_read(path.name, str(e))])
    missing = [s for s in SHEETS if s not in got]
    refuse(
        Problem("no-sheet", Text(f"there is no sheet {s.capitalize()}.", f"没有工作表 {s.capitalize()}。"),
                Text("A COIN Tool workbook has sheets Database and Framework.", "COIN Tool 工作簿须有 Database 和 Framework 工作表。"), Place(path.name))
        for s in missing
    )  # fmt: skip
    return got


def _unreadable(path: Path) -> Iterator[Problem]:
    """Cells of the two sheets that show an error, or a formula that was saved without what it shows."""
    import openpyxl

    shown_book, book = (openpyxl.load_workbook(path, read_only=True, data_only=told) for told in (True, False))
    for title in (t for t in book.sheetnames if t.lower() in SHEETS):
        for plain, cell in zip((c for row in shown_book[title].iter_rows() for c in row), (c for row in book[title].iter_rows() for c in row), strict=False):
            place = Place(path.name, title, getattr(cell, "row", None), letter(cell.column - 1) if getattr(cell, "column", None) else None)
            if plain.data_type == "e":
                yield Problem("spreadsheet-error", Text(f"the cell shows the error {plain.value}.", f"该单元格显示错误值 {plain.value}。"),
                              Text("Mend the formula, or leave the cell empty.", "请修正公式，无值则留空。"), place)  # fmt: skip
            elif cell.data_type == "f" and plain.value is None:
                yield Problem("formula-cell", Text("the workbook was saved without the value of this formula.", "工作簿未保存该公式的计算值。"),
                              Text("Open it, let it compute, and save it.", "请打开工作簿，计算后保存。"), place)  # fmt: skip
    for b in (shown_book, book):
        b.close()


def _nameless(rows: Rows, columns: Sequence[int], file: str) -> Iterator[Problem]:
    """Columns with values but neither code nor name."""
    for c in range(COLUMN, max(map(len, rows), default=0)):
        if c not in columns and any(isinstance(_at(rows, r, c), float) for r in range(FIRST, len(rows))):
            what = Text("the column has values, but neither a code nor a name.", "该列有数值，但没有代码和名称。")
            yield Problem("no-code", what, Text("Give it both, or empty it.", "请补充，或清空该列。"), Place(file, "Database", CODE + 1, letter(c)))


def _at(rows: Rows, r: int, c: int) -> Any:
    return rows[r][c] if r < len(rows) and c < len(rows[r]) else None


def _number(cell: Any, place: Place, found: list[Problem]) -> float | None:
    got = number(cell)
    if isinstance(got, tuple):
        found.append(Problem(*got, place))
        return None
    return None if got != got else got


def _unlisted(rows: Rows, columns: Sequence[int], known: set[str], file: str) -> Iterator[Problem]:
    """Dimensions of indicators that the sheet Framework does not list; a level that says the same of all is one not used."""
    for r in LEVELS:
        said = {c: text(_at(rows, r, c)) for c in columns}
        if len({s for s in said.values() if s}) < 2 or not known:
            continue
        for c, code in said.items():
            if code and code not in known:
                what = Text(f"the sheet Framework has no dimension {code!r}.", f"Framework 工作表中没有维度 {code!r}。")
                fix = Text(f"Correct it, or list it there; it has {', '.join(sorted(known))}.", f"请更正或在该表中列出；现有 {'、'.join(sorted(known))}。")
                yield Problem("unknown-dimension", what, fix, Place(file, "Database", r + 1, letter(c)))


def _dimensions(rows: Rows, file: str, found: list[Problem]) -> tuple[dict[str, tuple[str, float]], set[str]]:
    """Name and weight of every dimension in use, by code; the codes of those marked as unused."""
    head = next((r for r, row in enumerate(rows[:8]) if any(text(c).lower() == "dimension/indicator" for c in row)), None)
    if head is None:
        what = Text("the sheet Framework has no header 'Dimension/indicator' in its first rows.", "Framework 工作表前几行没有 Dimension/indicator 表头。")
        found.append(Problem("not-cointool", what, Text("Is it a COIN Tool workbook?", "请确认是否为 COIN Tool 工作簿。"), Place(file, "Framework")))
        return {}, set()
    mark = next(i for i, c in enumerate(rows[head]) if text(c).lower() == "dimension/indicator")
    out: dict[str, tuple[str, float]] = {}
    unused = set()
    for r in range(head + 1, len(rows)):
        code = text(_at(rows, r, 2))
        if not re.match(r"(sp\.|p\.|si\.|Index)", code):
            continue
        if text(_at(rows, r, mark)) == "--":
            unused.add(code)
        elif code in out:
            what = Text(f"the dimension {code!r} is listed twice.", f"维度 {code!r} 重复列出。")
            found.append(Problem("duplicate-code", what, Text("Delete or rename one.", "请删除或改名其中一个。"), Place(file, "Framework", r + 1, "C")))
        else:
            weight = _number(_at(rows, r, 4), Place(file, "Framework", r + 1, "E"), found)
            out[code] = (text(_at(rows, r, 7)), 1.0 if weight is None else weight)
    return out, unused


def _nodes(
    rows: Rows, columns: Sequence[int], listed: dict[str, tuple[str, float]], file: str, found: list[Problem], *, make_codes: bool
) -> tuple[list[Node], list[str]]:
    """Dimensions and indicators, and the codes of the indicators in the order of their columns."""
    names = [text(_at(rows, NAME, c)) for c in columns]
    codes = codes_from_names(names) if make_codes else [code_of(_at(rows, CODE, c)) for c in columns]
    parents: dict[str, str | None] = {}
    nodes = []
    for c, code, name in zip(columns, codes, names, strict=True):
        path = [p for r in LEVELS if (p := text(_at(rows, r, c))) in listed]
        for above, below in zip([None, *path], path, strict=False):
            if parents.setdefault(below, above) != above:
                what = Text(f"{below!r} stands under {parents[below]!r} and under {above!r}.", f"{below!r} 同时位于 {parents[below]!r} 与 {above!r} 之下。")
                found.append(
                    Problem("two-parents", what, Text("Give it one parent.", "每个维度只能有一个上级。"), Place(file, "Database", CODE + 1, letter(c)))
                )
        if not path:
            what = Text(f"{code!r} stands under no dimension of the sheet Framework.", f"{code!r} 不在 Framework 工作表的任何维度之下。")
            found.append(
                Problem(
                    "no-parent",
                    what,
                    Text("Enter its dimensions in rows 11 to 14.", "请在第 11 至 14 行填写所属维度。"),
                    Place(file, "Database", 11, letter(c)),
                )
            )
        nodes.append(_indicator(rows, c, code, name, path[-1] if path else None, file, found))
    upper = [Node(p, parents[p], name_en=listed[p][0], weight=listed[p][1] if parents[p] else 1.0) for p in parents]
    return [*sorted(upper, key=lambda n: (n.parent is not None, list(listed).index(n.code))), *nodes], codes


def _indicator(rows: Rows, c: int, code: str, name: str, parent: str | None, file: str, found: list[Problem]) -> Node:
    weight, direction, low, high = (_number(_at(rows, r, c), Place(file, "Database", r + 1, letter(c)), found) for r in (WEIGHT, DIRECTION, LOW, HIGH))
    if direction not in (None, 1.0, -1.0):
        what = Text(f"the direction of {code!r} is {shown(direction)}.", f"{code!r} 的方向为 {shown(direction)}。")
        found.append(Problem("bad-direction", what, Text("Write 1 or -1.", "请写 1 或 -1。"), Place(file, "Database", DIRECTION + 1, letter(c))))
    posts = (low, high) if low is not None and high is not None else None
    if (low is None) != (high is None) or (posts and posts[0] >= posts[1]):
        what = Text(f"the goalposts of {code!r} are {shown(low)} and {shown(high)}.", f"{code!r} 的上下限为 {shown(low)} 与 {shown(high)}。")
        found.append(
            Problem(
                "bad-goalposts",
                what,
                Text("Give both, the low one first, or neither.", "请都填（下限在前），或都不填。"),
                Place(file, "Database", LOW + 1, letter(c)),
            )
        )
        posts = None
    place = Place(file, "Database", CODE + 1, letter(c))
    return Node(code, parent, name_en=name, weight=1.0 if weight is None else weight, direction=-1 if direction == -1.0 else 1, goalposts=posts, place=place)


def _data(rows: Rows, columns: Sequence[int], codes: Sequence[str], file: str) -> tuple[Table, tuple[Unit, ...]]:
    """The values as a wide table, and the units."""
    held = [r for r in range(FIRST, len(rows)) if code_of(_at(rows, r, UNIT_CODE)) or any(text(_at(rows, r, c)) not in ("", "n/a") for c in columns)]
    unit = [code_of(_at(rows, r, UNIT_CODE)) for r in held]
    table = {"unit": unit, **{code: [_at(rows, r, c) for r in held] for code, c in zip(codes, columns, strict=True)}}
    letters = {"unit": "C", **{code: letter(c) for code, c in zip(codes, columns, strict=True)}}
    first = {code_of(_at(rows, r, UNIT_CODE)): text(_at(rows, r, UNIT_NAME)) for r in reversed(held)}
    return Table(table, file, "Database", [r + 1 for r in held], letters), tuple(Unit(c, name_en=n) for c, n in sorted(first.items()) if c)


def codes_from_names(names: Sequence[str], words: int = 2, letters: int = 4) -> list[str]:
    """Short codes from long names: the first letters of the first words that have more than three, in camel case.

    Parameters
    ----------
    names : sequence of str
    words, letters : int
        Words taken, and letters of each.

    Returns
    -------
    list of str
        Different codes: the first stays as it is, later ones get ``_1``, ``_2`` and so on. An empty one gives "X".

    References
    ----------
    .. [1] COINr 1.1.14, names_to_codes (maxword, maxlet).

    Examples
    --------
    >>> codes_from_names(["Trade in goods", "Trade in goods and services"])
    ['TradGood', 'TradGood_1']
    """
    if isinstance(names, str) or not all(isinstance(n, str) for n in names or ()):
        raise BadOption("names", f"must be a list of names; got {names!r}.", f"names 应为名称列表；得到 {names!r}。")
    if not is_whole(words, 1) or not is_whole(letters, 1):
        raise BadOption(
            "words",
            f"and letters must be whole numbers from 1 up; got {words!r} and {letters!r}.",
            f"words 与 letters 应为不小于 1 的整数；得到 {words!r} 与 {letters!r}。",
        )
    return list(_unique([_code(n, int(words), int(letters)) or "X" for n in names or ()]))


def _code(name: str, words: int, letters: int) -> str:
    kept = re.split(" +", re.sub(r"\b\w{1,3}\s", "", name).rstrip())[:words]
    return "".join(re.sub(r"\b[^\W\d_]{2,}", lambda m: m[0][0].upper() + m[0][1:] if m[0][:2].islower() else m[0], part[:letters]) for part in kept)


def _unique(codes: Sequence[str]) -> Iterator[str]:
    taken, met = set(codes), set[str]()
    count: dict[str, int] = {}
    for code in codes:
        if code not in met:
            met.add(code)
            yield code
            continue
        k = count.get(code, 1)
        while f"{code}_{k}" in taken:
            k += 1
        count[code] = k
        taken.add(f"{code}_{k}")
        yield f"{code}_{k}"


def cointool_project(path: Path) -> Project:
    """A COIN Tool workbook as a project: goalposts where every indicator has them, else min-max; arithmetic means, 0 to 100."""
    framework, panel = read_cointool(path, period=UNDATED)
    posts = all(n.goalposts for n in framework.indicators)
    recipe = Recipe(normalise=Choice("goalposts"), scale="fixed") if posts else Recipe()
    title = Text(framework.root.name("en"), framework.root.name("zh"))
    note = Text(f"Read from a COIN Tool workbook, which has no time: {UNDATED} stands for its one period. Imputation, treatment and the tool's own choices of method are not carried over.",
                f"读自 COIN Tool 工作簿。该工具没有时间：{UNDATED} 仅代表其唯一一期。插补、异常值处理及工具中的方法选择未带入。")  # fmt: skip
    return Project(path.stem, title, note, framework, panel, recipe)
