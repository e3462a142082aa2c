"""What the commands do: read, compute, write, print; and how problems are told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from biaochi import __version__
from biaochi.errors import BadInput, BadOption, BiaochiError, Lang, Problem, Text

FINE, BAD_INPUT, WRONG_USAGE = 0, 1, 2
T = TypeVar("T")


def run_project(
    source: str, period: str | None, out: Path | None, no_files: bool, everything: bool, top: int, sure: bool, as_json: bool, lang: Lang
) -> None:  # fmt: skip
    """``biaochi run``."""
    from biaochi.files.project import load
    from biaochi.published import compare_published
    from biaochi.run import run

    with progress(lang, quiet=as_json) as tell:
        tell("reading", "读取数据")
        project = load(source)
        tell("computing", "计算")
        result = run(project.framework, project.panel, project.recipe)
        result.period_at(period)  # an unknown period is refused before anything is written
        agreement = compare_published(result, project.published) if project.published else None
        robust = None
        if sure:
            from biaochi.robustness import of_run

            tell("ranking under what-ifs", "模拟检验位次")
            robust = of_run(project, result)
        written: list[Path] = []
        if (out or not as_json) and not no_files:
            from biaochi.reports import write_all

            written = write_all(project, result, out or Path("results") / project.name, lang, period=period, everything=everything, robust=robust, tell=tell)
    if as_json:
        from biaochi.reports.document import run_document

        print_json(run_document(project, result, agreement, written, lang, robust))
        return
    from biaochi.reports.terminal import print_result

    print_result(project, result, agreement, written, lang, period=period, top=top, robust=robust)


def audit_project(source: str, period: str | None, out: Path | None, no_files: bool, as_json: bool, lang: Lang) -> None:
    """``biaochi audit``."""
    from biaochi.audit import audit
    from biaochi.files.project import load
    from biaochi.run import evaluate

    project = load(source)
    result = evaluate(project)
    found = audit(result, period=period)
    written: list[Path] = []
    if (out or not as_json) and not no_files:
        from biaochi.reports import in_folder
        from biaochi.reports.audit import write_audit

        page = {f"{project.name}-audit.html": lambda path: write_audit(project, result, path, lang=lang, found=found)}
        written = in_folder(out or Path("results") / project.name, page)
    if as_json:
        print_json(
            {
                "schema": "biaochi.audit/1",
                "biaochi": __version__,
                "project": project.name,
                "notice": project.notice.to(lang) or None,
                **found.to_dict(),
                "files": [str(p) for p in written],
            }
        )
        return
    from biaochi.reports.terminal import print_audit

    print_audit(project, found, written, lang)


def compare_projects(first: str, second: str, node: str | None, periods: str | None, top: int, as_json: bool, lang: Lang) -> None:
    """``biaochi compare``."""
    from biaochi.compare import compare
    from biaochi.files.project import load
    from biaochi.run import evaluate

    asked = [a.strip() for a in periods.split(",")] if periods else ["", ""]
    if len(asked) != 2 or (periods and not all(asked)):
        raise click.UsageError(
            Text(f"--periods needs two periods, such as 2021,2022; got {periods}.", f"--periods 须为两期，如 2021,2022；得到 {periods}。").to(lang)
        )
    one, two = named(first, lambda: load(first)), named(second, lambda: load(second))
    results = named(first, lambda: evaluate(one)), named(second, lambda: evaluate(two))
    found = compare(*results, node, periods=(asked[0] or None, asked[1] or None))
    if as_json:
        from biaochi.reports.document import compare_document

        print_json(compare_document(one, two, found, lang))
        return
    from biaochi.reports.terminal import print_comparison

    print_comparison(one, two, found, top, lang)


def named(source: str, work: Callable[[], T]) -> T:
    """Do something with one of several projects; its problems say which one is meant."""
    try:
        return work()
    except BadInput as e:
        raise BadInput(
            [replace(p, place=replace(p.place, file=source if p.place.file in (None, source) else f"{source}: {p.place.file}")) for p in e.problems]
        ) from None


def check_project(source: str, as_json: bool, lang: Lang) -> int:
    """``biaochi check``: the exit code."""
    from biaochi.files.project import load
    from biaochi.run import evaluate
    from biaochi.scenarios import Plan

    problems: tuple[Problem, ...] = ()
    notices: tuple[Problem, ...] = ()
    try:
        project = load(source)
        result = evaluate(project)
        notices = result.notices
        if project.study:
            Plan(result, project.study.vary)  # refuses what touches nothing
    except BadInput as e:
        problems = e.problems
    except BiaochiError as e:
        problems = (Problem("robustness", e.text, Text("See docs/guide/robustness.md.", "参见 docs/guide/robustness.md。")),)
    if as_json:
        print_json({"ok": not problems, "problems": [p.to_dict(lang) for p in problems], "notices": [n.to_dict(lang) for n in notices]})
    elif problems:
        show_problems(problems, lang)
    else:
        click.echo(Text("No problems.", "没有问题。").to(lang))
        for n in notices:
            click.echo("- " + n.say(lang).strip())
    return BAD_INPUT if problems else FINE


def tell_made(folder: Path, files: list[str], as_json: bool, lang: Lang) -> None:
    """Say what was written where."""
    if as_json:
        print_json({"folder": str(folder), "files": files})
    else:
        click.echo(
            Text(
                f"Wrote {', '.join(files)} to {folder}.\nTry: biaochi run {folder}", f"已写入 {folder}：{'、'.join(files)}。\n试运行：biaochi run {folder}"
            ).to(lang)
        )


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    import json

    click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))


def refused(problems: tuple[Problem, ...], lang: Lang) -> None:
    """Say why nothing was done: on standard error, and with ``--json`` also as the document of ``check``."""
    if "--json" in sys.argv:
        print_json({"ok": False, "problems": [p.to_dict(lang) for p in problems], "notices": []})
    show_problems(problems, lang)


def show_problems(problems: tuple[Problem, ...], lang: Lang, most: int = 100) -> None:
    """Problems on standard error, the first hundred; the rest are counted."""
    n = len(problems)
    click.echo(Text(f"{n} problem{'s' if n != 1 else ''}; nothing was written.", f"发现 {n} 个问题，未写出任何文件。").to(lang), err=True)
    for p in problems[:most]:
        click.echo("- " + p.say(lang), err=True)
    if n > most:
        click.echo(
            Text(f"… and {n - most} more: biaochi check --json lists all.", f"……另有 {n - most} 个，biaochi check --json 可列出全部。").to(lang), err=True
        )


@contextmanager
def progress(lang: Lang, quiet: bool) -> Iterator[Callable[[str, str], None]]:
    """Say on standard error what is being done, once work has taken more than a second."""
    import threading

    live = sys.stderr.isatty() and not quiet
    said = Text("", "")
    late = threading.Event()

    def show() -> None:
        late.set()
        click.echo(f"\r\x1b[K{said.to(lang)} …", err=True, nl=False)

    def tell(en: str, zh: str) -> None:
        nonlocal said
        said = Text(en, zh)
        if late.is_set():
            show()

    timer = threading.Timer(1.0, show)
    if live:
        timer.start()
    try:
        yield tell
    finally:
        timer.cancel()
        if late.is_set():
            click.echo("\r\x1b[K", err=True, nl=False)


def trends_project(source: str, node: str | None, method: str, since: str | None, until: str | None, as_json: bool, lang: Lang) -> None:
    """``biaochi trends``."""
    from biaochi.files.project import load
    from biaochi.run import evaluate
    from biaochi.trends import convergence, trends

    project = load(source)
    result = evaluate(project)
    rows = trends(result, node, method=method, since=since, until=until)
    try:
        closer = convergence(result, node, since=since, until=until)
    except BadOption as e:  # too few units or periods
        closer, why = None, e.text
    else:
        why = Text("", "")
    if as_json:
        from biaochi.reports.document import trends_document

        print_json(trends_document(project, rows, closer, method, lang))
        return
    from biaochi.reports.terminal_time import print_trends

    print_trends(project, result, rows, closer, why, method, lang)


def chain_projects(sources: tuple[str, ...], node: str | None, rule: str, at: str | None, base: str | None, as_json: bool, lang: Lang) -> None:
    """``biaochi chain``."""
    from biaochi.chained import chain
    from biaochi.files.project import load
    from biaochi.run import evaluate

    projects = [named(s, partial(load, s)) for s in sources]
    made = chain([named(s, partial(evaluate, p)) for s, p in zip(sources, projects, strict=True)], node, rule=rule, at=at, base=base)
    if as_json:
        from biaochi.reports.document import chain_document

        print_json(chain_document(projects, made, lang))
        return
    from biaochi.reports.terminal_time import print_chain

    print_chain(projects, made, lang)
