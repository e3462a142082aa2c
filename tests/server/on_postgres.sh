#!/usr/bin/env bash
# Runs a command with BIAOCHI_DATABASE pointing at a PostgreSQL of its own, which is gone afterwards.
set -euo pipefail
if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
  apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql >/dev/null
fi
bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb | tail -1)")
place=$(mktemp -d /tmp/biaochi-pg.XXXXXX)
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
[ "$(id -u)" = 0 ] && chown postgres "$place"
trap 'as "$bin/pg_ctl" -D "$place/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$place"' EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cd /tmp
as "$bin/initdb" -D "$place/data" -U biaochi -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
as "$bin/pg_ctl" -D "$place/data" -w -l "$place/log" -o "-p $port -h 127.0.0.1 -k $place -c max_connections=200" start >/dev/null
as "$bin/createdb" -h 127.0.0.1 -p "$port" -U biaochi biaochi
cd - >/dev/null
export BIAOCHI_DATABASE="postgresql://biaochi@127.0.0.1:$port/biaochi"
"$@"
