"""Limits of weights as people state them, by name, and as the frontier's programs take them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from biaochi.errors import BadOption, Text, UnknownName, choose
from biaochi.framework import Framework
from biaochi.kernels.frontier.simplex import Restrictions, feasible
from biaochi.method import Array, is_number

Span = tuple[float, float]


@dataclass(frozen=True)
class Limits:
    """What weights may be in benefit of the doubt. Codes are inputs; ``"*"`` stands for every input."""

    shares: Mapping[str, Span] = field(default_factory=dict)
    """Lowest and highest share of an input, or of a branch of the tree above inputs, in the unit's weighted sum."""
    within: Mapping[str, Span] = field(default_factory=dict)
    """The same as a share of the parent's."""
    ratios: Mapping[tuple[str, str], Span] = field(default_factory=dict)
    """Lowest and highest ratio of the weight of the first to that of the second (assurance regions)."""
    order: Sequence[Sequence[str]] = ()
    """Chains of inputs, the one of the largest weight first."""
    weights: Mapping[str, Span] = field(default_factory=dict)
    """Lowest and highest weight itself, where the best weighted sum is 1."""
    at: str = "own"
    """What shares are shares of: the unit's own weighted sum (its pie, "own"), that of the mean unit ("mean"), or the
    sum of the weights themselves ("weights")."""


def restrictions(limits: Limits | None, codes: Sequence[str], framework: Framework, mean: Array) -> Restrictions | None:
    """Limits as rows of ``... <= 0`` over weights, shares and level.

    Raises
    ------
    UnknownName
        If a limit names what is no input, nor a branch above inputs.
    BadOption
        If a span is empty or out of range, or no weights satisfy all limits together.
    """
    if limits is None:
        return None
    if not isinstance(limits, Limits):
        raise BadOption("limits", f"must be biaochi.Limits(...); got {limits!r}.", f"limits 应为 biaochi.Limits(...)；得到 {limits!r}。")
    choose(Text("at", "at"), limits.at, ["mean", "own", "weights"])
    for name in ("shares", "within", "ratios", "weights"):
        if not isinstance(getattr(limits, name), Mapping):
            raise BadOption(name, f"must be a mapping; got {getattr(limits, name)!r}.", f"{name} 应为映射；得到 {getattr(limits, name)!r}。")
    m = len(codes)
    on_weights = [*_ratios(limits, codes), *_orders(limits, codes)]
    on_shares = [*_shares(limits, codes, framework), *_within(limits, codes, framework)]
    if limits.at != "own":
        on_weights += [row * (mean if limits.at == "mean" else 1.0) for row in on_shares]
        on_shares = []
    bounds = list(_bounds(limits, codes))
    zero = np.zeros(m)
    rows = [*((w, zero, 0.0) for w in on_weights), *((zero, s, 0.0) for s in on_shares), *((w, zero, t) for w, t in bounds)]
    rows = [r for r in rows if np.any(r[0]) or np.any(r[1]) or r[2]]  # such as a share of 1 of the whole
    if not rows:
        return None
    made = Restrictions(np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), np.array([r[2] for r in rows]))
    if not feasible(made, mean):
        raise BadOption("limits", "no weights satisfy all of them together; widen some.", "没有同时满足全部限制的权重，请放宽。")
    return made


def _shares(limits: Limits, codes: Sequence[str], framework: Framework) -> Iterator[Array]:
    whole = np.ones(len(codes))
    spans = _spans("shares", limits.shares, codes, 1.0, framework)
    inputs = [(c, s) for c, s in spans.items() if c in codes]
    least, most = sum(low for _, (low, _) in inputs), sum(dict(inputs).get(c, (0.0, 1.0))[1] for c in codes)
    if least > 1 + 1e-9 or most < 1 - 1e-9:
        en = f"the lowest ones sum to {least:g} and the highest to {most:g}; 1 must lie between"
        raise BadOption("shares", f"{en}.", f"shares 的下限之和为 {least:g}，上限之和为 {most:g}；1 须介于其间。")
    for code, (low, high) in spans.items():
        inside = _inside(code, codes, framework)
        yield from _between(inside, whole, low, high)


def _within(limits: Limits, codes: Sequence[str], framework: Framework) -> Iterator[Array]:
    for code, (low, high) in _spans("within", limits.within, codes, 1.0, framework).items():
        parent = framework[code].parent
        if parent is None:
            raise BadOption("within", f"{code!r} has no parent.", f"{code!r} 没有上级。")
        yield from _between(_inside(code, codes, framework), _inside(parent, codes, framework), low, high)


def _between(part: Array, of: Array, low: float, high: float) -> Iterator[Array]:
    if low > 0:
        yield low * of - part
    if high < 1:
        yield part - high * of


def _ratios(limits: Limits, codes: Sequence[str]) -> Iterator[Array]:
    for pair, span in limits.ratios.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise BadOption("ratios", f"needs pairs of inputs as keys; got {pair!r}.", f"ratios 的键应为两个投入项；得到 {pair!r}。")
        a, b = (_one(c, codes) for c in pair)
        if pair[0] == pair[1]:
            raise BadOption("ratios", f"needs two different inputs; got {pair!r}.", f"ratios 应为两个不同的投入项；得到 {pair!r}。")
        low, high = _span("ratios", f"{pair[0]}/{pair[1]}", span, np.inf)
        if low > 0:
            yield low * b - a
        if high < np.inf:
            yield a - high * b


def _orders(limits: Limits, codes: Sequence[str]) -> Iterator[Array]:
    if not isinstance(limits.order, (list, tuple)):
        raise BadOption(
            "order", f"must be a chain of inputs, or a list of chains; got {limits.order!r}.", f"order 应为投入项序列或其列表；得到 {limits.order!r}。"
        )
    chains = [limits.order] if limits.order and isinstance(limits.order[0], str) else limits.order
    for chain in chains:
        named = isinstance(chain, (list, tuple)) and all(isinstance(c, str) for c in chain)
        if not named or len(set(chain)) < max(len(chain), 2):
            raise BadOption("order", f"needs chains of two different inputs or more; got {chain!r}.", f"order 应为两个以上投入项的序列；得到 {chain!r}。")
        places = [_one(c, codes) for c in chain]
        for a, b in pairwise(places):
            yield b - a


def _bounds(limits: Limits, codes: Sequence[str]) -> Iterator[tuple[Array, float]]:
    for code, (low, high) in _spans("weights", limits.weights, codes, np.inf, None).items():
        place = _one(code, codes)
        if low > 0:
            yield -place, low
        if high < np.inf:
            yield place, -high


def _spans(name: str, given: Mapping[str, Span], codes: Sequence[str], most: float, framework: Framework | None) -> dict[str, Span]:
    """Spans by code, those of ``"*"`` for every input without one of its own."""
    out: dict[str, Span] = {}
    for code, span in given.items():
        checked = _span(name, code, span, most)
        if code == "*":
            out |= {c: checked for c in codes if c not in given}
            continue
        known = [*codes] if framework is None else [n.code for n in framework.nodes if not n.series and _covers(n.code, codes, framework)]
        if code not in known:
            raise UnknownName(Text(f"input under {name}", f"{name} 中的投入项"), code, known)
        out[code] = checked
    return out


def _span(name: str, code: object, span: Span, most: float) -> Span:
    fits = isinstance(span, (tuple, list)) and len(span) == 2 and all(is_number(v) for v in span) and 0 <= span[0] <= span[1] <= most and span[0] < np.inf
    if not fits:
        to = "" if most == np.inf else f" up to {most:g}"
        bis = "" if most == np.inf else f"、不大于 {most:g}"
        raise BadOption(name, f"of {code!r} must be two numbers from 0{to}, the lower one first; got {span!r}.", f"{name} 中 {code!r} 应为两个不小于 0{bis}的数，小者在前；得到 {span!r}。")  # fmt: skip
    return float(span[0]), float(span[1])


def _covers(code: str, codes: Sequence[str], framework: Framework) -> bool:
    return any(n.code in codes for n in framework.walk(code))


def _inside(code: str, codes: Sequence[str], framework: Framework) -> Array:
    below = {n.code for n in framework.walk(code)}
    return np.array([float(c in below) for c in codes])


def _one(code: str, codes: Sequence[str]) -> Array:
    if code not in codes:
        raise UnknownName(Text("input", "投入项"), code, codes)
    return np.array([float(c == code) for c in codes])
