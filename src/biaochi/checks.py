"""What keeps a framework, a panel and a recipe from being run together: found before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from biaochi import judgements
from biaochi.errors import Place, Problem, Text, unknown
from biaochi.framework import Framework, Node, Optimum
from biaochi.kernels.aggregate import AGGREGATORS
from biaochi.kernels.impute import IMPUTERS
from biaochi.kernels.normalise import NORMALISERS
from biaochi.kernels.treat import TREATMENTS
from biaochi.kernels.weigh import WEIGHTINGS
from biaochi.method import DERIVED, Registry, Trait, option_problems
from biaochi.panel import Panel
from biaochi.recipe import STEPS, Choice, Recipe, setting_problems

REGISTRIES: Mapping[str, Registry] = {
    "impute": IMPUTERS,
    "treat": TREATMENTS,
    "normalise": NORMALISERS,
    "weigh": WEIGHTINGS,
    "aggregate": AGGREGATORS,
}
FAMILIES: Mapping[str, Text] = {
    "impute": Text("imputer", "插补方法"),
    "treat": Text("treatment", "异常值处理方法"),
    "normalise": Text("normaliser", "无量纲化方法"),
    "weigh": Text("weighting", "赋权方法"),
    "aggregate": Text("aggregator", "合成方法"),
}
FOR_INDICATORS = ("impute", "treat", "normalise")
LARGEST = 1e50
"""Values beyond this have no exact squares and fourth powers to work with."""


def choice_of(framework: Framework, recipe: Recipe, step: str, node: Node) -> tuple[str, dict[str, Any]]:
    """Method and options of a step at a node, after all overrides.

    The goalposts of the framework are part of its own entry for the node: they stand above the
    recipe and its levels, and below what the recipe states for the node itself.
    """
    own = node.choice(step)
    choice = recipe.choice(step, node.code, framework.levels[node.code], own)
    options = dict(choice.options)
    method = REGISTRIES[step].get(str(choice.method))
    stated_posts = (node.target,) if method is not None and len(method.posts or ()) == 1 else node.goalposts or ()
    if method is not None and method.posts and stated_posts and None not in stated_posts:
        named = recipe.node.get(node.code, {}).get(step)
        before = recipe.choice(step, node.code, framework.levels[node.code], own, named=False)
        kept = own if named is None or named.method in (None, before.method) else None
        stated = {k for c in (kept, named) if c is not None for k, _ in c.options}
        options.update({k: v for k, v in zip(method.posts, stated_posts, strict=True) if k not in stated})
    return str(choice.method), options


def problems(framework: Framework, panel: Panel, recipe: Recipe) -> Iterator[Problem]:
    """Every problem of the three taken together."""
    yield from data_problems(framework, panel)
    found = list(recipe_problems(framework, recipe))
    yield from found
    if not any(p.kind == "bad-setting" for p in found):
        yield from panel_targets(framework, panel, recipe)


def recipe_problems(framework: Framework, recipe: Recipe, looked_at: Sequence[str] = STEPS) -> Iterator[Problem]:
    """Problems of a recipe for a framework, whatever the data; of choices, in the steps looked at."""
    settings = list(setting_problems(recipe, recipe.place))
    yield from settings
    if settings:
        return  # choices cannot be looked up in a recipe of the wrong shape
    yield from _indicator_names(framework, recipe)
    yield from _level_options(framework, recipe)
    for code, steps in recipe.node.items():
        yield from _node_targets(framework, recipe, code, steps)
    yield from _level_targets(framework, recipe)
    for step in looked_at:
        said: set[tuple[str, str]] = set()
        sound: dict[tuple[int, int], tuple[Choice, Choice]] = {}  # by identity; holding the choices keeps their identity their own
        for node in framework.indicators if step in FOR_INDICATORS else _parents(framework):
            choice = recipe.choice(step, node.code, framework.levels[node.code], node.choice(step))
            treat = recipe.choice("treat", node.code, framework.levels[node.code], node.choice("treat"))
            plain = node.goalposts is None and node.direction in (1, -1) and not _by_node(step, choice)
            if plain and (id(choice), id(treat)) in sound:
                continue  # the recipe's own choice, already found sound
            found = list(_choice_problems(framework, recipe, step, node))
            if plain and not found:
                sound[id(choice), id(treat)] = choice, treat
            for p in found:
                if (p.kind, p.what.en) not in said:  # one global mistake is one problem, not one for each indicator
                    said.add((p.kind, p.what.en))
                    yield p


def _by_node(step: str, choice: Choice) -> bool:
    """Whether a choice that is sound for one node may not be for the next: it names nodes, or posts of their own."""
    method = REGISTRIES[step].get(str(choice.method))
    named = {k for k, _ in choice.options} & {"comparisons", "points"}
    return bool(named) or (method is not None and bool(method.posts))


def _indicator_names(framework: Framework, recipe: Recipe) -> Iterator[Problem]:
    indicators = sorted(n.code for n in framework.indicators)
    for key in ("keep_indicators", "drop_indicators"):
        for code in sorted(set(getattr(recipe, key)) - set(indicators)):
            yield Problem("unknown-indicator", unknown(Text(f"indicator under {key}", f"{key} 中的指标"), code, indicators), _CORRECT, recipe.place)


def _parents(framework: Framework) -> tuple[Node, ...]:
    return tuple(n for n in framework.walk() if framework.children(n.code))


def data_problems(framework: Framework, panel: Panel) -> Iterator[Problem]:
    """Codes and values of a panel that do not fit a framework."""
    for i, code in enumerate(panel.codes):
        if code not in framework.inputs:
            there = np.argwhere(~np.isnan(panel.values[:, :, i]))
            place = panel.origin(int(there[0][0]), int(there[0][1]), i) if len(there) else Place(column=code)
            if code in framework:
                what = Text(f"{code!r} has children or a formula, so the data may not hold it.", f"{code!r} 有下级或公式，数据中不应再有该列。")
                fix = Text("Take it out of the data, or list it under ignore.", "请从数据中删除，或列入 ignore。")
            else:
                what = unknown(Text("indicator", "指标"), code, sorted(framework.inputs))
                fix = Text(f"Add {code!r} to the framework, or list it under ignore.", f"请将 {code!r} 加入指标体系，或列入 ignore。")
            yield Problem("unknown-indicator", what, fix, place)
    for node in framework.nodes:
        if node.code in framework.inputs and np.isnan(panel.series(node.code)).all():
            yield Problem(
                "no-data",
                Text(f"{node.code!r} has no value for any unit and period.", f"{node.code!r} 在所有单位和期都没有数值。"),
                Text("Add its data, or take it out of the framework.", "请补充数据，或将其移出指标体系。"),
                node.place,
            )
    large = np.argwhere(np.abs(np.where(np.isnan(panel.values), 0.0, panel.values)) > LARGEST)
    for p, u, c in large:
        value = panel.values[p, u, c]
        yield Problem("too-large", Text(f"{value:g} is beyond what can be computed with ({LARGEST:g}).", f"{value:g} 超出可计算范围（{LARGEST:g}）。"),
                      Text("Use a larger unit.", "请换用更大的计量单位。"), panel.origin(int(p), int(u), int(c)))  # fmt: skip


_CORRECT = Text("Correct the recipe.", "请更正方案。")


def _codes(panel: Panel) -> list[str]:
    return sorted({u.code for u in panel.units})


def _groupings(panel: Panel) -> list[str]:
    return sorted({g for u in panel.units for g, _ in u.groups}) or ["—"]


def panel_targets(framework: Framework, panel: Panel, recipe: Recipe) -> Iterator[Problem]:
    """Units, groupings and periods the recipe names and the panel does not hold."""
    for key in ("keep", "drop"):
        named = set(getattr(recipe, key))
        for code in sorted(named - {u.code for u in panel.units if u.code in named} if named else ()):
            yield Problem("unknown-unit", unknown(Text(f"unit under {key}", f"{key} 中的单位"), code, _codes(panel)), _CORRECT, recipe.place)
    if recipe.base is not None and recipe.base not in [str(p) for p in panel.periods]:
        what = unknown(Text("base period", "基期"), recipe.base, [str(p) for p in panel.periods])
        yield Problem("unknown-period", what, _CORRECT, recipe.place)
    periods = [str(p) for p in panel.periods]
    if recipe.weigh_period is not None and recipe.weigh_period not in periods:
        yield Problem("unknown-period", unknown(Text("period under weigh_period", "weigh_period 中的期"), recipe.weigh_period, periods), _CORRECT, recipe.place)
    column = Text("Add the column to the table of units.", "请在单位表中补充该列。")
    for step, needed, family, names, fix in (
        ("impute", "groups", Text("grouping of units", "单位分组"), _groupings, column),
        ("normalise", "at", Text("reference unit", "参照单位"), _codes, _CORRECT),
        ("normalise", "origin", Text("base period", "基期"), lambda _: periods, _CORRECT),
    ):
        option = DERIVED[needed][0]
        for name in sorted(
            {str(v) for c in _choices(framework, recipe, step) if needed in _needs(step, c) for k, v in c.options if k == option and v is not None}
        ):
            known = names(panel)
            if name not in known:
                yield Problem(
                    "unknown-grouping" if step == "impute" else "unknown-period" if needed == "origin" else "unknown-unit",
                    unknown(family, name, known),
                    fix,
                    recipe.place,
                )


def _choices(framework: Framework, recipe: Recipe, step: str) -> Iterator[Choice]:
    """Every choice stated for a step anywhere."""
    for table in ({step: getattr(recipe, step)}, *recipe.level.values(), *recipe.node.values(), *(dict(n.overrides) for n in framework.indicators)):
        if step in table:
            yield table[step]


def _needs(step: str, choice: Choice) -> frozenset[str]:
    """What a choice's method needs; a choice that names none may be of any."""
    method = REGISTRIES[step].get(str(choice.method))
    return method.needs if method else frozenset(DERIVED)


def _node_targets(framework: Framework, recipe: Recipe, code: str, steps: Mapping[str, Choice]) -> Iterator[Problem]:
    if code not in framework or framework[code].series:
        known = sorted(n.code for n in framework.tree_nodes)
        yield Problem("unknown-node", unknown(Text("node in the recipe", "方案中的节点"), code, known), _CORRECT, recipe.place)
        return
    leaf = not framework.children(code)
    what = Text("an indicator", "指标") if leaf else Text("a parent", "上级节点")
    for step in steps:
        if leaf != (step in FOR_INDICATORS):
            said = Text(f"{step} does not apply to {code!r}, which is {what.en}.", f"{code!r} 是{what.zh}，不适用 {step}。")
            yield Problem("idle-override", said, _CORRECT, recipe.place)


def _level_targets(framework: Framework, recipe: Recipe) -> Iterator[Problem]:
    for level, steps in recipe.level.items():
        for step in steps:
            nodes = framework.indicators if step in FOR_INDICATORS else _parents(framework)
            levels = sorted({framework.levels[n.code] for n in nodes})
            if level not in levels:
                said = Text(f"{step} at level {level} touches nothing; levels are {levels}.", f"第 {level} 层的 {step} 不影响任何节点；可用层级：{levels}。")
                yield Problem("idle-override", said, _CORRECT, recipe.place)


def _choice_problems(framework: Framework, recipe: Recipe, step: str, node: Node) -> Iterator[Problem]:
    name, options = choice_of(framework, recipe, step, node)
    place = node.place if node.choice(step) else recipe.place
    for p in option_problems(FAMILIES[step], REGISTRIES[step], name, options):
        if p.kind == "missing-option" and (place is node.place or any(repr(post) in p.what.en for post in _posts_of(step, name))):
            what = Text(f"{node.code!r}: {p.what.en}", f"{node.code!r}：{p.what.zh}")
            yield Problem(p.kind, what, p.fix, node.place)
        else:
            yield Problem(p.kind, p.what, p.fix, place)
    if step == "weigh" and name in WEIGHTINGS:
        yield from _weight_problems(framework, recipe, node, options)
    if step == "normalise" and name in NORMALISERS:
        yield from _scale_problems(recipe, node, name, options)
        treatment, _ = choice_of(framework, recipe, "treat", node)
        if treatment in TREATMENTS and Trait.KEEPS_UNIT not in TREATMENTS[treatment].traits:
            yield from _unit_problems(recipe, node, name, treatment, options)


def _level_options(framework: Framework, recipe: Recipe) -> Iterator[Problem]:
    """Levels of branches that are none: those of indicators, and beyond."""
    able = sorted({framework.levels[n.code] for n in _parents(framework)} - {0})
    said = {("branch_level", recipe.branch_level)} if recipe.min_branch_share else set()
    for choice in _choices(framework, recipe, "impute"):
        if "branches" in _needs("impute", choice):
            said |= {("level", v) for k, v in choice.options if k == "level" and isinstance(v, int)}
    for option, level in sorted(said):
        if level not in able and (option, level) != ("level", 0):  # 0: all indicators together
            yield Problem("idle-override", Text(f"{option} = {level} makes no branches; levels of parents below the index are {able}.",
                          f"{option} = {level} 不构成分支；指数之下的上级层级为 {able}。"), _CORRECT, recipe.place)  # fmt: skip


def _posts_of(step: str, name: str) -> tuple[str, ...]:
    method = REGISTRIES[step].get(name)
    return method.posts or () if method else ()


def _weight_problems(framework: Framework, recipe: Recipe, node: Node, options: Mapping[str, Any]) -> Iterator[Problem]:
    """Names in what experts said, and the series weights are to explain."""
    for option in ("comparisons", "points"):
        rows = options.get(option)
        if isinstance(rows, tuple) and all(isinstance(r, tuple) for r in rows):
            for p in judgements.problems(framework, option, rows, node.code):
                yield replace(p, place=recipe.place)
    outcome = options.get("outcome")
    if isinstance(outcome, str):
        series = sorted(n.code for n in framework.nodes if n.series or not framework.children(n.code))
        if outcome not in series:
            yield Problem("unknown-series", unknown(Text("series", "序列"), outcome, series), _CORRECT, recipe.place)


def _unit_problems(recipe: Recipe, node: Node, name: str, treatment: str, stated: Mapping[str, Any]) -> Iterator[Problem]:
    """A treatment that may take logarithms leaves nothing to hold against posts or other periods."""
    fix = Text("Use winsorise, or no treatment.", "请改用 winsorise，或不作处理。")
    posts = NORMALISERS[name].posts or ()
    along_time = NORMALISERS[name].kernel.__module__.endswith(".time")
    if any(stated.get(p) is not None for p in posts):
        yield Problem("posts-in-another-unit", Text(f"{node.code!r} has goalposts in its own unit, but {treatment} may take its logarithm.",
                      f"{node.code!r} 的上下限用其自身单位，而 {treatment} 可能对其取对数。"), fix, node.place)  # fmt: skip
    elif (recipe.scale != "period" or along_time) and recipe.treat_over == "period":
        told = (name, name) if along_time else (f'scale = "{recipe.scale}"', f'scale = "{recipe.scale}"')
        yield Problem("periods-in-other-units", Text(f'{told[0]} compares periods, but {treatment} treats each on its own and may take logarithms of some.',
                      f'{told[1]} 要求各期可比，而 {treatment} 逐期处理，可能只对部分期取对数。'), fix, recipe.place)  # fmt: skip


def _scale_problems(recipe: Recipe, node: Node, name: str, options: Mapping[str, Any]) -> Iterator[Problem]:
    method = NORMALISERS[name]
    given = [options.get(p) is not None for p in method.posts or ()]
    if recipe.scale == "fixed" and Trait.IGNORES_REF not in method.traits and not (len(given) == 2 and all(given)):
        fixed = sorted(n for n, m in NORMALISERS.items() if Trait.IGNORES_REF in m.traits)
        yield Problem("scale-not-fixed", Text(f'scale = "fixed", but {name} takes its scale from the data.', f'scale = "fixed"，但 {name} 的尺度取自数据。'),
                      Text(f"Use one of: {', '.join(fixed)}.", f"请改用：{'、'.join(fixed)}。"), recipe.place)  # fmt: skip
    if recipe.scale == "fixed" and options.get("rescale"):
        yield Problem(
            "scale-not-fixed",
            Text('scale = "fixed", but rescale takes its scale from the data.', 'scale = "fixed"，但 rescale 的尺度取自数据。'),
            _CORRECT,
            recipe.place,
        )
    posts = [options.get(p) for p in method.posts or ()]
    if len(posts) != 2 or any(isinstance(p, (bool, str)) or not isinstance(p, (int, float)) for p in posts):
        return
    low, high = (float(p) for p in posts)  # type: ignore[arg-type]
    best = node.direction
    if name != "goalposts":  # unsatisfactory above satisfactory where lower is better
        if (low > high) != (best == -1) and not isinstance(best, Optimum) and (low, high) != node.goalposts:
            yield Problem("bad-goalposts", Text(f"{node.code!r}: unsatisfactory {low:g} and satisfactory {high:g} do not go with its direction {best}.",
                          f"{node.code!r}：不允许值 {low:g} 与满意值 {high:g} 与其方向 {best} 不符。"), Text("Swap the two, or turn the direction.", "请对调两值或更正方向。"), node.place)  # fmt: skip
        low, high = min(low, high), max(low, high)
    if not (low < high and abs(low) <= LARGEST and abs(high) <= LARGEST):
        yield Problem("bad-goalposts", Text(f"the goalposts of {node.code!r} are {low:g} and {high:g}.", f"{node.code!r} 的上下限为 {low:g} 与 {high:g}。"),
                      Text("The low one must be below the high one.", "下限须小于上限。"), node.place)  # fmt: skip
    elif isinstance(best, Optimum) and not low <= best.low <= best.high <= high:
        yield Problem("optimum-outside-posts", Text(f"the optimum {best} of {node.code!r} lies outside its goalposts {low:g} to {high:g}.",
                      f"{node.code!r} 的适度值 {best} 在上下限 {low:g} 至 {high:g} 之外。"), Text("Widen the goalposts.", "请放宽上下限。"), node.place)  # fmt: skip


def value_problems(framework: Framework, panel: Panel, x: Any) -> Iterator[Problem]:
    """Indicator values (period, unit, indicator; sorted by code) outside their valid range or too large."""
    for i, node in enumerate(sorted(framework.indicators, key=lambda n: n.code)):
        low, high = (b if b is not None else s * LARGEST for b, s in zip(node.valid, (-1.0, 1.0), strict=True))
        v = x[:, :, i]
        if (node.formula or node.denominator) and np.isnan(v).all():
            yield Problem("no-data", Text(f"{node.code!r} can be computed for no unit and period.", f"{node.code!r} 在所有单位和期都无法算出。"),
                          Text("Check its formula, its denominator and what they read.", "请检查其公式、分母及所引用的序列。"), node.place)  # fmt: skip
        for p, u in np.argwhere((v < low) | (v > high)):
            place = Place(column=node.code)
            if node.code in panel.codes and not node.denominator:
                place = panel.origin(int(p), int(u), panel.codes.index(node.code))
            where = f"{panel.units[u].code} / {panel.periods[p]} / {node.code}"
            yield Problem("out-of-range", Text(f"{where}: {v[p, u]:g} is outside the valid range {low:g} to {high:g}.",
                          f"{where}：{v[p, u]:g} 超出有效范围 {low:g} 至 {high:g}。"), Text("Correct the value or the valid range.", "请更正数值或有效范围。"), place)  # fmt: skip
