"""What of a recipe each step depends on, so that recipes that agree so far share the work so far."""

from __future__ import annotations

from collections.abc import Hashable

from biaochi.recipe import Recipe

_SCREENING = ("min_share", "min_nonzero", "min_branch_share", "branch_level", "min_indicator_share", "min_indicator_nonzero",
              "keep_indicators", "drop_indicators", "keep", "drop")  # fmt: skip
_BESIDE = {
    "impute": _SCREENING,
    "treat": ("treat_over",),
    "normalise": ("range", "scale", "base", "constant"),
    "weigh": ("weigh_period",),
    "aggregate": ("nonpositive", "min_children", "scale", "range"),
}
"""Settings of the recipe that a step reads beside its own choices."""


def step_key(recipe: Recipe, step: str) -> Hashable:
    """What of a recipe a step depends on."""
    kept: dict[str, Hashable] = recipe.__dict__.setdefault("_step_keys", {})
    if step not in kept:
        over = [(key, str(k), c[step]) for key in ("level", "node") for k, c in getattr(recipe, key).items() if step in c]
        kept[step] = repr((getattr(recipe, step), sorted(over, key=repr), [getattr(recipe, s) for s in _BESIDE[step]]))
    return kept[step]


def scale_key(recipe: Recipe) -> tuple[Hashable, ...]:
    """What indicators on a common scale depend on."""
    return tuple(step_key(recipe, s) for s in ("impute", "treat", "normalise"))
