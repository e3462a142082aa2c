"""Logarithm, exponential and power of whole blocks, compiled by Numba."""

from __future__ import annotations

import numpy as np
from numba import njit

_OPTIONS = {"nogil": True, "cache": True, "error_model": "numpy", "boundscheck": False}
_TILE = 512
_MAGIC = 4503599627370496.0  # 2^52: adding it rounds to a whole number, which stands in the low bits
_LG = (6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
       1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01)  # fmt: skip


@njit(**_OPTIONS)
def _log_tile(x, bits, part, part_bits, whole, whole_bits, n):
    shift = np.uint64(0x3FF0000000000000) - np.uint64(0x3FE6A09E667F3BCD)
    for i in range(n):
        b = bits[i] + shift
        part_bits[i] = (b & np.uint64(0xFFFFFFFFFFFFF)) + np.uint64(0x3FE6A09E667F3BCD)
        whole_bits[i] = (b >> np.uint64(52)) + np.uint64(0x4330000000000000)
    for i in range(n):
        k = whole[i] - (_MAGIC + 1023.0)
        f = part[i] - 1.0
        s = f / (2.0 + f)
        z = s * s
        v = z * z
        r = v * (_LG[1] + v * (_LG[3] + v * _LG[5])) + z * (_LG[0] + v * (_LG[2] + v * (_LG[4] + v * _LG[6])))
        half = 0.5 * f * f
        got = k * 6.93147180369123816490e-01 - ((half - (s * (half + r) + k * 1.90821492927058770002e-10)) - f)
        x[i] = got if x[i] > 0 else (-np.inf if x[i] == 0 else np.nan)


@njit(**_OPTIONS)
def log(x):
    """Natural logarithm in place, to 1 unit in the last place (after fdlibm's e_log)."""
    flat = x.reshape(-1)
    part, whole = np.empty(_TILE), np.empty(_TILE)
    part_bits, whole_bits = part.view(np.uint64), whole.view(np.uint64)
    bits = flat.view(np.uint64)
    for start in range(0, len(flat), _TILE):
        stop = min(start + _TILE, len(flat))
        _log_tile(flat[start:stop], bits[start:stop], part, part_bits, whole, whole_bits, stop - start)


@njit(**_OPTIONS)
def _exp_tile(x, whole, whole_bits, n):
    for i in range(n):
        x[i] = -708.0 if x[i] < -708.0 else (708.0 if x[i] > 708.0 else x[i])  # what is beyond has no place among normal numbers
    for i in range(n):
        whole[i] = x[i] * 1.44269504088896338700 + 6755399441055744.0
    for i in range(n):
        k = whole[i] - 6755399441055744.0
        r = (x[i] - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10
        p = 1.6059043836821613e-10
        p = p * r + 2.08767569878681e-09
        p = p * r + 2.505210838544172e-08
        p = p * r + 2.755731922398589e-07
        p = p * r + 2.7557319223985893e-06
        p = p * r + 2.48015873015873e-05
        p = p * r + 0.0001984126984126984
        p = p * r + 0.001388888888888889
        p = p * r + 0.008333333333333333
        p = p * r + 0.041666666666666664
        p = p * r + 0.16666666666666666
        x[i] = 1.0 + (r + r * r * (0.5 + r * p))
    for i in range(n):
        whole_bits[i] = (whole_bits[i] + np.uint64(1023)) << np.uint64(52)
    for i in range(n):
        y = x[i] * whole[i]
        x[i] = 0.0 if y < 1e-306 else y


@njit(**_OPTIONS)
def exp(x):
    """Exponential in place, to 1 unit in the last place; 0 below 1e-306, held at 1e307 above."""
    flat = x.reshape(-1)
    whole = np.empty(_TILE)
    bits = whole.view(np.uint64)
    for start in range(0, len(flat), _TILE):
        stop = min(start + _TILE, len(flat))
        _exp_tile(flat[start:stop], whole, bits, stop - start)


@njit(**_OPTIONS)
def power(x, p):
    """``x ** p`` in place, for values above 0."""
    log(x)
    x *= p
    exp(x)
