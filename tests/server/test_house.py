"""Rules of the house that are run, not remembered: who may write, and that every word has its translation."""

from __future__ import annotations

import ast
import re
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import biaochi_server

SERVER = Path(biaochi_server.__file__).parent
LOCALE = SERVER / "locale" / "zh_Hans" / "LC_MESSAGES"
WRITES = {"save", "create", "bulk_create", "update", "bulk_update", "delete", "get_or_create", "update_or_create"}
MODULES = sorted(p for p in SERVER.rglob("*.py") if "migrations" not in p.parts)

ACTIONS = [p for p in MODULES if "actions" in (p.stem, p.parent.name)]


def calls(tree: ast.AST) -> list[tuple[int, str, ast.expr]]:
    return [(n.lineno, n.func.attr, n.func.value) for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]


@pytest.mark.parametrize("path", [p for p in MODULES if p not in ACTIONS], ids=lambda p: str(p.relative_to(SERVER)))
def test_only_actions_write(path: Path) -> None:
    """``form.save(commit=False)`` and dictionaries' ``update`` are no writes; a mail form's, a picture's and a workbook's ``save`` are none either; the queue of jobs is no record."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [
        (line, name) for line, name, of in calls(tree)
        if name in WRITES and not (isinstance(of, ast.Name) and of.id in ("form", "actions", "values", "book")) and not any(w in ast.unparse(of) for w in ("segno", "DBTaskResult"))
    ]  # fmt: skip
    assert found == []


@pytest.mark.parametrize("path", [p for p in ACTIONS if p.parent.name != "journal" and p.stem != "_common"], ids=lambda p: str(p.relative_to(SERVER)))
def test_every_public_action_is_one_transaction(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = [f.name for f in tree.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_") and "write" not in map(ast.unparse, f.decorator_list)]
    assert bare == []


def said() -> set[str]:
    """Every text that pages and code give to be translated."""
    found: set[str] = set()
    for page in [*SERVER.rglob("*.html"), *SERVER.rglob("*.txt")]:
        text = page.read_text(encoding="utf-8")
        found |= {m[2] for m in re.finditer(r"""{% translate (["'])(.+?)\1""", text)}
        found |= {re.sub(r"{{ (\w+) }}", r"%(\1)s", m[1]) for m in re.finditer(r"{% blocktranslate[^%]*%}(.*?){% endblocktranslate %}", text, re.DOTALL)}
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "__"):
                assert isinstance(node.args[0], ast.Constant), f"{module}:{node.lineno}: only a plain text can be translated"
                found.add(node.args[0].value)
    return found


def test_every_word_has_its_chinese() -> None:
    with open(LOCALE / "django.po", "rb") as f:
        catalogue = read_po(f)
    known = {m.id: m.string for m in catalogue if m.id}
    assert sorted(said() - set(known)) == [], "add them to locale/zh_Hans/LC_MESSAGES/django.po"
    assert sorted(set(known) - said()) == [], "no longer said"
    assert sorted(i for i, s in known.items() if not s) == []
    fields = re.compile(r"%\(\w+\)s|{\w*}")
    assert [i for i, s in known.items() if sorted(fields.findall(str(i))) != sorted(fields.findall(str(s)))] == []


def test_the_compiled_catalogue_is_the_written_one() -> None:
    with open(LOCALE / "django.po", "rb") as f:
        written = {m.id: m.string for m in read_po(f) if m.id}
    with open(LOCALE / "django.mo", "rb") as f:
        compiled = GNUTranslations(f)
    assert {i: compiled.gettext(str(i)) for i in written} == written, "run: make docs"


def test_pages_hold_no_chinese_of_their_own() -> None:
    own = [p.name for p in SERVER.rglob("*.html") if p.parent.name != "templates" and re.search(r"[\u4e00-\u9fff]", p.read_text(encoding="utf-8"))]
    assert own == []


def test_pages_hold_no_script_or_style_of_their_own() -> None:
    own = [p.name for p in SERVER.rglob("*.html") if re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", p.read_text(encoding="utf-8"))]
    assert own == []
