"""The command line: one library call a command, Chinese and English."""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from biaochi import __version__
from biaochi.cli_words import in_chinese, usage_message
from biaochi.errors import BadInput, BiaochiError, Lang, Place, Problem, Text, UnknownName

FINE, BAD_INPUT, WRONG_USAGE = 0, 1, 2


def language(argv: list[str]) -> Lang:
    """The language asked for by ``--lang``, else the locale's."""
    for i, a in enumerate(argv):
        value = a.split("=", 1)[1] if a.startswith("--lang=") else argv[i + 1] if a == "--lang" and i + 1 < len(argv) else ""
        if value in ("zh", "en"):
            return "zh" if value == "zh" else "en"
    said = next((v for k in ("LC_ALL", "LC_MESSAGES", "LANG") if (v := os.environ.get(k))), "") or (locale.getlocale()[0] or "")
    return "zh" if said.lower().startswith(("zh", "chinese")) else "en"


def main() -> NoReturn:
    """Entry point of the ``biaochi`` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")
    lang = language(sys.argv[1:])
    sys.exit(_exit_code(lang))


def _exit_code(lang: Lang) -> int:
    """Run the command; say what went wrong, if anything did."""
    try:
        code = build(lang).main(prog_name="biaochi", standalone_mode=False, obj=lang)
    except click.UsageError as e:
        click.echo(usage_message(e, lang), err=True)
        return WRONG_USAGE
    except click.Abort:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return FINE
    except BadInput as e:
        _refused(e.problems, lang)
    except UnknownName as e:  # a unit, period, method or example named on the command line
        click.echo(e.text.to(lang), err=True)
        return WRONG_USAGE
    except BiaochiError as e:
        _refused((Problem("refused", e.text, Text("", "")),), lang)
    except OSError as e:
        what = Text(f"cannot be read or written: {e.strerror}.", f"无法读写：{e.strerror}。")
        _refused((Problem("os-error", what, Text("Check the name and your rights.", "请检查名称和权限。"), Place(str(e.filename or ""))),), lang)
    else:
        return code if isinstance(code, int) else FINE
    return BAD_INPUT


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON (see docs/reference/json.md).")
period_option = click.option("--period", metavar="PERIOD", help="The period to show, the last one by default; --json has all.")
out_option = click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="Folder for the files; ./results/NAME by default.")
no_files_option = click.option("--no-files", is_flag=True, help="Write no files.")
lang_option = click.option("--lang", type=click.Choice(["zh", "en"]), expose_value=False, help="Language of the output; the locale's by default.")


@click.group(epilog="PROJECT is a folder with biaochi.toml, a workbook (.xlsx), or the name of an example.")
@click.version_option(__version__, prog_name="biaochi")
@lang_option
def cli() -> None:
    """Composite indices from an indicator tree and a panel of data."""


@cli.command()
@click.argument("project", metavar="PROJECT")
@period_option
@out_option
@no_files_option
@click.option("--everything", is_flag=True, help="Also write every table of the run to NAME-everything.xlsx.")
@click.option("--top", type=click.IntRange(1), default=60, metavar="N", help="Rows of the ranking to show, 60 by default.")
@json_option
@lang_option
@click.pass_obj
def run(lang: Lang, project: str, period: str | None, out: Path | None, no_files: bool, everything: bool, top: int, as_json: bool) -> None:
    """Compute scores and ranks; write a workbook and an HTML report."""
    _run(project, period, out, no_files, everything, top, as_json, lang)


cli.add_command(run, "evaluate")


@cli.command()
@click.argument("project", metavar="PROJECT")
@json_option
@lang_option
@click.pass_obj
def check(lang: Lang, project: str, as_json: bool) -> int:
    """List every problem of a project, with file, row, column and fix."""
    return _check(project, as_json, lang)


@cli.command()
@click.argument("project", metavar="PROJECT")
@click.argument("unit", metavar="UNIT")
@click.argument("node", metavar="[NODE]", required=False)
@period_option
@json_option
@lang_option
@click.pass_obj
def explain(lang: Lang, project: str, unit: str, node: str | None, period: str | None, as_json: bool) -> None:
    """Show every number from raw value to score of one unit."""
    from biaochi.files.project import load
    from biaochi.run import evaluate

    loaded = load(project)
    told = evaluate(loaded).explain(unit, node, period)
    notice = loaded.notice.to(lang)
    if as_json:
        _print_json({"notice": notice or None, **told.to_dict(lang)})
    else:
        click.echo("\n".join([*([notice] if notice else []), *told.lines(lang)]))


@cli.command()
@click.argument("project", metavar="PROJECT")
@period_option
@out_option
@no_files_option
@json_option
@lang_option
@click.pass_obj
def audit(lang: Lang, project: str, period: str | None, out: Path | None, no_files: bool, as_json: bool) -> None:
    """Audit statistics and coherence: every figure beside its threshold and source."""
    _audit(project, period, out, no_files, as_json, lang)


@cli.command()
@click.argument("first", metavar="FIRST")
@click.argument("second", metavar="SECOND")
@click.option("--node", metavar="NODE", help="The node compared; the index by default.")
@click.option("--periods", metavar="A,B", help="A period of each, such as 2021,2022; the last ones by default.")
@click.option("--top", type=click.IntRange(1), default=20, metavar="N", help="Units to show, those that moved most; 20 by default.")
@json_option
@lang_option
@click.pass_obj
def compare(lang: Lang, first: str, second: str, node: str | None, periods: str | None, top: int, as_json: bool) -> None:
    """Compare two projects: shifts, and which choice made which difference."""
    _compare(first, second, node, periods, top, as_json, lang)


@cli.command()
@click.argument("project", metavar="PROJECT")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--to", "form", default="csv", metavar="FORMAT", help="csv, parquet, excel, sdmx-csv, sdmx-ml, sdmx-json or json-stat; csv by default.")
@json_option
@lang_option
@click.pass_obj
def convert(lang: Lang, project: str, folder: Path, form: str, as_json: bool) -> None:
    """Write a project in another format, without loss; a COIN Tool workbook is a project too."""
    from biaochi.files.project import load
    from biaochi.files.save import save

    loaded = load(project)
    written = save(loaded, folder, form)
    _tell_made(written[0] if form == "excel" else folder, [p.name for p in written], as_json, lang)


@cli.command()
@click.argument("name", metavar="[NAME]", required=False)
@json_option
@lang_option
@click.pass_obj
def methods(lang: Lang, name: str | None, as_json: bool) -> None:
    """List the methods of each step, or the options of one method."""
    from biaochi.reports.document import methods_document

    document = methods_document(name, lang)
    if as_json:
        _print_json(document)
        return
    from biaochi.reports.terminal import print_methods

    print_methods(document, lang)


@cli.command()
@click.argument("name", metavar="[NAME]", required=False)
@click.argument("folder", metavar="[FOLDER]", required=False, type=click.Path(path_type=Path))
@json_option
@lang_option
@click.pass_obj
def example(lang: Lang, name: str | None, folder: Path | None, as_json: bool) -> None:
    """List the shipped examples, or copy one to a folder."""
    from biaochi.files.template import copy_example, example_titles

    if name is None:
        titles = {n: t.to(lang) for n, t in example_titles().items()}
        if as_json:
            _print_json({"examples": [{"name": n, "title": t} for n, t in titles.items()]})
        else:
            click.echo("\n".join(f"{n:16}{t}" for n, t in titles.items()))
        return
    target = folder or Path(name)
    _tell_made(target, copy_example(name, target), as_json, lang)


@cli.command()
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@json_option
@lang_option
@click.pass_obj
def new(lang: Lang, folder: Path, as_json: bool) -> None:
    """Make a commented project folder that runs at once."""
    from biaochi.files.template import new_project

    _tell_made(folder, new_project(folder), as_json, lang)


def build(lang: Lang) -> click.Group:
    """The command tree with its help in one language."""
    return cli if lang == "en" else in_chinese(cli)


def _run(source: str, period: str | None, out: Path | None, no_files: bool, everything: bool, top: int, as_json: bool, lang: Lang) -> None:
    from biaochi.files.project import load
    from biaochi.published import compare_published
    from biaochi.run import run

    with _progress(lang, quiet=as_json) as tell:
        tell("reading", "读取数据")
        project = load(source)
        tell("computing", "计算")
        result = run(project.framework, project.panel, project.recipe)
        result.period_at(period)  # an unknown period is refused before anything is written
        agreement = compare_published(result, project.published) if project.published else None
        written: list[Path] = []
        if (out or not as_json) and not no_files:
            from biaochi.reports import write_all

            written = write_all(project, result, out or Path("results") / project.name, lang, period=period, everything=everything, tell=tell)
    if as_json:
        from biaochi.reports.document import run_document

        _print_json(run_document(project, result, agreement, written, lang))
        return
    from biaochi.reports.terminal import print_result

    print_result(project, result, agreement, written, lang, period=period, top=top)


def _audit(source: str, period: str | None, out: Path | None, no_files: bool, as_json: bool, lang: Lang) -> None:
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
        _print_json({"schema": "biaochi.audit/1", "notice": project.notice.to(lang) or None, **found.to_dict(), "files": [str(p) for p in written]})
        return
    from biaochi.reports.terminal import print_audit

    print_audit(project, found, written, lang)


def _compare(first: str, second: str, node: str | None, periods: str | None, top: int, as_json: bool, lang: Lang) -> None:
    from biaochi.compare import compare
    from biaochi.files.project import load
    from biaochi.run import evaluate

    one, two = load(first), load(second)
    asked = (periods or ",").split(",")
    if len(asked) != 2:
        raise click.UsageError(
            Text(f"--periods needs two periods, such as 2021,2022; got {periods}.", f"--periods 须为两期，如 2021,2022；得到 {periods}。").to(lang)
        )
    found = compare(evaluate(one), evaluate(two), node, periods=(asked[0].strip() or None, asked[1].strip() or None))
    if as_json:
        from biaochi.reports.document import compare_document

        _print_json(compare_document(one, two, found, lang))
        return
    from biaochi.reports.terminal import print_comparison

    print_comparison(one, two, found, top, lang)


def _check(source: str, as_json: bool, lang: Lang) -> int:
    from biaochi.run import evaluate

    problems: tuple[Problem, ...] = ()
    notices: tuple[Problem, ...] = ()
    try:
        notices = evaluate(source).notices
    except BadInput as e:
        problems = e.problems
    if as_json:
        _print_json({"ok": not problems, "problems": [p.to_dict(lang) for p in problems], "notices": [n.to_dict(lang) for n in notices]})
    elif problems:
        _show_problems(problems, lang)
    else:
        click.echo(Text("No problems.", "没有问题。").to(lang))
        for n in notices:
            click.echo("- " + n.say(lang).strip())
    return BAD_INPUT if problems else FINE


def _tell_made(folder: Path, files: list[str], as_json: bool, lang: Lang) -> None:
    if as_json:
        _print_json({"folder": str(folder), "files": files})
    else:
        click.echo(
            Text(
                f"Wrote {', '.join(files)} to {folder}.\nTry: biaochi run {folder}", f"已写入 {folder}：{'、'.join(files)}。\n试运行：biaochi run {folder}"
            ).to(lang)
        )


def _print_json(document: Any) -> None:
    import json

    click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))


def _refused(problems: tuple[Problem, ...], lang: Lang) -> None:
    """Say why nothing was done: on standard error, and with ``--json`` also as the document of ``check``."""
    if "--json" in sys.argv:
        _print_json({"ok": False, "problems": [p.to_dict(lang) for p in problems], "notices": []})
    _show_problems(problems, lang)


def _show_problems(problems: tuple[Problem, ...], lang: Lang, most: int = 100) -> None:
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
def _progress(lang: Lang, quiet: bool) -> Iterator[Callable[[str, str], None]]:
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
