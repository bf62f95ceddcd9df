# A fresh machine needs make and Python 3.11 or later; everything else is installed into .venv, once.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo-out

# with it each process would compile every module anew, and the tests start many
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test quick test-slow lint bench headline gateway-demo provenance-demo test-litellm clean
.DEFAULT_GOAL := help

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## plant campaigns in 300,000 exchanges, find them, and say what was found, missed and wrongly accused
	$(BIN)/stillwatch-lab demo --out $(OUT)

test: $(VENV)/.dev ## every check, and every test that takes less than some ten seconds
	@$(MAKE) --no-print-directory -j2 lint quick

quick: $(VENV)/.dev
	$(BIN)/python -m tests.kernels
	$(BIN)/python -m pytest -n 3 --dist loadgroup -m "not slow"

test-slow: $(VENV)/.dev ## the other tests: kills, clusters, fuzzing, whole logs in windows
	$(BIN)/python -m pytest -n 3 --dist loadgroup -m slow

lint: $(VENV)/.dev ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev ## produce every figure that the documentation quotes
	@set -e; for each in benchmarks/[!_]*.py; do echo "== $$each"; $(BIN)/python $$each; done

headline: $(VENV)/.dev ## February 2026 at full scale: composed, detected, scored, beside a floor (half an hour, 12 GiB, 20 GB of disk)
	$(BIN)/stillwatch-lab results --part headline --date $$(date +%F)

gateway-demo: $(VENV)/.gateway ## a gateway before a mock model API, an attack, innocent clients, and what becomes of each
	$(BIN)/stillwatch-lab gateway-demo --out gateway-$(OUT)

provenance-demo: $(VENV)/.watermark ## train a teacher, let a pool harvest it through the gateway, find it, test its students
	$(BIN)/stillwatch-lab provenance-demo --out provenance-$(OUT)

test-litellm: $(VENV)/.dev ## the plug for LiteLLM, in its real proxy (an environment of its own, some minutes)
	test -x .venv-litellm/bin/litellm || { "$(PYTHON)" -m venv .venv-litellm \
		&& .venv-litellm/bin/pip install --quiet --disable-pip-version-check 'litellm[proxy]==1.106.2'; }
	$(BIN)/python -m pytest tests/apps/gateway/plugs -k litellm

clean: ## remove the environment and everything made
	rm -rf $(VENV) .venv-litellm $(OUT) gateway-$(OUT) provenance-$(OUT) build dist benchmarks/out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "error: no python3 found; install Python 3.11 or later" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: $(PYTHON) is older than 3.11; say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

# the stamps are older than pyproject.toml as soon as that changes, so a changed dependency is installed
$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	@echo "installing stillwatch into $(VENV), once"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.gateway: pyproject.toml | $(VENV)/bin/python
	@echo "installing stillwatch and its gateway into $(VENV), once"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[gateway,demo]'
	@touch $@ $(VENV)/.demo

$(VENV)/.watermark: pyproject.toml | $(VENV)/bin/python
	@echo "installing stillwatch and what trains models into $(VENV), once"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[watermark,gateway]'
	@touch $@ $(VENV)/.demo

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "installing stillwatch and its development tools into $(VENV), once"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.demo $(VENV)/.gateway
