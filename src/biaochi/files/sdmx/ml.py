"""SDMX-ML 3.0: data and structures; older data messages (2.1, generic too) are read as well."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape as xml_escape
from xml.sax.saxutils import quoteattr

from biaochi.cells import COLUMNS
from biaochi.errors import Place, Problem, Text, refuse
from biaochi.files.columns import Observations
from biaochi.files.sdmx.model import (
    AGENCY,
    ATTRIBUTES,
    CONCEPTS,
    DIMENSIONS,
    FLOW,
    LISTS,
    NAME,
    OURS,
    VERSION,
    Code,
    CodeList,
    code_lists,
    escape,
    no_change,
    table_of_codes,
    unescape,
    urn,
)  # fmt: skip
from biaochi.framework import Framework
from biaochi.panel import Panel
from biaochi.table import Table
from biaochi.units import Unit

_NS = "http://www.sdmx.org/resources/sdmxml/schemas/v3_0/"
_FLOW_NS = f"{urn('Dataflow', FLOW)}:ObsLevelDim:AllDimensions"


def text_of(text: str) -> str:
    """Text as it stands in an element; a carriage return would come back as a line feed."""
    return xml_escape(text, {"\r": "&#13;"})


def _header(ident: str, more: str = "") -> str:
    prepared = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f'<mes:Header><mes:ID>{ident}</mes:ID><mes:Test>false</mes:Test><mes:Prepared>{prepared}</mes:Prepared><mes:Sender id="{AGENCY}"/>{more}</mes:Header>\n'
    )


def write_sdmx_ml(panel: Panel, path: str | Path) -> None:
    """Write the observations of a panel as an SDMX-ML 3.0 structure-specific data message.

    A missing value with a status is written as ``NaN``. Names stand in the structure message.

    Parameters
    ----------
    panel : Panel
    path : str or Path
    """
    o = Observations.of(panel)
    structure = (
        f'<mes:Structure structureID="{FLOW}" namespace="{_FLOW_NS}" dimensionAtObservation="AllDimensions">'
        f"<com:StructureUsage>{urn('Dataflow', FLOW)}</com:StructureUsage></mes:Structure><mes:DataSetAction>Information</mes:DataSetAction>"
    )
    top = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<mes:StructureSpecificData xmlns:mes="{_NS}message" xmlns:com="{_NS}common" '
        f'xmlns:dsd="{_NS}data/structurespecific" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:ns1="{_FLOW_NS}">\n'
    )
    attribute = {f: {n: quoteattr(escape(n)) for n in o.axis(f)[0]} for f in ("unit", "indicator", "period")}
    sources = {n: quoteattr(n) for n in panel.sources}
    rows = zip(o.labels("unit"), o.labels("indicator"), o.labels("period"), o.values, o.status, o.source, strict=True)
    with Path(path).open("w", encoding="utf-8", newline="\n") as f:
        f.write(top + _header("DATA", structure) + f'<mes:DataSet dsd:structureRef="{FLOW}" xsi:type="ns1:DataSetType" dsd:action="Information">\n')
        for u, c, p, v, s, t in rows:
            said = f" SOURCE={sources[t]}" if t else ""
            status = f' OBS_STATUS="{s}"' if s else ""
            keys = f"REF_AREA={attribute['unit'][u]} INDICATOR={attribute['indicator'][c]} TIME_PERIOD={attribute['period'][p]}"
            f.write(f'<Obs {keys} OBS_VALUE="{"NaN" if v != v else repr(v)}"{status}{said}/>\n')
        f.write("</mes:DataSet>\n</mes:StructureSpecificData>\n")


def write_sdmx_ml_structure(framework: Framework | None, units: Sequence[Unit], path: str | Path) -> None:
    """Write code lists, concepts, data structure and dataflow as an SDMX-ML 3.0 structure message.

    Units and indicators carry their names in both languages, their place in the tree and, as annotations, every other
    column of our tables.

    Parameters
    ----------
    framework : Framework or None
    units : sequence of Unit
    path : str or Path
    """
    top = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<mes:Structure xmlns:mes="{_NS}message" xmlns:str="{_NS}structure" xmlns:com="{_NS}common" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
    )
    lists = "".join(_code_list(c) for c in code_lists(framework, units))
    concepts = "".join(f'<str:Concept id="{c}">{_names(dict(zip(("en", "zh"), t, strict=True)))}</str:Concept>\n' for c, t in CONCEPTS.items())
    named = _names({"en": "Panel", "zh": "面板数据"})
    own = f'agencyID="{AGENCY}" version="{VERSION}"'
    parts = [
        f"<str:Codelists>\n{lists}</str:Codelists>\n",
        f'<str:ConceptSchemes><str:ConceptScheme id="CS" {own}>{_names({"en": "Concepts", "zh": "概念"})}\n{concepts}</str:ConceptScheme></str:ConceptSchemes>\n',
        f'<str:Dataflows><str:Dataflow id="{FLOW}" {own}>{named}<str:Structure>{urn("DataStructure", FLOW)}</str:Structure></str:Dataflow></str:Dataflows>\n',
        f'<str:DataStructures><str:DataStructure id="{FLOW}" {own}>{named}<str:DataStructureComponents>\n{_components(framework is not None)}'
        "</str:DataStructureComponents></str:DataStructure></str:DataStructures>\n",
    ]
    Path(path).write_text(f"{top}{_header('STRUCTURE')}<mes:Structures>\n{''.join(parts)}</mes:Structures>\n</mes:Structure>\n", encoding="utf-8", newline="\n")


def _names(names: Mapping[str, str]) -> str:
    return "".join(f'<com:Name xml:lang="{lang}">{text_of(n)}</com:Name>' for lang, n in names.items())


def _code_list(listed: CodeList) -> str:
    codes = "".join(_code(c) for c in listed.codes)
    named = _names({"en": listed.name.en, "zh": listed.name.zh})
    return f'<str:Codelist id="{listed.id}" agencyID="{AGENCY}" version="{VERSION}">{named}\n{codes}</str:Codelist>\n'


def _code(c: Code) -> str:
    parent = escape(c.parent)
    fits = NAME.fullmatch(parent) is not None  # 3.0 lets no parent start with a digit; such parents go along as an annotation
    more = c.annotations if fits or not parent else {"parent": c.parent, **c.annotations}
    told = "".join(
        f'<com:Annotation id="A{i}"><com:AnnotationTitle>{text_of(k)}</com:AnnotationTitle><com:AnnotationType>{OURS}</com:AnnotationType>'
        f"<com:AnnotationValue>{text_of(v)}</com:AnnotationValue></com:Annotation>"
        for i, (k, v) in enumerate(more.items(), start=1)
    )
    annotations = f"<com:Annotations>{told}</com:Annotations>" if told else ""
    return f'<str:Code id="{escape(c.id)}">{annotations}{_names(c.names)}{f"<str:Parent>{parent}</str:Parent>" if parent and fits else ""}</str:Code>\n'


def _components(indicators: bool) -> str:
    def identity(c: str) -> str:
        return f"<str:ConceptIdentity>{urn('Concept', f'CS.{c}')}</str:ConceptIdentity>"

    def coded(c: str) -> str:
        known = c in LISTS and (indicators or c != "INDICATOR")
        inner = f"<str:Enumeration>{urn('Codelist', LISTS[c])}</str:Enumeration>" if known else '<str:TextFormat textType="String"/>'
        return f"<str:LocalRepresentation>{inner}</str:LocalRepresentation>"

    dims = "".join(f'<str:Dimension id="{d}" position="{i}">{identity(d)}{coded(d)}</str:Dimension>\n' for i, d in enumerate(DIMENSIONS[:2], start=1))
    time = '<str:LocalRepresentation><str:TextFormat textType="ObservationalTimePeriod"/></str:LocalRepresentation>'
    dims += f'<str:TimeDimension id="TIME_PERIOD">{identity("TIME_PERIOD")}{time}</str:TimeDimension>\n'
    relation = "<str:AttributeRelationship><str:Observation/></str:AttributeRelationship>"
    attributes = "".join(f'<str:Attribute id="{a}" usage="optional">{identity(a)}{coded(a)}{relation}</str:Attribute>\n' for a in ATTRIBUTES)
    measure = '<str:LocalRepresentation><str:TextFormat textType="Double"/></str:LocalRepresentation>'
    return (
        f'<str:DimensionList id="DimensionDescriptor">\n{dims}</str:DimensionList>\n<str:AttributeList id="AttributeDescriptor">\n{attributes}</str:AttributeList>\n'
        f'<str:MeasureList id="MeasureDescriptor"><str:Measure id="OBS_VALUE" usage="optional">{identity("OBS_VALUE")}{measure}</str:Measure></str:MeasureList>\n'
    )


# --- reading -------------------------------------------------------------------------------------


def read_sdmx_ml(path: Path, name: str) -> list[Table]:
    """The tables of an SDMX-ML message: ``data``, or ``framework`` and ``units`` of a structure message.

    Raises
    ------
    BadInput
        If the file is no well-formed XML, declares entities, or holds neither observations nor code lists.
    """
    _no_entities(path.read_bytes(), name)
    try:
        (rows, lists, enumerated), actions = _walk(path, name)
    except (ElementTree.ParseError, ValueError, LookupError) as e:
        row = e.position[0] if isinstance(e, ElementTree.ParseError) and e.position else None
        refuse(
            [
                Problem(
                    "bad-xml",
                    Text(f"this is not well-formed XML ({e}).", f"不是格式正确的 XML（{e}）。"),
                    Text("Write the file again.", "请重新生成该文件。"),
                    Place(name, row=row),
                )
            ]
        )
    refuse(no_change(actions, name))
    tables = []
    if rows:
        ids = list(dict.fromkeys(k for r in rows for k in r))
        columns = {c: [unescape(r.get(c, "")) if c in DIMENSIONS[:2] else r.get(c, "") for r in rows] for c in ids}
        tables.append(Table(columns, name, "data", range(1, len(rows) + 1), long=True))
    for sheet, kind, usual in (("framework", "indicator", "CL_INDICATOR"), ("units", "unit", "CL_UNIT")):
        wanted = next((enumerated[d] for d in enumerated if d.lower() in COLUMNS[kind]), usual)
        if wanted in lists:
            tables.append(table_of_codes(lists[wanted], name, sheet))
    if not tables:
        what = Text("this XML holds neither observations nor code lists of units or indicators.", "该 XML 中没有观测值，也没有单位或指标的代码表。")
        refuse([Problem("no-sdmx", what, Text("Give an SDMX-ML data or structure message.", "请提供 SDMX-ML 数据或结构消息。"), Place(name))])
    return tables


def _no_entities(raw: bytes, name: str) -> None:
    if any(word.encode(code) in raw for word in ("<!DOCTYPE", "<!ENTITY") for code in ("utf-8", "utf-16-le", "utf-16-be")):
        what = Text("the file declares a document type; SDMX has none, and entities can be harmful.", "文件声明了文档类型；SDMX 不使用，且实体可能有害。")
        refuse([Problem("bad-xml", what, Text("Remove the DOCTYPE line.", "请删除 DOCTYPE 声明。"), Place(name))])


_ENCODINGS = frozenset(
    ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "iso8859-1", "cp1252", "gb2312", "gbk", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr"]
)


def _source(path: Path, name: str) -> Any:
    """The file as the parser takes it: decoded here, where its encoding is one the parser does not know."""
    with path.open("rb") as f:
        told = re.match(rb"""<\?xml[^>]*encoding=["']([A-Za-z0-9._-]+)["']""", f.read(200))
    encoding = told[1].decode().lower() if told else "utf-8"
    if codecs.lookup(encoding).name not in _ENCODINGS:
        raise LookupError(f"its encoding is {encoding}; use UTF-8")
    if encoding in ("utf-8", "utf-16", "us-ascii", "iso-8859-1"):
        return str(path)
    text = path.read_text(encoding=encoding)
    _no_entities(text.encode("utf-8", "replace"), name)
    return io.StringIO(text)


Found = tuple[list[dict[str, str]], dict[str, list[Code]], dict[str, str]]


@dataclass
class _Message:
    """What was met on the way through a message."""

    rows: list[dict[str, str]] = field(default_factory=list)
    here: list[dict[str, str]] = field(default_factory=list)
    """Observations of the data set that is being read."""
    lists: dict[str, list[Code]] = field(default_factory=dict)
    enumerated: dict[str, str] = field(default_factory=dict)
    series: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    """Attributes of the data set."""
    groups: list[tuple[dict[str, str], dict[str, str]]] = field(default_factory=list)
    """Groups of its observations: the dimensions that make the group, where it names them, and what else it says."""
    actions: set[str] = field(default_factory=set)


def _walk(path: Path, name: str) -> tuple[Found, set[str]]:
    """Observations with all attributes that concern them, code lists by id, the code list of each dimension; actions."""
    m = _Message()
    above: list[str] = []
    for event, e in ElementTree.iterparse(_source(path, name), ("start", "end")):
        tag = _local(e.tag)
        if event == "start":
            above.append(tag)
            if tag == "Series":
                m.series = dict(_attributes(e))
            elif tag == "DataSet":
                m.fixed = {k: v for k, v in _attributes(e) if k not in _OF_DATASET}
            m.actions |= {v for k, v in e.attrib.items() if _local(k) == "action"}
            continue
        above.pop()
        _ended(m, tag, e, above[-1] if above else "")
    return (m.rows, m.lists, m.enumerated), m.actions


_OF_DATASET = frozenset({"structureRef", "setID", "action", "validFromDate", "validToDate", "reportingBeginDate", "reportingEndDate", "publicationYear", "publicationPeriod", "dataScope", "dataProviderSchemeAgencyId", "dataProviderSchemeId", "dataProviderID", "dataflowID", "dataflowAgencyID", "keyFamilyURI", "datasetID"})  # fmt: skip
"""Attributes of a data set that say nothing of its observations."""


def _ended(m: _Message, tag: str, e: Any, parent: str) -> None:
    """An element is complete."""
    match tag, parent:
        case "DataSetAction", _:
            m.actions.add((e.text or "").strip())
        case ("SeriesKey", _) | ("Attributes", "Series"):
            m.series |= dict(_values(e))
        case "Attributes", "DataSet":
            m.fixed |= dict(_values(e))
        case "Comp", "Series":
            m.series |= _component(e)
        case "Obs", _:
            m.here.append({**m.series, **_observation(e)})
            e.clear()
        case "Series", _:
            m.series = {}
            e.clear()
        case (("Group" | "SiblingGroup" | "Atts"), ("DataSet" | "Group")):
            m.groups.append(_group(e))
        case "DataSet", _:
            m.rows += _spread(m)
            m.here, m.fixed, m.groups = [], {}, []
        case (("Codelist" | "Dimension"), _):
            _structure(m, tag, e)


def _structure(m: _Message, tag: str, e: Any) -> None:
    """A code list, or the code list of a dimension."""
    if tag == "Codelist":
        m.lists[e.get("id", "")] = [_read_code(c) for c in e if _local(c.tag) == "Code"]
        e.clear()
    else:
        m.enumerated |= dict(_enumeration(e))


def _component(e: Any) -> dict[str, str]:
    """A component written as an element."""
    return {e.get("id", ""): next((v.text or "" for v in e if _local(v.tag) == "Value"), e.get("value", ""))}


def _group(e: Any) -> tuple[dict[str, str], dict[str, str]]:
    """The key of a group, where it is marked as one, and all else the group says."""
    parts = {_local(c.tag): c for c in e}
    if "GroupKey" in parts:
        return dict(_values(parts["GroupKey"])), dict(_values(parts["Attributes"])) if "Attributes" in parts else {}
    return {}, {**dict(_attributes(e)), **dict(_values(e)), **{k: v for c in e if _local(c.tag) == "Comp" for k, v in _component(c).items()}}


_NO_KEY = frozenset({*COLUMNS["value"], *COLUMNS["status"], *COLUMNS["source"]})


def _spread(m: _Message) -> list[dict[str, str]]:
    """Observations of a data set with its attributes and those of their groups: a group is known by what all observations have."""
    met = {k for k in set(m.here[0]).intersection(*m.here) if k.lower() not in _NO_KEY} if m.here else set()
    by_key: dict[tuple[str, ...], dict[tuple[str, ...], dict[str, str]]] = {}
    for named, said in m.groups:
        marked = named or {k: v for k, v in said.items() if k in met}
        key = tuple(sorted(marked))
        by_key.setdefault(key, {}).setdefault(tuple(marked[k] for k in key), {}).update({k: v for k, v in said.items() if k not in marked})
    if not m.fixed and not by_key:
        return m.here
    out = []
    for r in m.here:
        more = [by_key[key].get(tuple(r.get(k, "") for k in key), {}) for key in by_key]
        out.append({**m.fixed, **{k: v for x in more for k, v in x.items()}, **r})
    return out


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def _attributes(e: Any) -> Iterator[tuple[str, str]]:
    return ((k, v) for k, v in e.attrib.items() if "}" not in k)


def _values(e: Any) -> Iterator[tuple[str, str]]:
    return ((v.get("id", ""), v.get("value", "")) for v in e.iter() if _local(v.tag) == "Value")


def _observation(e: Any) -> dict[str, str]:
    """An observation: attributes of a structure-specific one, elements of a generic one."""
    out = dict(_attributes(e))
    for part in e:
        tag = _local(part.tag)
        if tag == "ObsDimension":
            out[part.get("id", "TIME_PERIOD")] = part.get("value", "")
        elif tag == "ObsValue":
            out["OBS_VALUE"] = part.get("value", "")
        elif tag in ("ObsKey", "Attributes"):
            out |= dict(_values(part))
        elif tag == "Comp":
            out |= _component(part)
    return out


def _read_code(e: Any) -> Code:
    names = {c.get("{http://www.w3.org/XML/1998/namespace}lang", "en"): c.text or "" for c in e if _local(c.tag) == "Name"}
    parent = next((_last(c) for c in e if _local(c.tag) == "Parent"), "")
    more = {}
    for a in e.iter():
        if _local(a.tag) == "Annotation":
            said = {_local(x.tag): x.text or "" for x in a}
            if said.get("AnnotationType") == OURS:
                more[said.get("AnnotationTitle", "")] = said.get("AnnotationValue", "")
    return Code(unescape(e.get("id", "")), names.get("en", ""), names.get("zh", names.get("zh-CN", "")), unescape(parent), more)


def _last(parent: Any) -> str:
    """The parent's id: text in 3.0, a reference in 2.1."""
    ref = next((r.get("id") for r in parent.iter() if _local(r.tag) == "Ref"), None)
    return str(ref or parent.text or "").strip()


def _enumeration(e: Any) -> Iterator[tuple[str, str]]:
    for x in e.iter():
        if _local(x.tag) == "Enumeration":
            ref = next((r.get("id") for r in x.iter() if _local(r.tag) == "Ref"), None)
            said = str(ref or x.text or "").strip()
            yield e.get("id", ""), said.split("=", 1)[-1].split(":", 1)[-1].split("(", 1)[0]
