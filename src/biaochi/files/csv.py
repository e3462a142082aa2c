"""Comma-, semicolon- and tab-separated text, in UTF-8, UTF-16 or GB18030."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from biaochi.errors import Place, Problem, Text, refuse
from biaochi.table import LONGEST_CELL, Table, shown

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
"""Characters no name or value has, and no page or workbook can hold."""
_SAVE_UTF8 = Text("Save the file as CSV UTF-8.", "请将文件另存为 CSV UTF-8。")


def read_csv(path: Path, name: str | None = None) -> Table:
    """A text table; its first line is the header.

    Raises
    ------
    BadInput
        Empty file, unknown encoding, binary content, rows that do not fit the header, cells beyond
        32,767 characters: every problem with its row.
    """
    name = name or path.name
    if path.stat().st_size >= LARGE and (large := _read_large(path, name)) is not None:
        return large
    content = decode(path.read_bytes(), name)
    found: list[Problem] = []
    rows = list(_records(content, name, found))
    refuse(found)
    if not rows:
        refuse([_empty(Place(name))])
    (_, header), body = rows[0], rows[1:]
    table = assemble([h.strip() for h in header], body, name, None, found)
    refuse(found)
    return table


LARGE = 20_000_000
"""Bytes from which on a file is read column by column, where pyarrow is there to do it."""


def _read_large(path: Path, name: str) -> Table | None:
    """A large plain file in UTF-8; None where anything about it is unusual, which the careful reader then tells."""
    try:
        import pyarrow as pa
        from pyarrow import compute as pc
        from pyarrow import csv as arrow_csv
    except ImportError:
        return None
    from biaochi.arrow import table_of

    raw = path.read_bytes()
    start = raw[:65_536]
    first = start.split(b"\n", 1)[0].decode("utf-8-sig", "replace").rstrip("\r")
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or not first.strip() or first.startswith("sep=") or "\r" in first:
        return None
    delimiter = _separator(first)[1]
    if _odd(raw, delimiter):
        return None
    header = [h.strip() for h in next(csv.reader([first], delimiter=delimiter))]
    if len(set(header)) < len(header) or not all(header):
        return None
    text = pa.dictionary(pa.int32(), pa.string())
    try:
        read = arrow_csv.read_csv(
            str(path),
            read_options=arrow_csv.ReadOptions(column_names=header, skip_rows=1),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(column_types={h: pa.string() if _is_value(h) else text for h in header}, strings_can_be_null=False),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError, csv.Error):
        return None
    lines = raw.count(b"\n") + (not raw.endswith(b"\n")) - 1
    cells = (chunk.dictionary if pa.types.is_dictionary(c.type) else chunk for c in read.columns for chunk in c.chunks)
    long = any((pc.max(pc.utf8_length(c)).as_py() or 0) > LONGEST_CELL for c in cells)
    return None if long or len(read) != lines else table_of(read, name, range(2, len(read) + 2))


def _odd(raw: bytes, delimiter: str) -> bool:
    """Whether a file has characters of doubtful meaning, or quotes that do not simply stand around a cell."""
    if _CONTROL_BYTES.search(raw) or (not raw.isascii() and _doubtful(raw)):
        return True
    if b'"' not in raw or _plainly_quoted(raw.removeprefix(b"\xef\xbb\xbf"), delimiter):
        return False
    cut = re.escape(delimiter.encode())
    return b'"' in re.sub(rb"(?:^|(?<=[\n" + cut + rb']))"[^"]*(?:""[^"]*)*"(?=[\r\n' + cut + rb"]|$)", b"", raw.removeprefix(b"\xef\xbb\xbf"))


def _plainly_quoted(raw: bytes, delimiter: str) -> bool:
    """Whether quotes open at the start of a cell and close at its end in turn, none of them doubled: the quick answer for most files."""
    content = np.frombuffer(raw, np.uint8)
    at = np.flatnonzero(content == ord('"'))
    opened, closed = at[::2], at[1::2]
    before, after = content[opened[opened > 0] - 1], content[closed[closed < len(content) - 1] + 1]
    starts, ends = np.zeros(256, bool), np.zeros(256, bool)
    starts[[ord(delimiter), 10]] = ends[[ord(delimiter), 10, 13]] = True
    return len(at) % 2 == 0 and bool(starts[before].all() and ends[after].all())


def _doubtful(raw: bytes) -> bool:
    """Whether the careful reader has something to say of these bytes: not UTF-8, control characters, or Chinese too."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return True
    return bool(CONTROL.search(text)) or (not raw.startswith(b"\xef\xbb\xbf") and _ambiguous(raw, text))


_CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def checked(table: Table) -> Table:
    """The table, refused where a cell holds what no page or workbook could."""
    found: list[Problem] = []
    names = list(table.columns)
    for i, cells in enumerate(zip(*table.columns.values(), strict=True)):
        found.extend(_cell_problems(cells, names, table.place(i)))
    refuse(found)
    return table


def _is_value(header: str) -> bool:
    """Whether a column is likely to hold as many different cells as rows."""
    return header.lower() in ("value", "值", "数值", "指标值", "obs_value")


def decode(raw: bytes, name: str) -> str:
    """Text of a file in UTF-8 (with or without BOM), UTF-16 with BOM, or GB18030."""
    if not raw.strip(b"\xef\xbb\xbf \t\r\n"):
        refuse([_empty(Place(name))])
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _strictly(raw, "utf-16", name)
    if b"\0" in raw:
        row = raw[: raw.index(b"\0")].count(b"\n") + 1
        refuse([Problem("binary-file", Text("the file is not text: it holds NUL bytes.", "文件不是文本：含有 NUL 字节。"), _SAVE_UTF8, Place(name, row=row))])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _strictly(raw, "gb18030", name)
    if not raw.startswith(b"\xef\xbb\xbf") and _ambiguous(raw, text):
        what = Text("the bytes are UTF-8 and GB18030 at once; which one is meant cannot be told.", "字节同时符合 UTF-8 与 GB18030，无法判断编码。")
        refuse([Problem("unknown-encoding", what, Text("Save the file as UTF-8 with BOM.", "请另存为带 BOM 的 UTF-8。"), Place(name))])
    return text


def _strictly(raw: bytes, encoding: str, name: str) -> str:
    try:
        text = raw.decode(encoding)
        if encoding != "gb18030" or _plausible_chinese(text):
            return text
        start = next(i for i, b in enumerate(raw) if b > 127)
    except UnicodeDecodeError as e:
        start = e.start
    row = raw[:start].count(b"\n") + 1
    refuse(
        [
            Problem(
                "unknown-encoding",
                Text("the text is neither UTF-8 nor GB18030.", "文本既不是 UTF-8 也不是 GB18030 编码。"),
                _SAVE_UTF8,
                Place(name, row=row),
            )
        ]
    )
    raise AssertionError


def _ambiguous(raw: bytes, text: str) -> bool:
    """Whether a UTF-8 text without any Chinese would be plain Chinese as GB18030, such as ̫ԭ for 太原."""
    foreign = set(re.findall("[^\\x00-\\x7f]+", text))
    if all(_one_script(run) for run in foreign):
        return False
    try:
        chinese = raw.decode("gb2312")
    except UnicodeDecodeError:
        return False
    return all("\u4e00" <= c <= "\u9fff" for c in chinese if ord(c) > 127)


def _one_script(run: str) -> bool:
    """Whether a run of characters could be a word or symbol: one script, nothing combining at its start."""
    scripts = {unicodedata.name(c, "UNKNOWN").split()[0] for c in run if c.isalpha()}
    return len(scripts) <= 1 and "UNKNOWN" not in scripts and unicodedata.category(run[0])[0] != "M" and all(unicodedata.category(c) != "Cn" for c in run)


def _plausible_chinese(text: str) -> bool:
    """Whether most non-ASCII characters are everyday Chinese (GB 2312); Western text misread is not."""
    foreign = [c for c in text if ord(c) > 127]
    everyday = 0
    for c in foreign:
        try:
            c.encode("gb2312")
            everyday += 1
        except UnicodeEncodeError:
            pass
    if everyday < 0.7 * len(foreign):
        return False
    chinese = [c for c in foreign if "\u4e00" <= c <= "\u9fff"]
    return len(chinese) < 6 or sum(c in _COMMON for c in chinese) >= 0.12 * len(chinese)


_COMMON = frozenset(
    "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手"
    "市省县区州盟旗镇乡村街道山西东南北京津沪渝冀晋辽吉黑苏浙皖闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新疆蒙古江河湖海安徽福建四广门台湾香港原同泉长治城阳忻临汾运吕梁"
    "数字经济指标体系代码名称单位期数值状态来源权重方向上级类型计量公式分母目标率比重占均户口万亿元百增业产值入支收企技术信息网络互联宽带基站普及覆盖服务教育研究投资"
    "总量每平方公里米吨千瓦时度季月正逆向适备注说明甲乙丙丁全合计其它社会政府民公共农工商金融科软件传输电子务"
)
"""Characters that tables in Chinese are full of; text of another language misread as Chinese is not."""


def _separator(content: str) -> tuple[str, str, int]:
    """The text without Excel's ``sep=`` line, its separator, and the number of lines left out."""
    lines = content.splitlines()
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if told := re.fullmatch("sep=(.)", lines[first].strip() if lines else ""):
        return "\n".join(lines[first + 1 :]), told[1], first + 1  # Excel's own way to name it
    bare = re.sub('"[^"]*"', "", lines[first] if lines else "")
    return content, max(",;\t", key=bare.count), 0


def _records(content: str, name: str, found: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    """Non-blank records with the number of the line each starts on."""
    content, delimiter, skipped = _separator(content)
    before = csv.field_size_limit(max(len(content), 1))
    try:
        reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
        line = 1 + skipped
        while True:
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as e:
                found.append(Problem("bad-csv", Text(f"the quotes do not match ({e}).", f"引号不匹配（{e}）。"),
                                     Text("Double a quote inside a quoted cell, and close it.", "引号内的引号须成双，并注意闭合。"), Place(name, row=line)))  # fmt: skip
                return
            if any(c.strip() for c in record):
                yield line, record
            line = reader.line_num + 1 + skipped
    finally:
        csv.field_size_limit(before)


def assemble(
    header: Sequence[str],
    body: Sequence[tuple[int, Sequence[Any]]],
    file: str,
    sheet: str | None,
    found: list[Problem],
    letters: Sequence[str] = (),
) -> Table:
    """A table from its header and numbered rows; headers and rows that do not fit go to ``found``."""
    header = list(header)
    width = len(header)
    while width and not header[width - 1] and all(_blank(r[width - 1 :]) for _, r in body):
        width -= 1
    header = header[:width]
    for i, h in enumerate(header):
        place = Place(file, sheet, None, letters[i] if letters else str(i + 1))
        if not h:
            found.append(Problem("no-header", Text("the column has values but no header.", "该列有数据但没有表头。"),
                                 Text("Give it a header or delete it.", "请补充表头或删除该列。"), place))  # fmt: skip
        elif h in header[:i]:
            found.append(Problem("duplicate-header", Text(f"the header {h!r} stands twice.", f"表头 {h!r} 重复。"),
                                 Text("Rename or delete one of the columns.", "请改名或删除其中一列。"), place))  # fmt: skip
    for row, cells in body:
        if len(cells) > width and not _blank(cells[width:]):
            found.append(Problem("row-too-long", Text(f"the row has {len(cells)} cells, the header {width}.", f"该行有 {len(cells)} 个单元格，表头只有 {width} 个。"),
                                 Text("Quote cells that hold the separator, or delete what is too much.", "含分隔符的单元格请加引号，或删除多余内容。"), Place(file, sheet, row)))  # fmt: skip
        elif len(cells) < width:
            found.append(Problem("row-too-short", Text(f"the row has {len(cells)} cells, the header {width}.", f"该行有 {len(cells)} 个单元格，表头有 {width} 个。"),
                                 Text("Add the missing separators.", "请补齐分隔符。"), Place(file, sheet, row)))  # fmt: skip
        found.extend(_cell_problems(cells[:width], header, Place(file, sheet, row)))
    full = [(list(r[:width]) + [""] * width)[:width] for _, r in body]
    columns = {h: [r[i] for r in full] for i, h in enumerate(header)}
    return Table(columns, file, sheet, [n for n, _ in body], dict(zip(header, letters, strict=False)))


def _cell_problems(cells: Sequence[Any], header: Sequence[str], place: Place) -> Iterator[Problem]:
    """Cells no page or workbook could hold."""
    for cell, name in zip(cells, header, strict=False):
        if not isinstance(cell, str):
            continue
        if len(cell) > LONGEST_CELL:
            what = Text(f"the cell holds {len(cell):,} characters: {shown(cell)}.", f"单元格有 {len(cell):,} 个字符：{shown(cell)}。")
            yield Problem(
                "cell-too-long", what, Text(f"A cell may hold {LONGEST_CELL:,}.", f"单元格最多 {LONGEST_CELL:,} 个字符。"), replace(place, column=name)
            )
        if strange := CONTROL.search(cell):
            said = f"U+{ord(strange[0]):04X}"
            what = Text(f"the cell holds the control character {said}.", f"单元格含有控制字符 {said}。")
            yield Problem("control-character", what, Text("Type the cell again.", "请重新录入该单元格。"), replace(place, column=name))


def _blank(cells: Sequence[Any]) -> bool:
    return all(c is None or (isinstance(c, str) and not c.strip()) for c in cells)


def _empty(place: Place) -> Problem:
    return Problem("empty-file", Text("there is nothing in it.", "内容为空。"),
                   Text("It needs a header and at least one row.", "至少需要表头和一行数据。"), place)  # fmt: skip
