"""A project written in any of the formats we read: the same framework, units, data and recipe, and it runs."""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from biaochi.errors import BadInput, BadOption, MissingExtra, Place, Problem, Text, choose, refuse
from biaochi.files.coinr import write_coinr
from biaochi.files.columns import Columns, Observations, data_columns, framework_columns, toml_value, unit_columns
from biaochi.files.excel import write_tables
from biaochi.files.jsonstat import write_jsonstat
from biaochi.files.project import Project, load
from biaochi.files.sdmx.csv import write_sdmx_csv
from biaochi.files.sdmx.json import write_sdmx_json, write_sdmx_json_structure
from biaochi.files.sdmx.ml import write_sdmx_ml, write_sdmx_ml_structure
from biaochi.recipe import Recipe
from biaochi.units import Unit

Files = Mapping[str, str | dict[str, str]]
"""Which file holds framework, units and data."""


def _file_name(name: str) -> str:
    """A project's name as the name of a file."""
    return re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", name)[:80] or "project"


def _csv(project: Project, folder: Path) -> Files:
    _write_csv(folder / "framework.csv", framework_columns(project.framework))
    _write_csv(folder / "units.csv", unit_columns(project.panel.units))
    _write_csv(folder / "data.csv", data_columns(project.panel))
    return {"framework": "framework.csv", "units": "units.csv", "data": "data.csv"}


def _write_csv(path: Path, columns: Mapping[str, list[Any]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as f:  # so that spreadsheets read Chinese
        out = csv.writer(f)
        out.writerow(columns)
        out.writerows(tuple("" if v is None else repr(v) if isinstance(v, float) else v for v in row) for row in zip(*columns.values(), strict=True))


def _parquet(project: Project, folder: Path) -> Files:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra("pyarrow", "frames") from None
    from biaochi.arrow import encoded

    o = Observations.of(project.panel)
    at = (o.period, o.unit, o.code)
    columns = {f: encoded(*o.axis(f)) for f in ("unit", "period", "indicator")}
    columns |= {"value": pa.array(project.panel.values[at], from_pandas=True), "status": pa.array(project.panel.status[at]), "source": encoded(project.panel.sources, project.panel.source[at])}  # fmt: skip
    pq.write_table(pa.table(columns), folder / "data.parquet")
    _write_csv(folder / "framework.csv", framework_columns(project.framework))
    _write_csv(folder / "units.csv", unit_columns(project.panel.units))
    return {"framework": "framework.csv", "units": "units.csv", "data": "data.parquet"}


def _sdmx_csv(project: Project, folder: Path) -> Files:
    write_sdmx_csv(project.panel, folder / "data.csv")
    write_sdmx_ml_structure(project.framework, project.panel.units, folder / "structure.xml")
    return {"framework": "structure.xml", "units": "structure.xml", "data": "data.csv"}


def _sdmx_ml(project: Project, folder: Path) -> Files:
    write_sdmx_ml(project.panel, folder / "data.xml")
    write_sdmx_ml_structure(project.framework, project.panel.units, folder / "structure.xml")
    return {"framework": "structure.xml", "units": "structure.xml", "data": "data.xml"}


def _sdmx_json(project: Project, folder: Path) -> Files:
    write_sdmx_json(project.panel, folder / "data.json", project.framework)
    write_sdmx_json_structure(project.framework, project.panel.units, folder / "structure.json")
    return {"framework": "structure.json", "units": "structure.json", "data": "data.json"}


def _jsonstat(project: Project, folder: Path) -> Files:
    write_jsonstat(project.panel, folder / "data.json", project.framework)
    return {"framework": "data.json", "units": "data.json", "data": "data.json"}


def _coinr(project: Project, folder: Path) -> Files:
    write_coinr(project.framework, project.panel, folder / "iData.csv", folder / "iMeta.csv")
    return {"coinr": {"data": "iData.csv", "meta": "iMeta.csv"}}


def _excel(project: Project, folder: Path) -> Files:
    tables = {
        "Framework": framework_columns(project.framework),
        "Units": unit_columns(project.panel.units),
        "Data": data_columns(project.panel),
        "Recipe": settings_columns(project),
    }
    write_tables(folder / f"{_file_name(project.name)}.xlsx", tables)
    return {}


WRITERS: dict[str, Callable[[Project, Path], Files]] = {
    "csv": _csv, "parquet": _parquet, "excel": _excel, "sdmx-csv": _sdmx_csv, "sdmx-ml": _sdmx_ml, "sdmx-json": _sdmx_json, "json-stat": _jsonstat, "coinr": _coinr,
}  # fmt: skip
"""Formats a project can be written in, by name."""


def save(project: Project, folder: str | Path, form: str = "csv") -> list[Path]:
    """Write a project into an empty folder: framework, units, data, and biaochi.toml with the recipe.

    Parameters
    ----------
    project : Project
    folder : str or Path
        Made where it is not there.
    form : {"csv", "parquet", "excel", "sdmx-csv", "sdmx-ml", "sdmx-json", "json-stat", "coinr"}
        ``excel`` is one workbook, without biaochi.toml; ``coinr`` is iData and iMeta, for projects they can hold.

    Returns
    -------
    list of Path
        The files written. Reading them gives the same framework, panel and recipe, to the bit: this is tried before anything
        is put in place. Published scores and boundaries are not part of these formats and are not written.

    Raises
    ------
    UnknownName
        If there is no such format.
    BadInput
        If the folder has anything in it, or the project has what cannot be written and read back in this format.
    """
    choose(Text("format", "格式"), form, WRITERS)
    if not isinstance(project, Project):
        raise BadOption(
            "save", f"needs a project, such as biaochi.load('asem'); got {project!r:.80}.", f"save 需要项目，如 biaochi.load('asem')；得到 {project!r:.80}。"
        )
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = Text("the folder is not empty.", "文件夹不为空。") if folder.is_dir() else Text("a file of this name is in the way.", "存在同名文件。")
        refuse([Problem("in-the-way", what, Text("Name another folder.", "请换一个文件夹。"), Place(str(folder)))])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".writing-") as scratch:
        told = WRITERS[form](project, Path(scratch))
        if told:
            (Path(scratch) / "biaochi.toml").write_text(_toml(project, told), encoding="utf-8", newline="\n")
        written = next(Path(scratch).glob("*.xlsx"), Path(scratch)) if not told else Path(scratch)
        refuse(_lost(project, written, form))
        folder.mkdir(exist_ok=True)
        for made in sorted(Path(scratch).iterdir()):
            os.replace(made, folder / made.name)
    return sorted(folder.iterdir())


def _lost(project: Project, written: Path, form: str) -> Iterator[Problem]:
    """What does not come back from the files as it went in."""
    fix = Text("Take it out, or choose another format.", "请删除，或另选格式。")
    try:
        again = load(written)
    except BadInput as e:
        for p in e.problems[:100]:
            what = Text(f"{form} cannot hold this project: {p.what.en}", f"{form} 无法容纳该项目：{p.what.zh}")
            yield Problem("cannot-hold", what, fix, p.place)
        return
    a, b = project.panel, again.panel
    parts = {
        Text("the framework", "指标体系"): project.framework.to_dict() == again.framework.to_dict(),
        Text("the units", "单位"): {u.code: _unit(u) for u in a.units} == {u.code: _unit(u) for u in b.units},
        Text("the data", "数据"): (a.periods, a.codes, a.fingerprint) == (b.periods, b.codes, b.fingerprint),
        Text("the recipe", "方案"): project.recipe.fingerprint == again.recipe.fingerprint,
        Text("what varies in the study of robustness", "稳健性研究的变动"): _study(project) == _study(again),
        Text("title and notice", "标题与说明"): [_plain(t) for t in (project.title, project.notice)] == [_plain(t) for t in (again.title, again.notice)],
    }
    for name, kept in parts.items():
        if not kept:
            what = Text(f"{name.en} would not come back from {form} as it is (spaces at ends, words for missing values, or numbers that no cell holds?).",
                        f"{name.zh}无法经 {form} 原样读回（首尾空格、表示缺失的文字，或单元格无法容纳的数？）。")  # fmt: skip
            yield Problem("cannot-hold", what, fix)


def _unit(u: Unit) -> tuple[Any, ...]:
    return u.code, u.name_en, u.name_zh, u.parent or None, u.ranked, tuple(sorted((g, v) for g, v in u.groups if v))


def _plain(t: Text) -> tuple[str, str]:
    """A text as it counts: one language stands for the other."""
    return t.en or t.zh, t.zh or t.en


def _study(project: Project) -> str | None:
    return project.study.fingerprint if project.study else None


def _notice(project: Project) -> dict[str, str]:
    return {k: v for k, v in (("en", project.notice.en), ("zh", project.notice.zh)) if v}


def _toml(project: Project, told: Files) -> str:
    lines = [f"title = {toml_value({'en': project.title.en, 'zh': project.title.zh})}"]
    lines += [f"notice = {toml_value(_notice(project))}"] if _notice(project) else []
    lines += ["", "[files]", *(f"{k} = {toml_value(v)}" for k, v in told.items()), "", "[recipe]"]
    table = recipe_table(project.recipe)
    lines += [f"{k} = {toml_value(v)}" for k, v in table.items() if k not in ("level", "node")]
    for key in ("level", "node"):
        for name, choices in table.get(key, {}).items():
            lines += ["", f"[recipe.{key}.{toml_value(name)}]", *(f"{s} = {toml_value(c)}" for s, c in choices.items())]
    if project.study:
        study = project.study.to_dict()
        lines += ["", "[robustness]", *(f"{k} = {toml_value(v)}" for k, v in study.items() if k != "vary")]
        for varied in study["vary"]:
            lines += ["", "[[robustness.vary]]", *(f"{k} = {toml_value(v)}" for k, v in varied.items())]
    return "\n".join(lines) + "\n"


def settings_columns(project: Project) -> Columns:
    """The settings of a project as a Recipe sheet: dotted keys and their values."""
    title = {lang: t for lang, t in (("en", project.title.en), ("zh", project.title.zh)) if t}
    study = {"robustness": project.study.to_dict()} if project.study else {}
    rows = _flat({"title": title, "notice": _notice(project), "recipe": recipe_table(project.recipe), **study})
    return {"key": [k for k, _ in rows], "value": [v for _, v in rows]}


def recipe_table(recipe: Recipe) -> dict[str, Any]:
    """The settings of a recipe that are not the default, as they stand in biaochi.toml."""
    usual, given = Recipe().to_dict(), recipe.to_dict()
    return {k: v for k, v in given.items() if k != "biaochi.recipe" and v is not None and v != usual[k]}


def _flat(table: Mapping[str, Any], path: str = "") -> list[tuple[str, str]]:
    """Nested settings as dotted keys, for a sheet; choices of method stay on one line."""
    out: list[tuple[str, str]] = []
    for k, v in table.items():
        key = f"{path}{k}"
        if isinstance(v, Mapping) and "method" not in v:
            out += _flat(v, f"{key}.")
        else:
            out.append((key, v if isinstance(v, str) else toml_value(v)))
    return out
