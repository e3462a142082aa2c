"""The statistical audit a reviewer would make: every figure beside its threshold, every flag with its figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from biaochi.coherence import SOURCES, Correlations, Factors, Reliability, Thresholds, correlations, factors, known_thresholds, reliability, statistics, values
from biaochi.errors import BiaochiError, Text
from biaochi.importance import Influence, denominator_correlations, influence
from biaochi.kernels.structure.association import clusters, explained
from biaochi.method import or_none
from biaochi.period import Period
from biaochi.result import Result, takes_result


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
    """Indicators as used: derived and divided, before anything is filled or treated; ``treated_skew`` and ``treated_kurtosis`` after."""
    availability: list[dict[str, Any]]
    """Units, with their share of values."""
    denominators: list[dict[str, Any]]
    """Indicators that go with a series of size, before they are divided by any; not those computed from it."""
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
    fingerprints: Mapping[str, str]
    """SHA-256 of framework, recipe and data."""

    def __repr__(self) -> str:
        return f"<Audit of {self.index!r}, {self.period}: {self.units} units, {len(self.statistics)} indicators, {len(self.flags)} flags>"

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
            "index": self.index, "period": self.period, "units": self.units, "fingerprints": self.fingerprints,
            "thresholds": [{"name": k, "value": v, "source": SOURCES[k].en, "source_zh": SOURCES[k].zh} for k, v in asdict(self.thresholds).items()],
            "statistics": self.statistics, "availability": self.availability, "denominators": self.denominators, "placement": self.placement,
            "redundancy": self.redundancy, "dimensions": dimensions, "influence": [{**asdict(i), "share": share} for i, share in zip(self.influence, influence_shares(self.influence), strict=True)], "value_added": self.value_added,
            "flags": [{"kind": f.kind, "codes": list(f.codes), "figure": f.figure, "threshold": f.threshold, "limit": getattr(self.thresholds, f.threshold),
                       "text": f.text.en, "text_zh": f.text.zh} for f in self.flags],
        }  # fmt: skip
        return dict(_finite(made))


def _finite(v: Any) -> Any:
    """NaN and infinities as None, all the way down."""
    if isinstance(v, dict):
        return {k: _finite(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [_finite(x) for x in v]
    return None if isinstance(v, float) and not np.isfinite(v) else v


@takes_result
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
    known_thresholds(thresholds)
    p = result.period_at(period)
    name = str(result.panel.periods[p])
    stats = _statistics(result, name, thresholds)
    rows = [r for u, r in enumerate(result.availability()[p * len(result.panel.units) : (p + 1) * len(result.panel.units)]) if result.panel.units[u].ranked]
    tables = {
        "statistics": stats,
        "availability": [{"unit": r["unit"], "missing": r["missing"], "share": r["share"], "screened": r["screened"]} for r in rows],
        "denominators": _size(result, name, thresholds),
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
        *_data_flags(tables, thresholds, int(result.counts[p].sum())),
        *_placement_flags(tables["placement"], thresholds),
        *(f for d in dimensions for f in _dimension_flags(d, thresholds)),
        *_redundancy_flags(tables["redundancy"], thresholds),
        *_influence_flags(weighed, thresholds),
    ]
    return Audit(
        result.nodes[0].code,
        name,
        int(result.counts[p].sum()),
        thresholds,
        **tables,
        dimensions=dimensions,
        influence=weighed,
        flags=flags,
        fingerprints=result.fingerprints,
    )


def _statistics(result: Result, period: str, t: Thresholds) -> list[dict[str, Any]]:
    """Statistics of the indicators as used, beside what the treatment left of skewness and kurtosis."""
    rows = statistics(result, stage="denominated", period=period, thresholds=t)
    after = statistics(result, stage="treated", period=period, thresholds=t)
    return [
        {**a, "unit": result.framework[a["code"]].unit, "treated_skew": b["skew"], "treated_kurtosis": b["kurtosis"]} for a, b in zip(rows, after, strict=True)
    ]


def _size(result: Result, period: str, t: Thresholds) -> list[dict[str, Any]]:
    """Correlations with series of size, but not of what is computed from the series."""
    rows = denominator_correlations(result, threshold=t.denominator, period=period)
    reads = {n.code: n.reads.names if n.reads else frozenset() for n in result.framework.nodes}

    def behind(code: str, seen: frozenset[str] = frozenset()) -> frozenset[str]:
        new = frozenset(reads.get(code, ())) - seen
        return seen.union(new, *(behind(c, seen | new) for c in new))

    return [r for r in rows if r["series"] not in behind(r["indicator"]) and r["indicator"] not in behind(r["series"])]


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
                "code": node.code, "parent": parent, "with_parent": or_none(r[parent]), "p": or_none(got.p[0][got.columns.index(parent)]), "n": int(got.n[0][got.columns.index(parent)]),
                "with_rest": or_none(rest.get(node.code, np.nan)), "nearest": nearest, "with_nearest": or_none(known.get(str(nearest), np.nan)), "with_index": or_none(r[top]),
            }
        )  # fmt: skip
    return out


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
    made: list[dict[str, Any]] = [{"code": c, "among": among, "explained": or_none(shares.get(c, np.nan)), "cluster": k + 1} for c, k in rows]
    for row in made:
        share = row["explained"]
        row["inflation"] = None if share is None else 1.0 / (1.0 - share) if share < 1 - 1e-12 else float("inf")
    return made


def _value_added(result: Result, p: int, t: Thresholds) -> list[dict[str, Any]]:
    out = []
    top = result.ranks[p, :, 0]
    least = max(math.ceil(t.places * int((~np.isnan(top)).sum())), 1)
    for n in result.framework.children(result.nodes[0].code):
        shift = np.abs(result.ranks[p, :, result.node_at(n.code)] - top)
        known = ~np.isnan(shift)
        far = int((shift[known] >= least).sum())
        out.append({"code": n.code, "units": int(known.sum()), "far": far, "share": far / int(known.sum()) if known.any() else None,
                    "least": least, "largest": or_none(np.fmax.reduce(shift, initial=np.nan))})  # fmt: skip
    return out


def _data_flags(tables: dict[str, Any], t: Thresholds, units: int) -> Iterator[Flag]:
    for row in tables["statistics"]:
        code, n = row["code"], row["available"]
        for kind in row["flags"]:
            if kind == "skew":
                after = (row["treated_skew"], row["treated_kurtosis"])
                left = None not in after and after != (row["skew"], row["kurtosis"])
                more = Text(f"; after treatment {after[0]:.2f} and {after[1]:.2f}", f"；处理后为 {after[0]:.2f} 与 {after[1]:.2f}") if left else Text("", "")
                text = Text(
                    f"{code}: skewness {row['skew']:.2f} with kurtosis {row['kurtosis']:.2f}{more.en}.",
                    f"{code}：偏度 {row['skew']:.2f}，峰度 {row['kurtosis']:.2f}{more.zh}。",
                )
                yield Flag("skew", (code,), row["skew"], "skew", text)
                continue
            share, count, of = row[f"{kind}_share"], row[kind], units if kind == "available" else n
            said = {
                "available": Text(f"values for {count} of {of} units", f"{of} 个单位中 {count} 个有值"),
                "nonzero": Text(f"{count} of {of} values are not 0", f"{of} 个值中 {count} 个不为 0"),
                "unique": Text(f"{count} different values among {of}", f"{of} 个值中有 {count} 个不同的值"),
            }[kind]
            yield Flag(kind, (code,), share, kind, Text(f"{code}: {said.en} ({share:.0%}).", f"{code}：{said.zh}（{share:.0%}）。"))
    for row in tables["availability"]:
        if row["share"] < t.available:
            yield Flag("available", (row["unit"],), row["share"], "available", Text(f"{row['unit']}: values for {row['share']:.0%} of the indicators.", f"{row['unit']}：有值指标占 {row['share']:.0%}。"))  # fmt: skip
    for row in tables["denominators"]:
        if not row["divided"]:
            text = Text(f"{row['indicator']} goes with {row['series']}: r = {row['correlation']:.2f}, and is not divided by it.",
                        f"{row['indicator']} 与 {row['series']} 相关：r = {row['correlation']:.2f}，且未除以该序列。")  # fmt: skip
            yield Flag("denominator", (row["indicator"], row["series"]), row["correlation"], "denominator", text)


def _placement_flags(rows: list[dict[str, Any]], t: Thresholds) -> Iterator[Flag]:
    for row in rows:
        r, code, parent = row["with_parent"], row["code"], row["parent"]
        if r is None:
            continue
        said = f"r = {r:.2f}, {_p(row['p'])}, n = {row['n']}"
        if r < min(t.low, 0.0):
            yield Flag(
                "against-parent", (code, parent), r, "low", Text(f"{code} runs against its parent {parent}: {said}.", f"{code} 与上级 {parent} 反向：{said}。")
            )
        if r < t.low:
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
                f"{a} 与 {b}（同属 {d.of}）几乎重复：r = {r:.2f}，n = {pair['n']}。",
            )
            yield Flag("high", (a, b), r, "high", text)
        elif r < t.negative:
            text = Text(
                f"{a} and {b}, both under {d.of}, pull apart: r = {r:.2f}, n = {pair['n']}.",
                f"{a} 与 {b}（同属 {d.of}）此消彼长：r = {r:.2f}，n = {pair['n']}。",
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


def influence_shares(rows: list[Influence]) -> list[float]:
    """Each node's part in the sum of main effects."""
    total = sum(i.main_effect for i in rows if i.main_effect == i.main_effect)
    return [i.main_effect / total if total > 0 else float("nan") for i in rows]


def _influence_flags(rows: list[Influence], t: Thresholds) -> Iterator[Flag]:
    for i, share in zip(rows, influence_shares(rows), strict=True):
        if abs(share - i.weight) > t.balance:
            text = Text(f"{i.code}: weight {i.weight:.0%}, share of influence {share:.0%} (explains {i.main_effect:.0%} of the index's variance alone).",
                        f"{i.code}：权重 {i.weight:.0%}，影响力占比 {share:.0%}（单独解释指数方差的 {i.main_effect:.0%}）。")  # fmt: skip
            yield Flag("balance", (i.code,), float(share), "balance", text)
