# Two commands on a fresh machine: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= build
PERSONS ?= 10000000
SEED ?= 1
THREADS ?= 2
export EPI_THREADS ?= $(THREADS)
# Open French data, when they are there; the demo and the tests need none.
ifneq ($(wildcard ../shared/data/manifest.csv),)
export EPI_OPEN_DATA ?= $(abspath ../shared/data)
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types contract docs-check validate pages notebooks lab bench lock fixtures clean

help: ## Say what each command does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

$(BIN)/.ready: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.12"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

setup: $(BIN)/.ready ## Make the virtual environment from the lock file

demo: setup ## Build the synthetic France, run the studies, open onto the reviewers' site
	@$(BIN)/python scripts/demo.py --out $(OUT) --persons $(PERSONS) --seed $(SEED)

test: setup ## Run the tests
	@$(BIN)/pytest -n $(THREADS) --dist worksteal

check: lint types contract docs-check ## Lint, types, docstrings, import contract, notebooks, generated pages

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup
	@$(BIN)/mypy

contract: setup
	@$(BIN)/lint-imports --no-cache

docs-check: setup
	@$(BIN)/python scripts/check_docstrings.py
	@$(BIN)/python scripts/check_notebooks.py
	@$(BIN)/python scripts/write_data_dictionary.py --check
	@$(BIN)/python scripts/write_protocol_schema.py --check
	@$(BIN)/python scripts/write_open_data_page.py --check

validate: setup ## Run the long proofs and write docs/validation.md
	@$(BIN)/python scripts/validate.py

notebooks: setup ## Execute every tutorial notebook on the demo workspace
	@$(BIN)/python scripts/run_notebooks.py --workspace $(OUT)/workspace --out $(OUT)/notebooks

pages: setup ## Open the built site in headless Chromium, network off
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[pages]'
	@EPI_SITE=$(abspath $(OUT)/site) $(BIN)/pytest tests/pages

lab: setup ## Open JupyterLab on the notebooks, with the demo workspace
	@EPI_WORKSPACE=$(abspath $(OUT)/workspace) $(BIN)/jupyter lab --ip 127.0.0.1 --notebook-dir notebooks

bench: setup ## Measure against named peers, with peak memory
	@for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

lock: ## Resolve the dependencies anew into requirements.lock
	@$(BIN)/uv pip compile --quiet --no-header --no-annotate --extra dev pyproject.toml -o requirements.lock

fixtures: ## Recompute the reference numbers (needs R)
	@for script in tests/oracle/*.R; do Rscript $$script || exit 1; done

clean: ## Remove what the demo built
	rm -rf $(OUT)
