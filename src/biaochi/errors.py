"""What can go wrong, said in words: every message in English and Chinese, with its place and its fix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Lang = Literal["en", "zh"]


class Text(NamedTuple):
    """One sentence in the two languages of the product."""

    en: str
    zh: str

    def to(self, lang: Lang) -> str:
        """The sentence in one language."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, order=True)
class Place:
    """Where in the input: file, sheet, row as the user counts it, column as the user names it."""

    file: str | None = None
    sheet: str | None = None
    row: int | None = None
    column: str | None = None

    def say(self, lang: Lang = "en") -> str:
        """The place in words; empty when nothing is known."""
        row, column, sheet = ("行", "列", "工作表") if lang == "zh" else ("row", "column", "sheet")
        parts = [
            self.file,
            f"{sheet} {self.sheet}" if self.sheet else None,
            f"{row} {self.row}" if self.row is not None else None,
            f"{column} {self.column}" if self.column else None,
        ]
        return ("，" if lang == "zh" else ", ").join(p for p in parts if p)


@dataclass(frozen=True)
class Problem:
    """One thing to mend: its kind (a stable name), what is wrong, how to fix it, and where it is."""

    kind: str
    what: Text
    fix: Text
    place: Place = Place()

    def say(self, lang: Lang = "en") -> str:
        """Place, problem and fix on one line."""
        where = self.place.say(lang)
        colon, gap = ("：", "") if lang == "zh" else (": ", " ")
        fix = self.fix.to(lang)
        return f"{where}{colon if where else ''}{self.what.to(lang)}{gap if fix else ''}{fix}"

    def to_dict(self, lang: Lang = "en") -> dict[str, object]:
        """The problem as plain data, for ``--json``."""
        return {
            "kind": self.kind,
            "file": self.place.file,
            "sheet": self.place.sheet,
            "row": self.place.row,
            "column": self.place.column,
            "problem": self.what.to(lang),
            "fix": self.fix.to(lang),
        }


class BiaochiError(Exception):
    """Base of every exception this package raises on purpose."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(text.en)


class BadOption(BiaochiError, ValueError):
    """A method was given an option it cannot work with."""

    def __init__(self, method: str, en: str, zh: str) -> None:
        super().__init__(Text(f"{method} {en}", f"{method}：{zh}"))


class UnknownName(BiaochiError, LookupError):
    """A name that is not on the list; the message gives the list and the nearest match."""

    def __init__(self, family: Text, got: object, choices: Iterable[str]) -> None:
        self.choices = sorted(choices)
        super().__init__(unknown(family, got, self.choices))


class BadInput(BiaochiError, ValueError):
    """The input has problems; all of them are listed in ``problems``."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        n = len(self.problems)
        listing = {lang: "\n".join("- " + p.say(lang) for p in self.problems) for lang in LANGS}
        super().__init__(
            Text(
                f"{n} problem{'s' if n != 1 else ''} in the input:\n{listing['en']}",
                f"输入中有 {n} 个问题：\n{listing['zh']}",
            )
        )


class MissingExtra(BiaochiError, ImportError):
    """An optional library is needed and not installed."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            Text(
                f'this needs {library}, which is not installed. Run: pip install "biaochi[{extra}]"',
                f'此功能需要 {library}，尚未安装。请运行：pip install "biaochi[{extra}]"',
            )
        )


def few(values: Any) -> str:
    """An option as a message shows it: one number, or the first different ones of many."""
    try:
        different = sorted(set(values))
    except TypeError:
        return f"{values:g}" if isinstance(values, float) else str(values)
    return ", ".join(f"{v:g}" for v in different[:3]) + (", …" if len(different) > 3 else "")


LANGS: tuple[Lang, Lang] = ("en", "zh")


def nearest(got: object, choices: Iterable[str]) -> str | None:
    """The choice most like what was typed, if any is close."""
    import difflib

    typed = str(got).lower()
    folded = {c.lower(): c for c in choices}
    if len(folded) > 300:  # long lists of codes: look among those that begin alike
        folded = {k: c for k, c in folded.items() if k[:2] == typed[:2] and abs(len(k) - len(typed)) <= 1}
    hits = difflib.get_close_matches(typed, folded, n=1, cutoff=0.6)
    return folded[hits[0]] if hits else None


def unknown(family: Text, got: object, choices: Sequence[str]) -> Text:
    """The sentence for a name that is not on the list."""
    close = nearest(got, choices)
    shown = ", ".join(choices[:40]) + (", …" if len(choices) > 40 else "")
    return Text(
        f"unknown {family.en} {got!r}." + (f" Did you mean {close!r}?" if close else "") + f" Choose from: {shown}.",
        f"未知的{family.zh} {got!r}。" + (f"是否想写 {close!r}？" if close else "") + f"可选：{shown}。",
    )


def choose(family: Text, got: object, allowed: Iterable[str]) -> None:
    """Raise `UnknownName` for anything that is not one of the names allowed."""
    names = list(allowed)
    if not isinstance(got, str) or got not in names:
        raise UnknownName(family, got, names)


def refuse(problems: Iterable[Problem]) -> None:
    """Raise one `BadInput` that lists every problem; do nothing when there is none."""
    found = tuple(problems)
    if found:
        raise BadInput(found)
