"""Triggers that refuse to change or remove rows of a table, for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def statements(vendor: str, table: str) -> list[str]:
    """The statements that make a table insert-only."""
    if vendor == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        f"CREATE OR REPLACE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_refuse()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()",
    ]


def append_only(table: str) -> Callable[[Any, Any], None]:
    """For a migration: make the table insert-only."""

    def run(apps: Any, schema_editor: Any) -> None:
        for statement in statements(schema_editor.connection.vendor, table):
            schema_editor.execute(statement)

    return run
