"""A study of robustness as frozen data: what varies, how often, from which seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from biaochi.errors import BadInput, BadOption, BiaochiError, Place, Problem, Text, unknown
from biaochi.fingerprint import fingerprint
from biaochi.method import is_whole
from biaochi.reweigh import Bounds, Dirichlet, Drop, Noise, Sampler, Sets
from biaochi.variation import Errors, ImputationDraws, Peers, Settings, Variation, named

KINDS: Mapping[str, type[Variation]] = {k.what: k for k in (Settings, ImputationDraws, Errors, Peers, Noise, Dirichlet, Bounds, Sets, Sampler, Drop)}
"""Kinds of variation by the name they have in a project file."""
REPLICATES = 10_000


@dataclass(frozen=True)
class Study:
    """What varies, how many what-ifs are made, and the seed they are drawn from."""

    vary: tuple[Variation, ...]
    replicates: int = REPLICATES
    seed: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.vary, (list, tuple)) or not all(isinstance(v, Variation) for v in self.vary):
            raise BadOption(
                "vary",
                f"must be a list of variations, such as Noise(noise=0.25); got {self.vary!r:.80}.",
                f"应为变动的列表，如 Noise(noise=0.25)；得到 {self.vary!r:.80}。",
            )
        object.__setattr__(self, "vary", tuple(named(self.vary)))
        if not is_whole(self.replicates, 1) or self.replicates > 10**8:
            raise BadOption(
                "replicates", f"must be a whole number from 1 to 100,000,000; got {self.replicates!r}.", f"应为 1 至 1 亿的整数；得到 {self.replicates!r}。"
            )
        if not is_whole(self.seed, 0):
            raise BadOption("seed", f"must be a whole number from 0 to 2^63 - 1; got {self.seed!r}.", f"应为 0 至 2^63 - 1 的整数；得到 {self.seed!r}。")

    def to_dict(self) -> dict[str, Any]:
        """As written in a project file."""
        return {"replicates": int(self.replicates), "seed": int(self.seed), "vary": [v.to_dict() for v in self.vary]}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what varies, the number of replicates and the seed."""
        return fingerprint({"biaochi.study": 1, **self.to_dict()})

    def __hash__(self) -> int:
        return hash(self.fingerprint)


def as_study(vary: Any, usual: Callable[[], Study]) -> Study:
    """A study from what a caller gives: a `Study`, variations, or nothing for the usual one.

    Raises
    ------
    BadOption
        If it is something else.
    """
    if vary is None:
        return usual()
    if isinstance(vary, Study):
        return vary
    return Study(tuple(vary) if isinstance(vary, (list, tuple)) else vary)


# --- from a project file ----------------------------------------------------------------------------------------------------------

_SEE = Text("See docs/guide/robustness.md.", "参见 docs/guide/robustness.md。")
_KEYS = ("replicates", "seed", "vary")


def study_from(table: Any, place: Place = Place()) -> tuple[Study | None, list[Problem]]:
    """A study from the ``[robustness]`` table of a project, and every problem found in it."""
    if not isinstance(table, Mapping):
        return None, [Problem("bad-setting", Text("robustness must be given as a table.", "robustness 须为表。"), _SEE, place)]
    found = [Problem("unknown-setting", unknown(Text("key of [robustness]", "[robustness] 的键"), k, _KEYS), _SEE, place) for k in table if k not in _KEYS]
    listed = table.get("vary", [])
    if not isinstance(listed, list) or not listed or not all(isinstance(v, Mapping) for v in listed):
        what = Text("robustness.vary must be a list of tables, one or more.", "robustness.vary 须为至少一个表的列表。")
        return None, [*found, Problem("bad-setting", what, _SEE, place)]
    made = [v for v in (_variation(v, place, found) for v in listed) if v is not None]
    try:
        study = Study(tuple(made), **{k: table[k] for k in ("replicates", "seed") if k in table})
    except BadOption as e:
        return None, [*found, Problem("bad-setting", e.text, _SEE, place)]
    return (study if not found else None), found


def _variation(table: Mapping[str, Any], place: Place, found: list[Problem]) -> Variation | None:
    kinds = [k for k in KINDS if KINDS[k] is not Sampler]
    what = table.get("what")
    if what is None:
        told = Text(
            f"a table of robustness.vary has no key what; it must say one of {', '.join(kinds)}.",
            f"robustness.vary 的一个表缺少键 what，应为 {'、'.join(kinds)} 之一。",
        )
        found.append(Problem("unknown-variation", told, _SEE, place))
        return None
    if what not in kinds:
        found.append(Problem("unknown-variation", unknown(Text("what of robustness.vary", "robustness.vary 的 what"), what, kinds), _SEE, place))
        return None
    kind = KINDS[str(what)]
    known = [f.name for f in fields(kind)]
    odd = [k for k in table if k != "what" and k not in known]
    found.extend(Problem("unknown-setting", unknown(Text(f"key of {what}", f"{what} 的键"), k, ["what", *known]), _SEE, place) for k in odd)
    given = {k: _tupled(k, v) for k, v in table.items() if k in known}
    if not isinstance(given.get("name", ""), str):
        found.append(Problem("bad-setting", Text(f"the name of {what} must be a text.", f"{what} 的 name 应为文本。"), _SEE, place))
        return None
    try:
        return kind(**given)
    except BiaochiError as e:
        found.append(Problem("bad-setting", e.text if not isinstance(e, BadInput) else e.problems[0].what, _SEE, place))
    except TypeError as e:
        found.append(Problem("bad-setting", Text(f"{what}: {e}.", f"{what}：{e}。"), _SEE, place))
    return None


def _tupled(key: str, value: Any) -> Any:
    if key in ("indicators", "units", "periods", "chances", "alternatives") and isinstance(value, list):
        return tuple(value)
    return {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()} if key == "bounds" and isinstance(value, Mapping) else value
