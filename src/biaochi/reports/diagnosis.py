"""A diagnosis in words: the same sentences in the terminal, on the page and in the Word file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from biaochi.diagnosis.diagnose import Diagnoses, Diagnosis
from biaochi.diagnosis.findings import Finding, why
from biaochi.diagnosis.levers import Lever, Move
from biaochi.diagnosis.movement import PARTS
from biaochi.errors import Lang, Text
from biaochi.framework import Optimum
from biaochi.result import Result

MOST = 3
"""Names in a sentence."""


@dataclass(frozen=True)
class Line:
    """One line of a column: what it is about, and what is said of it."""

    name: str
    words: str
    why: str = ""
    figure: str = ""
    """The figure that stands out: points, places."""


@dataclass(frozen=True)
class Told:
    """A diagnosis ready to be set."""

    unit: str
    name: str
    rank: str
    score: str
    heading: str
    """Rank and score."""
    lead: tuple[str, ...]
    columns: tuple[tuple[str, str, tuple[Line, ...], str], ...]
    """(heading, what it is, lines, what is said where there are none) of shortfalls, weak points and openings."""
    levers: tuple[Line, ...]
    levers_note: str
    combination: str
    history: tuple[str, ...]
    others: tuple[str, ...]
    notices: tuple[str, ...]


class Words:
    """Says what a diagnosis found, in one language."""

    def __init__(self, made: Diagnoses, lang: Lang) -> None:
        self.result: Result = made.result
        self.lang = lang
        self.kind = made.levers.costs.kind
        self.labels = dict(zip((u.code for u in made.result.panel.units), made.result.panel.labels(lang), strict=True))
        scores = made.result.scores[made.p, :, 0]
        top = max((float(s) for s in scores if s == s), default=1.0)
        self.form = ".3f" if top <= 1.5 else ".1f" if top >= 10 else ".2f"

    def _say(self, en: str, zh: str) -> str:
        return Text(en, zh).to(self.lang)

    def _heading(self, d: Diagnosis) -> str:
        score = self._points(d.score, signed=False)
        if d.rank is None:
            return self._say(f"not ranked · {score} points", f"不参与排名 · {score} 分")
        return self._say(f"rank {d.rank:g} · {score} points", f"第 {d.rank:g} 位 · {score} 分")

    def told(self, d: Diagnosis) -> Told:
        """All that is said of a unit."""
        return Told(
            d.unit, self.labels[d.unit], "—" if d.rank is None else f"{d.rank:g}", self._points(d.score, signed=False), self._heading(d), tuple(self._lead(d)), tuple(self._columns(d)),
tuple(self._lever(lever, d) for lever in d.levers), "" if d.levers else self._no_lever(d), self._combination(d),
            tuple(self._history(d)), tuple(self._others(d)), tuple(n.to(self.lang) for n in d.notices),
        )  # fmt: skip

    # --- figures ------------------------------------------------------------------------------------------------------------

    def _points(self, x: float, *, signed: bool = True) -> str:
        """Points of the index."""
        return f"{x:{'+' if signed else ''}{self.form}}".replace("-", "−")

    def _value(self, x: float | None, code: str, *, unit: bool = False) -> str:
        """A value of an indicator."""
        if x is None:
            return "—"
        told = f"{x:,.0f}" if abs(x) >= 10_000 else f"{x:.4g}"
        return told.replace("-", "−") + (self._unit(code) if unit else "")

    def _unit(self, code: str) -> str:
        """The unit of an indicator behind a value, where it is short."""
        unit = self.result.framework[code].unit or ""
        if unit.strip()[:1] in ("%", "％"):
            return " %"
        words = unit.split()
        chinese = [any("\u4e00" <= c <= "\u9fff" for c in w) for w in words]
        if any(chinese) and not all(chinese):  # both languages: the one asked for
            unit = " ".join(w for w, is_zh in zip(words, chinese, strict=True) if is_zh == (self.lang == "zh"))
        return f" {unit}" if 0 < len(unit) <= 8 else ""

    def _onward(self, x: float) -> str:
        """A step, rounded up to three digits, so that it does what it promises."""
        digits = max(0, 2 - math.floor(math.log10(x))) if x > 0 else 2
        return f"{math.ceil(x * 10**digits - 1e-9) / 10**digits:,.6g}"

    def _goal(self, move: Move) -> str:
        """A value to be reached, rounded onwards so that it does what it promises."""
        x, up = move.needed, move.change > 0
        digits = max(2, 4 - math.floor(math.log10(abs(x))) - 1) if x else 2
        step = 10.0**-digits
        told = (math.ceil(x / step - 1e-9) if up else math.floor(x / step + 1e-9)) * step
        return (f"{told:,.0f}" if abs(told) >= 10_000 else f"{round(told, digits):.6g}").replace("-", "−") + self._unit(move.code)

    def _indicator(self, code: str) -> str:
        return self.result.framework[code].name(self.lang)

    def _listed(self, names: list[str]) -> str:
        return self._say(", ".join(names), "、".join(names))

    # --- where it stands ----------------------------------------------------------------------------------------------------

    def _lead(self, d: Diagnosis) -> Iterator[str]:
        if d.rank is not None:
            span = ("", "")
            if d.low is not None and d.high is not None:
                en = f"at rank {d.low:g}" if d.low == d.high else f"between ranks {d.low:g} and {d.high:g}"
                zh = f"第 {d.low:g} 位" if d.low == d.high else f"第 {d.low:g}–{d.high:g} 位"
                span = (f"; in nine of ten what-ifs about weights and methods it stands {en}", f"；换用其他合理的权重和方法，九成情形下居{zh}")
            yield self._say(f"Rank {d.rank:g} of {d.of} with {self._points(d.score, signed=False)} points{span[0]}.",
                           f"得 {self._points(d.score, signed=False)} 分，在 {d.of} 个单位中居第 {d.rank:g} 位{span[1]}。")  # fmt: skip
        else:
            yield self._say(
                f"{self._points(d.score, signed=False)} points; a reference unit, not ranked.",
                f"得 {self._points(d.score, signed=False)} 分；参照单位，不参与排名。",
            )
        gap = self._points(abs(d.difference), signed=False)
        under = d.difference < 0
        yield self._say(f"{gap} points {'below' if under else 'above'} {d.reference.en}.", f"比{d.reference.zh}{'低' if under else '高'} {gap} 分。")

    # --- mend, strengthen, seize ----------------------------------------------------------------------------------------------

    def _columns(self, d: Diagnosis) -> Iterator[tuple[str, str, tuple[Line, ...], str]]:
        ref = d.reference
        yield (self._say("Shortfalls", "短板"), self._say(f"cost the most points against {ref.en}", f"与{ref.zh}相比失分最多"), tuple(map(self._shortfall, d.shortfalls)),
               self._say("None: nothing lies clearly below the reference.", "没有明显低于参照的指标。"))  # fmt: skip
        yield (self._say("Weak points", "弱项"), self._say("worse than the peers' median, or losing ground", "劣于同类中位，或正在退步"), tuple(map(self._weak, d.weak)),
               self._say("None beyond the uncertainty.", "在不确定范围之外没有弱项。"))  # fmt: skip
        yield (self._say("Openings", "先机"), self._say("leads, rises fastest, or little wins much", "领先、增速居前，或小幅提升即可进位"), tuple(map(self._opening, d.openings)),
               self._say("None beyond the uncertainty.", "在不确定范围之外没有明显的先机。"))  # fmt: skip

    def _shortfall(self, f: Finding) -> Line:
        span = self._span(f)
        return Line(self._indicator(f.indicator), self._say(f"{self._value(f.value, f.indicator, unit=True)}; reference {self._value(f.reference, f.indicator, unit=True)}{self._placed(f).en}",
                                                         f"现值 {self._value(f.value, f.indicator, unit=True)}，参照 {self._value(f.reference, f.indicator, unit=True)}{self._placed(f).zh}"),
                    span, self._lost(f))  # fmt: skip

    def _lost(self, f: Finding) -> str:
        return self._points(f.points) + self._say(" points", " 分")

    def _span(self, f: Finding) -> str:
        if f.low is None or f.high is None:
            return ""
        low, high = sorted((abs(f.low), abs(f.high)))
        if f.low < 0 < f.high:
            return ""
        a, b = (self._points(x, signed=False) for x in (low, high))
        return self._say(f"{a} to {b} points in nine of ten what-ifs", f"九成情形下为 {a}–{b} 分")

    def _placed(self, f: Finding) -> Text:
        """The rank in the indicator."""
        if f.rank is None:
            return Text("", "")
        return Text(f"; rank {f.rank:g} of {f.of}", f"，居第 {f.rank:g} 位（共 {f.of} 个）")

    def _weak(self, f: Finding) -> Line:
        moved = ""
        if "rank" in f.reasons and f.rank_before is not None and f.rank is not None:
            moved = self._say(f"from rank {f.rank_before:g} in {f.since} to {f.rank:g}", f"由 {f.since} 年第 {f.rank_before:g} 位降至第 {f.rank:g} 位")
        elif "slower" in f.reasons:
            moved = self._changed(f)
        figure = (
            self._lost(f)
            if "median" in f.reasons
            else f"{(f.rank_before or 0) - (f.rank or 0):+g}".replace("-", "−") + self._say(" places", " 位")
            if "rank" in f.reasons
            else ""
        )
        where = self._say(f"{self._value(f.value, f.indicator, unit=True)}; median {self._value(f.reference, f.indicator, unit=True)}{self._placed(f).en}",
                         f"现值 {self._value(f.value, f.indicator, unit=True)}，中位 {self._value(f.reference, f.indicator, unit=True)}{self._placed(f).zh}")  # fmt: skip
        return Line(self._indicator(f.indicator), where, moved or why(f, self.lang), figure)

    def _changed(self, f: Finding) -> str:
        """How it changed against the peers."""
        if f.change is None or f.since is None:
            return ""
        up = self._value(abs(f.change), f.indicator)
        usual = self._value(f.peers_change, f.indicator)
        return self._say(
            f"{'better' if f.change > 0 else 'worse'} by {up} since {f.since}, peers by {usual}",
            f"自 {f.since} 年{'改善' if f.change > 0 else '退步'} {up}，同类中位变化 {usual}",
        )

    def _opening(self, f: Finding) -> Line:
        name = self._indicator(f.indicator)
        if "leads" in f.reasons:
            more = self._changed(f) if "rises" in f.reasons else why(f, self.lang)
            return Line(name, self._say(f"rank 1 of {f.of}: {self._value(f.value, f.indicator, unit=True)}, median {self._value(f.reference, f.indicator, unit=True)}",
                                       f"{f.of} 个单位中居首：现值 {self._value(f.value, f.indicator, unit=True)}，中位 {self._value(f.reference, f.indicator, unit=True)}"), more, self._lost(f))  # fmt: skip
        if "lever" in f.reasons and f.needed is not None:
            percent = self._unit(f.indicator) == " %"  # a change of a share is in points of it
            step = self._onward(abs(f.needed)) + (self._say(" percentage points", " 个百分点") if percent else self._unit(f.indicator))
            verb = ("more", "提高") if f.needed > 0 else ("less", "降低")
            return Line(name, self._say(f"{step} {verb[0]} wins a place (now {self._value(f.value, f.indicator, unit=True)})", f"{verb[1]} {step} 即可进位（现值 {self._value(f.value, f.indicator, unit=True)}）"), self._placed(f).to(self.lang).strip("; ，"), self._say("+1 place", "进位"))  # fmt: skip
        return Line(name, self._changed(f), why(f, self.lang), "")

    # --- what would lift it -----------------------------------------------------------------------------------------------------

    def _no_lever(self, d: Diagnosis) -> str:
        if d.rank is None:
            return self._say("It is not ranked: there is no place to win.", "不参与排名，无进位可言。")
        if d.rank == 1:
            return self._say("It leads already.", "已居首位。")
        return self._say("No single indicator within what peers have achieved reaches the next place.", "在同类已达到的范围内，任何单项指标都不足以进位。")

    def _move(self, m: Move) -> str:
        """One change."""
        optimum = isinstance(self.result.framework[m.code].direction, Optimum)
        up = m.change > 0
        verb = ("Move", "调整") if optimum else ("Raise", "提高") if up else ("Lower", "降低")
        return self._say(
            f"{verb[0]} {self._indicator(m.code)} from {self._value(m.value, m.code)} to {self._goal(m)}",
            f"将{self._indicator(m.code)}由 {self._value(m.value, m.code)} {verb[1]}到 {self._goal(m)}",
        )

    def _lever(self, lever: Lever, d: Diagnosis) -> Line:
        m = lever.moves[0]
        effort = self._effort(lever.cost)
        return Line(self._move(m), self._say(f"reaches rank {lever.rank:g}, {self._points(m.points)} points", f"可达第 {lever.rank:g} 位，{self._points(m.points)} 分"),
                    self._say("; ", "；").join(filter(None, (effort, self._chance(lever), self._displaced(lever)))))  # fmt: skip

    def _effort(self, cost: float | None) -> str:
        if cost is None:
            return ""
        if self.kind == "years":
            time = Text(f"{cost * 12:.0f} months", f"{cost * 12:.0f} 个月") if cost < 2 else Text(f"{cost:.1f} years", f"{cost:.1f} 年")
            return self._say(f"about {time.en} at the usual pace of peers", f"按同类通常的进步速度约需 {time.zh}")
        if self.kind == "spreads":
            return self._say(f"a step of {cost:.0%} of the gap between stronger and weaker peers", f"步幅约为同类强弱差距的 {cost:.0%}")
        return self._say(f"cost {cost:,.4g}", f"成本 {cost:,.4g}")

    def _chance(self, lever: Lever) -> str:
        if lever.chances is None:
            return ""
        return self._say(f"the place holds in {lever.chances.holds:.0%} of the what-ifs", f"{lever.chances.holds:.0%} 的情形下位次成立")

    def _displaced(self, lever: Lever) -> str:
        names = [self.labels[r["unit"]] for r in lever.displaced if r["after"] > r["before"]]
        if not names:
            return ""
        more = len(names) - MOST
        en = ", ".join(names[:MOST]) + (f" and {more} more" if more > 0 else "")
        zh = "、".join(names[:MOST]) + (f"等 {len(names)} 个单位" if more > 0 else "")
        return self._say(f"overtakes {en}", f"超过{zh}")

    def _combination(self, d: Diagnosis) -> str:
        c = d.combination
        if c is None:
            return ""
        moves = [self._move(m) for m in c.moves[:4]]
        more = len(c.moves) - len(moves)
        tail = self._say(f" and {more} smaller changes", f"等 {len(c.moves)} 项") if more > 0 else ""
        effort = self._effort(c.cost)
        cost = effort and self._say(f" ({effort})", f"（{effort}）")
        sure = self._say("; no combination costs less", "；已证明没有更省的组合") if c.cost and c.lowest_cost and c.lowest_cost >= c.cost * 0.999 else ""
        return self._say(f"The cheapest combination{cost}: ", f"最省的组合{cost}：") + self._say("; ", "；").join(moves) + tail + sure + self._say(".", "。")

    # --- where it comes from and goes to -------------------------------------------------------------------------------------------

    def _history(self, d: Diagnosis) -> Iterator[str]:
        if d.moved is not None:
            yield self._moved(d, d.moved)
        else:
            yield self._say("One period: no history yet.", "仅有一期数据，暂无历史。")
        if d.ahead is not None:
            yield from self._ahead(d.ahead)

    def _moved(self, d: Diagnosis, m: dict[str, Any]) -> str:
        change = m["score_after"] - m["score_before"]
        ranks = m["rank_before"], m["rank_after"]
        placed = (
            Text("", "")
            if None in ranks
            else Text(f", from rank {ranks[0]:g} to {ranks[1]:g}", f"，位次由第 {ranks[0]:g} 位到第 {ranks[1]:g} 位")
            if ranks[0] != ranks[1]
            else Text(f", still at rank {ranks[0]:g}", f"，仍居第 {ranks[0]:g} 位")
        )
        parts = {k: v for k, v in m["points"].items() if v is not None and abs(v) > 1e-9 and k != "own"}
        other = [f"{(PARTS[k].to(self.lang) if k in PARTS else k)} {self._points(v)}" for k, v in sorted(parts.items(), key=lambda kv: -abs(kv[1]))[:MOST]]
        moved = sorted(((v, k) for k, v in m["indicators"].items() if v is not None and abs(v) > 0), key=lambda t: -abs(t[0]))[:MOST]
        most = [f"{self._indicator(k)} {self._points(v)}" for v, k in moved]
        en = f"{m['first']} to {d.period}: {self._points(change)} points{placed.en}."
        zh = f"{m['first']}–{d.period}：{self._points(change)} 分{placed.zh}。"
        if most:
            en, zh = en + f" Most by {self._listed(most)}.", zh + f"主要来自{self._listed(most)}。"
        if other:
            en, zh = en + f" Beyond its own indicators: {self._listed(other)}.", zh + f"自身指标以外：{self._listed(other)}。"
        places = {k: v for k, v in m["places"].items() if v is not None and abs(v) >= 0.05}
        if places and ranks[0] != ranks[1]:
            en += " Places: " + self._listed([f"{PARTS[k].en if k in PARTS else k} {v:+.1f}".replace("-", "−") for k, v in places.items()]) + "."
            zh += "位次变化：" + self._listed([f"{PARTS[k].zh if k in PARTS else k} {v:+.1f}".replace("-", "−") for k, v in places.items()]) + "。"
        return self._say(en, zh)

    def _ahead(self, a: dict[str, Any]) -> Iterator[str]:
        a_, low, high = (self._points(a[k], signed=False) for k in ("score", "low", "high"))
        record = a["record"]
        held = f" Of {record['warned']} past warnings of a lost rank {record['came_true']} came true." if record["warned"] else ""
        held_zh = f"过去 {record['warned']} 次掉位预警中 {record['came_true']} 次应验。" if record["warned"] else ""
        warn = a["lose"] is not None and a["lose"] >= 0.5
        yield self._say(f"{'Early warning: n' if warn else 'N'}ext period {a_} points are expected ({low} to {high}, nine times in ten); chance to lose a place {a['lose'] or 0:.0%}, to gain one {a['gain'] or 0:.0%}.{held}",
                       f"{'预警：' if warn else ''}下一期预计 {a_} 分（九成把握在 {low}–{high} 之间）；掉位的可能 {a['lose'] or 0:.0%}，进位的可能 {a['gain'] or 0:.0%}。{held_zh}")  # fmt: skip
        for w in a["misses"][:MOST]:
            yield self._say(
                f"{self._indicator(w['indicator'])} is on a path to miss its target (chance {w['chance']:.0%}).",
                f"{self._indicator(w['indicator'])}按目前走势可能达不到目标（可能性 {w['chance']:.0%}）。",
            )

    def _others(self, d: Diagnosis) -> Iterator[str]:
        if d.alike:
            names = [self.labels[r["unit"]] for r in d.alike]
            yield self._say(f"Most alike in profile: {self._listed(names)}.", f"结构最相近的单位：{self._listed(names)}。")
        for w in d.went_before[:2]:
            raised = [self._indicator(r["indicator"]) for r in w["raised"][:2]]
            yield self._say(f"{self.labels[w['unit']]} stood here in {w['since']} and has gained {self._points(w['points'], signed=False)} points since, most by {self._listed(raised)}.",
                           f"{self.labels[w['unit']]}在 {w['since']} 年与之水平相当，此后提高 {self._points(w['points'], signed=False)} 分，主要靠{self._listed(raised)}。")  # fmt: skip
