"""Statistics of values that are not all in one place: sums that come out the same however the values are cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption
from biaochi.method import Array

ROWS = 4096
"""Values from which on sums are taken in whole numbers."""
TOGETHER = 512
"""Values looked at together: a block fits the cache."""
BITS = 33
"""Bits of the two whole numbers a value is split into: 2^30 of them add up without a carry lost."""
LEVELS = ("extent", "total", "squares")

Limbs = tuple[NDArray[np.int64], NDArray[np.int64]]


class Wanted(Exception):
    """A statistic that must be put together from all parts first."""


def limbs(x: Array, most: Array, about: Array | None = None) -> Limbs:
    """Sums over units of values, or of their squared differences, as two whole numbers each, (..., 1, indicator); NaN left out.

    Parameters
    ----------
    x : (..., unit, indicator)
    most : (..., 1, indicator)
        Largest absolute value of all that is ever added up, finite.
    about : (..., 1, indicator), optional
        What squared differences are taken to.

    Returns
    -------
    Upper and lower part, in units of 2^(e - 33) and 2^(e - 66) where 2^(e - 1) <= ``most`` < 2^e. Whole numbers add up
    to the same bits in any order, and what is lost of a value is below 2^-66 of ``most``.
    """
    scale = _scale(most)
    upper, lower = (np.zeros(np.broadcast_shapes(most.shape, (*x.shape[:-2], 1, x.shape[-1])), np.int64) for _ in range(2))
    for first in range(0, x.shape[-2], TOGETHER):
        b = _block(x[..., first : first + TOGETHER, :], scale, about)
        whole = np.rint(b)
        told = whole.sum(axis=-2, keepdims=True)  # of whole numbers, exact
        if np.isnan(told).any():
            np.nan_to_num(b, copy=False)
            whole = np.rint(b)
            told = whole.sum(axis=-2, keepdims=True)
        b -= whole
        b *= 2.0**BITS
        upper += told.astype(np.int64)
        lower += np.rint(b, out=b).sum(axis=-2, keepdims=True).astype(np.int64)
    return upper, lower


def _block(x: Array, scale: Array, about: Array | None) -> Array:
    if about is None:
        return x * scale
    off = x - about
    off *= off
    off *= scale
    return off


def _scale(most: Array) -> Array:
    return np.asarray(np.ldexp(1.0, BITS - np.maximum(np.frexp(most)[1], -900)))


def summed(parts: Limbs, most: Array) -> Array:
    """The sum that limbs stand for."""
    return np.asarray((parts[0] + np.ldexp(parts[1].astype(float), -BITS)) / _scale(most))


class Summary:
    """What stands for the values that set a scale where these are not all here: statistics of all of them, or a request for one.

    Functions of `biaochi.kernels.moments` take it as they take values; anything else is refused.
    """

    def __init__(self, known: Mapping[str, Any], here: Array, ask: Callable[[str, Any], None], who: str) -> None:
        self._known, self._here, self._ask, self._who = known, here, ask, who

    def statistic(self, name: str) -> Array:
        """(1, 1, indicator) low, high, number, rows, total or squares (about the mean) of all values.

        Raises
        ------
        Wanted
            Where it is not known yet; what this part has to say to it has been noted.
        """
        if name in self._known:
            return np.asarray(self._known[name])
        here = self._here
        if "low" not in self._known:
            low, high = (f(here, axis=-2, keepdims=True, initial=e) for f, e in ((np.fmin.reduce, np.inf), (np.fmax.reduce, -np.inf)))
            self._ask("extent", {"low": low, "high": high, "number": (~np.isnan(here)).sum(axis=-2, keepdims=True), "rows": here.shape[-2]})
        elif name == "squares" and "total" in self._known:
            self._ask("squares", limbs(here, largest_square(self._known), self._known["mean"]))
        else:
            self._ask("total", limbs(here, largest(self._known)))
        raise Wanted

    def refuse(self) -> BadOption:
        """The method needs the values themselves."""
        return BadOption(
            self._who,
            'needs all values in one place, and they are in parts; take minmax, zscore, logistic, distance to best, worst or mean, or scale = "period".',
            '需要全部数据在一处，而数据已分块；请用 minmax、zscore、logistic、到最优、最差或平均值的距离，或设 scale = "period"。',
        )

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise self.refuse()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self.refuse()


def largest(known: Mapping[str, Any]) -> Array:
    """Largest absolute value, 0 where there is none."""
    return np.asarray(np.nan_to_num(np.maximum(np.abs(known["low"]), np.abs(known["high"]))))


def largest_square(known: Mapping[str, Any]) -> Array:
    """Largest square of a difference from the mean."""
    with np.errstate(invalid="ignore"):
        most = np.maximum(np.square(known["low"] - known["mean"]), np.square(known["high"] - known["mean"]))
    return np.asarray(np.nan_to_num(most))


def joined(known: Mapping[str, Any], level: str, parts: list[Any]) -> dict[str, Any]:
    """Statistics with one more level, put together from what all parts said."""
    out = dict(known)
    if level == "extent":
        low, high = np.fmin.reduce([p["low"] for p in parts]), np.fmax.reduce([p["high"] for p in parts])
        none = low > high
        number = np.sum([p["number"] for p in parts], axis=0).astype(float)
        return {**out, "low": np.where(none, np.nan, low), "high": np.where(none, np.nan, high), "number": number, "rows": sum(p["rows"] for p in parts)}
    together = tuple(np.sum([p[k] for p in parts], axis=0) for k in (0, 1))
    if level == "squares":
        return {**out, "squares": summed(together, largest_square(known))}
    most = largest(known)
    total = summed(together, most)
    with np.errstate(all="ignore"):
        return {**out, "total": total, "mean": total / np.where(known["number"] == 0, np.nan, known["number"])}
