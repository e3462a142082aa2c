"""The docs name everything there is: methods, commands, options, settings, columns, public names; links lead somewhere."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import biaochi
from biaochi.checks import REGISTRIES
from biaochi.cli import build
from biaochi.files.project import EXAMPLES
from biaochi.files.settings import SETTINGS
from biaochi.formula import FUNCTIONS
from biaochi.recipe import Recipe

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
GUIDE = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "docs" / "guide").glob("*.md"))
DOCS = "\n".join(p.read_text(encoding="utf-8") for p in PAGES)


def test_every_setting_and_function_is_in_the_guide_and_every_method_in_the_docs():
    methods = {name for registry in REGISTRIES.values() for name in registry if not name.startswith("own:")}
    assert [m for m in sorted(methods) if not re.search(rf"\b{m}\b", DOCS)] == []
    wanted = {f.name for f in dataclasses.fields(Recipe)} - {"place"}
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


def test_the_diff_in_contributing_works(tmp_path):
    """Applied to a copy of the package, the method runs in a recipe and passes the generic tests."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    diff = text.split("```diff\n", 1)[1].split("```", 1)[0].splitlines()[2:]
    function, line = "\n".join(d[1:] for d in diff if d.startswith("+")).rsplit("\n", 1)
    shutil.copytree(Path(biaochi.__file__).parent, tmp_path / "biaochi")
    path = tmp_path / "biaochi" / "kernels" / "normalise" / "scale.py"
    source = path.read_text(encoding="utf-8")
    path.write_text(source.replace("_OECD =", f"{function}\n\n\n_OECD =", 1).replace("METHODS = {", f"METHODS = {{\n{line}", 1), encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    code = "import biaochi, pathlib; p = biaochi.load('asem'); r = biaochi.run(p.framework, p.panel, biaochi.variant(p.recipe, normalise='tanh')); print(r, biaochi.__file__)"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "CHE" in done.stdout
    assert str(tmp_path) in done.stdout
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
        str(ROOT),
        str(ROOT / "tests" / "engine" / "test_traits.py"),
        "-k",
        "logistic",
    ]
    done = subprocess.run(tests, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_examples_say_where_they_come_from():
    for name in EXAMPLES:
        source = (Path(biaochi.__file__).parent / "examples" / name / "SOURCE.md").read_text(encoding="utf-8")
        assert re.search(r"licen[cs]e|MIT|CC BY", source)
    for name in EXAMPLES:
        project = biaochi.load(name)
        english = [n.name_en for n in (*project.panel.units, *project.framework.nodes)]
        assert [e for e in english if re.search("[\u4e00-\u9fff\ufffd]", e)] == [], "garbled names"
    for name in ("shanxi-cities", "china-counties"):
        project = biaochi.load(name)
        assert "not the official yardstick" in project.notice.en
        assert "非官方标尺" in project.notice.zh
