"""``biaochi serve`` and ``biaochi manage``: start the server and look after it."""

from __future__ import annotations

import os
import subprocess
import sys

import click

MISSING = 'The server needs more packages: pip install "biaochi[server]". 服务器需要安装附加包：pip install "biaochi[server]"。'


def ready() -> None:
    """Load Django with the server's settings, or say what is missing."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "biaochi_server.settings")
    try:
        import csp  # noqa: F401
        import django
        import gunicorn  # noqa: F401
    except ModuleNotFoundError as e:
        click.echo(f"{MISSING} ({e})", err=True)
        sys.exit(2)
    django.setup()


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def manage(arguments: tuple[str, ...]) -> None:
    """Look after the server: migrate, verify, add_administrator and Django's commands."""
    ready()
    from django.core.management import execute_from_command_line

    execute_from_command_line(["biaochi manage", *(arguments or ("help",))])


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes of four threads each; unset: as many as cores.")
@click.option("--demo", is_flag=True, help="Start from nothing with the Shanxi demonstration; passwords are printed once.")
def serve(host: str, port: int, workers: int | None, demo: bool) -> None:
    """Start the server, after bringing its database up to date."""
    if host not in ("127.0.0.1", "localhost"):
        os.environ.setdefault("BIAOCHI_HOSTS", f"{host} localhost 127.0.0.1 [::1]")
    os.environ.setdefault("BIAOCHI_ADDRESS", f"http://{host}:{port}")
    if demo:
        os.environ |= {"BIAOCHI_DEMO": "yes", "BIAOCHI_SECOND_FACTOR": "none"}
        os.environ.setdefault("BIAOCHI_DATA", "biaochi-demo")
    ready()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    call_command("check", databases=["default"], fail_level="ERROR")
    if demo:
        call_command("demo")
        sys.stdout.flush()  # the passwords, also where the output goes to a file
    connection.close()
    subprocess.Popen([sys.executable, "-m", "biaochi_server.cli", "work", "--beside", str(os.getpid())])
    many = str(workers or os.cpu_count() or 1)
    click.echo(f"http://{host}:{port}/", err=True)
    sys.argv = ["gunicorn", "biaochi_server.wsgi:application", "--bind", f"{host}:{port}", "--workers", many, "--threads", "4", "--log-level", "warning"]
    from gunicorn.app.wsgiapp import run

    run()


if __name__ == "__main__":
    manage()
