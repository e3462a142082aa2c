"""The indicator tree with its metadata: frozen, any depth, ragged allowed; finds its own problems."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Set
from functools import cached_property
from typing import Any

from biaochi.errors import Place, Problem, Text, UnknownName, refuse, unknown
from biaochi.fingerprint import fingerprint
from biaochi.formula import BadFormula, parse
from biaochi.method import is_number
from biaochi.node import Direction, Node, Optimum, as_formula, to_dict
from biaochi.recipe import Choice

__all__ = ["Direction", "Framework", "Node", "Optimum", "problems"]


class Framework:
    """A frozen tree of `Node`; raises `BadInput` with every problem when the nodes do not make one.

    Examples
    --------
    >>> f = Framework([Node("I"), Node("a", "I", weight=3), Node("b", "I")])
    >>> f.effective_weights()
    {'I': 1.0, 'a': 0.75, 'b': 0.25}
    """

    def __init__(self, nodes: list[Node] | tuple[Node, ...], *, place: Place = Place()) -> None:
        self.nodes = tuple(nodes)
        refuse(problems(self.nodes, place))
        self._by_code = {n.code: n for n in self.nodes}
        children: dict[str, list[Node]] = {}
        for n in self.tree_nodes:
            if n.parent is not None:
                children.setdefault(n.parent, []).append(n)
        self._children = {code: tuple(kids) for code, kids in children.items()}

    @cached_property
    def tree_nodes(self) -> tuple[Node, ...]:
        """Every node but the auxiliary series, in the order given."""
        return tuple(n for n in self.nodes if not n.series)

    @cached_property
    def root(self) -> Node:
        """The index itself."""
        return next(n for n in self.tree_nodes if n.parent is None)

    @cached_property
    def indicators(self) -> tuple[Node, ...]:
        """The leaves, from left to right."""
        return tuple(n for n in self.walk() if not self.children(n.code))

    @cached_property
    def inputs(self) -> frozenset[str]:
        """Codes the data may hold: indicators without a formula, and auxiliary series."""
        return frozenset(n.code for n in (*self.indicators, *(n for n in self.nodes if n.series)) if not n.formula)

    def __getitem__(self, code: str) -> Node:
        try:
            return self._by_code[code]
        except KeyError:
            raise UnknownName(Text("node", "节点"), code, self._by_code) from None

    def __contains__(self, code: object) -> bool:
        return code in self._by_code

    def children(self, code: str) -> tuple[Node, ...]:
        """The children of a node, in the order given; empty for an indicator."""
        return self._children.get(code, ())

    def walk(self, code: str | None = None) -> Iterator[Node]:
        """A node and everything under it, parents before children, from left to right."""
        stack = [self._by_code[code] if code else self.root]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(self.children(node.code)))

    @cached_property
    def levels(self) -> dict[str, int]:
        """Steps from the index to each node: the index is 0, first-level indicators 1, and so on."""
        depth = {self.root.code: 0}
        for n in self.walk():
            depth.update((c.code, depth[n.code] + 1) for c in self.children(n.code))
        return depth

    def path(self, code: str) -> tuple[Node, ...]:
        """From the index down to a node."""
        out = [self[code]]
        while (parent := out[-1].parent) is not None:
            out.append(self._by_code[parent])
        return tuple(reversed(out))

    def effective_weights(self, local: Mapping[str, float] | None = None) -> dict[str, float]:
        """Weight of every node in the index: its share among its siblings, multiplied up the tree.

        Parameters
        ----------
        local : mapping, optional
            Weights among siblings to use instead of those of the framework.
        """
        out: dict[str, float] = {}
        for n in self.walk():
            if n.parent is None:
                out[n.code] = 1.0
                continue
            siblings = self.children(n.parent)
            weigh = {s.code: s.weight if local is None else local[s.code] for s in siblings}
            out[n.code] = out[n.parent] * weigh[n.code] / math.fsum(weigh.values())
        return out

    def to_dict(self) -> dict[str, Any]:
        """Everything that matters for the numbers and their meaning; nodes sorted by code."""
        return {"biaochi.framework": 1, "nodes": [to_dict(n) for n in sorted(self.nodes, key=lambda n: n.code)]}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the framework's content; the order of rows does not matter."""
        return fingerprint(self.to_dict())

    def __repr__(self) -> str:
        depth = max(self.levels.values())
        return f"<Framework {self.root.code!r}: {len(self.indicators)} indicators, {depth} levels, {self.fingerprint[:12]}>"


def problems(nodes: tuple[Node, ...], place: Place = Place()) -> Iterator[Problem]:
    """Everything that keeps these nodes from being one tree."""
    unusable = [p for n in nodes for p in _type_problems(n)]
    yield from unusable
    if unusable:
        return
    by_code = {n.code: n for n in nodes}
    tree = [n for n in nodes if not n.series]
    parents = {n.parent for n in tree}
    yield from _duplicates(nodes)
    yield from _roots(tree, place)
    for n in nodes:
        yield from _link_problems(n, by_code)
        yield from _cycle(n, by_code)
        yield from _number_problems(n)
        yield from _formula_problems(n, by_code, parents)
        yield from _misplaced(n, n.code in parents)
        if n.code in parents and n.formula:
            yield _problem("formula-on-aggregate", n, f"{n.code!r} has children and a formula.", f"{n.code!r} 既有下级又有公式。",
                           "Keep one of them.", "二者只能保留其一。")  # fmt: skip
    yield from _formula_cycles(nodes)
    for parent in sorted(p for p in parents if p in by_code):
        kids = [n for n in tree if n.parent == parent]
        if all(n.weight == 0 for n in kids):
            yield _problem("all-zero-weights", by_code[parent], f"all children of {parent!r} have weight 0.",
                           f"{parent!r} 的所有下级权重均为 0。", "Give at least one a weight above 0.", "至少一个下级的权重须大于 0。")  # fmt: skip


def _problem(kind: str, n: Node, en: str, zh: str, fix_en: str, fix_zh: str) -> Problem:
    return Problem(kind, Text(en, zh), Text(fix_en, fix_zh), n.place)


def _type_problems(n: Any) -> Iterator[Problem]:
    """Entries of a node made in Python that are not what they must be."""
    if not isinstance(n, Node):
        yield Problem("bad-type", Text(f"{n!r} is not a Node.", f"{n!r} 不是 Node。"), Text("Give a list of Node.", "请给出 Node 列表。"))
        return
    wrong = [k for k, fits in _FITS.items() if not fits(getattr(n, k))]
    if wrong:
        yield Problem("bad-type", Text(f"{', '.join(wrong)} of {n.code!r} cannot be used.", f"{n.code!r} 的 {'、'.join(wrong)} 无法使用。"),
                      Text("Numbers must be numbers, names and formulas texts, goalposts and valid pairs, overrides (step, Choice) pairs for impute, treat or normalise.",
                           "数值应为数字，名称和公式应为文本，goalposts 与 valid 应为一对数，overrides 应为 impute、treat、normalise 的 (步骤, Choice) 对。"), n.place)  # fmt: skip


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_pair(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2


_FITS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("code", "name_zh", "name_en", "unit", "owner", "frequency", "source", "definition"), _is_text),
    **dict.fromkeys(("parent", "denominator", "formula"), lambda v: v is None or isinstance(v, str)),
    "weight": is_number,
    "target": lambda v: v is None or is_number(v),
    "direction": lambda v: is_number(v) or (isinstance(v, Optimum) and is_number(v.low) and is_number(v.high)),
    "goalposts": lambda v: v is None or (_is_pair(v) and all(map(is_number, v))),
    "valid": lambda v: _is_pair(v) and all(b is None or is_number(b) for b in v),
    "aggregate": lambda v: v is None or isinstance(v, Choice),
    "overrides": lambda v: (
        isinstance(v, (tuple, list)) and all(_is_pair(o) and o[0] in ("impute", "treat", "normalise") and isinstance(o[1], Choice) for o in v)
    ),
}
"""What the entries of a node must be."""


def _duplicates(nodes: tuple[Node, ...]) -> Iterator[Problem]:
    seen: dict[str, Node] = {}
    for n in nodes:
        if not n.code:
            yield _problem("no-code", n, "the row has no code.", "该行没有代码。", "Give every row a code.", "请为每行填写代码。")
        elif n.code in seen:
            first = seen[n.code].place.row
            at = (f" (first in row {first})", f"（首次出现于第 {first} 行）") if first is not None else ("", "")
            yield _problem("duplicate-code", n, f"the code {n.code!r} stands twice{at[0]}.", f"代码 {n.code!r} 重复{at[1]}。",
                           "Rename one of the two or delete it.", "请改名或删除其一。")  # fmt: skip
        seen.setdefault(n.code, n)


def _roots(tree: list[Node], place: Place) -> Iterator[Problem]:
    roots = [n for n in tree if n.parent is None]
    if not tree:
        yield Problem("empty-framework", Text("the framework has no rows.", "指标体系为空。"),
                      Text("Give at least an index and one indicator.", "至少需要一个总指数和一个指标。"), place)  # fmt: skip
    elif not roots:
        yield Problem("no-root", Text("no row is the index: every row has a parent.", "没有总指数：每行都有上级。"),
                      Text("Leave the parent of the index empty.", "总指数的上级请留空。"), place)  # fmt: skip
    for n in roots[1:]:
        yield _problem("two-roots", n, f"{n.code!r} has no parent, but {roots[0].code!r} is the index already.",
                       f"{n.code!r} 没有上级，但 {roots[0].code!r} 已是总指数。",
                       "Give it a parent, or mark it as a series (kind = series).", "请填写上级，或将其标为辅助序列（kind = series）。")  # fmt: skip
    if roots and len(tree) == 1:
        yield _problem("no-indicator", roots[0], "the index has no indicators.", "总指数没有任何指标。",
                       "Add rows whose parent is the index.", "请添加以总指数为上级的行。")  # fmt: skip


def _link_problems(n: Node, by_code: Mapping[str, Node]) -> Iterator[Problem]:
    if n.parent is None:
        return
    if n.series:
        yield _problem("series-with-parent", n, f"the series {n.code!r} has a parent.", f"辅助序列 {n.code!r} 填有上级。",
                       "Leave it empty: series stand beside the tree.", "请留空：辅助序列不在树中。")  # fmt: skip
    elif n.parent not in by_code:
        yield Problem("unknown-parent", unknown(Text("parent", "上级"), n.parent, sorted(by_code)),
                      Text(f"Correct the parent of {n.code!r} or add the row.", f"请更正 {n.code!r} 的上级或补上该行。"), n.place)  # fmt: skip
    elif by_code[n.parent].series:
        yield _problem("parent-is-series", n, f"the parent {n.parent!r} is a series.", f"上级 {n.parent!r} 是辅助序列。",
                       "Choose a node of the tree.", "请选择树中的节点。")  # fmt: skip


def _cycle(n: Node, by_code: Mapping[str, Node]) -> Iterator[Problem]:
    seen, at = {n.code}, n
    while at.parent in by_code:
        at = by_code[str(at.parent)]
        if at.code == n.code:
            yield _problem("cycle", n, f"{n.code!r} is its own ancestor.", f"{n.code!r} 是自己的上级（循环）。",
                           "Break the circle: change the parent of one of its rows.", "请更改其中一行的上级以打破循环。")  # fmt: skip
            return
        if at.code in seen:
            return
        seen.add(at.code)


def _number_problems(n: Node) -> Iterator[Problem]:
    if not 0 <= n.weight <= 1e50:
        yield _problem("bad-weight", n, f"the weight of {n.code!r} is {n.weight:g}.", f"{n.code!r} 的权重为 {n.weight:g}。",
                       "Weights are numbers from 0 up.", "权重须为不小于 0 的数。")  # fmt: skip
    if n.goalposts and not n.goalposts[0] < n.goalposts[1]:
        low, high = n.goalposts
        yield _problem("bad-goalposts", n, f"the goalposts of {n.code!r} are {low:g} and {high:g}.", f"{n.code!r} 的上下限为 {low:g} 与 {high:g}。",
                       "The low one must be below the high one, whatever the direction.", "无论方向如何，下限须小于上限。")  # fmt: skip
    low_v, high_v = n.valid
    if low_v is not None and high_v is not None and low_v > high_v:
        yield _problem("bad-valid-range", n, f"the valid range of {n.code!r} is empty: {low_v:g} to {high_v:g}.",
                       f"{n.code!r} 的有效范围为空：{low_v:g} 至 {high_v:g}。", "Swap the two bounds.", "请对调上下界。")  # fmt: skip
    if not isinstance(n.direction, Optimum):
        if n.direction not in (1, -1):
            yield _problem("bad-direction", n, f"the direction of {n.code!r} is {n.direction!r}.", f"{n.code!r} 的方向为 {n.direction!r}。",
                           "Give 1, -1 or an Optimum.", "应为 1、-1 或适度区间 Optimum。")  # fmt: skip
    elif not -1e50 <= n.direction.low <= n.direction.high <= 1e50:
        yield _problem("bad-direction", n, f"the optimum of {n.code!r} is empty: {n.direction}.", f"{n.code!r} 的适度区间为空：{n.direction}。",
                       "Write low..high.", "请写作 下界..上界。")  # fmt: skip


def _formula_problems(n: Node, by_code: Mapping[str, Node], parents: Set[str | None]) -> Iterator[Problem]:
    for source in filter(None, (n.formula, n.denominator and as_formula(n.denominator))):
        try:
            names = parse(source).names
        except BadFormula as e:
            yield Problem("bad-formula", e.text, Text(f"Mend the formula of {n.code!r}.", f"请修正 {n.code!r} 的公式。"), n.place)
            continue
        for name in sorted(n for n in names & by_code.keys() if n in parents):
            yield _problem("formula-reads-parent", n, f"{source!r} reads {name!r}, which has children and no data of its own.",
                           f"{source!r} 引用了有下级、自身没有数据的 {name!r}。", "Read indicators and series only.", "请只引用指标和辅助序列。")  # fmt: skip
        for name in sorted(names - by_code.keys()):
            yield Problem("unknown-series", unknown(Text("series", "序列"), name, sorted(by_code)),
                          Text(f"Correct {source!r}, or add a row of kind series.", f"请更正 {source!r}，或增加一行 kind = series。"), n.place)  # fmt: skip


def _misplaced(n: Node, parent: bool) -> Iterator[Problem]:
    """Entries that mean nothing on this kind of row."""
    if n.series:
        idle = [f for f in ("denominator", "goalposts", "aggregate", "overrides", "target") if getattr(n, f)]
    elif parent:
        idle = [f for f in ("denominator", "goalposts", "overrides", "target") if getattr(n, f)] + (["direction"] if n.direction != 1 else [])
    else:
        idle = ["aggregate"] if n.aggregate else []
    if idle:
        kind = ("a series", "辅助序列") if n.series else ("a parent", "上级节点") if parent else ("an indicator", "指标")
        yield _problem("idle-entry", n, f"{', '.join(idle)} does nothing on {n.code!r}, which is {kind[0]}.", f"{n.code!r} 是{kind[1]}，{'、'.join(idle)} 不起作用。",
                       "Take it out, or put it on the right row.", "请删除，或移到正确的行。")  # fmt: skip


def _formula_cycles(nodes: tuple[Node, ...]) -> Iterator[Problem]:
    reads: dict[str, frozenset[str]] = {}
    for n in nodes:
        try:
            reads[n.code] = n.reads.names if n.reads else frozenset()
        except BadFormula:
            reads[n.code] = frozenset()
    for n in nodes:
        reached: set[str] = set()
        front = set(reads[n.code])
        while front - reached:
            reached |= front
            front = {m for name in front for m in reads.get(name, ())}
        if n.code in reached:
            yield _problem("formula-cycle", n, f"the formula of {n.code!r} needs {n.code!r} itself.", f"{n.code!r} 的公式引用了自身。",
                           "Break the circle.", "请打破循环。")  # fmt: skip
