# The one door. Everything is set up by itself in .venv; nothing but Python 3.11+, git and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check mutants bench docs serve setup wheel clean

run: setup           ## recompute DESI 2022 from its published data
	$(BIN)/biaochi run desi-2022

test: setup          ## all tests
	$(BIN)/python -m pytest -q -n auto --dist worksteal

check: setup         ## style, types, import contracts, generated pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/build.py --check

mutants: setup       ## plant faults in the kernels: the tests must catch each
	$(BIN)/python tests/mutants.py

bench: setup         ## timings, each beside a peer or a limit; appended to bench/results.jsonl
	$(BIN)/python bench/run.py

docs: setup          ## regenerate docs/reference
	$(BIN)/python docs/build.py

serve: setup         ## start the server with the demonstration on http://127.0.0.1:8000/
	$(BIN)/biaochi serve --demo

setup: $(VENV)/.done

$(VENV)/.done: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Biaochi needs Python 3.11 or newer"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e ".[all,postgres]"
	touch $@

clean:
	rm -rf $(VENV) dist build results .pytest_cache .mypy_cache .ruff_cache .hypothesis
