"""Transformations that take the skew out of an indicator, in new units; the order of units stays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from biaochi.errors import Text
from biaochi.kernels.moments import Counts, counted, highest, lowest, mean, number, shape, total
from biaochi.method import Array, Method, Trait


def log_ct(x: Array, *, counts: Counts = None) -> Array:
    """Take the logarithm after shifting the lowest value to 1 % of the range.

    ``log(x - min + 0.01 (max - min))``

    Parameters
    ----------
    x : (..., unit, indicator)
        NaN stays NaN. An indicator without spread is left as it is.
    counts : (..., unit) bool
        Units that set minimum and maximum; the others are held between them.

    Returns
    -------
    (..., unit, indicator), in log units.

    References
    ----------
    .. [1] COIN Tool user's guide (JRC, 2019); COINr 1.1.14, log_CT.
    """
    held, low, high = _held(x, counts)
    with np.errstate(divide="ignore"):
        out = np.log(held - low + 0.01 * (high - low))
    return np.where(high > low, out, x)


def log_ct_plus(x: Array, *, counts: Counts = None) -> Array:
    """Shifted logarithm by the skew: from below if skewed to the right, else from above.

    ``log(x - min + 0.01 (max - min))``, or ``-log(max + 0.01 (max - min) - x)`` where skewness (type 2) is not above 0

    Parameters, result: see `log_ct`; skewness of type 2.

    References
    ----------
    .. [1] COINr 1.1.14, log_CT_plus.
    """
    held, low, high = _held(x, counts)
    right = (shape(counted(x, counts))[0] > 1e-9)[..., None, :]
    with np.errstate(divide="ignore"):
        out = np.where(right, np.log(held - low + 0.01 * (high - low)), -np.log(high + 0.01 * (high - low) - held))
    return np.where(high > low, out, x)


def log_ct_orig(x: Array, *, counts: Counts = None) -> Array:
    """Logarithm after shifting the lowest value to 1: the COIN Tool's first form.

    ``log(x - min + 1)``

    Parameters, result: see `log_ct`. Depends on the unit of measurement.

    References
    ----------
    .. [1] COINr 1.1.14, log_CT_orig.
    """
    held, low, high = _held(x, counts)
    fine = high - low < 1e-6  # so small beside 1 that the sum would lose its digits
    return np.where(high > low, np.where(fine, np.log1p(held - low), np.log(held - low + 1.0)), x)


def log_gii(x: Array, *, counts: Counts = None) -> Array:
    """Logarithm of the Global Innovation Index: lowest value to 0, highest to ln(max).

    ``log((max - 1) (x - min) / (max - min) + 1)``

    Parameters
    ----------
    x : (..., unit, indicator)
        NaN stays NaN. An indicator without spread, or whose highest value is not above 1, is left as it is.
    counts : (..., unit) bool
        Units that set minimum and maximum; the others are held between them.

    Returns
    -------
    (..., unit, indicator), in log units.

    References
    ----------
    .. [1] Global Innovation Index, appendix on adjustments; COINr's log_GII returns its input unchanged.
    """
    held, low, high = _held(x, counts)
    sound = (high > low) & (high > 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.log((high - 1.0) * (held - low) / (high - low) + 1.0)
    return np.where(sound, out, x)


def boxcox(x: Array, *, counts: Counts = None, power: float | Array | None = None, shift: bool = True) -> Array:
    """Box-Cox transformation, by a given power or the one of greatest likelihood.

    ``(y^power - 1) / power``, and ``log y`` for power 0

    Parameters
    ----------
    x : (..., unit, indicator)
        NaN stays NaN.
    counts : (..., unit) bool
        Units that set the shift and the power; with a shift the others are held within their range.
    power : float or (indicator,), optional
        None finds the power of greatest likelihood between -5 and 5, to six decimals.
    shift : bool
        y = x - min + 1 (COINr's makepos); otherwise y = x and values at or below 0 become NaN.

    Returns
    -------
    (..., unit, indicator), in transformed units. An indicator without spread is left as it is.

    References
    ----------
    .. [1] Box and Cox, JRSS B 26 (1964); COINr 1.1.14, boxcox; SciPy, stats.boxcox.
    """
    held, low, high = _held(x, counts)
    y = held - low + 1.0 if shift else np.where(x > 0, x, np.nan)
    fine = shift & (high - low < 1e-6)  # so small beside 1 that y would lose its digits
    inside = counted(y, counts)

    logs = np.log(np.where(inside > 0, inside, np.nan))

    def likelihood(p: Array) -> Array:
        return (p - 1.0) * total(logs) - number(inside) / 2.0 * _log_variance(logs, p)

    p = _best(likelihood, low) if power is None else np.asarray(power, float)
    got = np.where(fine, _power_from(np.log1p(held - low), p), _power(y, p))
    return np.where(high > low, got, x)


def yeo_johnson(x: Array, *, counts: Counts = None, power: float | Array | None = None) -> Array:
    """Yeo-Johnson transformation: Box-Cox that takes values at and below 0 as well.

    ``((x + 1)^p - 1) / p`` from 0 up, ``-((1 - x)^(2 - p) - 1) / (2 - p)`` below

    Parameters
    ----------
    x : (..., unit, indicator)
        NaN stays NaN.
    counts : (..., unit) bool
        Units that set the power.
    power : float or (indicator,), optional
        None finds the power of greatest likelihood between -5 and 5.

    Returns
    -------
    (..., unit, indicator), in transformed units. An indicator without spread is left as it is.

    References
    ----------
    .. [1] Yeo and Johnson, Biometrika 87 (2000); SciPy, stats.yeojohnson.
    """
    inside = counted(x, counts)
    logs = np.log1p(np.abs(inside))
    pull = total(np.sign(inside) * logs)
    low, high = lowest(inside), highest(inside)

    def likelihood(p: Array) -> Array:
        both = np.log(_variance(_yeo_johnson(inside, p)))
        spread = np.where(low >= 0, _log_variance(logs, p), np.where(high <= 0, _log_variance(logs, 2.0 - p), both))
        return (p - 1.0) * pull - number(inside) / 2.0 * spread

    p = _best(likelihood, low) if power is None else np.asarray(power, float)
    return np.where(high > low, _yeo_johnson(x, p), x)


def _held(x: Array, counts: Counts) -> tuple[Array, Array, Array]:
    inside = counted(x, counts)
    low, high = lowest(inside), highest(inside)
    return np.where(np.isnan(x), np.nan, np.fmin(np.fmax(x, low), high)), low, high


def _power(y: Array, p: Array) -> Array:
    p = np.broadcast_to(p, y.shape)
    small = np.abs(p) < 1e-3  # where y^p - 1 would lose its digits
    safe = np.where(p == 0, 1.0, p)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        logs = np.log(y)
        return np.where(p == 0, logs, np.where(small, np.expm1(p * logs) / safe, (y**p - 1.0) / safe))


def _power_from(logs: Array, p: Array) -> Array:
    p = np.broadcast_to(p, logs.shape)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return np.where(p == 0, logs, np.expm1(p * logs) / np.where(p == 0, 1.0, p))


def _yeo_johnson(x: Array, p: Array) -> Array:
    up, down = _power_from(np.log1p(np.maximum(x, 0.0)), p), _power_from(np.log1p(-np.minimum(x, 0.0)), 2.0 - p)
    return np.where(np.isnan(x), np.nan, np.where(x >= 0, up, -down))


def _log_variance(logs: Array, p: Array) -> Array:
    """Logarithm of the variance of ``(exp(p logs) - 1) / p``, where the values themselves would lose their digits."""
    middle = mean(logs)
    p = np.where(np.abs(p) < 1e-9, 1e-9, p)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return 2.0 * p * middle + np.log(_variance(np.expm1(p * (logs - middle)) / p))


def _variance(y: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return total((y - mean(y)) ** 2) / number(y)


def _best(likelihood: Callable[[Array], Array], like: Array) -> Array:
    """The power of greatest likelihood for every indicator at once, by golden section, to six decimals."""

    def height(p: Array) -> Array:
        found = likelihood(p)
        return np.where(np.isfinite(found), found, -np.inf)

    gold = (np.sqrt(5.0) - 1.0) / 2.0
    with np.errstate(all="ignore"):
        grid = np.arange(-5.0, 5.5, 0.5)
        heights = np.stack([height(np.full(like.shape, g)) for g in grid])
        middle = grid[heights.argmax(axis=0)]
        low, high = np.maximum(middle - 0.5, -5.0), np.minimum(middle + 0.5, 5.0)
        for _ in range(50):
            a, b = high - gold * (high - low), low + gold * (high - low)
            left = height(a) > height(b)
            low, high = np.where(left, low, a), np.where(left, b, high)
    return np.asarray(np.round((low + high) / 2.0, 6))


_ORDER = frozenset({Trait.ORDER_PRESERVING})
_POWER = {"power": (-5.0, 5.0)}

METHODS = {
    "log_ct": Method(log_ct, Text("shifted logarithm", "平移取对数"), "COIN Tool (JRC, 2019)", _ORDER, proof="COINr, treat_strict.csv and vec_treatment.csv"),
    "log_ct_plus": Method(
        log_ct_plus,
        Text("shifted logarithm by skew", "按偏向平移取对数"),
        "COINr 1.1.14, log_CT_plus",
        _ORDER,
        proof="COINr, treat_logplus.csv and vec_treatment.csv",
    ),
    "log_ct_orig": Method(
        log_ct_orig,
        Text("logarithm from 1", "最小值移至 1 取对数"),
        "COINr 1.1.14, log_CT_orig",
        _ORDER,
        proof="COINr, treat_logorig.csv and vec_treatment.csv",
    ),
    "log_gii": Method(log_gii, Text("GII logarithm", "GII 对数变换"), "Global Innovation Index", _ORDER, proof="COINr, vec_treatment.csv (documented formula)"),
    "boxcox": Method(
        boxcox,
        Text("Box-Cox", "Box-Cox 变换"),
        "Box and Cox (1964)",
        _ORDER,
        limits=_POWER,
        proof="COINr, treat_boxcox.csv and vec_treatment.csv; SciPy, stats.boxcox",
    ),
    "yeo_johnson": Method(
        yeo_johnson, Text("Yeo-Johnson", "Yeo-Johnson 变换"), "Yeo and Johnson (2000)", _ORDER, limits=_POWER, proof="SciPy, stats.yeojohnson"
    ),
}
