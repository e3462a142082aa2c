"""Figures worth a phone call: what is unlikely about them, never more than a doubt."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import binom, norm, t

from biaochi.errors import BadOption, Text, UnknownName
from biaochi.kernels.digits import rounded_off, unlike_others, whole
from biaochi.kernels.unlike import surprises
from biaochi.method import Array, is_number
from biaochi.panel import Panel
from biaochi.period import Period

KINDS: dict[str, Text] = {
    "totals": Text("parts and total differ", "分项与合计不符"),
    "copied": Text("the same figures again", "数据重复"),
    "rounded": Text("rounded figures", "尾数取整"),
    "digits": Text("unusual first digits", "首位数字异常"),
    "bunching": Text("just past a target", "恰好达标"),
    "jump": Text("not shared by neighbours or related indicators", "与相邻地区及相关指标不一致"),
}
"""Kinds of doubt, and what they are called."""
FREEDOM = 4
"""Degrees of freedom of the tails of surprises: real figures have long ones."""
WINDOW = 0.02
"""Figures this close above a target, as a share of the interquartile range, lie just past it."""
MATCHES = 3
"""Figures of three digits and more that two units must share before they are looked at."""
UNIQUE = 6.0
"""Standard deviations beyond which a surprise is told."""


@dataclass(frozen=True)
class Doubt:
    """Why somebody should be asked about some figures of a unit."""

    kind: str
    unit: str
    period: str
    codes: tuple[str, ...]
    """The figures in question."""
    chance: float
    """How likely as much would be by chance in these figures, as far as that can be said: it orders doubts."""
    reason: Text

    def to_dict(self, lang: str = "en") -> dict[str, Any]:
        """Plain data."""
        return {
            **{k: getattr(self, k) for k in ("kind", "unit", "period", "chance")},
            "codes": list(self.codes),
            "reason": self.reason.to("zh" if lang == "zh" else "en"),
        }


def doubts(
    panel: Panel,
    *,
    totals: Mapping[str, Sequence[str]] | None = None,
    targets: Mapping[str, float] | None = None,
    lower_is_better: Collection[str] = (),
    group: str | None = None,
    period: str | Period | None = None,
    kinds: Sequence[str] | None = None,
    level: float = 0.05,
) -> list[Doubt]:
    """Figures of a period worth a phone call, the least likely first.

    Parameters
    ----------
    panel : Panel
        Figures as reported. Those of units that are not ranked are looked at, too.
    totals : mapping of str to sequence of str, optional
        What each total is the sum of.
    targets : mapping of str to float, optional
        Values that somebody wanted to reach.
    lower_is_better : collection of str, optional
        Series whose targets are reached from above.
    group : str, optional
        A grouping: units of one group are neighbours.
    period : str or Period, optional
        The last by default.
    kinds : sequence of str, optional
        Of `KINDS`; all by default.
    level : float
        Share of doubts about round figures and first digits that may be mere chance; for copies and targets, the chance of one in a
        whole period without any.

    Returns
    -------
    list of Doubt

    Raises
    ------
    UnknownName, BadOption
        If a name is not known or the level not between 0 and 1.

    References
    ----------
    .. [1] Benford, Proc. Am. Phil. Soc. 78 (1938) 551-572; McCrary, J. Econometrics 142 (2008) 698-714, for bunching; Beaton and Tukey,
       Technometrics 16 (1974) 147-185, for expectations that single figures do not sway.
    """
    if not is_number(level) or not 0 < level < 1:
        raise BadOption("level", f"must lie between 0 and 1; got {level!r}.", f"level 应在 0 与 1 之间；得到 {level!r}。")
    names = [str(p) for p in panel.periods]
    if period is not None and str(period) not in names:
        raise UnknownName(Text("period", "期"), str(period), names)
    wanted = list(KINDS) if kinds is None else list(kinds)
    for k in wanted:
        if k not in KINDS:
            raise UnknownName(Text("kind of doubt", "疑点类型"), k, KINDS)
    for c in {*(totals or {}), *(p for parts in (totals or {}).values() for p in parts), *(targets or {})}:
        if c not in panel.codes:
            raise UnknownName(Text("series of the data", "数据中的序列"), c, panel.codes)
    look = _Look(panel, len(names) - 1 if period is None else names.index(str(period)), totals or {}, targets or {}, group, level, frozenset(lower_is_better))
    makers = {"totals": look.totals_, "copied": look.copied, "rounded": look.rounded, "digits": look.digits, "bunching": look.bunching, "jump": look.jumps}
    found = [d for k in wanted for d in makers[k]()]
    return sorted(found, key=lambda d: (d.chance, list(KINDS).index(d.kind), d.unit, d.codes))


class _Look:
    """One period of a panel under a magnifying glass."""

    def __init__(
        self, panel: Panel, p: int, totals: Mapping[str, Sequence[str]], targets: Mapping[str, float], group: str | None, level: float, falling: Collection[str]
    ) -> None:
        self.panel, self.p, self.totals, self.targets, self.level, self.falling = panel, p, totals, targets, level, falling
        self.x: Array = panel.values[p]
        self.before = panel.values[p - 1] if p else np.full(self.x.shape, np.nan)
        self.groups = panel.groups(group) if group is not None else None
        self.counted = whole(self.x)
        self.at = {c: j for j, c in enumerate(panel.codes)}

    def told(self, kind: str, u: Any, columns: Any, chance: float, en: str, zh: str) -> Doubt:
        codes = tuple(self.panel.codes[int(j)] for j in columns)
        return Doubt(kind, self.panel.units[int(u)].code, str(self.panel.periods[self.p]), codes, float(chance), Text(en, zh))

    def totals_(self) -> Iterator[Doubt]:
        """Sums that do not come out, beyond what rounding of each part can do."""
        for total, parts in self.totals.items():
            j, k = self.at[total], [self.at[c] for c in parts]
            summed = np.nan_to_num(self.x[:, k]).sum(axis=1)
            off = summed - self.x[:, j]
            counted = bool(self.counted[[j, *k]].any()) and bool((self.x[:, [j, *k]][~np.isnan(self.x[:, [j, *k]])] % 1 == 0).all())
            slack = 0.5 if counted else 0.5 * (len(k) + 1) * _step(self.x[:, [j, *k]])
            whole_ = ~np.isnan(self.x[:, k]).all(axis=1)
            for u in np.flatnonzero(whole_ & (np.abs(off) > slack * 1.000001)):
                gap, some = _number(abs(off[u])), np.isnan(self.x[u, k]).any()
                missing = (" (some parts are missing)", "（部分分项缺失）") if some else ("", "")
                more = off[u] > 0
                yield self.told("totals", int(u), [j, *k], 1e-6 if some else 0.0,
                                f"The parts of {total} add up to {_number(summed[u])}, {gap} {'more' if more else 'less'} than the total reported, {_number(self.x[u, j])}{missing[0]}.",
                                f"{total} 各分项之和为 {_number(summed[u])}，比填报的合计 {_number(self.x[u, j])} {'多' if more else '少'} {gap}{missing[1]}。")  # fmt: skip

    def copied(self) -> Iterator[Doubt]:
        """The figures of the last period, or of another unit, again."""
        telling = ~np.isnan(self.x) & (_digits(self.x) >= 3)
        same = telling & (self.x == self.before)
        share = same.sum(axis=0) / np.maximum((telling & ~np.isnan(self.before)).sum(axis=0), 1)
        rare = same & (share < 0.1)  # where many have the same figure again, nothing new was collected
        n = (telling & ~np.isnan(self.before)).sum(axis=1)
        base = max(float(rare.sum() / max((telling & ~np.isnan(self.before)).sum(), 1)), 1e-3)
        for u in np.flatnonzero(rare.any(axis=1)):
            chance = float(binom.sf(rare[u].sum() - 1, n[u], min(base, 0.01)))
            if chance < self.level:
                columns = np.flatnonzero(rare[u])
                yield self.told("copied", int(u), columns, chance, f"{len(columns)} figure(s) are exactly those of {self.panel.periods[self.p - 1]}.",
                                f"{len(columns)} 项数据与 {self.panel.periods[self.p - 1]} 完全相同。")  # fmt: skip
        yield from self._of_another(telling)

    def _of_another(self, telling: Any) -> Iterator[Doubt]:
        """Figures that another unit has, too: more of them than chance can explain."""
        pairs: dict[tuple[int, int], list[int]] = {}
        for j in range(self.x.shape[1]):
            order = np.flatnonzero(telling[:, j])
            order = order[np.argsort(self.x[order, j], kind="stable")]
            values = self.x[order, j]
            starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1], [True]]))
            for a, b in pairwise(starts):
                if 1 < b - a <= 4:  # what many have tells nothing
                    for i in range(a, b):
                        for k in range(i + 1, b):
                            pairs.setdefault((int(order[i]), int(order[k])), []).append(j)
        numbers = telling.sum(axis=1)
        total = len(self.x) * (len(self.x) - 1) / 2
        mean = sum(map(len, pairs.values())) / max(total * float(np.mean(numbers)), 1.0)
        for (u, v), columns in pairs.items():
            if len(columns) < MATCHES:
                continue
            chance = float(binom.sf(len(columns) - 1, min(numbers[u], numbers[v]), max(mean, 1e-6)))
            if chance * total < self.level:
                for one, two in ((u, v), (v, u)):
                    other = self.panel.units[two].code
                    yield self.told(
                        "copied",
                        one,
                        columns,
                        chance * total,
                        f"{len(columns)} figures are exactly those of {other}.",
                        f"{len(columns)} 项数据与 {other} 完全相同。",
                    )

    def rounded(self) -> Iterator[Doubt]:
        """A unit whose counts are round far more often than others'."""
        columns = np.flatnonzero(self.counted)
        told: set[int] = set()
        for to in (100, 10, 5):
            is_round, chance, n = rounded_off(self.x[:, columns], to)
            for u in np.flatnonzero(_beyond(chance, self.level / 3)):
                if int(u) in told:
                    continue
                told.add(int(u))
                k = np.flatnonzero(is_round[u])
                yield self.told("rounded", int(u), columns[k], float(chance[u]), f"{len(k)} of {n[u]} counts are multiples of {to}; about {_share(is_round, n)} are elsewhere.",
                                f"{n[u]} 个计数中有 {len(k)} 个是 {to} 的整数倍；其他单位约为 {_share(is_round, n)}。")  # fmt: skip

    def digits(self) -> Iterator[Doubt]:
        """A unit whose first digits are distributed as nobody else's."""
        columns = np.flatnonzero(self.counted)
        z, n = unlike_others(self.x[:, columns])
        chance = np.where(n >= 30, norm.cdf(np.nan_to_num(z)), 1.0)
        for u in np.flatnonzero(_beyond(chance, self.level)):
            k = columns[~np.isnan(self.x[u, columns]) & (np.abs(np.nan_to_num(self.x[u, columns])) >= 10)]
            yield self.told("digits", int(u), k, float(chance[u]), f"The first digits of {n[u]} counts are distributed unlike those of other units and of Benford's law ({-z[u]:.1f} standard deviations).",
                            f"{n[u]} 个计数的首位数字分布与其他单位及本福特定律明显不同（偏离 {-z[u]:.1f} 个标准差）。")  # fmt: skip

    def bunching(self) -> Iterator[Doubt]:
        """More units just past a target than just short of it and around can explain."""
        for code, stated in self.targets.items():
            sign = -1.0 if code in self.falling else 1.0
            x, target = sign * self.x[:, self.at[code]], sign * stated
            told = x[~np.isnan(x)]
            if len(told) < 30:
                continue
            low, high = np.quantile(told, [0.25, 0.75])
            step = _step(told[:, None])
            windows = []
            for width in (step, max(WINDOW * (high - low), 2 * step)):
                just = (x >= target - 1e-9 * step) & (x < target + width * (1 - 1e-9))
                wide = max(WINDOW * 5 * (high - low), 5 * width)
                around = ((x >= target - wide) & (x < target - width)) | ((x >= target + width) & (x < target + wide))
                n = int(just.sum() + around.sum())
                chance = float(binom.sf(just.sum() - 1, n, width / (2 * wide - width))) if n else 1.0
                windows.append((chance if told.max() >= target + width else 1.0, width, just))  # nothing lies beyond: a cap
            chance, width, just = min(windows, key=lambda w: w[0])
            if chance * len(self.targets) * 2 >= self.level:
                continue
            short = int(((x < target) & (x >= target - width)).sum())
            for u in np.flatnonzero(just):
                yield self.told("bunching", u, [self.at[code]], chance, f"{_number(sign * x[u])} lies just past the target {_number(stated)}, with {int(just.sum()) - 1} other units; {short} lie as close short of it.",
                                f"{_number(sign * x[u])} 恰好达到目标 {_number(stated)}；另有 {int(just.sum()) - 1} 个单位与此相同，差同样距离未达的仅 {short} 个。")  # fmt: skip

    def jumps(self) -> Iterator[Doubt]:
        """Values, or changes, that related series and neighbours do not make expect."""
        positive = np.array([bool((c[~np.isnan(c)] >= 0).all()) for c in self.x.T])
        y: Any = np.where(positive, np.log(np.where(positive, np.maximum(self.x, 0.0), 1.0) + np.where(self.counted, 0.5, 1e-9)), self.x)
        y = np.asarray(np.where(positive & ~self.counted & (self.x <= 0), np.nan, y))
        noise = np.where(self.counted, 1 / np.sqrt(np.maximum(np.nan_to_num(self.x), 0.0) + 1.0), 0.0)
        changed = np.asarray(~np.isnan(self.before).all(axis=0))
        if changed.any():
            then = np.where(positive, np.log(np.maximum(self.before, 0.0) + np.where(self.counted, 0.5, 1e-9)), self.before)
            y, noise = np.asarray(np.where(changed, y - then, np.nan)), noise * np.sqrt(2)
        z, expected = surprises(np.asarray(y), self.groups, np.asarray(noise))
        chance = 2 * t.sf(np.abs(z), FREEDOM)
        told = np.abs(np.nan_to_num(z)) > UNIQUE
        for u, j in zip(*np.nonzero(told), strict=True):
            yield self.told("jump", int(u), [j], float(chance[u, j]), *_compared(float(self.x[u, j]), float((y - expected)[u, j]),
                            log=bool(positive[j]), change=bool(changed[j])))  # fmt: skip


def _compared(x: float, off: float, *, log: bool, change: bool) -> tuple[str, str]:
    """How far a figure, or its change, is from what others make expect."""
    what = ("its change", "其变化") if change else ("it", "该值")
    if log:
        times = f"{np.exp(off):.3g}" if off > 0 else f"{np.exp(off):.2g}"
        return (
            f"{_number(x)}: {what[0]} is {times} times what related indicators and neighbours make expect.",
            f"{_number(x)}：{what[1]}为按相关指标和相邻地区推算值的 {times} 倍。",
        )
    way = ("above", "高") if off > 0 else ("below", "低")
    return (f"{_number(x)}: {what[0]} is {_number(abs(off))} {way[0]} what related indicators and neighbours make expect.",
            f"{_number(x)}：{what[1]}比按相关指标和相邻地区推算的{way[1]} {_number(abs(off))}。")  # fmt: skip


def _beyond(chance: Array, share: float) -> Any:
    """Which chances are so small that at most this share of them is mere chance (Benjamini and Hochberg)."""
    order = np.sort(chance)
    under = order <= share * np.arange(1, len(order) + 1) / len(order)
    return chance <= (order[np.flatnonzero(under)[-1]] if under.any() else -1.0)


def _step(x: Array) -> float:
    """The unit that figures are rounded to: the coarsest power of ten of which all are multiples."""
    told = x[~np.isnan(x)]
    for k in range(7):
        if np.allclose(told * 10.0**k, np.round(told * 10.0**k), rtol=0, atol=1e-6):
            return float(10.0**-k)
    return 1e-7


def _digits(x: Array) -> Array:
    """Significant digits, from the first to the last that is not 0; 9 and more as 9."""
    out = np.zeros(x.shape)
    size = np.abs(np.where(np.isnan(x), 0.0, x))
    with np.errstate(all="ignore"):
        power = np.where(size > 0, np.floor(np.log10(np.where(size > 0, size, 1.0))), 0.0)
        for n in range(9, 0, -1):
            scaled = size / 10.0 ** (power - n + 1)
            out = np.where((size > 0) & (np.abs(scaled - np.round(scaled)) < 1e-6 * np.maximum(scaled, 1)), n, out)
    return out


def _number(x: float) -> str:
    return f"{x:,.10g}"


def _share(is_round: Any, n: Any) -> str:
    return f"{is_round.sum() / max(int(n.sum()), 1):.0%}"
