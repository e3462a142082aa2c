"""Whom a unit is compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption
from biaochi.result import Result

Peers = str | Sequence[str] | None
"""All units that count, a grouping (units of the same group), or codes of units."""


def peer_mask(result: Result, peers: Peers = None, *, itself: bool = True) -> NDArray[np.bool_]:
    """(unit, unit): whether the second is a peer of the first; with ``itself``, also where it is not named.

    Raises
    ------
    UnknownName, BadOption
        If there is no such grouping or unit, or fewer than two units are named.
    """
    n = len(result.panel.units)
    if peers is None:
        return np.ones((n, n), bool)
    if isinstance(peers, str):
        groups = result.panel.groups(peers)
        return np.asarray((groups[:, None] == groups[None]) & (groups[:, None] >= 0)) | np.eye(n, dtype=bool)
    named = [result.panel.position(c) for c in peers]
    if len(named) < 2:
        raise BadOption("peers", f"must be a grouping or two units or more; got {peers!r}.", f"同类应为一个分组名，或至少两个单位；得到 {peers!r}。")
    inside = np.zeros(n, bool)
    inside[named] = True
    return np.broadcast_to(inside, (n, n)) | (np.eye(n, dtype=bool) if itself else False)
