"""Settings of a project: biaochi.toml or the Recipe sheet, read and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from biaochi.errors import BadInput, Place, Problem, Text, refuse, unknown
from biaochi.files.csv import decode
from biaochi.panel import COLUMNS
from biaochi.table import Table, find_column, is_missing, missing_column, number, text

SETTINGS: Mapping[str, tuple[str, ...]] = {
    "files": ("framework", "units", "data", "coinr", "period", "ignore"),
    "columns": tuple(COLUMNS),
    "published": ("file", "node", "value", "decimals"),
    "map": ("file", "key"),
}
"""Tables of biaochi.toml and their keys; ``title``, ``notice`` and ``[recipe]`` stand beside them."""


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a biaochi.toml."""
    try:
        return tomllib.loads(decode(path.read_bytes(), path.name))
    except (ValueError, RecursionError) as e:
        if isinstance(e, BadInput):
            raise
        what = Text(f"this is not TOML: {e}.", f"不是合法的 TOML：{e}。")
        refuse([Problem("bad-toml", what, Text("Mend the line named.", "请修正所指的行。"), Place(path.name))])
        raise


def settings_sheet(table: Table, found: list[Problem]) -> dict[str, Any]:
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


def setting_problems(config: Mapping[str, Any], place: Place, *, workbook: bool = False) -> list[Problem]:
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
