"""What is typed in monitoring: the grid, a paste, a workbook, a round."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _

from biaochi_server import bridge
from biaochi_server.monitoring import words
from biaochi_server.monitoring.actions import Edit
from biaochi_server.monitoring.models import Cell, FrameworkEdition, Indicator, Submission
from biaochi_server.monitoring.queries import Row
from biaochi_server.plain.checks import HARD, SOFT, hard
from biaochi_server.plain.workbook import TEXT_COLUMN, Book, Line, Mark, Taken, Trouble, make, read


def edits(post: Mapping[str, str], cells: Sequence[int]) -> list[Edit]:
    """What a posted grid says of some cells; those it does not mention are left."""
    found = []
    for pk in cells:
        text, version = post.get(f"v-{pk}"), post.get(f"e-{pk}", "")
        if text is not None and version.isdigit():
            found.append(Edit(pk, int(version), text, post.get(f"n-{pk}")))
    return found


def seen(post: Mapping[str, str]) -> dict[int, int]:
    """The chosen cells of a posted review with the versions they were seen in."""
    chosen = {int(k[2:]): post.get(f"e-{k[2:]}", "") for k in post if k.startswith("c-") and k[2:].isdigit()}
    return {pk: int(v) for pk, v in chosen.items() if v.isdigit()}


class Paste(forms.Form):
    """Cells copied from a spreadsheet."""

    start = forms.ChoiceField(label=_("From which cell on"))
    cells = forms.CharField(
        label=_("Pasted cells"), max_length=200_000, strip=False, widget=forms.Textarea({"rows": 14, "spellcheck": "false", "class": "paste"})
    )

    def __init__(self, rows: Sequence[Row], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows = [r for r in rows if r.cell.editable]
        self.fields["start"].choices = [(r.cell.pk, f"{r.cell.indicator.code} {r.cell.indicator.name} · {r.unit_name}") for r in self.rows]  # type: ignore[attr-defined]

    def clean_cells(self) -> list[list[str]]:
        """Lines and columns, the empty lines at the end left off."""
        lines = [[c.strip() for c in line.split("\t")] for line in self.cleaned_data["cells"].replace("\r\n", "\n").replace("\r", "\n").split("\n")]
        while lines and not any(lines[-1]):
            lines.pop()
        if not lines:
            raise ValidationError(__("Nothing was pasted."))
        return lines

    def clean(self) -> dict[str, Any]:
        """Give every line its cell; every line without one is told, and then nothing is taken."""
        data: dict[str, Any] = super().clean() or {}
        if "cells" in data and "start" in data:
            data["edits"] = self._keyed(data["cells"]) if any(len(line) > 1 for line in data["cells"]) else self._in_order(data["cells"], int(data["start"]))
        return data

    def _in_order(self, lines: Sequence[Sequence[str]], start: int) -> list[Edit]:
        at = next(k for k, r in enumerate(self.rows) if r.cell.pk == start)
        if len(lines) > len(self.rows) - at:
            raise ValidationError(
                __("%(n)s lines were pasted, but only %(room)s cells follow from there on. Nothing was taken.") % {"n": len(lines), "room": len(self.rows) - at}
            )
        return [Edit(r.cell.pk, r.cell.version, line[0]) for r, line in zip(self.rows[at:], lines, strict=False)]

    def _keyed(self, lines: Sequence[Sequence[str]]) -> list[Edit]:
        """Lines of code and figure, or code, unit and figure."""
        by_key: dict[tuple[str, str], Row] = {}
        for r in self.rows:
            code = r.cell.indicator.code
            by_key |= {(code, r.cell.unit): r, (code, r.unit_name): r}
        alone = {
            code: r
            for code in {r.cell.indicator.code for r in self.rows}
            if len(own := [x for x in self.rows if x.cell.indicator.code == code]) == 1
            for r in own
        }
        found, wrong = [], []
        for k, line in enumerate(lines, 1):
            if not any(line):
                continue
            row = by_key.get((line[0], line[1])) if len(line) > 2 else alone.get(line[0])
            if row is None:
                wrong.append(__("Line %(n)s: no open cell for “%(key)s”.") % {"n": k, "key": " ".join(line[:-1])[:60]})
            else:
                found.append(Edit(row.cell.pk, row.cell.version, line[-1]))
        if len({e.cell for e in found}) < len(found):
            wrong.append(__("Two lines are for the same cell."))
        if wrong:
            raise ValidationError(wrong)
        return found


class RoundForm(forms.Form):
    """A new round."""

    edition = forms.ModelChoiceField(label=_("Framework"), queryset=FrameworkEdition.objects.all())
    period = forms.CharField(label=_("Period"), max_length=10, widget=forms.TextInput({"placeholder": "2026-Q3"}))
    title_zh = forms.CharField(label=_("Chinese title"), max_length=200)
    title_en = forms.CharField(label=_("English title"), max_length=200)
    opens = forms.DateField(label=_("Opens"), widget=forms.DateInput({"type": "date"}))
    due = forms.DateField(label=_("Due"), widget=forms.DateInput({"type": "date"}))
    closes = forms.DateField(label=_("Closes"), widget=forms.DateInput({"type": "date"}))
    frequencies = forms.MultipleChoiceField(
        label=_("Indicators of which frequency"), choices=[("M", _("monthly")), ("Q", _("quarterly")), ("A", _("yearly"))], widget=forms.CheckboxSelectMultiple
    )

    def clean_period(self) -> str:
        """An SDMX period."""
        try:
            return bridge.period(self.cleaned_data["period"])
        except ValueError:
            raise ValidationError(__("Write it as 2026, 2026-S1, 2026-Q3 or 2026-08.")) from None

    def clean(self) -> dict[str, Any]:
        """The dates in order; a day's end is its last second."""
        data: dict[str, Any] = super().clean() or {}
        days = [data.get(k) for k in ("opens", "due", "closes")]
        if all(days):
            if not (days[0] <= days[1] <= days[2]):  # type: ignore[operator]
                raise ValidationError(__("A round opens first, is due then, and closes last."))
            data |= {"opens": _at(days[0], time.min), "due": _at(days[1], time(23, 59, 59)), "closes": _at(days[2], time(23, 59, 59))}
        return data


def _at(day: Any, hour: time) -> datetime:
    return timezone.make_aware(datetime.combine(day, hour))


# ---- the workbook


def _marks(row: Row) -> list[Mark]:
    """What the grid says beside a cell."""
    told = [Mark(SOFT, __("Returned: %(message)s") % {"message": row.cell.message})] if row.cell.message and row.cell.editable else []
    if not row.cell.text:
        return told
    return told + [Mark(f.severity, words.sentence(f)) for f in row.findings if f.severity == HARD or not row.cell.explained]


def _line(row: Row, branch: str, writable: bool) -> Line:
    cell, card = row.cell, row.cell.indicator
    change = f"{row.change:+.1f}" if row.change is not None else "" if "%" in card.unit else "—"
    return Line(
        card.code, card.name, row.unit_name, card.unit, cell.text, row.last, row.year_ago, change, cell.get_state_display(), cell.note, cell.unit, cell.version,
        branch, writable and cell.editable, card.low, card.high, card.whole, tuple(_marks(row)),
    )  # fmt: skip


def form_hash(submission: Submission) -> str:
    """Changes when the form asks for other cells, or by another framework."""
    keys = sorted(submission.cells.values_list("indicator__code", "unit"))
    return hashlib.sha256(json.dumps([submission.pk, submission.round.edition.fingerprint, keys]).encode()).hexdigest()


def workbook(
    submission: Submission, branches: Iterable[tuple[Indicator, Sequence[Row]]], *, writable: bool, tried: Mapping[tuple[str, str], Tried] | None = None
) -> bytes:
    """The form of a submission as an Excel workbook; with ``tried``, as it came back, marked."""
    lines = []
    for branch, rows in branches:
        for row in rows:
            line = _line(row, branch.name, writable)
            if tried and (mine := tried.get((line.code, line.unit))):
                line = replace(line, text=mine.text, note=mine.note, was=line.text, was_note=line.note, marks=mine.marks)
            lines.append(line)
    round_ = submission.round
    title = f"{submission.organisation.name} · {round_.title} · {round_.period}"
    meta = {"submission": str(submission.pk), "form": form_hash(submission), "title": title}
    return make(lines, meta, words.header_words(), title=title, notice=round_.edition.notice)


class Tried(NamedTuple):
    """What a workbook holds for a cell, and what is wrong with it."""

    text: str
    note: str
    marks: tuple[Mark, ...]


class WorkbookForm(forms.Form):
    """A workbook that comes back."""

    file = forms.FileField(label=_("The filled workbook (.xlsx)"), widget=forms.FileInput({"accept": ".xlsx"}))


class Judged(NamedTuple):
    """What a workbook that came back amounts to: drafts to write, or everything that is wrong with it."""

    edits: list[Edit]
    troubles: list[Trouble]
    tried: dict[tuple[str, str], Tried]


def judge(submission: Submission, rows: Sequence[Row], content: bytes, conflicts: Iterable[Cell] = ()) -> Judged:
    """Hold a workbook against the form: all of it can be taken, or every problem is told."""
    book = read(content)
    troubles = list(book.troubles) or list(_belongs(submission, book))
    known = {(r.cell.indicator.code, r.cell.unit): r for r in rows}
    edits: list[Edit] = []
    if book.rows and not any(t.rule in ("other_form", "other_version") for t in troubles):
        troubles += _keys(known, book)
        theirs = {c.pk: c.text for c in conflicts}
        for taken in book.rows:
            if taken.changed and (row := known.get((taken.code, taken.unit))):
                wrong = list(_wrong(row, taken, theirs))
                troubles += wrong
                edits.append(Edit(row.cell.pk, taken.version, taken.text, taken.note))
    return Judged(edits, troubles, _tried(book, troubles, known))


def _belongs(submission: Submission, book: Book) -> Iterator[Trouble]:
    if book.meta.get("submission") != str(submission.pk):
        yield Trouble("other_form", facts={"title": book.meta.get("title", "—")[:100]})
    elif book.meta.get("form") != form_hash(submission):
        yield Trouble("other_version")


def _keys(known: Mapping[tuple[str, str], Row], book: Book) -> Iterator[Trouble]:
    there = {(t.code, t.unit) for t in book.rows}
    for taken in book.rows:
        if (taken.code, taken.unit) not in known:
            yield Trouble("unknown_key", f"A{taken.row}", {"key": f"{taken.code} {taken.unit}"[:60]})
    for code, unit in known.keys() - there:
        if not any(t.rule == "twice" for t in book.troubles):
            yield Trouble("row_missing", facts={"key": f"{code} {unit}"})


def _wrong(row: Row, taken: Taken, theirs: Mapping[int, str]) -> Iterator[Trouble]:
    """What is wrong with one changed row."""
    where, key = f"{TEXT_COLUMN}{taken.row}", {"key": row.cell.key}
    if not row.cell.editable:
        yield Trouble("shut", where, key | {"text": taken.text[:40]})
    elif row.cell.pk in theirs:
        yield Trouble("conflict", where, key | {"theirs": theirs[row.cell.pk], "yours": taken.text[:60]})
    for finding in hard(taken.text, row.cell.indicator.limits, required=False):
        yield Trouble(finding.rule, where, key | finding.facts)


def _tried(book: Book, troubles: Sequence[Trouble], known: Mapping[tuple[str, str], Row]) -> dict[tuple[str, str], Tried]:
    """For the marked workbook: what was typed, with what is wrong with it."""
    found = {}
    for taken in book.rows:
        row = known.get((taken.code, taken.unit))
        mine = [Mark(HARD, words.trouble(t.rule, t.facts)) for t in troubles if t.facts.get("key") == f"{taken.code} {taken.unit}"]
        if row and (mine or taken.changed):
            found[taken.code, taken.unit] = Tried(taken.text, taken.note, tuple(mine))
    return found
