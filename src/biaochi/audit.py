"""The statistical audit a reviewer would make: every figure beside its threshold, every flag with its figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from biaochi.coherence import SOURCES, Correlations, Factors, Reliability, Thresholds, correlations, factors, reliability, statistics, values
from biaochi.errors import BiaochiError, Text
from biaochi.importance import Influence, denominator_correlations, influence
from biaochi.kernels.structure.association import clusters, explained
from biaochi.period import Period
from biaochi.result import Result


@dataclass(frozen=True)
class Flag:
    """A figure beyond its threshold."""

    kind: str
    codes: tuple[str, ...]
    """Whom it concerns: indicators, nodes, a unit or a series."""
    figure: float
    threshold: str
    """Name of the threshold in `Thresholds`; its source stands in `biaochi.coherence.SOURCES`."""
    text: Text


@dataclass(frozen=True)
class Dimension:
    """How the children of one node hang together."""

    of: str
    codes: tuple[str, ...]
    reliability: Reliability
    factors: Factors
    correlations: Correlations


@dataclass(frozen=True)
class Audit:
    """A statistical audit of one period, as data. Tables are lists of rows."""

    index: str
    period: str
    units: int
    """Units that count."""
    thresholds: Thresholds
    statistics: list[dict[str, Any]]
    """Indicators as reported and derived."""
    availability: list[dict[str, Any]]
    """Units, with their share of values."""
    denominators: list[dict[str, Any]]
    """Indicators that go with a series of size."""
    placement: list[dict[str, Any]]
    """Every node below the index: its correlation with its parent (and with the parent without itself), with the other nodes at
    the parent's level, with the index."""
    redundancy: list[dict[str, Any]]
    """Every indicator: share of its variance the other indicators explain (its siblings, where all are too many for the units), and its cluster."""
    dimensions: list[Dimension]
    """Every node with two children or more."""
    influence: list[Influence]
    """First-level nodes: weight beside influence on the index."""
    value_added: list[dict[str, Any]]
    """Units whose place in the index is far from that in a first-level node."""
    flags: list[Flag]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data, for JSON; unknown figures are None."""
        dimensions = [
            {
                "of": d.of, "codes": list(d.codes), "alpha": d.reliability.alpha, "standard_alpha": d.reliability.standard_alpha, "omega": d.reliability.omega,
                "without": d.reliability.without, "rest": d.reliability.rest, "n": d.factors.n, "eigenvalues": d.factors.eigenvalues.tolist(),
                "kmo": d.factors.kmo, "bartlett": list(d.factors.bartlett), "loadings": d.factors.loadings.tolist(), "correlations": d.correlations.pairs(),
            }
            for d in self.dimensions
        ]  # fmt: skip
        made = {
            "index": self.index, "period": self.period, "units": self.units,
            "thresholds": [{"name": k, "value": v, "source": SOURCES[k].en} for k, v in asdict(self.thresholds).items()],
            "statistics": self.statistics, "availability": self.availability, "denominators": self.denominators, "placement": self.placement,
            "redundancy": self.redundancy, "dimensions": dimensions, "influence": [asdict(i) for i in self.influence], "value_added": self.value_added,
            "flags": [{"kind": f.kind, "codes": list(f.codes), "figure": f.figure, "threshold": f.threshold, "text": f.text.en, "text_zh": f.text.zh} for f in self.flags],
        }  # fmt: skip
        return dict(_finite(made))


def _finite(v: Any) -> Any:
    """NaN and infinities as None, all the way down."""
    if isinstance(v, dict):
        return {k: _finite(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [_finite(x) for x in v]
    return None if isinstance(v, float) and not np.isfinite(v) else v


def audit(result: Result, *, period: str | Period | None = None, thresholds: Thresholds = Thresholds()) -> Audit:
    """A statistical audit in one call: data, placement, dimensions, redundancy, influence, value added.

    Parameters
    ----------
    result : Result
    period : str or Period, optional
        The last one with scores by default.
    thresholds : Thresholds

    Returns
    -------
    Audit
        Over the units that count. Flags state a figure and the threshold it passes; what to make of them is the reader's
        judgement.

    Raises
    ------
    UnknownName
        If there is no such period.

    References
    ----------
    .. [1] OECD/JRC Handbook (2008), steps 2, 4 and 6; JRC statistical audits of composite indicators (Saisana et al.).
    """
    p = result.period_at(period)
    name = str(result.panel.periods[p])
    stats = statistics(result, period=name, thresholds=thresholds)
    rows = [r for u, r in enumerate(result.availability()[p * len(result.panel.units) : (p + 1) * len(result.panel.units)]) if result.panel.units[u].ranked]
    tables = {
        "statistics": stats,
        "availability": [{"unit": r["unit"], "missing": r["missing"], "share": r["share"], "screened": r["screened"]} for r in rows],
        "denominators": denominator_correlations(result, threshold=thresholds.denominator, period=name),
        "placement": _placement(result, name),
        "redundancy": _redundancy(result, name, thresholds),
        "value_added": _value_added(result, p, thresholds),
    }
    dimensions = [
        Dimension(
            n.code,
            tuple(c.code for c in result.framework.children(n.code)),
            reliability(result, n.code, period=name),
            factors(result, n.code, period=name),
            correlations(result, n.code, period=name),
        )
        for n in result.nodes
        if len(result.framework.children(n.code)) > 1
    ]
    try:
        weighed = influence(result, period=name)
    except BiaochiError:  # too few units, or an index of one indicator
        weighed = []
    flags = [
        *_data_flags(tables, thresholds),
        *_placement_flags(tables["placement"], thresholds),
        *(f for d in dimensions for f in _dimension_flags(d, thresholds)),
        *_redundancy_flags(tables["redundancy"], thresholds),
        *_influence_flags(weighed, thresholds),
    ]
    return Audit(result.nodes[0].code, name, int(result.counts[p].sum()), thresholds, **tables, dimensions=dimensions, influence=weighed, flags=flags)


def _placement(result: Result, period: str) -> list[dict[str, Any]]:
    out = []
    top = result.nodes[0].code
    for node in result.nodes[1:]:
        parent = str(node.parent)
        peers = [n.code for n in result.nodes if result.framework.levels[n.code] == result.framework.levels[parent] and n.code != parent]
        got = correlations(result, [node.code], list(dict.fromkeys([parent, top, *peers])), period=period)
        r = dict(zip(got.columns, got.r[0], strict=True))
        known = {c: r[c] for c in peers if r[c] == r[c]}
        nearest = max(known, key=lambda c: known[c], default=None)
        siblings = [c.code for c in result.framework.children(parent)]
        rest = reliability(result, parent, period=period).rest if len(siblings) > 1 else {}
        out.append(
            {
                "code": node.code, "parent": parent, "with_parent": _number(r[parent]), "p": _number(got.p[0][got.columns.index(parent)]), "n": int(got.n[0][got.columns.index(parent)]),
                "with_rest": _number(rest.get(node.code, np.nan)), "nearest": nearest, "with_nearest": _number(known.get(str(nearest), np.nan)), "with_index": _number(r[top]),
            }
        )  # fmt: skip
    return out


def _number(v: Any) -> float | None:
    return None if v != v else float(v)


def _redundancy(result: Result, period: str, t: Thresholds) -> list[dict[str, Any]]:
    codes, x = values(result, None, "scores", period)
    complete = int((~np.isnan(x).any(axis=1)).sum())
    if complete >= 2 * len(codes):
        shares = dict(zip(codes, explained(x).tolist(), strict=True))
    else:
        shares = {}
        for n in result.nodes:
            kids = [c.code for c in result.framework.children(n.code) if c.code in result.indicators]
            if len(kids) > 1:
                _, z = values(result, kids, "scores", period)
                enough = int((~np.isnan(z).any(axis=1)).sum()) >= 2 * len(kids)
                shares |= dict(zip(kids, explained(z).tolist() if enough else [np.nan] * len(kids), strict=True))
    r = correlations(result, period=period).r
    numbers = clusters(r, 1.0 - t.alpha).astype(int)
    among = "all" if complete >= 2 * len(codes) else "siblings"
    rows = zip(codes, numbers.tolist(), strict=True)
    made: list[dict[str, Any]] = [{"code": c, "among": among, "explained": _number(shares.get(c, np.nan)), "cluster": k + 1} for c, k in rows]
    for row in made:
        share = row["explained"]
        row["inflation"] = None if share is None else 1.0 / (1.0 - share) if share < 1 - 1e-12 else float("inf")
    return made


def _value_added(result: Result, p: int, t: Thresholds) -> list[dict[str, Any]]:
    out = []
    top = result.ranks[p, :, 0]
    for n in result.framework.children(result.nodes[0].code):
        shift = np.abs(result.ranks[p, :, result.node_at(n.code)] - top)
        known = ~np.isnan(shift)
        far = int((shift[known] >= t.places).sum())
        out.append({"code": n.code, "units": int(known.sum()), "far": far, "share": far / int(known.sum()) if known.any() else None,
                    "largest": _number(np.fmax.reduce(shift, initial=np.nan))})  # fmt: skip
    return out


def _data_flags(tables: dict[str, Any], t: Thresholds) -> Iterator[Flag]:
    for row in tables["statistics"]:
        code = row["code"]
        for kind in row["flags"]:
            if kind == "skew":
                text = Text(
                    f"{code}: skewness {row['skew']:.2f} with kurtosis {row['kurtosis']:.2f}.", f"{code}：偏度 {row['skew']:.2f}，峰度 {row['kurtosis']:.2f}。"
                )
                yield Flag("skew", (code,), row["skew"], "skew", text)
            else:
                share = row[f"{kind}_share"]
                en, zh = _SHARES[kind]
                yield Flag(kind, (code,), share, kind, Text(f"{code}: {share:.0%} of {en}.", f"{code}：{zh} {share:.0%}。"))
    for row in tables["availability"]:
        if row["share"] < t.available:
            yield Flag("available", (row["unit"],), row["share"], "available", Text(f"{row['unit']}: values for {row['share']:.0%} of the indicators.", f"{row['unit']}：有值指标占 {row['share']:.0%}。"))  # fmt: skip
    for row in tables["denominators"]:
        done = Text("; it is divided by it already", "；已除以该序列") if row["divided"] else Text("", "")
        text = Text(
            f"{row['indicator']} goes with {row['series']}: r = {row['correlation']:.2f}{done.en}.",
            f"{row['indicator']} 与 {row['series']} 相关：r = {row['correlation']:.2f}{done.zh}。",
        )
        yield Flag("denominator", (row["indicator"], row["series"]), row["correlation"], "denominator", text)


_SHARES = {
    "available": ("units have a value", "有值单位占"),
    "nonzero": ("values are not 0", "非零值占"),
    "unique": ("values differ from all others", "互不相同的值占"),
}


def _placement_flags(rows: list[dict[str, Any]], t: Thresholds) -> Iterator[Flag]:
    for row in rows:
        r, code, parent = row["with_parent"], row["code"], row["parent"]
        if r is None:
            continue
        said = f"r = {r:.2f}, {_p(row['p'])}, n = {row['n']}"
        if r < 0:
            yield Flag(
                "against-parent", (code, parent), r, "low", Text(f"{code} runs against its parent {parent}: {said}.", f"{code} 与上级 {parent} 反向：{said}。")
            )
        elif r < t.low:
            yield Flag(
                "low", (code, parent), r, "low", Text(f"{code} hardly goes with its parent {parent}: {said}.", f"{code} 与上级 {parent} 相关偏低：{said}。")
            )
        near = row["with_nearest"]
        if near is not None and near > r + t.own:
            text = Text(f"{code} goes with {row['nearest']} (r = {near:.2f}) more than with its parent {parent} (r = {r:.2f}).",
                        f"{code} 与 {row['nearest']}（r = {near:.2f}）的相关高于其上级 {parent}（r = {r:.2f}）。")  # fmt: skip
            yield Flag("elsewhere", (code, parent, str(row["nearest"])), near, "own", text)


def _p(p: float) -> str:
    """A p-value with three decimals; a smaller one as such."""
    return "p < 0.001" if p < 0.0005 else f"p = {p:.3f}"


def _dimension_flags(d: Dimension, t: Thresholds) -> Iterator[Flag]:
    a, k = d.reliability.alpha, len(d.codes)
    if a < t.alpha:
        better = {c: v for c, v in d.reliability.without.items() if v == v and v > a}
        best = max(better, key=lambda c: better[c], default=None)
        more = Text(f"; {better[best]:.2f} without {best}", f"；去掉 {best} 后为 {better[best]:.2f}") if best else Text("", "")
        yield Flag(
            "alpha",
            (d.of,),
            a,
            "alpha",
            Text(f"{d.of}: Cronbach's alpha {a:.2f} of {k} children{more.en}.", f"{d.of}：{k} 个下级的克朗巴赫 α 为 {a:.2f}{more.zh}。"),
        )
    shares = d.factors.shares
    if shares[0] < t.first:
        text = Text(f"{d.of}: the first component explains {shares[0]:.0%} of the variance.", f"{d.of}：第一主成分解释 {shares[0]:.0%} 的方差。")
        yield Flag("first-component", (d.of,), float(shares[0]), "first", text)
    dims = int((d.factors.eigenvalues > t.eigenvalue).sum())
    if dims > 1:
        listed = ", ".join(f"{v:.2f}" for v in d.factors.eigenvalues[:dims])
        yield Flag("dimensions", (d.of,), float(dims), "eigenvalue", Text(f"{d.of}: {dims} components have eigenvalues above {t.eigenvalue:g} ({listed}).", f"{d.of}：{dims} 个主成分特征值大于 {t.eigenvalue:g}（{listed}）。"))  # fmt: skip
    if k > 2 and d.factors.kmo < t.kmo:  # of two it is always 0.5
        yield Flag(
            "kmo", (d.of,), d.factors.kmo, "kmo", Text(f"{d.of}: Kaiser-Meyer-Olkin measure {d.factors.kmo:.2f}.", f"{d.of}：KMO 值为 {d.factors.kmo:.2f}。")
        )
    statistic, df, p = d.factors.bartlett
    if p > t.significance:
        text = Text(f"{d.of}: its children may be uncorrelated (Bartlett {statistic:.1f}, {df} degrees of freedom, p = {p:.2f}).",
                    f"{d.of}：下级之间可能不相关（Bartlett {statistic:.1f}，自由度 {df}，p = {p:.2f}）。")  # fmt: skip
        yield Flag("bartlett", (d.of,), p, "significance", text)
    yield from _pair_flags(d, t)


def _pair_flags(d: Dimension, t: Thresholds) -> Iterator[Flag]:
    for pair in d.correlations.pairs():
        a, b, r = pair["first"], pair["second"], pair["correlation"]
        if r is None or d.codes.index(a) >= d.codes.index(b):
            continue
        if r > t.high:
            text = Text(
                f"{a} and {b}, both under {d.of}, say nearly the same: r = {r:.2f}, n = {pair['n']}.",
                f"{d.of} 下的 {a} 与 {b} 几乎重复：r = {r:.2f}，n = {pair['n']}。",
            )
            yield Flag("high", (a, b), r, "high", text)
        elif r < t.negative:
            text = Text(
                f"{a} and {b}, both under {d.of}, pull apart: r = {r:.2f}, n = {pair['n']}.", f"{d.of} 下的 {a} 与 {b} 此消彼长：r = {r:.2f}，n = {pair['n']}。"
            )
            yield Flag("negative", (a, b), r, "negative", text)


def _redundancy_flags(rows: list[dict[str, Any]], t: Thresholds) -> Iterator[Flag]:
    for row in rows:
        v = row["inflation"]
        if v is not None and v > t.inflation:
            others = Text("the other indicators", "其他指标") if row["among"] == "all" else Text("its siblings", "同级指标")
            text = Text(
                f"{row['code']}: {others.en} explain {row['explained']:.1%} of it (variance inflation {v:.3g}).",
                f"{row['code']}：{others.zh}可解释其 {row['explained']:.1%}（方差膨胀 {v:.3g}）。",
            )
            yield Flag("inflation", (row["code"],), v, "inflation", text)


def _influence_flags(rows: list[Influence], t: Thresholds) -> Iterator[Flag]:
    total = sum(i.main_effect for i in rows if i.main_effect == i.main_effect)
    for i in rows:
        share = i.main_effect / total if total > 0 else np.nan
        if abs(share - i.weight) > t.balance:
            text = Text(f"{i.code}: weight {i.weight:.0%}, share of influence {share:.0%} (explains {i.main_effect:.0%} of the index's variance alone).",
                        f"{i.code}：权重 {i.weight:.0%}，影响力占比 {share:.0%}（单独解释指数方差的 {i.main_effect:.0%}）。")  # fmt: skip
            yield Flag("balance", (i.code,), float(share), "balance", text)
