"""The command line as a user meets it: a process, its output and its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from biaochi.cli import build
from biaochi.cli_words import CHINESE

ROOT = Path(__file__).parents[2]


def biaochi(*args: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess:
    clean = {k: v for k, v in os.environ.items() if k not in ("LC_ALL", "LC_MESSAGES", "LANG", "COLUMNS")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "biaochi", *args], capture_output=True, text=True, encoding="utf-8", cwd=cwd, env={**clean, **env}, check=False
    )


def schema(name: str) -> dict:
    """A schema as printed in docs/reference/json.md."""
    text = (ROOT / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    block = text.split(f"## {name}\n", 1)[1].split("```json\n", 1)[1].split("```", 1)[0]
    return json.loads(block)


@pytest.mark.extras
def test_run_shows_a_ranking_and_writes_both_files(tmp_path):
    done = biaochi("run", "desi-2022", "--no-files", cwd=tmp_path, LANG="en_GB.UTF-8")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
    for said in ("FI", "Finland", "69.60", "Human capital", "71.39", "162 of 162 ranks equal", "largest difference 0.000065"):
        assert said in done.stdout
    done = biaochi("run", "shanxi-cities", cwd=tmp_path)
    assert done.stderr == "", "progress is for terminals"
    files = sorted(p.name for p in (tmp_path / "results" / "shanxi-cities").iterdir())
    assert files == ["shanxi-cities.html", "shanxi-cities.xlsx"]
    for name in files:
        assert f"results/shanxi-cities/{name}" in done.stdout.replace(os.sep, "/")


def test_chinese_by_locale_and_by_option(tmp_path):
    by_locale = biaochi("run", "shanxi-cities", "--no-files", LANG="zh_CN.UTF-8")
    by_option = biaochi("--lang", "zh", "run", "shanxi-cities", "--no-files", LANG="en_US.UTF-8")
    assert by_locale.stdout == by_option.stdout
    for said in ("太原市", "得分", "并非官方标尺", "城镇化与生活"):
        assert said in by_locale.stdout
    assert "Demonstration" in biaochi("run", "shanxi-cities", "--no-files", LANG="C.UTF-8").stdout


def test_run_json_fits_its_schema_and_writes_nothing(tmp_path):
    done = biaochi("run", "desi-2022", "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    jsonschema.validate(document, schema("run"))
    assert list(tmp_path.iterdir()) == []
    finland = [r for r in document["rows"] if (r["node"], r["unit"], r["period"]) == ("DESI", "FI", "2022")]
    assert finland == [{"node": "DESI", "unit": "FI", "period": "2022", "score": pytest.approx(69.6, abs=0.01), "rank": 1}]
    assert len(document["rows"]) == 48 * 28 * 6


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("check", ["check", "asem", "--json"]),
        ("explain", ["explain", "asem", "CHN", "--json"]),
        ("audit", ["audit", "asem", "--json"]),
        ("diagnose", ["diagnose", "shanxi-cities", "--unit", "140200", "--json"]),
        ("doubts", ["doubts", "china-counties", "--group", "province", "--json"]),
        ("robustness", ["robustness", "asem", "--replicates", "300", "--samples", "16", "--json"]),
        ("compare", ["compare", "desi-2022", "desi-2022", "--periods", "2021,2022", "--json"]),
        ("trends", ["trends", "desi-2022", "--json"]),
        ("chain", ["chain", "desi-2022", "desi-2022", "--base", "2017", "--json"]),
        ("convert", ["convert", "desi-2022", "out", "--to", "sdmx-ml", "--json"]),
        ("methods", ["methods", "--json"]),
        ("example", ["example", "--json"]),
        ("new", ["new", "p", "--json"]),
    ],
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_json_fits_its_schema(tmp_path, name, args, lang):
    done = biaochi(*args, "--lang", lang, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    jsonschema.validate(json.loads(done.stdout), schema(name))


@pytest.mark.extras
def test_new_project_runs_at_once_and_examples_copy(tmp_path):
    assert biaochi("new", "p", cwd=tmp_path).returncode == 0
    assert biaochi("run", "p", cwd=tmp_path).returncode == 0
    again = biaochi("new", "p", cwd=tmp_path)
    assert (again.returncode, "not empty" in again.stderr) == (1, True)
    assert biaochi("example", "hdi", "h", cwd=tmp_path).returncode == 0
    assert "SOURCE.md" in {p.name for p in (tmp_path / "h").iterdir()}
    assert biaochi("check", "h", cwd=tmp_path).returncode == 0
    missing = biaochi("example", "hdj", cwd=tmp_path)
    assert (missing.returncode, "Did you mean 'hdi'" in missing.stderr) == (2, True)


def test_exit_codes(folder):
    assert biaochi("run").returncode == 2
    assert biaochi("run", "asem", "--perod", "2018").returncode == 2
    assert biaochi("nope").returncode == 2
    assert biaochi("run", "asem", "--top", "0").returncode == 2
    wrong_period = biaochi("run", "asem", "--period", "2019")
    assert (wrong_period.returncode, "Choose from: 2018" in wrong_period.stderr) == (2, True)
    (folder / "data.csv").write_text("unit,period,broadband\nA,2022,7%\nQ,2022,1\n")
    bad = biaochi("check", str(folder), "--json")
    assert bad.returncode == 1
    document = json.loads(bad.stdout)
    jsonschema.validate(document, schema("check"))
    assert {(p["kind"], p["file"], p["row"]) for p in document["problems"]} >= {("percent-sign", "data.csv", 2), ("unknown-unit", "data.csv", 3)}
    assert "7" in bad.stdout
    assert biaochi("check", str(folder)).stderr.count("\n- ") >= 2


def test_explain_and_methods_as_text():
    told = biaochi("explain", "hdi", "NOR", "income", "--period", "2022")
    assert "ln(gnipc)" in told.stdout
    one = biaochi("methods", "goalposts", "--lang", "zh")
    assert "固定上下限法" in one.stdout
    assert "low 必填" in one.stdout
    assert "Did you mean 'minmax'" in biaochi("methods", "minmx").stderr


def test_help_is_complete_in_both_languages():
    english = build("en")
    wanted = {"cli", "cli.epilog", "--help"} | set(english.commands) - {"evaluate"}
    for command in (english, *english.commands.values()):
        for p in command.params:
            if p.param_type_name == "option":
                wanted.add(p.opts[0])
                assert p.help
    own = {k for k in CHINESE if " -" in k}  # where one command says something else than the others
    assert {k.split()[1] for k in own} <= wanted
    assert wanted == CHINESE.keys() - own
    chinese = biaochi("--help", "--lang", "zh")
    assert "用法：" in chinese.stdout
    assert "选项" in chinese.stdout
    assert "Options" not in chinese.stdout
    assert "没有选项 --jsn" in biaochi("run", "asem", "--jsn", "--lang", "zh").stderr
    assert "缺少参数 PROJECT" in biaochi("run", "--lang", "zh").stderr
    assert "没有命令 rum" in biaochi("--lang", "zh", "rum").stderr
    assert "--top 的取值不对" in biaochi("run", "asem", "--top", "x", "--lang", "zh").stderr
    assert "需要取值" in biaochi("run", "asem", "--lang", "zh", "--top").stderr


def test_only_units_with_a_rank_are_counted_as_ranked():
    assert "2022 · 193 units ranked" in biaochi("run", "hdi", "--no-files", "--top", "3").stdout


def test_evaluate_is_run():
    assert json.loads(biaochi("evaluate", "asem", "--json").stdout) == json.loads(biaochi("run", "asem", "--json").stdout)


def test_import_loads_nothing_heavy():
    """``import biaochi`` brings in no third-party module; a run of a CSV project no frame or plotting library."""
    code = "import sys, biaochi; print(sorted({m.split('.')[0] for m in sys.modules} & {'numpy', 'click', 'rich', 'narwhals', 'pandas', 'altair'}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    code = (
        "import sys, biaochi; biaochi.evaluate('desi-2022').to_json();"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'scipy', 'rich', 'narwhals', 'pandas', 'polars', 'altair', 'xlsxwriter', 'jinja2'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_submodules_never_hide_the_functions():
    code = "import biaochi.run, biaochi.explain, biaochi; assert callable(biaochi.run) and callable(biaochi.explain); biaochi.run(*[getattr(biaochi.load('asem'), n) for n in ('framework', 'panel', 'recipe')])"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.extras
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_progress_is_shown_on_a_terminal_after_a_second(tmp_path):
    import pty

    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "biaochi", "run", "shanxi-cities", "--out", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=writer,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    os.close(writer)
    said = b""
    while True:
        try:
            chunk = os.read(reader, 4096)
        except OSError:  # the other side is closed
            break
        if not chunk:
            break
        said += chunk
    os.close(reader)
    assert process.wait() == 0
    assert b"drawing" in said
    assert said.endswith(b"\r\x1b[K")
