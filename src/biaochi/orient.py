"""Values, posts and targets turned so that higher is better."""

from __future__ import annotations

from typing import Any

import numpy as np

from biaochi.framework import Node, Optimum
from biaochi.job import Batch
from biaochi.method import Array


def orient(v: Array, nodes: list[Node], batch: Batch) -> tuple[Array, dict[str, Any]]:
    """Values of a batch and its options, turned.

    An indicator with an optimum becomes minus its distance to it; with posts, 1 at the optimum and 0 at
    the post of either side.
    """
    signs = np.array([1 if isinstance(n.direction, Optimum) else n.direction for n in nodes], float)
    out, options = v + 0.0 if (signs == 1).all() else v * signs + 0.0, dict(batch.options)  # no -0
    posts = tuple(p for p in batch.method.posts or () if options.get(p) is not None)
    turned = np.sort([np.asarray(options[p], float) * signs for p in posts], axis=0) if posts else np.empty((0, len(nodes)))
    options.update(zip(posts, turned.copy(), strict=True))
    for i, n in enumerate(nodes):
        if isinstance(n.direction, Optimum):
            between = (turned[0][i], turned[1][i]) if len(posts) == 2 else None
            out[..., i] = from_optimum(v[..., i], n.direction, between, clip=bool(options.get("clip", True)))
            for p, at in zip(posts, (0.0, 1.0)[: len(posts)], strict=True):
                options[p][i] = at
    return out, options


def from_optimum(v: Array, best: Optimum, posts: tuple[float, float] | None, *, clip: bool) -> Array:
    """Minus the distance to the optimum; with posts, 1 at the optimum and 0 at the post of either side."""
    off = np.maximum(np.maximum(best.low - v, v - best.high), 0.0)
    if posts is None:
        return 0.0 - off
    room = np.where(v < best.low, best.low - posts[0], posts[1] - best.high)
    outside = -1.0 if clip else 0.0  # where a post is the optimum itself there is no room: 0 at once, and held there if clipped
    beyond = np.where(off > 0, outside, 1.0)
    return np.where(np.isnan(v), np.nan, np.where(room > 0, 1.0 - off / np.where(room > 0, room, 1.0), beyond))
