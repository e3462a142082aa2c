"""What was done to single values: which were filled and from what, which were treated and how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from biaochi.checks import REGISTRIES, choice_of
from biaochi.framework import Node
from biaochi.kernels.moments import counted, shape
from biaochi.kernels.treat.pull import passes
from biaochi.kernels.treat.scheme import stages
from biaochi.result import IMPUTED, TREATED, Result

ALONG_TIME = {"last": (True, False), "next": (False, True), "linear": (True, True), "seasonal": (True, True)}
"""Imputers that fill from the unit's own observations before and after."""


def filled(result: Result) -> list[dict[str, Any]]:
    """Every filled cell: unit, period, indicator, value, the choice of method, and the periods it was filled from.

    Parameters
    ----------
    result : Result

    Returns
    -------
    list of dict
        Sorted by indicator, period, unit. ``source`` is empty for methods that fill from other units
        or indicators.
    """
    out = []
    for i, code in enumerate(result.indicators):
        node = result.framework[code]
        choice = result.recipe.choice("impute", code, result.framework.levels[code], node.choice("impute"))
        for p, u in np.argwhere(result.marks[..., i] & IMPUTED):
            out.append(
                {
                    "indicator": code, "unit": result.panel.units[u].code, "period": str(result.panel.periods[p]),
                    "value": float(result.stages["imputed"][p, u, i]), "method": str(choice),
                    "source": " ".join(_sources(result, str(choice.method), int(p), int(u), i)),
                }
            )  # fmt: skip
    return out


def _sources(result: Result, method: str, p: int, u: int, i: int) -> Iterator[str]:
    before, after = ALONG_TIME.get(method, (False, False))
    there = np.flatnonzero(~np.isnan(result.stages["denominated"][:, u, i]) & ~result.screened[:, u])
    if before and (there < p).any():
        yield str(result.panel.periods[there[there < p][-1]])
    if (after or (before and not (there < p).any())) and (there > p).any():
        yield str(result.panel.periods[there[there > p][0]])


def availability(result: Result) -> list[dict[str, Any]]:
    """What data each unit has in each period: values missing, values of 0, their shares, and whether it was screened out.

    Parameters
    ----------
    result : Result

    Returns
    -------
    list of dict
        ``share`` is that of the indicators with a value before imputation, ``nonzero`` that of these values
        that are not 0.
    """
    x = result.stages["denominated"]
    there = ~np.isnan(x)
    n, zero = there.sum(axis=-1), (there & (x == 0)).sum(axis=-1)
    return [
        {
            "unit": unit.code, "period": str(period), "missing": int(x.shape[-1] - n[p, u]), "zero": int(zero[p, u]), "share": float(n[p, u] / x.shape[-1]),
            "nonzero": float(1.0 - zero[p, u] / n[p, u]) if n[p, u] else None, "screened": bool(result.screened[p, u]),
        }
        for p, period in enumerate(result.panel.periods)
        for u, unit in enumerate(result.panel.units)
    ]  # fmt: skip


def treated(result: Result) -> list[dict[str, Any]]:
    """Every treated cell: unit, period, indicator, value before and after, and what was done.

    Parameters
    ----------
    result : Result

    Returns
    -------
    list of dict
        ``flag`` is "winhi" or "winlo" for a value pulled down or up, else the transformation's name.
    """
    out = []
    for i, code in enumerate(result.indicators):
        for p in range(len(result.panel.periods)):
            cells = np.flatnonzero(result.marks[p, :, i] & TREATED)
            if cells.size:
                steps = _steps(result, result.framework[code], p)
                done = steps[-1][0] if steps else choice_of(result.framework, result.recipe, "treat", result.framework[code])[0]
                for u in cells:
                    before, after = (float(result.stages[s][p, u, i]) for s in ("imputed", "treated"))
                    pulled = "winhi" if after < before else "winlo"
                    out.append(
                        {
                            "indicator": code, "unit": result.panel.units[u].code, "period": str(result.panel.periods[p]),
                            "before": before, "after": after, "flag": pulled if done in PULLS else done,
                        }
                    )  # fmt: skip
    return out


def treatment(result: Result) -> list[dict[str, Any]]:
    """What the treatment did to each indicator and period: check, points moved, check, transformation, check.

    Parameters
    ----------
    result : Result

    Returns
    -------
    list of dict
        ``pass0, skew0, kurtosis0`` before; ``first``, ``moved`` and ``pass1, ...`` after the first treatment,
        ``second`` and ``pass2, ...`` after the second; None where a step was not called for. Skewness and
        kurtosis of type 2, over the units that count. Periods treated together have one row each alike.
    """
    out = []
    for code in result.indicators:
        node = result.framework[code]
        _, options = choice_of(result.framework, result.recipe, "treat", node)
        limits = float(options.get("skew", 2.0)), float(options.get("kurtosis", 3.5))
        for p in range(len(result.panel.periods)):
            before = _inside(result, result.stages["imputed"], p, code)
            row: dict[str, Any] = {"indicator": code, "period": str(result.panel.periods[p]), **_check(before, limits, 0)}
            for k, (name, values) in enumerate(_steps(result, node, p), start=1):
                row["first" if k == 1 else "second"] = name
                if k == 1:
                    row["moved"] = int((values != before)[~np.isnan(before)].sum())
                row.update(_check(values, limits, k))
            out.append(row)
    keys = list(dict.fromkeys(k for row in out for k in row))
    return [{k: row.get(k) for k in keys} for row in out]


def _check(x: Any, limits: tuple[float, float], k: int) -> dict[str, Any]:
    s, q = (float(v[0]) for v in shape(x[:, None]))
    return {f"pass{k}": bool(passes(x[:, None], *limits)[0]), f"skew{k}": None if np.isnan(s) else s, f"kurtosis{k}": None if np.isnan(q) else q}


def _inside(result: Result, x: Any, p: int, code: str) -> Any:
    """Values of an indicator that set its statistics: of the period, or of all treated together."""
    i = result.indicators.index(code)
    inside = counted(x, result.counts)[..., i]
    return inside.reshape(-1) if result.recipe.treat_over == "pooled" else inside[p]


def _steps(result: Result, node: Node, p: int) -> list[tuple[str, Any]]:
    """The treatments an indicator went through, with its values after each; empty where none was called for."""
    name, options = choice_of(result.framework, result.recipe, "treat", node)
    before = _inside(result, result.stages["imputed"], p, node.code)
    after = _inside(result, result.stages["treated"], p, node.code)
    if name in ("staged", "winsorise_then_log"):
        limits = {k: options[k] for k in ("skew", "kurtosis") if k in options}
        got = [(n, v[:, 0]) for n, v in stages(before[:, None], **options)]
        checked = {"skew": 2.0, "kurtosis": 3.5, **limits}
        return [] if passes(before[:, None], **checked)[0] else got
    touched = (before != after)[~np.isnan(before)].any()
    return [(name, after)] if touched and name in REGISTRIES["treat"] else []


PULLS = frozenset({"winsorise", "iqr", "quartile", "mad", "percentile", "sd"})
"""Treatments that keep the indicator's unit."""
