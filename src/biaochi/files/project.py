"""A project: a folder with biaochi.toml, or one workbook; framework, data, recipe and what goes with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from biaochi.files.excel import read_sheets
from biaochi.files.experts import with_tables
from biaochi.files.geojson import Boundaries, read_boundaries
from biaochi.files.settings import read_toml, setting_problems, settings_sheet
from biaochi.files.tree import framework_from
from biaochi.framework import Framework
from biaochi.method import Array
from biaochi.panel import COLUMNS, Panel
from biaochi.recipe import Recipe
from biaochi.study import Study, study_from
from biaochi.table import Table, find_column, missing_column, text

EXAMPLES = ("desi-2022", "hdi", "asem", "shanxi-cities", "china-counties")
"""Projects that come with the package."""

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
    config = read_toml(path)
    get.problems.extend(setting_problems(config, here))
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
    config = settings_sheet(sheets["recipe"], get.problems) if "recipe" in sheets else {}
    place = Place(path.name, sheets["recipe"].sheet if "recipe" in sheets else None)
    get.problems.extend(setting_problems(config, place, workbook=True))
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
