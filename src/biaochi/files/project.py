"""A project: a folder with biaochi.toml, or one workbook; framework, data, recipe and what goes with them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from biaochi.errors import BadInput, BiaochiError, Place, Problem, Text, refuse, unknown
from biaochi.files import no_file, read_tables
from biaochi.files.coinr import read_coinr
from biaochi.files.csv import decode
from biaochi.files.excel import read_sheets
from biaochi.files.geojson import Boundaries, read_boundaries
from biaochi.files.observations import sheet_of
from biaochi.files.tree import framework_from
from biaochi.framework import Framework
from biaochi.method import Array
from biaochi.panel import COLUMNS, Panel
from biaochi.recipe import Recipe
from biaochi.table import Table, is_missing, text

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
    if not path.exists() and str(source) in EXAMPLES:
        path = example_folder(str(source))
    if path.is_dir():
        path = path / "biaochi.toml"
    if not path.is_file():
        what = unknown(Text("project", "项目"), str(source), EXAMPLES)
        fix = Text("Or give a folder with biaochi.toml or an .xlsx workbook.", "也可给出含 biaochi.toml 的文件夹或 .xlsx 工作簿。")
        refuse([Problem("no-project", what, fix, Place(str(source)))])
    return _from_workbook(path) if path.suffix.lower() in (".xlsx", ".xlsm", ".ods", ".xls") else _from_folder(path)


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
    try:
        config = tomllib.loads(decode(path.read_bytes(), path.name))
    except tomllib.TOMLDecodeError as e:
        refuse([Problem("bad-toml", Text(f"this is not TOML: {e}.", f"不是合法的 TOML：{e}。"), Text("Mend the line named.", "请修正所指的行。"), here)])
    get = _Collector()
    get.problems.extend(_setting_problems(config, here))
    refuse(get.problems)
    listed = config.get("files", {})
    folder = path.parent

    def table(key: str) -> Table | None:
        return get(lambda: sheet_of(read_tables(folder / listed[key], listed[key]), key), here) if key in listed else None

    recipe = get(lambda: Recipe.from_dict(config.get("recipe", {}), here), here)
    if "coinr" in listed:
        pair = get(
            lambda: read_coinr(folder / listed["coinr"]["data"], folder / listed["coinr"]["meta"], period=listed.get("period"), ignore=listed.get("ignore", ()))
        )
        framework, panel = pair or (None, None)
    else:
        units = table("units")
        tree = table("framework")
        framework = get(lambda: framework_from(tree)) if tree is not None else None
        names = [listed["data"]] if isinstance(listed["data"], str) else listed["data"]
        tables = [t for n in names if (t := get(lambda n=n: sheet_of(read_tables(folder / n, n), "data", "数据"), here)) is not None]  # type: ignore[misc]
        panel = get(lambda: _panel(tables, units, config)) if tables and ("units" in listed) == (units is not None) else None
    return _project(path.parent.name, config, framework, panel, recipe, get, folder)


def _from_workbook(path: Path) -> Project:
    get = _Collector()
    sheets = {t.lower(): table for t, table in read_sheets(path).items()}
    for zh, en in (("指标体系", "framework"), ("单位", "units"), ("数据", "data"), ("方案", "recipe")):
        if zh in sheets:
            sheets[en] = sheets.pop(zh)
    missing = [s for s in ("framework", "data") if s not in sheets]
    for s in missing:
        get.problems.append(Problem("no-sheet", unknown(Text(f"workbook: no sheet {s!r}; sheet", "工作表"), s, sorted(sheets)),
                                    Text("A project workbook has sheets Framework, Data and perhaps Units and Recipe.",
                                         "项目工作簿须有 Framework、Data 工作表，可有 Units 和 Recipe。"), Place(path.name)))  # fmt: skip
    config = _settings_sheet(sheets["recipe"], get.problems) if "recipe" in sheets else {}
    place = Place(path.name, "Recipe")
    get.problems.extend(_setting_problems({**config, "files": {"framework": "", "data": "", **config.get("files", {})}}, place))
    refuse(get.problems)
    recipe = get(lambda: Recipe.from_dict(config.get("recipe", {}), place))
    framework = get(lambda: framework_from(sheets["framework"]))
    panel = get(lambda: _panel([sheets["data"]], sheets.get("units"), config))
    return _project(path.stem, config, framework, panel, recipe, get, path.parent)


def _panel(tables: list[Table], units: Table | None, config: Mapping[str, Any]) -> Panel:
    listed = config.get("files", {})
    period = listed.get("period")
    return Panel.of(
        tables, units=units, period=None if period is None else str(period),
        columns=config.get("columns"), ignore=[str(c) for c in listed.get("ignore", ())],
    )  # fmt: skip


def _project(
    name: str, config: Mapping[str, Any], framework: Framework | None, panel: Panel | None, recipe: Recipe | None,
    get: _Collector, folder: Path,
) -> Project:  # fmt: skip
    """Put the parts together, with boundaries and published scores; refuse with all problems found so far."""
    boundaries = None
    if "map" in config:
        file, key = config["map"]["file"], config["map"].get("key", "id")
        place = Place(file)
        boundaries = get(lambda: read_boundaries(_there(folder / file, file), key, file), place)
        if boundaries and panel:
            get.problems.extend(boundaries.problems([u.code for u in panel.units if u.ranked], key))
    published = None
    if "published" in config and panel is not None and framework is not None:
        published = get(lambda: _published(config, framework, panel, folder))
    refuse(get.problems)
    assert framework is not None
    assert panel is not None
    assert recipe is not None
    title = _text(config.get("title"), Text(framework.root.name("en"), framework.root.name("zh")))
    return Project(name, title, _text(config.get("notice"), Text("", "")), framework, panel, recipe, published, boundaries)


def _there(path: Path, name: str) -> Path:
    if not path.is_file():
        refuse([no_file(name)])
    return path


def _published(config: Mapping[str, Any], framework: Framework, panel: Panel, folder: Path) -> Published:
    """Published scores, aligned with the panel; units and periods the panel lacks are problems."""
    told = config["published"]
    node = told.get("node", framework.root.code)
    framework[node]
    table = sheet_of(read_tables(folder / told["file"], told["file"]))
    value = told.get("value", "value")
    keep = {c for f in ("unit", "period") for c in (config.get("columns", {}).get(f, ""), *COLUMNS[f])} | {value}
    other = [c for c in table.columns if c not in keep]
    got = Panel.of(table.renamed({value: node}), units=list(panel.units), columns=config.get("columns"),
                   period=config.get("files", {}).get("period"), ignore=other)  # fmt: skip
    values = np.full(panel.values.shape[:2], np.nan)
    for i, p in enumerate(got.periods):
        if p in panel.periods:
            values[panel.periods.index(p)] = got.series(node)[i]
    return Published(node, values, told.get("decimals"))


def _text(value: Any, default: Text) -> Text:
    if isinstance(value, Mapping):
        en, zh = str(value.get("en", "")), str(value.get("zh", ""))
        return Text(en or zh, zh or en)
    return Text(str(value), str(value)) if value else default


def _settings_sheet(table: Table, found: list[Problem]) -> dict[str, Any]:
    """The Recipe sheet, rows of dotted key and value, as nested tables like those of biaochi.toml."""
    names = list(table.columns)
    out: dict[str, Any] = {}
    for i, row in table.records():
        key, raw = text(row[names[0]]), row[names[1]] if len(names) > 1 else None
        at = out
        *path, last = key.split(".")
        for part in path:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                break
        if not key or not isinstance(at, dict) or last in at or is_missing(raw):
            found.append(Problem("bad-setting", Text(f"the setting {key!r} has no value, or is given twice.", f"设置 {key!r} 没有值或重复。"),
                                 Text("Give each key once, with its value beside it.", "每个键只写一次，值写在旁边。"), table.place(i, names[0])))  # fmt: skip
            continue
        at[last] = _toml_value(raw)
    return out


def _toml_value(raw: Any) -> Any:
    if isinstance(raw, float):
        return int(raw) if raw.is_integer() else raw
    if isinstance(raw, str):
        try:
            return tomllib.loads(f"x = {raw}")["x"] if raw.strip()[:1] in "[{" else raw.strip()
        except tomllib.TOMLDecodeError:
            return raw.strip()
    return raw


def _setting_problems(config: Mapping[str, Any], place: Place) -> list[Problem]:
    """Unknown tables and keys, and what must be there and is not."""
    fix = Text("See docs/guide/project.md.", "参见 docs/guide/project.md。")
    top = ["title", "notice", "recipe", *SETTINGS]
    found = [Problem("unknown-setting", unknown(Text("setting", "设置"), k, top), fix, place) for k in config if k not in top]
    for table, keys in SETTINGS.items():
        given = config.get(table, {})
        if not isinstance(given, Mapping):
            found.append(_ill(table, "a table", "表", place))
            continue
        found.extend(Problem("unknown-setting", unknown(Text(f"key of [{table}]", f"[{table}] 的键"), k, keys), fix, place) for k in given if k not in keys)
        found.extend(_type_problems(table, given, place))
        if table in config and "file" in keys and "file" not in given:
            found.append(_ill(f"{table}.file", "a file name", "文件名", place))
    if not isinstance(config.get("recipe", {}), Mapping):
        found.append(_ill("recipe", "a table", "表", place))
    listed = config.get("files", {})
    if isinstance(listed, Mapping) and "coinr" not in listed:
        found.extend(_ill(f"files.{key}", "a file name", "文件名", place) for key in ("framework", "data") if key not in listed)
    return found


def _type_problems(table: str, given: Mapping[str, Any], place: Place) -> list[Problem]:
    found = []
    for key, value in given.items():
        kind: tuple[type[Any], ...] = (str, int)
        if key in ("ignore", "data"):
            kind = (str, list)
        elif key == "coinr":
            kind = (dict,)
        ok = isinstance(value, kind) and not (key == "coinr" and not {"data", "meta"} <= set(value))
        if not ok or (key in ("file", "framework", "units") and not isinstance(value, str)):
            found.append(_ill(f"{table}.{key}", f"{' or '.join(k.__name__ for k in kind)}", "正确的类型", place))
    return found


def _ill(key: str, en: str, zh: str, place: Place) -> Problem:
    return Problem(
        "bad-setting", Text(f"{key} must be given as {en}.", f"{key} 须为{zh}。"), Text("See docs/guide/project.md.", "参见 docs/guide/project.md。"), place
    )
