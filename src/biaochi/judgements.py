"""What experts say about siblings, as it stands in a recipe, made into arrays: pairs compared and points given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from biaochi.errors import Problem, Text, unknown
from biaochi.framework import Framework
from biaochi.method import Array, is_number

_FIX = Text(
    "Write comparisons as [child, other child, times as important] or with the expert's name fourth; points as [child, points], expert third.",
    "comparisons 写作 [下级, 另一下级, 重要性倍数]，可加第四项专家名；points 写作 [下级, 分数]，可加第三项专家名。",
)


def pairs(rows: Sequence[Sequence[Any]], children: Sequence[str]) -> Array:
    """Comparisons of the children of one parent, (expert, child, child); NaN where not asked, 1 on the diagonal."""
    mine = [r for r in rows if r[0] in children and r[1] in children]
    experts = sorted({str(r[3]) if len(r) > 3 else "" for r in mine}) or [""]
    out = np.full((len(experts), len(children), len(children)), np.nan)
    out[:, np.arange(len(children)), np.arange(len(children))] = 1.0
    for r in mine:
        e, i, j = experts.index(str(r[3]) if len(r) > 3 else ""), children.index(r[0]), children.index(r[1])
        out[e, i, j], out[e, j, i] = float(r[2]), 1.0 / float(r[2])
    return out


def points(rows: Sequence[Sequence[Any]], children: Sequence[str]) -> Array:
    """Points given to the children of one parent, (expert, child); a child an expert passes over gets 0."""
    mine = [r for r in rows if r[0] in children]
    experts = sorted({str(r[2]) if len(r) > 2 else "" for r in mine}) or [""]
    out = np.zeros((len(experts), len(children)))
    for r in mine:
        out[experts.index(str(r[2]) if len(r) > 2 else ""), children.index(r[0])] = float(r[1])
    return out


def problems(framework: Framework, option: str, rows: Sequence[Sequence[Any]], parent: str) -> Iterator[Problem]:
    """What is wrong with the comparisons or points that are to weigh the children of a parent."""
    n = 2 if option == "comparisons" else 1  # codes at the front, then a number
    children = [c.code for c in framework.children(parent)]
    sound = []
    for r in rows:
        found = list(_row_problems(framework, option, r, n))
        yield from found
        sound += [] if found else [r]
    seen = [(frozenset(map(str, r[:n])), tuple(r[n + 1 :])) for r in sound]
    for key in sorted({" ".join(sorted(k[0])) for k in seen if seen.count(k) > 1}):
        yield Problem("duplicate-judgement", Text(f"{option}: {key} is given twice by the same expert.", f"{option}：同一专家对 {key} 给出了两次。"), _FIX)
    mine = [r for r in sound if any(c in children for c in r[:n])]
    if len(children) > 1 and not mine:
        yield Problem("no-judgement", Text(f"{option} say nothing about the children of {parent!r}: {', '.join(children)}.",
                      f"{option} 未涉及 {parent!r} 的下级：{'、'.join(children)}。"), _FIX)  # fmt: skip
    elif option == "points":
        yield from _empty_handed(mine, parent, children)


def _row_problems(framework: Framework, option: str, r: Sequence[Any], n: int) -> Iterator[Problem]:
    """One comparison or one number of points."""
    said = " ".join(map(str, r))
    if not n < len(r) <= n + 2 or not is_number(r[n]) or not (r[n] > 0 if n == 2 else r[n] >= 0) or (len(r) == n + 2 and not isinstance(r[-1], str)):
        yield Problem("bad-judgement", Text(f"{option}: [{said}] cannot be read.", f"{option}：[{said}] 无法识别。"), _FIX)
        return
    known = sorted(c.code for c in framework.tree_nodes)
    for code in r[:n]:
        if code not in known:
            yield Problem("unknown-node", unknown(Text("node", "节点"), code, known), _FIX)
    if n == 2 and (len({framework[c].parent for c in r[:n] if c in known}) > 1 or r[0] == r[1]):
        yield Problem(
            "bad-judgement",
            Text(f"{option}: {r[0]} and {r[1]} are not two children of one parent.", f"{option}：{r[0]} 与 {r[1]} 不是同一上级的两个下级。"),
            _FIX,
        )
    if n == 2 and not 1 / 100 <= r[2] <= 100:
        yield Problem("bad-judgement", Text(f"{option}: {r[0]} {r[2]:g} times as important as {r[1]} is beyond any scale.", f"{option}：{r[0]} 对 {r[1]} 的倍数 {r[2]:g} 超出任何标度。"),
                      Text("Use 1 to 9, or its inverse.", "请用 1 至 9 或其倒数。"))  # fmt: skip


def _empty_handed(rows: Sequence[Sequence[Any]], parent: str, children: Sequence[str]) -> Iterator[Problem]:
    """Experts that give all children of a parent 0 points, and children nobody speaks of."""
    given: dict[str, float] = {}
    for r in rows:
        expert = str(r[2]) if len(r) > 2 else ""
        given[expert] = given.get(expert, 0.0) + float(r[1])
    for expert in sorted(e for e, total in given.items() if not total > 0):
        yield Problem("no-judgement", Text(f"points: {expert or 'the expert'} gives nothing to the children of {parent!r}.",
                      f"points：{expert or '专家'} 未给 {parent!r} 的下级任何分数。"), _FIX)  # fmt: skip
    left = [c for c in children if c not in {r[0] for r in rows}]
    if left:
        yield Problem("no-judgement", Text(f"points: nobody says anything about {', '.join(left)} under {parent!r}.", f"points：{parent!r} 下的 {'、'.join(left)} 无人给分。"),
                      Text("Give points to every child; 0 is allowed.", "请为每个下级给分，可为 0。"))  # fmt: skip
