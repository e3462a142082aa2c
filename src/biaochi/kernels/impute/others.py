"""Fill from the other indicators: the unit's own branch, or units and indicators that go together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import MissingExtra, Text
from biaochi.kernels.moments import Counts, correlation, counted, deviation, highest, lowest, mean, median, ratio
from biaochi.method import Array, Method, Trait

Rng = np.random.Generator | None
UNITS_TOGETHER = 4096
"""Units filled at a time from their own values: what fits the cache."""


def branch_mean(x: Array, *, branches: NDArray[np.intp], signs: Array, counts: Counts = None) -> Array:
    """Fill with the unit's mean over its branch of the tree, on min-max scales.

    Parameters
    ----------
    x : (..., unit, indicator)
        Values in the indicators' own units. NaN is a gap.
    branches : (indicator,) int
        Branch of each indicator; gaps are filled from indicators of the same branch only.
    signs : (indicator,)
        Direction of each indicator, 1 or -1.
    counts : (..., unit) bool
        Units that set minimum and maximum.

    Returns
    -------
    (..., unit, indicator), back in the indicators' own units. A unit without any value in the branch,
    and an indicator without spread, keeps its gaps.

    References
    ----------
    .. [1] COINr 1.1.14, Impute with impute_by = "row".
    """
    return _by_row(x, branches, signs, counts, mean)


def branch_median(x: Array, *, branches: NDArray[np.intp], signs: Array, counts: Counts = None) -> Array:
    """Fill with the unit's median over its branch of the tree, on min-max scales.

    Parameters, result: see `branch_mean`.
    """
    return _by_row(x, branches, signs, counts, median)


def regression(x: Array, *, counts: Counts = None, predictors: int = 1, rng: Rng = None) -> Array:
    """Predict from the most correlated indicators the unit has, by least squares.

    Parameters
    ----------
    x : (..., unit, indicator)
        NaN is a gap.
    counts : (..., unit) bool
        Units the regression is fitted on.
    predictors : int
        How many indicators to predict from: those with the largest absolute correlation (pairwise)
        among the ones observed for the unit and, together with the gap's indicator, for at least
        ``predictors + 2`` units.
    rng : Generator, optional
        Adds a normal residual of the fitted spread to each prediction (stochastic regression).

    Returns
    -------
    (..., unit, indicator). A gap stays open where the unit has fewer such indicators, or fewer than
    ``predictors + 2`` units have all that is needed.

    References
    ----------
    .. [1] Little and Rubin, Statistical Analysis with Missing Data (2019), chapter 4.
    """
    out = x.copy()
    for at in np.ndindex(x.shape[:-2]):
        v, base = x[at], counted(x, counts)[at]
        there = (~np.isnan(base)).astype(float)
        r = np.where(there.T @ there >= predictors + 2, np.abs(np.nan_to_num(correlation(base))), 0.0)
        np.fill_diagonal(r, 0.0)
        fits: dict[tuple[int, ...], tuple[Array, float] | None] = {}
        for u, i in np.argwhere(np.isnan(v)):
            usable = np.where(np.isnan(v[u]), 0.0, r[i])
            best = np.argsort(-usable, kind="stable")[:predictors]
            chosen = tuple(int(b) for b in best if usable[b] > 0)
            if len(chosen) < predictors:
                continue
            key = (int(i), *chosen)
            if key not in fits:
                fits[key] = _least_squares(base, int(i), chosen)
            fit = fits[key]
            if fit is not None:
                coefficients, spread = fit
                noise = 0.0 if rng is None else float(rng.normal(0.0, spread))
                out[(*at, u, i)] = coefficients[0] + v[u, list(chosen)] @ coefficients[1:] + noise
    return out


def em(x: Array, *, counts: Counts = None, ridge: float = 0.01, tolerance: float = 1e-6, steps: int = 1000, rng: Rng = None) -> Array:
    """Expected value under a normal distribution of all indicators, fitted by EM.

    Parameters
    ----------
    x : (..., unit, indicator)
        NaN is a gap.
    counts : (..., unit) bool
        Units the distribution is fitted on.
    ridge : float
        Added to the diagonal of the correlations while fitting; above 0 where there are about as many
        indicators as units.
    tolerance : float
        Stop when no mean or covariance (in standard deviations) moves by more.
    steps : int
        Stop after so many rounds in any case.
    rng : Generator, optional
        Draws: the distribution is fitted to a bootstrap sample of units, the gaps are drawn from it
        (EMB, as Amelia does).

    Returns
    -------
    (..., unit, indicator). An indicator without spread keeps its gaps; a unit without any value gets the means.

    References
    ----------
    .. [1] Dempster, Laird and Rubin, JRSS B 39 (1977); Honaker and King, AJPS 54 (2010) for the draws.
    """
    out = x.copy()
    for at in np.ndindex(x.shape[:-2]):
        base = counted(x, counts)[at]
        centre, spread = mean(base)[0], deviation(base)[0]
        usable = np.flatnonzero(spread > 0)
        z = (x[at][:, usable] - centre[usable]) / spread[usable]
        fitted = (base[:, usable] - centre[usable]) / spread[usable]
        rows = fitted[~np.isnan(fitted).all(axis=1)]
        if not len(rows):
            continue
        if rng is not None:
            rows = rows[rng.integers(0, len(rows), len(rows))]
        mu, sigma = _fit_normal(rows, ridge, tolerance, steps)
        for holes, units in _patterns(z):
            given = ~holes
            slope, rest = _conditional(sigma, holes, given)
            guess = mu[holes] + (z[np.ix_(units, given)] - mu[given]) @ slope
            if rng is not None:
                guess = guess + rng.multivariate_normal(np.zeros(holes.sum()), rest, len(units), method="eigh")
            z[np.ix_(units, holes)] = guess
        filled = z * spread[usable] + centre[usable]
        gaps = np.isnan(x[at][:, usable])
        out[at][:, usable] = np.where(gaps, filled, x[at][:, usable])
    return out


def knn(x: Array, *, counts: Counts = None, neighbours: int = 5, weighted: bool = False) -> Array:
    """Fill with the mean of the nearest units that have the value.

    Distance: root mean square over the indicators both units have, each in its standard deviations.

    Parameters
    ----------
    x : (..., unit, indicator)
        NaN is a gap.
    counts : (..., unit) bool
        Units that may be neighbours.
    neighbours : int
        How many; fewer where fewer have the value. Of equally near ones the first in the order of units counts.
    weighted : bool
        Weigh neighbours by one over the distance; equal units then fill alone.

    Returns
    -------
    (..., unit, indicator). A unit that shares no indicator with any other keeps its gaps.

    References
    ----------
    .. [1] Troyanskaya et al., Bioinformatics 17 (2001); scikit-learn, KNNImputer on standardised data.
    """
    base = counted(x, counts)
    z = (x - mean(base)) / np.where(deviation(base) > 0, deviation(base), 1.0)
    out = x.copy()
    for at in np.ndindex(x.shape[:-2]):
        v, known = z[at], ~np.isnan(z[at])
        filled = np.where(known, v, 0.0)
        for u in np.flatnonzero(~known.all(axis=1)):
            both = known & known[u]
            n = both.sum(axis=1)
            squares = np.where(both, (filled - filled[u]) ** 2, 0.0).sum(axis=1)
            far = np.sqrt(np.divide(squares, n, out=np.full(len(n), np.nan), where=n > 0))
            far[u] = np.nan
            for i in np.flatnonzero(~known[u]):
                donors = np.flatnonzero(~np.isnan(base[at][:, i]) & ~np.isnan(far))
                donors = donors[np.argsort(far[donors], kind="stable")[:neighbours]]
                if donors.size:
                    out[(*at, u, i)] = _weighted(x[at][donors, i], far[donors]) if weighted else x[at][donors, i].mean()
    return out


def iterative(x: Array, *, counts: Counts = None, rounds: int = 10, rng: Rng = None) -> Array:
    """Predict each indicator from all others by Bayesian ridge regression, round after round.

    Parameters
    ----------
    x : (..., unit, indicator)
        NaN is a gap.
    counts : (..., unit) bool
        Units the regressions are fitted on.
    rounds : int
        Rounds over all indicators, at most.
    rng : Generator, optional
        Draws from the predictive distribution instead of taking its mean.

    Returns
    -------
    (..., unit, indicator). An indicator without any value keeps its gaps.

    Raises
    ------
    MissingExtra
        Without scikit-learn (``pip install "biaochi[ml]"``), whose IterativeImputer does the work on
        standardised data.

    References
    ----------
    .. [1] van Buuren and Groothuis-Oudshoorn, Journal of Statistical Software 45(3) (2011); scikit-learn.
    """
    imputer = _iterative_imputer()
    base = counted(x, counts)
    centre, spread = mean(base), deviation(base)
    spread = np.where(spread > 0, spread, 1.0)
    out = x.copy()
    for at in np.ndindex(x.shape[:-2]):
        usable = ~np.isnan(base[at]).all(axis=0)
        if not usable.any():
            continue
        seed = 0 if rng is None else int(rng.integers(2**31))
        z, rows = ((v[at] - centre[at]) / spread[at] for v in (x, base))
        model = imputer(max_iter=rounds, random_state=seed, sample_posterior=rng is not None, tol=1e-6)
        model.fit(rows[:, usable][~np.isnan(rows[:, usable]).all(axis=1)])
        filled = model.transform(z[:, usable]) * spread[at][:, usable] + centre[at][:, usable]
        out[at][:, usable] = np.where(np.isnan(x[at][:, usable]), filled, x[at][:, usable])
    return out


def _iterative_imputer() -> Callable[..., Any]:
    try:
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401
        from sklearn.impute import IterativeImputer
    except ImportError:
        raise MissingExtra("scikit-learn", "ml") from None

    def make(**options: object) -> Any:
        import warnings

        from sklearn.exceptions import ConvergenceWarning

        class Quiet(IterativeImputer):  # type: ignore[misc]
            def fit_transform(self, rows: Array, y: object = None, **rest: object) -> Array:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    return np.asarray(super().fit_transform(rows, y, **rest))

        return Quiet(**options)

    return make


def _by_row(x: Array, branches: NDArray[np.intp], signs: Array, counts: Counts, middle: Callable[[Array], Array]) -> Array:
    inside = counted(x, counts)
    low, high = lowest(inside), highest(inside)
    blocks = [slice(first, first + UNITS_TOGETHER) for first in range(0, x.shape[-2], UNITS_TOGETHER)]
    return np.concatenate([_rows_filled(x[..., b, :], low, high, branches, signs, middle) for b in blocks], axis=-2) if blocks else x.copy()


def _rows_filled(x: Array, low: Array, high: Array, branches: NDArray[np.intp], signs: Array, middle: Callable[[Array], Array]) -> Array:
    z = ratio(x - low, high - low)
    z = np.where(np.asarray(signs) < 0, 1.0 - z, z)
    out = x.copy()
    for b in np.unique(branches):
        here = np.flatnonzero(branches == b)
        row = np.swapaxes(middle(np.swapaxes(z[..., here], -1, -2)), -1, -2)  # (..., unit, 1)
        share = np.where(np.asarray(signs)[here] < 0, 1.0 - row, row)
        back = low[..., here] + share * (high - low)[..., here]
        out[..., here] = np.where(np.isnan(x[..., here]), np.where(high[..., here] > low[..., here], back, np.nan), x[..., here])
    return out


def _least_squares(base: Array, i: int, chosen: tuple[int, ...]) -> tuple[Array, float] | None:
    rows = base[:, [i, *chosen]]
    rows = rows[~np.isnan(rows).any(axis=1)]
    if len(rows) < len(chosen) + 2:
        return None
    centre, size = rows.mean(axis=0), rows.std(axis=0)
    size[size == 0] = 1.0
    z = (rows - centre) / size
    slope, _, _, _ = np.linalg.lstsq(z[:, 1:], z[:, 0], rcond=None)
    slope = slope * size[0] / size[1:]
    start = centre[0] - centre[1:] @ slope
    left = rows[:, 0] - start - rows[:, 1:] @ slope
    return np.array([start, *slope]), float(np.sqrt(left @ left / (len(rows) - len(chosen) - 1)))


def _patterns(z: Array) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    """Every set of gaps that occurs, and the rows that have it."""
    holes = np.isnan(z)
    kinds, which = np.unique(holes, axis=0, return_inverse=True)
    for k, kind in enumerate(kinds):
        if kind.any():
            yield kind, np.flatnonzero(which.reshape(-1) == k)


def _conditional(sigma: Array, holes: NDArray[np.bool_], given: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Slopes of the gaps on what is given, and the covariance that is left."""
    cross = sigma[np.ix_(given, holes)]
    try:
        slope = np.linalg.solve(sigma[np.ix_(given, given)], cross)
    except np.linalg.LinAlgError:  # without a ridge the covariances may be singular
        slope = np.linalg.lstsq(sigma[np.ix_(given, given)], cross, rcond=None)[0]
    return np.asarray(slope), sigma[np.ix_(holes, holes)] - cross.T @ slope


def _fit_normal(z: Array, ridge: float, tolerance: float, steps: int) -> tuple[Array, Array]:
    n, k = z.shape
    mu, var = np.nan_to_num(mean(z)[0]), deviation(z, 0)[0] ** 2
    sigma = np.diag(np.where(np.isnan(var) | (var == 0), 1.0, var))
    patterns = list(_patterns(z))
    for _ in range(steps):
        full, extra = z.copy(), np.zeros((k, k))
        for holes, rows in patterns:
            given = ~holes
            slope, rest = _conditional(sigma, holes, given)
            full[np.ix_(rows, holes)] = mu[holes] + (z[np.ix_(rows, given)] - mu[given]) @ slope
            extra[np.ix_(holes, holes)] += len(rows) * rest
        new = full.mean(axis=0)
        d = full - new
        grown = (d.T @ d + extra) / n
        grown = (grown + grown.T) / 2 + ridge * np.eye(k)
        moved = max(float(np.abs(new - mu).max()), float(np.abs(grown - sigma).max()))
        mu, sigma = new, grown
        if moved <= tolerance:
            break
    return mu, sigma


def _weighted(values: Array, far: Array) -> float:
    if (far == 0).any():
        return float(values[far == 0].mean())
    return float((values / far).sum() / (1.0 / far).sum())


_KEEPS = frozenset({Trait.KEEPS_OBSERVED, Trait.JOINT})
_RUBIN = "Little and Rubin (2019)"

METHODS = {
    "branch_mean": Method(
        branch_mean,
        Text("mean of the branch", "分支内均值插补"),
        "COINr 1.1.14, Impute by row",
        _KEEPS | {Trait.FILLS_WITHIN_RANGE},
        proof="COINr's definition, unit by unit",
    ),
    "branch_median": Method(
        branch_median,
        Text("median of the branch", "分支内中位数插补"),
        "COINr 1.1.14, Impute by row",
        _KEEPS | {Trait.FILLS_WITHIN_RANGE},
        proof="COINr's definition, unit by unit",
    ),
    "regression": Method(regression, Text("regression", "回归插补"), _RUBIN, _KEEPS, limits={"predictors": (1, 1000)}, proof="statsmodels OLS"),
    "em": Method(
        em,
        Text("EM, normal", "EM 算法插补"),
        "Dempster, Laird and Rubin (1977)",
        _KEEPS,
        limits={"ridge": (0, 10), "tolerance": (1e-15, 1), "steps": (1, 1e6)},
        proof="closed form for monotone gaps (Anderson 1957)",
    ),
    "knn": Method(
        knn,
        Text("nearest neighbours", "K 近邻插补"),
        "Troyanskaya et al. (2001)",
        _KEEPS | {Trait.FILLS_WITHIN_RANGE},
        limits={"neighbours": (1, 1e6)},
        proof="scikit-learn, KNNImputer",
    ),
    "iterative": Method(
        iterative,
        Text("chained regressions", "链式回归插补"),
        "van Buuren and Groothuis-Oudshoorn (2011)",
        _KEEPS,
        limits={"rounds": (1, 10000)},
        proof="is scikit-learn's IterativeImputer",
    ),
}
