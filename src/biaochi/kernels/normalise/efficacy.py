"""Efficacy coefficients 功效系数: points between an unsatisfactory and a satisfactory value."""

from __future__ import annotations

import numpy as np

from biaochi.errors import BadOption, Text, few
from biaochi.kernels.moments import flat, highest, lowest, ratio
from biaochi.method import Array, Method, Trait


def efficacy(
    x: Array,
    ref: Array,
    *,
    unsatisfactory: float | Array | None = None,
    satisfactory: float | Array | None = None,
    floor: float | Array = 60.0,
    span: float | Array = 40.0,
) -> Array:
    """Efficacy coefficient 功效系数法: 60 at the unsatisfactory value, 100 at the satisfactory one.

    ``(x - unsatisfactory) / (satisfactory - unsatisfactory) * span + floor``

    Parameters
    ----------
    x : (..., unit, indicator)
        NaN stays NaN.
    ref : (..., ref_unit, indicator)
        Sets a value that is not given: its lowest (unsatisfactory) or highest (satisfactory).
    unsatisfactory, satisfactory : float or (indicator,), optional
        不允许值 and 满意值, in the indicator's own unit; where lower is better the first is the larger one.
    floor, span : float or (indicator,)
        60 and 40 by the usual rule; 50 and 50, or 0 and 100, where the method says so.

    Returns
    -------
    (..., unit, indicator), points; below ``floor`` and above ``floor + span`` beyond the two values.
    NaN where they are equal, or a stated one lies on the wrong side of the other end of the data.

    References
    ----------
    .. [1] 国务院国资委考核分配局, 企业绩效评价标准值 (efficacy coefficients); 邱东, 多指标综合评价方法 (1990).
    """
    low, high = _posts(ref, unsatisfactory, satisfactory)
    return ratio(x - low, high - low) * span + floor


def exponential_efficacy(
    x: Array,
    ref: Array,
    *,
    unsatisfactory: float | Array | None = None,
    satisfactory: float | Array | None = None,
    floor: float | Array = 60.0,
    top: float | Array = 100.0,
) -> Array:
    """Efficacy coefficient on an exponential curve: steps near the best count more.

    ``floor * (top / floor) ** ((x - unsatisfactory) / (satisfactory - unsatisfactory))``

    Parameters
    ----------
    x, ref, unsatisfactory, satisfactory : see `efficacy`.
    floor, top : float or (indicator,)
        Points at the two values, both above 0.

    Returns
    -------
    (..., unit, indicator), points, always above 0. NaN where the two values are equal.

    Raises
    ------
    BadOption
        If ``floor >= top``.

    References
    ----------
    .. [1] 彭非, 袁卫, 惠争勤, 对综合评价方法中指数功效函数的一种改进探讨, 统计研究 2007(12).
    """
    if np.any(np.asarray(floor) >= np.asarray(top)):
        raise BadOption("exponential_efficacy", f"needs floor < top; got {few(floor)}, {few(top)}.", f"floor 须小于 top；得到 {few(floor)}、{few(top)}。")
    low, high = _posts(ref, unsatisfactory, satisfactory)
    return np.asarray(floor * (np.asarray(top) / floor) ** ratio(x - low, high - low))


def log_efficacy(
    x: Array,
    ref: Array,
    *,
    signs: Array,
    unsatisfactory: float | Array | None = None,
    satisfactory: float | Array | None = None,
    floor: float | Array = 0.0,
    span: float | Array = 100.0,
) -> Array:
    """Efficacy coefficient on logarithms, as the PKU index of digital finance takes it.

    ``(ln x - ln unsatisfactory) / (ln satisfactory - ln unsatisfactory) * span + floor``

    Parameters
    ----------
    x, ref, unsatisfactory, satisfactory : see `efficacy`; all values above 0 before the direction is applied.
    signs : (indicator,)
        Direction of each indicator, 1 or -1.
    floor, span : float or (indicator,)
        Points at the unsatisfactory value, and from there to the satisfactory one.

    Returns
    -------
    (..., unit, indicator), points. NaN for values at or below 0 and where the two values are equal.

    References
    ----------
    .. [1] 郭峰等, 测度中国数字普惠金融发展, 经济学(季刊) 2020, 19(4).
    """
    low, high = _posts(np.where(ref * signs > 0, ref, np.nan), unsatisfactory, satisfactory)
    with np.errstate(divide="ignore", invalid="ignore"):
        up, a, b = (np.where(v * signs > 0, v * signs, np.nan) for v in (x, low, high))
        return ratio(np.log(up / a), np.log(b / a)) * span + floor


def _posts(ref: Array, low: float | Array | None, high: float | Array | None) -> tuple[Array, Array]:
    a = lowest(ref) if low is None else np.asarray(low, float)
    b = highest(ref) if high is None else np.asarray(high, float)
    return a, np.where(flat(np.minimum(a, b), np.maximum(a, b)) | (b < a), a, b)


_GONGXIAO = "功效系数法, 企业绩效评价 (MOF 1999, SASAC)"
_SCALE = frozenset({Trait.AFFINE, Trait.UNIT_FREE, Trait.ORDER_PRESERVING})

METHODS = {
    "efficacy": Method(
        efficacy,
        Text("efficacy coefficient", "功效系数法"),
        _GONGXIAO,
        _SCALE,
        posts=("unsatisfactory", "satisfactory"),
        limits={"span": (1e-6, 1e50)},
        proof="worked example, closed form",
    ),
    "exponential_efficacy": Method(
        exponential_efficacy,
        Text("exponential efficacy coefficient", "指数功效系数法"),
        "彭非, 袁卫, 惠争勤 (2007)",
        frozenset({Trait.UNIT_FREE, Trait.ORDER_PRESERVING}),
        posts=("unsatisfactory", "satisfactory"),
        limits={"floor": (1e-6, 1e50), "top": (1e-6, 1e50)},
        proof="closed form: 60 and 100 at the two values, their geometric mean half way",
    ),
    "log_efficacy": Method(
        log_efficacy,
        Text("logarithmic efficacy coefficient", "对数功效系数法"),
        "PKU index of digital inclusive finance, 郭峰等 (2020)",
        frozenset({Trait.ORDER_PRESERVING}),
        posts=("unsatisfactory", "satisfactory"),
        limits={"span": (1e-6, 1e50)},
        proof="closed form: equal ratios give equal steps",
    ),
}
