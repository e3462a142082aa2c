"""What SDMX messages say, between their syntaxes and our tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from biaochi.cells import STATUSES
from biaochi.errors import Place, Problem, Text
from biaochi.files.columns import Columns, framework_columns, unit_columns
from biaochi.framework import Framework
from biaochi.table import Table
from biaochi.units import Unit

AGENCY = "BIAOCHI"
FLOW = "PANEL"
VERSION = "1.0.0"
DIMENSIONS = ("REF_AREA", "INDICATOR", "TIME_PERIOD")
ATTRIBUTES = ("OBS_STATUS", "SOURCE")
CONCEPTS: Mapping[str, Text] = {
    "REF_AREA": Text("Unit", "单位"), "INDICATOR": Text("Indicator", "指标"), "TIME_PERIOD": Text("Period", "期"), "OBS_VALUE": Text("Value", "数值"),
    "OBS_STATUS": Text("Observation status", "观测状态"), "SOURCE": Text("Source", "来源"),
}  # fmt: skip
LISTS: Mapping[str, str] = {"REF_AREA": "CL_UNIT", "INDICATOR": "CL_INDICATOR", "OBS_STATUS": "CL_OBS_STATUS"}
"""Code list of each coded component."""
OURS = "biaochi"
"""Type of annotations that carry columns of our tables."""


def urn(kind: str, item: str) -> str:
    """Identifier of an artefact of ours."""
    package = {"Codelist": "codelist", "Concept": "conceptscheme", "Dataflow": "datastructure", "DataStructure": "datastructure"}[kind]
    name, _, part = item.partition(".")
    return f"urn:sdmx:org.sdmx.infomodel.{package}.{kind}={AGENCY}:{name}({VERSION})" + (f".{part}" if part else "")


@dataclass(frozen=True)
class Code:
    """A code with its names in both languages; further columns of our tables go along as annotations."""

    id: str
    name_en: str = ""
    name_zh: str = ""
    parent: str = ""
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> dict[str, str]:
        """Names by language; every code must have one, so a nameless one shows its id."""
        told = {lang: n for lang, n in (("en", self.name_en), ("zh", self.name_zh)) if n}
        return told or {"en": self.id}

    @property
    def annotations(self) -> dict[str, str]:
        """Columns that go along; a nameless code says so."""
        return dict(self.more) | ({} if self.name_en or self.name_zh else {"unnamed": "yes"})


@dataclass(frozen=True)
class CodeList:
    """A list of codes."""

    id: str
    name: Text
    codes: Sequence[Code]


def code_lists(framework: Framework | None, units: Sequence[Unit]) -> list[CodeList]:
    """Units, indicators and statuses as code lists."""
    lists = [CodeList(LISTS["REF_AREA"], Text("Units", "单位"), list(_codes(unit_columns(units))))]
    if framework is not None:
        lists.append(CodeList(LISTS["INDICATOR"], Text("Indicators", "指标体系"), list(_codes(framework_columns(framework)))))
    return [*lists, CodeList(LISTS["OBS_STATUS"], CONCEPTS["OBS_STATUS"], [Code(k, t.en, t.zh) for k, t in STATUSES.items()])]


def _codes(columns: Columns) -> Iterator[Code]:
    for i, code in enumerate(columns["code"]):
        more = {k: v[i] for k, v in columns.items() if k not in ("code", "parent", "name_zh", "name_en") and v[i]}
        name_en, name_zh, parent = (columns[k][i] if k in columns else "" for k in ("name_en", "name_zh", "parent"))
        yield Code(code, name_en, name_zh, parent, more)


def table_of_codes(codes: Sequence[Code], file: str, sheet: str) -> Table:
    """A code list as one of our tables again."""
    names = list(dict.fromkeys(k for c in codes for k in c.more if k not in ("unnamed", "parent")))
    bare = [c.more.get("unnamed") == "yes" for c in codes]
    columns = {
        "code": [c.id for c in codes], "parent": [c.parent or c.more.get("parent", "") for c in codes],
        "name_zh": [c.name_zh for c in codes], "name_en": ["" if b else c.name_en for b, c in zip(bare, codes, strict=True)],
    }  # fmt: skip
    return Table({**columns, **{k: [c.more.get(k, "") for c in codes] for k in names}}, file, sheet, range(1, len(codes) + 1))


_PLAIN = re.compile(r"[A-Za-z0-9_@\-]+")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_\-]*")
"""What SDMX-ML 3.0 lets stand as the parent of a code."""


def escape(code: str) -> str:
    """A code as an SDMX identifier: characters it may not have stand as ``$hexadecimal$``."""
    return code if _PLAIN.fullmatch(code) else "".join(c if _PLAIN.fullmatch(c) else f"${ord(c):X}$" for c in code)


def unescape(identifier: str) -> str:
    """The code an identifier stands for; others' identifiers come back as they are."""
    return re.sub(r"\$([0-9A-F]+)\$", lambda m: chr(int(m[1], 16)) if int(m[1], 16) < 0x110000 else m[0], identifier)


def no_change(actions: Iterable[str], name: str) -> Iterator[Problem]:
    """The problem of a message that deletes or replaces observations somewhere else."""
    wrong = sorted({a for a in actions if a.strip().lower() in ("delete", "replace", "d", "r")})
    if wrong:
        what = Text(f"the action {wrong[0]!r} changes data elsewhere.", f"动作 {wrong[0]!r} 针对他处数据。")
        yield Problem("sdmx-action", what, Text("Give a message of action Information or Append.", "请提供动作为 Information 或 Append 的消息。"), Place(name))
