"""Straight lines and curves between a low and a high value, or around a mean."""

from __future__ import annotations

import numpy as np

from biaochi.errors import BadOption, Text, few
from biaochi.kernels.moments import deviation, flat, highest, lowest, ratio
from biaochi.kernels.moments import mean as average
from biaochi.method import Array, Method, Trait


def none(x: Array, ref: Array) -> Array:
    """Keep the values as they are (only the direction has been applied).

    Parameters
    ----------
    x : (..., unit, indicator)
    ref : (..., ref_unit, indicator), not used.
    """
    return x.copy()


def minmax(x: Array, ref: Array) -> Array:
    """Place each value between the lowest and the highest of the reference, 0 to 1.

    ``(x - min) / (max - min)``

    Parameters
    ----------
    x : (..., unit, indicator)
        Values in the indicator's own unit. NaN stays NaN.
    ref : (..., ref_unit, indicator)
        Sets minimum and maximum.

    Returns
    -------
    (..., unit, indicator), without unit. NaN where the reference has no spread.

    References
    ----------
    .. [1] OECD/JRC, Handbook on Constructing Composite Indicators (2008), 5.3.
    """
    low, high = lowest(ref), highest(ref)
    return ratio(x - low, np.where(flat(low, high), 0.0, high - low), spend=True)


def zscore(x: Array, ref: Array, *, mean: float | Array = 0.0, sd: float | Array = 1.0, ddof: int | Array = 1) -> Array:
    """Distance to the mean of the reference in its standard deviations.

    ``(x - average) / deviation * sd + mean``, deviation with n - 1 unless ``ddof = 0``

    Parameters
    ----------
    x : (..., unit, indicator)
        Values in the indicator's own unit. NaN stays NaN.
    ref : (..., ref_unit, indicator)
        Sets mean and standard deviation.
    mean, sd : float or (indicator,)
        Mean and standard deviation to give the result.
    ddof : int or (indicator,)
        1 for the sample standard deviation (n - 1), 0 for the population's (n).

    Returns
    -------
    (..., unit, indicator), without unit. NaN where the reference has no spread.

    Raises
    ------
    BadOption
        If ``sd <= 0`` or ``ddof`` is neither 0 nor 1.

    References
    ----------
    .. [1] OECD/JRC, Handbook on Constructing Composite Indicators (2008), 5.2.
    """
    if np.any(np.asarray(sd) <= 0) or not np.isin(ddof, (0, 1)).all():
        raise BadOption("zscore", f"needs sd > 0 and ddof 0 or 1; got sd={sd}, ddof={ddof}.", f"sd 须大于 0，ddof 须为 0 或 1；得到 sd={sd}, ddof={ddof}。")
    return ratio(x - average(ref), deviation(ref, ddof), spend=True) * sd + mean


def goalposts(x: Array, ref: Array, *, low: float | Array, high: float | Array, clip: bool = True) -> Array:
    """Place each value between two fixed posts, 0 at the low one and 1 at the high one.

    ``(x - low) / (high - low)``

    Parameters
    ----------
    x : (..., unit, indicator)
        Values in the indicator's own unit. NaN stays NaN.
    ref : (..., ref_unit, indicator)
        Not used: the posts set the scale.
    low, high : float or (indicator,)
        The posts, in the indicator's own unit.
    clip : bool
        Hold values outside the posts at 0 and 1.

    Returns
    -------
    (..., unit, indicator), without unit.

    Raises
    ------
    BadOption
        If ``low >= high``.

    References
    ----------
    .. [1] UNDP, Human Development Report 2023/24, technical note 1.
    """
    if np.any(np.asarray(low) >= np.asarray(high)):
        raise BadOption("goalposts", f"needs low < high; got low={few(low)}, high={few(high)}.", f"下限须小于上限；得到 low={few(low)}, high={few(high)}。")
    z = (x - low) / (np.asarray(high) - low)
    return np.clip(z, 0.0, 1.0) if clip else z


def scaled(x: Array, ref: Array, *, low: float | Array, high: float | Array, factor: float | Array = 100.0) -> Array:
    """Scale by two fixed numbers, after the direction has been applied.

    ``(x - low) / (high - low) * factor``

    Parameters
    ----------
    x : (..., unit, indicator)
        Values already turned so that higher is better: -x where lower is better. NaN stays NaN.
    ref : (..., ref_unit, indicator), not used.
    low, high : float or (indicator,)
        As COINr takes them: on the turned values. `goalposts` takes them in the indicator's own
        unit and turns them itself.
    factor : float or (indicator,)
        What ``high`` is given.

    Returns
    -------
    (..., unit, indicator), not held within any limits.

    Raises
    ------
    BadOption
        If ``low >= high``.

    References
    ----------
    .. [1] COINr 1.1.14, n_scaled.
    """
    if np.any(np.asarray(low) >= np.asarray(high)):
        raise BadOption("scaled", f"needs low < high; got low={few(low)}, high={few(high)}.", f"下限须小于上限；得到 low={few(low)}, high={few(high)}。")
    return (x - low) / (np.asarray(high) - low) * factor


def logistic(x: Array, ref: Array, *, steepness: float | Array = 1.0) -> Array:
    """Sigmoid of the z-score: far values are drawn in, the middle is spread out.

    ``1 / (1 + exp(-steepness * (x - mean) / sd))``, sd with n - 1

    Parameters
    ----------
    x : (..., unit, indicator)
    ref : (..., ref_unit, indicator)
        Sets mean and sample standard deviation (n - 1).
    steepness : float or (indicator,)
        Above 0; slope at the mean is steepness / 4 for one standard deviation.

    Returns
    -------
    (..., unit, indicator), strictly between 0 and 1 but for rounding. NaN where the reference has no spread.

    References
    ----------
    .. [1] Han, Kamber and Pei, Data Mining (2012), 3.5; SciPy's expit of the z-score.
    """
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-np.asarray(steepness) * ratio(x - average(ref), deviation(ref), spend=True)))


def adjusted_minmax(x: Array, ref: Array, *, centre: float | Array = 100.0, span: float | Array = 60.0) -> Array:
    """Min-max around the mean of the reference, which is given 100: the scale of the AMPI.

    ``(x - (mean - d)) / (2 d) * span + centre - span / 2``, ``d = (max - min) / 2``

    Parameters
    ----------
    x : (..., unit, indicator)
    ref : (..., ref_unit, indicator)
        Sets minimum, maximum and mean: all periods for min and max and a base period for the mean
        in the published index; take ``scale = "base"`` or ``"pooled"``.
    centre, span : float or (indicator,)
        100 and 60 give values mostly from 70 to 130.

    Returns
    -------
    (..., unit, indicator). NaN where the reference has no spread.

    References
    ----------
    .. [1] Mazziotta and Pareto, Social Indicators Research 127 (2016) 983-1003.
    """
    low, high = lowest(ref), highest(ref)
    return ratio(x - average(ref), np.where(flat(low, high), 0.0, high - low)) * span + centre


def furthest(x: Array, ref: Array) -> Array:
    """Closeness to the optimum of a moderate indicator: 1 there, 0 at the furthest.

    ``1 - |x - optimum| / max |x - optimum|``, the distance to the nearer end where the optimum is a range.

    Parameters
    ----------
    x : (..., unit, indicator)
        Minus the distance to the optimum, which is what a direction such as ``=50`` or ``40..60`` gives: the
        method is for these.
    ref : (..., ref_unit, indicator)

    Returns
    -------
    (..., unit, indicator), 0 to 1; 0 beyond the furthest of the reference. NaN where the reference has no
    value off the optimum.

    References
    ----------
    .. [1] 叶宗裕, 关于多指标综合评价中指标正向化和无量纲化方法的选择, 浙江统计 2003(4).
    """
    return np.clip(1.0 + ratio(x, np.maximum(-lowest(ref), 0.0)), 0.0, 1.0)


_OECD = "OECD/JRC Handbook (2008), step 5"
_SCALE = frozenset({Trait.AFFINE, Trait.UNIT_FREE, Trait.ORDER_PRESERVING})

METHODS = {
    "none": Method(
        none,
        Text("none", "不变换"),
        "COINr 1.1.14",
        frozenset({Trait.AFFINE, Trait.IGNORES_REF, Trait.ORDER_PRESERVING}),
        proof="COINr, norm_none.csv",
    ),
    "minmax": Method(
        minmax, Text("min-max", "极差法"), _OECD, _SCALE | {Trait.UNIT_INTERVAL}, proof="COINr, norm_minmax_*.csv and norm_dist2max.csv; OECD Table 15"
    ),
    "zscore": Method(
        zscore,
        Text("z-score", "标准分法"),
        _OECD,
        _SCALE,
        limits={"sd": (1e-50, 1e50), "ddof": (0, 1)},
        proof="COINr, norm_zscore_*.csv; OECD Table 15",
    ),
    "goalposts": Method(
        goalposts,
        Text("goalposts", "固定上下限法"),
        "UNDP HDR 2023/24, technical note 1",
        frozenset({Trait.IGNORES_REF, Trait.UNIT_INTERVAL, Trait.ORDER_PRESERVING}),
        posts=("low", "high"),
        proof="UNDP HDI 1990-2022; COINr, vec_normalisation.csv",
    ),
    "scaled": Method(
        scaled,
        Text("scaled by two numbers", "定标法"),
        "COINr 1.1.14, n_scaled",
        frozenset({Trait.IGNORES_REF, Trait.AFFINE, Trait.ORDER_PRESERVING}),
        proof="COINr, norm_scaled.csv",
    ),
    "logistic": Method(
        logistic,
        Text("logistic", "S 型函数法"),
        "Han, Kamber and Pei (2012), 3.5",
        frozenset({Trait.UNIT_FREE, Trait.UNIT_INTERVAL, Trait.ORDER_PRESERVING}),
        limits={"steepness": (1e-6, 1e6)},
        proof="SciPy, special.expit of stats.zscore",
    ),
    "adjusted_minmax": Method(
        adjusted_minmax,
        Text("min-max around the mean (AMPI)", "均值居中极差法（AMPI）"),
        "Mazziotta and Pareto (2016)",
        _SCALE,
        limits={"span": (1e-6, 1e50)},
        proof="formula of the paper, recomputed line by line",
    ),
    "furthest": Method(
        furthest,
        Text("closeness to the optimum", "适度指标法"),
        "叶宗裕 (2003)",
        frozenset({Trait.UNIT_INTERVAL}),
        proof="closed form (中间型, 区间型)",
    ),
}
