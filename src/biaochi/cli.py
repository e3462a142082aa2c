"""The command line: one library call a command, Chinese and English."""

from __future__ import annotations

import locale
import os
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import NoReturn

import click

from biaochi import __version__
from biaochi.cli_diagnose import Asked as Diagnose
from biaochi.cli_diagnose import diagnose_project, doubts_project
from biaochi.cli_words import in_chinese, usage_message
from biaochi.cli_work import (
    BAD_INPUT,
    FINE,
    WRONG_USAGE,
    audit_project,
    chain_projects,
    check_project,
    compare_projects,
    print_json,
    refused,
    run_project,
    tell_made,
    trends_project,
)
from biaochi.errors import BadInput, BiaochiError, Lang, Place, Problem, Text, UnknownName


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
        refused(e.problems, lang)
    except UnknownName as e:  # a unit, period, method or example named on the command line
        click.echo(e.text.to(lang), err=True)
        return WRONG_USAGE
    except BiaochiError as e:
        refused((Problem("refused", e.text, Text("", "")),), lang)
    except OSError as e:
        what = Text(f"cannot be read or written: {e.strerror}.", f"无法读写：{e.strerror}。")
        refused((Problem("os-error", what, Text("Check the name and your rights.", "请检查名称和权限。"), Place(str(e.filename or ""))),), lang)
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
@click.option("--everything", is_flag=True, help="Also write the audit page, and every table of the run to NAME-everything.xlsx.")
@click.option("--top", type=click.IntRange(1), default=60, metavar="N", help="Rows of the ranking to show, 60 by default.")
@click.option("--no-robustness", is_flag=True, help="Leave out the intervals of ranks under what-ifs.")
@json_option
@lang_option
@click.pass_obj
def run(
    lang: Lang, project: str, period: str | None, out: Path | None, no_files: bool, everything: bool, top: int, no_robustness: bool, as_json: bool
) -> None:  # fmt: skip
    """Compute scores and ranks with their intervals; write a workbook and an HTML report."""
    run_project(project, period, out, no_files, everything, top, not no_robustness, as_json, lang)


cli.add_command(run, "evaluate")


@cli.command()
@click.argument("project", metavar="PROJECT")
@json_option
@lang_option
@click.pass_obj
def check(lang: Lang, project: str, as_json: bool) -> int:
    """List every problem of a project, with file, row, column and fix."""
    return check_project(project, as_json, lang)


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
        print_json({"notice": notice or None, **told.to_dict(lang)})
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
    audit_project(project, period, out, no_files, as_json, lang)


@cli.command()
@click.argument("project", metavar="PROJECT")
@click.option("--replicates", type=click.IntRange(1), metavar="N", help="What-ifs to make, 10,000 by default; with --stop-at, at most.")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="The same seed gives the same bits, 1 by default.")
@click.option("--stop-at", "until", type=float, metavar="RANKS", help="Stop once the error of every mean rank is this small, such as 0.1.")
@click.option("--of", "nodes", multiple=True, metavar="NODE", help="A node to rank, the index by default; may be given several times.")
@period_option
@click.option("--samples", type=click.IntRange(0), default=1024, metavar="N", help="Base samples of the sensitivity study, 1,024 by default; 0 for none.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Threads or processes, one a processor by default.")
@click.option("--processes", is_flag=True, help="Processes instead of threads.")
@click.option("--cluster", metavar="ADDRESS", help="An existing cluster: dask://HOST:PORT or ray://HOST:PORT.")
@click.option("--fresh", is_flag=True, help="Start anew where an interrupted study could go on.")
@out_option
@no_files_option
@json_option
@lang_option
@click.pass_obj
def robustness(
    lang: Lang, project: str, replicates: int | None, seed: int | None, until: float | None, nodes: tuple[str, ...], period: str | None, samples: int,
    workers: int | None, processes: bool, cluster: str | None, fresh: bool, out: Path | None, no_files: bool, as_json: bool,
) -> int | None:  # fmt: skip
    """Rank again under thousands of what-ifs: intervals, ties, what moves the ranks."""
    from biaochi.cli_study import Asked, study_project

    return study_project(Asked(project, replicates, seed, until, nodes, period, samples, workers, processes, cluster, fresh, out, no_files, as_json), lang)


@cli.command()
@click.argument("project", metavar="PROJECT")
@click.option("--unit", "units", multiple=True, metavar="U", help="A unit to tell everything of, by its code; may be given several times. All by default.")
@click.option("--against", default="best", metavar="REFERENCE", help="best, leader, mean, median, target, past, a unit or a period; best by default.")
@click.option("--peers", metavar="PEERS", help="A grouping, or units with commas between: whom units are compared with. All by default.")
@period_option
@out_option
@no_files_option
@json_option
@lang_option
@click.pass_obj
def diagnose(
    lang: Lang, project: str, units: tuple[str, ...], against: str, peers: str | None, period: str | None, out: Path | None, no_files: bool, as_json: bool
) -> None:
    """Diagnose units: shortfalls, weak points, openings, levers and history."""
    diagnose_project(Diagnose(project, units, against, peers, period, out, no_files, as_json), lang)


@cli.command()
@click.argument("project", metavar="PROJECT")
@click.option("--total", "totals", multiple=True, metavar="T=A+B", help="A series that is the sum of others; may be given several times.")
@click.option("--group", metavar="GROUPING", help="Units of one group are neighbours.")
@period_option
@click.option("--top", type=click.IntRange(1), default=40, metavar="N", help="Doubts to show, 40 by default.")
@json_option
@lang_option
@click.pass_obj
def doubts(lang: Lang, project: str, totals: tuple[str, ...], group: str | None, period: str | None, top: int, as_json: bool) -> None:
    """Figures worth a phone call: sums, copies, round numbers, digits, bunching, jumps."""
    doubts_project(project, totals, group, period, top, as_json, lang)


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
    compare_projects(first, second, node, periods, top, as_json, lang)


@cli.command()
@click.argument("project", metavar="PROJECT")
@click.option("--node", metavar="NODE", help="The node looked at; the index by default.")
@click.option("--method", default="linear", metavar="METHOD", help="cagr, change, linear, exponential or theil_sen; linear by default.")
@click.option("--since", metavar="PERIOD", help="First period looked at.")
@click.option("--until", metavar="PERIOD", help="Last period looked at.")
@json_option
@lang_option
@click.pass_obj
def trends(lang: Lang, project: str, node: str | None, method: str, since: str | None, until: str | None, as_json: bool) -> None:
    """Trend of every unit with its interval, and whether units draw closer."""
    trends_project(project, node, method, since, until, as_json, lang)


@cli.command()
@click.argument("projects", metavar="OLDEST ... NEWEST", nargs=-1, required=True)
@click.option("--node", metavar="NODE", help="A node all editions have; each one's index by default.")
@click.option("--rule", default="ratio", metavar="RULE", help="ratio, difference or common; ratio by default.")
@click.option("--at", metavar="PERIOD", help="The link period; the first that two editions share by default.")
@click.option("--base", metavar="PERIOD", help="A period in which every unit is brought to 100.")
@json_option
@lang_option
@click.pass_obj
def chain(lang: Lang, projects: tuple[str, ...], node: str | None, rule: str, at: str | None, base: str | None, as_json: bool) -> None:
    """Link editions whose frameworks differ into one series by a stated rule."""
    chain_projects(projects, node, rule, at, base, as_json, lang)


@cli.command()
@click.argument("project", metavar="PROJECT")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--to", "form", default="csv", metavar="FORMAT", help="csv, parquet, excel, sdmx-csv, sdmx-ml, sdmx-json, json-stat or coinr; csv by default.")
@json_option
@lang_option
@click.pass_obj
def convert(lang: Lang, project: str, folder: Path, form: str, as_json: bool) -> None:
    """Write a project in another format, without loss; a COIN Tool workbook is a project too."""
    from biaochi.files.project import load
    from biaochi.files.save import save

    loaded = load(project)
    written = save(loaded, folder, form)
    tell_made(written[0] if form == "excel" else folder, [p.name for p in written], as_json, lang)


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
        print_json(document)
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
            print_json({"examples": [{"name": n, "title": t} for n, t in titles.items()]})
        else:
            click.echo("\n".join(f"{n:16}{t}" for n, t in titles.items()))
        return
    target = folder or Path(name)
    tell_made(target, copy_example(name, target), as_json, lang)


@cli.command()
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@json_option
@lang_option
@click.pass_obj
def new(lang: Lang, folder: Path, as_json: bool) -> None:
    """Make a commented project folder that runs at once."""
    from biaochi.files.template import new_project

    tell_made(folder, new_project(folder), as_json, lang)


def build(lang: Lang) -> click.Group:
    """The command tree with its help in one language; the server adds its own commands."""
    for entry in entry_points(group="biaochi.commands"):
        if entry.name not in cli.commands:
            cli.add_command(entry.load())
    return cli if lang == "en" else in_chinese(cli)
