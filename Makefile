# `make` alone lists the targets. Everything is installed into .venv; nothing needs root.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
DEMO := examples/petit-hemicycle
BENCH_PARTS := bench/cleared.py bench/corpus.py bench/interleaved.py bench/peers.py bench/spent.py

.DEFAULT_GOAL := help
.PHONY: help demo serve test test-all lint format docs bench clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/.installed ## Build the demo project from real sources, ask its model a question, trace the answer
	$(BIN)/hemicycle run $(DEMO)
	@echo
	$(BIN)/hemicycle trace --project $(DEMO) --answer "La séance est ouverte." --min-words 4
	@echo
	$(BIN)/hemicycle trace --project $(DEMO) "l’ordre du jour appelle la discussion du projet de loi relatif à la ressource en eau"
	@echo
	@echo "Talk to it and see its sources: $(BIN)/hemicycle serve --project $(DEMO)"

serve: $(VENV)/.installed ## Serve the demo's model with its page at http://127.0.0.1:8080
	$(BIN)/hemicycle serve --project $(DEMO)

test: $(VENV)/.installed-dev ## Run the tests (under 15 minutes on two cores)
	$(BIN)/python -m pytest -m "not slow"

test-all: $(VENV)/.installed-dev ## Run all tests, the slow ones too
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev ## Check style and types
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/mypy

format: $(VENV)/.installed-dev ## Format the code
	$(BIN)/ruff check --fix src tests bench
	$(BIN)/ruff format src tests bench

bench: $(VENV)/.installed-dev ## Run the benchmarks; each prints ratios measured in one run
	for b in $(filter-out $(BENCH_PARTS),$(wildcard bench/*.py)); do echo "== $$b"; $(BIN)/python $$b || exit 1; done

clean: ## Delete what the demo built, its ledger and its signing key too (sources are fetched again)
	rm -rf $(DEMO)/build $(DEMO)/ledger $(DEMO)/releases $(DEMO)/.hemicycle $(DEMO)/hemicycle.lock
