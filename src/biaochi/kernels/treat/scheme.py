"""Check, first treatment, check, second treatment: each indicator gets no more than it needs."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from biaochi.errors import Text
from biaochi.kernels.moments import Counts, counted
from biaochi.kernels.treat import pull, transform
from biaochi.method import Array, Method, Trait


def winsorise_then_log(
    x: Array,
    *,
    counts: Counts = None,
    max_points: int | Array | None = 5,
    skew: float | Array = 2.0,
    kurtosis: float | Array = 3.5,
) -> Array:
    """Winsorise; where that does not pass the check, take the logarithm of the original instead.

    Parameters, result: see `staged`, of which this is the default.

    References
    ----------
    .. [1] COINr 1.1.14, Treat with f1 = winsorise, f2 = log_CT.
    """
    return staged(x, counts=counts, max_points=max_points, skew=skew, kurtosis=kurtosis)


def staged(
    x: Array,
    *,
    counts: Counts = None,
    first: Literal["none", "winsorise", "iqr", "quartile", "mad", "percentile", "sd"] = "winsorise",
    second: Literal["none", "log_ct", "log_ct_plus", "log_ct_orig", "log_gii", "boxcox", "yeo_johnson"] = "log_ct",
    combine: bool = False,
    max_points: int | Array | None = 5,
    skew: float | Array = 2.0,
    kurtosis: float | Array = 3.5,
    power: float | Array | None = None,
) -> Array:
    """Treat what fails the check; what still fails it gets a second treatment instead.

    The check passes where ``|skewness| < skew or kurtosis < kurtosis``; undefined figures pass.

    Parameters
    ----------
    x : (..., unit, indicator)
        Values in the indicator's own unit. NaN stays NaN.
    counts : (..., unit) bool
        Units that set every statistic.
    first, second
        A method that pulls values in and one that transforms them, by name, with their defaults.
    combine : bool
        Lay the second over the first instead of putting it in its place.
    max_points : int or (indicator,), optional
        For `winsorise`.
    skew, kurtosis : float or (indicator,)
        Thresholds of the check (type 2, as Excel's SKEW and KURT).
    power : float or (indicator,), optional
        For `boxcox` and `yeo_johnson`.

    Returns
    -------
    (..., unit, indicator). Indicators that pass come back unchanged.

    References
    ----------
    .. [1] COINr 1.1.14, Treat (f1, f2, f_pass, combine_treat).
    """
    steps = stages(x, counts=counts, first=first, second=second, combine=combine, max_points=max_points, skew=skew, kurtosis=kurtosis, power=power)
    return steps[-1][1]


def stages(
    x: Array,
    *,
    counts: Counts = None,
    first: str = "winsorise",
    second: str = "log_ct",
    combine: bool = False,
    max_points: int | Array | None = 5,
    skew: float | Array = 2.0,
    kurtosis: float | Array = 3.5,
    power: float | Array | None = None,
) -> list[tuple[str, Array]]:
    """The values after each treatment that was called for, with its name: what `staged` goes through."""
    failing = ~pull.passes(counted(x, counts), skew, kurtosis)
    once = x.copy()
    if first == "winsorise":  # makes the check itself
        once = pull.winsorise(x, counts=counts, max_points=max_points, skew=skew, kurtosis=kurtosis)
    elif first != "none" and failing.any():
        once = np.where(failing[..., None, :], pull.METHODS[first].kernel(x, counts=counts), x)
    out = [(first, once)]
    still = ~pull.passes(counted(once, counts), skew, kurtosis)
    if second == "none" or not still.any():
        return out
    options: dict[str, Any] = {"power": power} if second in ("boxcox", "yeo_johnson") else {}
    twice = transform.METHODS[second].kernel(once if combine else x, counts=counts, **options)
    return [*out, (second, np.where(still[..., None, :], twice, once))]


_ORDER = frozenset({Trait.ORDER_PRESERVING})

METHODS = {
    "winsorise_then_log": Method(
        winsorise_then_log,
        Text("winsorise, then log", "先缩尾后取对数"),
        "COINr 1.1.14, Treat (COIN Tool, JRC 2019)",
        _ORDER,
        limits=pull.CHECKED,
        proof="COINr, stage_5_Treated.csv, treat_winmax1.csv, treat_strict.csv",
    ),
    "staged": Method(
        staged,
        Text("check, first, check, second", "检验—首选—再检验—次选"),
        "COINr 1.1.14, Treat",
        _ORDER,
        limits={**pull.CHECKED, "power": (-5.0, 5.0)},
        proof="COINr, treat_logplus.csv, treat_logorig.csv, treat_boxcox.csv",
    ),
}
