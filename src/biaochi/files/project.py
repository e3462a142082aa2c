"""A project: a folder with biaochi.toml, or one workbook; framework, data, recipe and what goes with them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from biaochi.checks import data_problems, panel_targets, recipe_problems
from biaochi.errors import BadInput, BiaochiError, Place, Problem, Text, refuse, unknown
from biaochi.files import no_file, read_table
from biaochi.files.coinr import read_coinr
from biaochi.files.csv import decode
from biaochi.files.excel import read_sheets
from biaochi.files.experts import with_tables
from biaochi.files.geojson import Boundaries, read_boundaries
from biaochi.files.tree import framework_from
from biaochi.framework import Framework
from biaochi.method import Array
from biaochi.panel import COLUMNS, Panel
from biaochi.recipe import Recipe
from biaochi.study import Study, study_from
from biaochi.table import Table, find_column, is_missing, missing_column, number, text

EXAMPLES = ("desi-2022", "hdi", "asem", "shanxi-cities", "china-counties")
"""Projects that come with the package."""

SETTINGS: Mapping[str, tuple[str, ...]] = {
    "files": ("framework", "units", "data", "coinr", "period", "ignore"),
    "columns": tuple(COLUMNS),
    "published": ("file", "node", "value", "decimals"),
    "map": ("file", "key"),
}
"""Tables of biaochi.toml and their keys; ``title``, ``notice`` and ``[recipe]`` stand beside them."""

T = TypeVar("T")


@dataclass(frozen=True)
class Published:
    """Scores published elsewhere, to compare with."""

    node: str
    values: Array
    """(period, unit), as in the panel; NaN where nothing is published."""
    decimals: int | None
    """Decimals they are published with, if they are rounded."""


@dataclass(frozen=True)
class Project:
    """Everything one index needs, read and checked."""

    name: str
    title: Text
    notice: Text
    """What must be said wherever the results show, such as that they are a demonstration."""
    framework: Framework
    panel: Panel
    recipe: Recipe
    published: Published | None = None
    boundaries: Boundaries | None = None
    study: Study | None = None
    """What varies in the study of robustness; the usual one where none is declared."""


def example_folder(name: str) -> Path:
    """Where a shipped example lies."""
    return Path(str(files("biaochi") / "examples" / name))


def load(source: str | Path) -> Project:
    """Read a project: the name of an example, a folder with biaochi.toml, or a workbook.

    Raises
    ------
    BadInput
        With every problem in all of its files.

    Examples
    --------
    >>> load("asem").framework
    <Framework 'Index': 49 indicators, 3 levels, ...>
    """
    path = Path(source)
    try:
        if not path.exists() and str(source) in EXAMPLES:
            path = example_folder(str(source))
        if path.is_dir():
            path = path / "biaochi.toml"
        there = path.is_file() and path.suffix.lower() in (".toml", ".xlsx", ".xlsm")
    except (OSError, ValueError):  # a name no file can have
        there = False
    if not there:
        refuse([_no_project(str(source)[:80])])
    if path.suffix.lower() != ".toml":
        from biaochi.files.cointool import cointool_project, is_cointool

        if is_cointool(path):
            return cointool_project(path)
    return _from_workbook(path) if path.suffix.lower() in (".xlsx", ".xlsm") else _from_folder(path)


def _no_project(source: str) -> Problem:
    """Why this is no project: a data file, a folder without biaochi.toml, or nothing at all."""
    wanted = Text(
        "A project is a folder with biaochi.toml, or an .xlsx workbook; biaochi new makes one.",
        "项目应为含 biaochi.toml 的文件夹或 .xlsx 工作簿；可用 biaochi new 新建。",
    )
    path = Path(source)
    with suppress(OSError, ValueError):
        if path.is_dir():
            return Problem("no-project", Text("the folder has no biaochi.toml.", "该文件夹中没有 biaochi.toml。"), wanted, Place(source))
        if path.is_file():
            return Problem("no-project", Text("this is a file, but not a project.", "这是一个文件，但不是项目。"), wanted, Place(source))
    return Problem("no-project", unknown(Text("project", "项目"), source, EXAMPLES), wanted, Place(source))


class _Collector:
    """Runs readers one after the other and keeps the problems of all of them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def __call__(self, read: Callable[[], T], place: Place = Place()) -> T | None:
        try:
            return read()
        except BadInput as e:
            self.problems.extend(e.problems)
        except BiaochiError as e:
            self.problems.append(Problem("cannot-read", e.text, Text("", ""), place))
        return None


def _from_folder(path: Path) -> Project:
    here = Place(path.name)
    get = _Collector()
    config = _toml(path)
    get.problems.extend(_setting_problems(config, here))
    listed, folder = config.get("files", {}), path.parent
    if any(p.kind == "bad-setting" for p in get.problems):
        refuse(get.problems)  # the shape is wrong: nothing below can be trusted
    recipe, faults = Recipe.read(with_tables(config.get("recipe", {}), folder, get.problems, here), here)
    get.problems.extend(faults)
    if "coinr" in listed:
        pair = get(
            lambda: read_coinr(folder / listed["coinr"]["data"], folder / listed["coinr"]["meta"], period=_period(config), ignore=listed.get("ignore", ())),
            here,
        )
        framework, panel = pair or (None, None)
    else:
        names = [listed["data"]] if isinstance(listed["data"], str) else listed["data"]
        framework = get(lambda: framework_from(read_table(folder / listed["framework"], "framework", "指标体系")), here)
        units = get(lambda: read_table(folder / listed["units"], "units", "单位"), here) if "units" in listed else None
        tables = [t for n in names if (t := get(lambda n=n: read_table(folder / n, "data", "数据"), here)) is not None]  # type: ignore[misc]
        panel = get(lambda: _panel(tables, units, config)) if tables else None
    return _project(path.resolve().parent.name, config, framework, panel, recipe, get, folder)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(decode(path.read_bytes(), path.name))
    except (ValueError, RecursionError) as e:
        if isinstance(e, BadInput):
            raise
        what = Text(f"this is not TOML: {e}.", f"不是合法的 TOML：{e}。")
        refuse([Problem("bad-toml", what, Text("Mend the line named.", "请修正所指的行。"), Place(path.name))])
        raise


SHEETS = {"framework": "指标体系", "units": "单位", "data": "数据", "recipe": "方案"}
"""Sheets of a project workbook; others are passed over."""


def _from_workbook(path: Path) -> Project:
    get = _Collector()
    place = Place(path.name)
    sheets: dict[str, Table] = {}
    for title, table in read_sheets(path, only={*SHEETS, *SHEETS.values()}).items():
        known = next(en for en, zh in SHEETS.items() if title.lower() in (en, zh))
        if known in sheets:
            what = Text(
                f"there are two sheets for {known}: {sheets[known].sheet!r} and {title!r}.",
                f"{SHEETS[known]}有两个工作表：{sheets[known].sheet!r} 和 {title!r}。",
            )
            get.problems.append(Problem("two-sheets", what, Text("Delete or rename one.", "请删除其一或改名。"), place))
        sheets[known] = table
    for needed in ("framework", "data"):
        if needed not in sheets:
            what = Text(f"there is no sheet {needed.capitalize()}.", f"没有工作表 {SHEETS[needed]}（{needed.capitalize()}）。")
            fix = Text(
                "A project workbook has sheets Framework, Data and perhaps Units and Recipe.", "项目工作簿须有 Framework、Data 工作表，可有 Units 和 Recipe。"
            )
            get.problems.append(Problem("no-sheet", what, fix, place))
    config = _settings_sheet(sheets["recipe"], get.problems) if "recipe" in sheets else {}
    place = Place(path.name, sheets["recipe"].sheet if "recipe" in sheets else None)
    get.problems.extend(_setting_problems(config, place, workbook=True))
    if any(p.kind in ("bad-setting", "no-sheet") for p in get.problems):
        refuse(get.problems)
    recipe, faults = Recipe.read(with_tables(config.get("recipe", {}), path.parent, get.problems, place), place)
    get.problems.extend(faults)
    framework = get(lambda: framework_from(sheets["framework"]))
    panel = get(lambda: _panel([sheets["data"]], sheets.get("units"), config))
    return _project(path.stem, config, framework, panel, recipe, get, path.parent)


def _period(config: Mapping[str, Any]) -> str | None:
    period = config.get("files", {}).get("period")
    return None if period is None else str(period)


def _panel(tables: list[Table], units: Table | None, config: Mapping[str, Any]) -> Panel:
    ignore = [str(c) for c in config.get("files", {}).get("ignore", ())]
    panel = Panel.of(tables, units=units, period=_period(config), columns=config.get("columns"), ignore=ignore)
    headers = [config.get("columns", {}).get("indicator", ""), *COLUMNS["indicator"]]
    met = {c for t in tables for c in t.columns}
    met |= {text(c) for t in tables if (named := find_column(t, headers)) for c in t.columns[named]}
    refuse(_unmet(name, tables[0].place()) for name in ignore if name not in met)
    return panel


def _unmet(name: str, place: Place) -> Problem:
    what = Text(f"{name!r} under ignore is in no table.", f"ignore 中的 {name!r} 不在任何表中。")
    return Problem("unknown-ignore", what, Text("Correct or delete it.", "请更正或删除。"), place)


def _project(
    name: str, config: Mapping[str, Any], framework: Framework | None, panel: Panel | None, recipe: Recipe,
    get: _Collector, folder: Path,
) -> Project:  # fmt: skip
    """Put the parts together, with boundaries and published scores; refuse with all problems found so far."""
    boundaries = None
    if "map" in config:
        file, key = config["map"]["file"], config["map"].get("key", "id")
        boundaries = get(lambda: read_boundaries(_there(folder / file, file), key, file), Place(file))
        if boundaries and panel:
            get.problems.extend(boundaries.problems([u.code for u in panel.units if u.ranked], key))
    published = None
    if "published" in config and panel is not None and framework is not None:
        published = get(lambda: _published(config, framework, panel, folder), Place(str(config["published"]["file"])))
    study = None
    if "robustness" in config:
        study, faults = study_from(config["robustness"], recipe.place)
        get.problems.extend(faults)
    if get.problems:  # say at once what a run would find as well
        if framework:
            get.problems.extend(recipe_problems(framework, recipe))
        if framework and panel:
            get.problems.extend(data_problems(framework, panel))
            get.problems.extend(panel_targets(framework, panel, recipe))
        refuse(get.problems)
    assert framework is not None
    assert panel is not None
    title = _text(config.get("title"), Text(framework.root.name("en"), framework.root.name("zh")))
    return Project(name, title, _text(config.get("notice"), Text("", "")), framework, panel, recipe, published, boundaries, study)


def _there(path: Path, name: str) -> Path:
    if not path.is_file():
        refuse([no_file(name)])
    return path


def _published(config: Mapping[str, Any], framework: Framework, panel: Panel, folder: Path) -> Published:
    """Published scores, aligned with the panel; units and periods the panel lacks are problems."""
    told = config["published"]
    node = framework[told.get("node", framework.root.code)].code
    table = read_table(folder / told["file"], "published", "已公布")
    value = told.get("value", "value")
    if value not in table.columns:
        refuse([missing_column(table, [value], Text("published scores", "已公布得分"))])
    keys = {f: find_column(table, [config.get("columns", {}).get(f, ""), *COLUMNS[f]]) for f in ("unit", "period")}
    kept = {c for c in keys.values() if c} | {value}
    reduced = Table({c: v for c, v in table.columns.items() if c in kept}, table.file, table.sheet, table.rows, table.letters)
    got = Panel.of(reduced.renamed({value: node}), units=list(panel.units), columns={f: c for f, c in keys.items() if c},
                   period=None if keys["period"] else _period(config))  # fmt: skip
    strange = [p for p in got.periods if p not in panel.periods]
    known = [str(p) for p in panel.periods]
    fix = Text("Correct the period, or take the rows out.", "请更正该期或删除相应行。")
    refuse(Problem("unknown-period", unknown(Text("published period", "已公布数据的期"), str(p), known), fix, table.place()) for p in strange)
    values = np.full(panel.values.shape[:2], np.nan)
    for i, p in enumerate(got.periods):
        values[panel.periods.index(p)] = got.series(node)[i]
    if np.isnan(values).all():
        what, fix = Text("there is no published score.", "没有任何已公布得分。"), Text("Add them, or take [published] out.", "请补充，或删除 [published]。")
        refuse([Problem("no-rows", what, fix, table.place())])
    return Published(node, values, told.get("decimals"))


def _text(value: Any, default: Text) -> Text:
    if isinstance(value, Mapping):
        en, zh = str(value.get("en", "")), str(value.get("zh", ""))
        return Text(en or zh, zh or en)
    return Text(str(value), str(value)) if value else default


def _settings_sheet(table: Table, found: list[Problem]) -> dict[str, Any]:
    """The Recipe sheet, rows of dotted key and value, as nested tables like those of biaochi.toml."""
    key_column, value_column = find_column(table, ["key", "键", "设置"]), find_column(table, ["value", "值", "取值"])
    for column, name in ((key_column, "key"), (value_column, "value")):
        if column is None:
            found.append(missing_column(table, [name], Text("settings", "设置")))
    out: dict[str, Any] = {}
    if key_column is None or value_column is None:
        return out
    for i, row in table.records():
        key, raw = text(row[key_column]), row[value_column]
        at: Any = out
        *path, last = key.split(".")
        for part in path:
            at = at.setdefault(part, {}) if isinstance(at, dict) else None
        if not key or not isinstance(at, dict) or last in at or is_missing(raw):
            found.append(Problem("bad-setting", Text(f"the setting {key!r} has no value, or is given twice.", f"设置 {key!r} 没有值或重复。"),
                                 Text("Give each key once, with its value beside it.", "每个键只写一次，值写在旁边。"), table.place(i, key_column)))  # fmt: skip
            continue
        at[last] = _toml_value(raw)
    return out


def _toml_value(raw: Any) -> Any:
    if isinstance(raw, float):
        return int(raw) if raw.is_integer() else raw
    if isinstance(raw, str):
        plain = raw.strip()
        try:
            return tomllib.loads(f"x = {plain}")["x"] if plain[:1] in "[{" or isinstance(number(plain), float) else plain
        except (ValueError, RecursionError):
            return raw.strip()
    return raw


_SEE = Text("See docs/guide/project.md.", "参见 docs/guide/project.md。")


def _setting_problems(config: Mapping[str, Any], place: Place, *, workbook: bool = False) -> list[Problem]:
    """Unknown tables and keys, values of the wrong type, what must be there and is not, what is there in vain."""
    top = ["title", "notice", "recipe", "robustness", *SETTINGS]
    found = [Problem("unknown-setting", unknown(Text("setting", "设置"), k, top), _SEE, place) for k in config if k not in top]
    for table, keys in SETTINGS.items():
        given = config.get(table, {})
        if not isinstance(given, Mapping):
            found.append(_ill(table, "a table", "表", place))
            continue
        found.extend(Problem("unknown-setting", unknown(Text(f"key of [{table}]", f"[{table}] 的键"), k, keys), _SEE, place) for k in given if k not in keys)
        found.extend(_ill(f"{table}.{k}", *_KINDS[k][1], place) for k, v in given.items() if k in _KINDS and not _KINDS[k][0](v))
        if table in config and "file" in keys and "file" not in given:
            found.append(_ill(f"{table}.file", *_NAME, place))
    if not isinstance(config.get("recipe", {}), Mapping):
        found.append(_ill("recipe", "a table", "表", place))
    for key in ("title", "notice"):
        value = config.get(key, "")
        spoken = isinstance(value, Mapping) and bool(value) and value.keys() <= {"en", "zh"} and all(isinstance(v, str) for v in value.values())
        if not (isinstance(value, str) or spoken):
            found.append(_ill(key, "a text, or a table {en, zh} of texts", "文本，或含 en、zh 的文本表", place))
    if not found:
        found.extend(_file_problems(config, place, workbook))
    return found


def _file_problems(config: Mapping[str, Any], place: Place, workbook: bool) -> Iterator[Problem]:
    """File names that are missing, or that mean nothing beside others."""
    listed = config.get("files", {})
    if workbook:
        idle = [f"files.{k}" for k in ("framework", "units", "data", "coinr") if k in listed]
    elif "coinr" in listed:
        idle = [f"files.{k}" for k in ("framework", "units", "data") if k in listed] + (["columns"] if "columns" in config else [])
    else:
        idle = []
        yield from (_ill(f"files.{key}", *_NAME, place) for key in ("framework", "data") if key not in listed)
    for key in idle:
        what = Text(f"{key} does nothing here.", f"{key} 在此不起作用。")
        yield Problem("idle-setting", what, Text("Take it out.", "请删除。"), place)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_name, value))


_NAME = ("a file name", "文件名")
_KINDS: Mapping[str, tuple[Callable[[Any], bool], tuple[str, str]]] = {
    **dict.fromkeys(("framework", "units", "file"), (_is_name, _NAME)),
    **dict.fromkeys((*COLUMNS, "node", "value", "key"), (_is_name, ("a name", "名称"))),
    "data": (lambda v: _is_name(v) or _is_names(v), ("a file name, or a list of file names", "文件名或文件名列表")),
    "coinr": (
        lambda v: isinstance(v, Mapping) and v.keys() == {"data", "meta"} and all(map(_is_name, v.values())),
        ("a table {data, meta} of file names", "含 data、meta 两个文件名的表"),
    ),
    "period": (lambda v: isinstance(v, (str, int)) and not isinstance(v, bool), ("a period such as 2023", "期，如 2023")),
    "ignore": (_is_names, ("a list of names", "名称列表")),
    "decimals": (lambda v: isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= 15, ("a whole number from 0 to 15", "0 到 15 的整数")),
}
"""What the value of a key must be: a test, and the words for it."""


def _ill(key: str, en: str, zh: str, place: Place) -> Problem:
    return Problem("bad-setting", Text(f"{key} must be given as {en}.", f"{key} 须为{zh}。"), _SEE, place)
