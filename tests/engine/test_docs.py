"""The docs name everything there is: methods, commands, options, settings, columns, public names; links lead somewhere."""

import dataclasses
import re
from pathlib import Path

import pytest

import biaochi
from biaochi.checks import REGISTRIES
from biaochi.cli import build
from biaochi.files.project import EXAMPLES, SETTINGS
from biaochi.formula import FUNCTIONS
from biaochi.recipe import Recipe

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
GUIDE = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "docs" / "guide").glob("*.md"))
DOCS = "\n".join(p.read_text(encoding="utf-8") for p in PAGES)


def test_every_method_setting_and_function_is_in_the_guide():
    wanted = {name for registry in REGISTRIES.values() for name in registry} | {f.name for f in dataclasses.fields(Recipe)} - {"place"}
    wanted |= set(FUNCTIONS) | set(EXAMPLES) | {k for keys in SETTINGS.values() for k in keys}
    assert [w for w in sorted(wanted) if not re.search(rf"\b{re.escape(w)}\b", GUIDE)] == []


def test_every_command_option_and_public_name_is_documented():
    group = build("en")
    wanted = set(group.commands) | {o for c in group.commands.values() for p in c.params for o in p.opts if o.startswith("--")}
    wanted |= {n for n in biaochi.__all__ if not n.startswith("__")}
    assert [w for w in sorted(wanted) if w not in DOCS] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_contributing_shows_a_diff_that_works():
    """The method of CONTRIBUTING.md, typed in as shown, runs and holds its traits."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    diff = text.split("```diff\n", 1)[1].split("```", 1)[0]
    added = [line[1:] for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++")]
    function = "\n".join(line for line in added if not line.strip().startswith('"share_of_best": '))
    registry_line = next(line for line in added if line.strip().startswith('"share_of_best": '))
    from biaochi.kernels import normalise

    scope = dict(vars(normalise))
    exec(compile(f"{function}\nLINE = {{{registry_line.strip()}}}", "CONTRIBUTING.md", "exec"), scope)
    from tests.engine.test_traits import CHECKS, test_batch_equals_loop, test_input_is_left_untouched

    method = scope["LINE"]["share_of_best"]
    line = ("normalise", "share_of_best", method)
    test_batch_equals_loop(*line)
    test_input_is_left_untouched(*line)
    for trait in method.traits:
        CHECKS[trait](line)


def test_examples_say_where_they_come_from():
    for name in EXAMPLES:
        source = (Path(biaochi.__file__).parent / "examples" / name / "SOURCE.md").read_text(encoding="utf-8")
        assert re.search(r"licen[cs]e|MIT|CC BY", source)
    for name in ("shanxi-cities", "china-counties"):
        project = biaochi.load(name)
        assert "not the official yardstick" in project.notice.en
        assert "非官方标尺" in project.notice.zh
