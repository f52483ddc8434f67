# Thin on purpose: each recipe calls one script or one tool. Everything runs in .venv, which is made
# on first use. make PYTHON=/path/to/python chooses the interpreter.

PY := .venv/bin/python

# A part that is missing on this machine (browser, Python 2.7 for Autobahn) is a skip for a person and
# a failure in CI. tests/ and conformance/ read this variable.
ifeq ($(CI),true)
export WS4PY_REQUIRE_ALL ?= 1
endif

.DEFAULT_GOAL := help
# The checks share .venv and one data file of coverage, and two cores are soon full.
.NOTPARALLEL:
.PHONY: help demo test bench dev browser strace lint types imports shape architecture mirror coverage \
	conformance conformance-quick fuzz fuzz-quick sanitize pythons clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

demo: ## set up and serve the demo at http://127.0.0.1:9000/
	@tools/setup_env.sh runtime
	$(PY) examples/demo/app.py

test: lint types imports shape architecture coverage mirror ## set up and run every check and test

dev:
	@tools/setup_env.sh dev

browser:
	@tools/setup_browser.sh

strace:
	@tools/setup_strace.sh

lint: dev ## style and common mistakes (ruff)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: dev ## static types (mypy, strict)
	$(PY) -m mypy

imports: dev ## the layers of ARCHITECTURE.md (import-linter)
	$(PY) .venv/bin/lint-imports --no-logo --no-cache

shape: dev ## length of functions and modules, depth of nesting
	$(PY) tools/check_shape.py

architecture: dev ## ARCHITECTURE.md's tree against the real one
	$(PY) tools/check_architecture.py

coverage: dev browser strace ## the tests with branch coverage
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest --numprocesses=auto --dist=loadfile
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

mirror: dev ## every core module fully covered by its own test file
	$(PY) tools/check_mirror.py

conformance: dev ## the whole Autobahn|Testsuite
	$(PY) conformance/run.py

conformance-quick: dev ## the part of it that CI runs
	$(PY) conformance/run.py --quick

fuzz: dev ## random inputs, orders and kernels, 2 minutes (SECONDS=… TARGET=…)
	$(PY) fuzz/run.py $(if $(SECONDS),--seconds $(SECONDS)) $(TARGET)

fuzz-quick: dev ## the part of it that CI runs
	$(PY) fuzz/run.py --quick $(TARGET)

sanitize: dev ## the compiled modules with ASan and UBSan
	$(PY) -m fuzz.sanitize

bench: dev ## ws4py beside C and its peers (SCENARIO=… PEER=…)
	$(PY) benchmarks/run.py $(if $(SCENARIO),--scenario "$(SCENARIO)") $(if $(PEER),--peer "$(PEER)")

chaos: dev ## attacks and faults against CherryPy and gevent (ROW=D5 SERVER=gevent)
	$(PY) chaos/run.py --output docs/chaos-table.md $(if $(ROW),--row $(ROW)) $(if $(SERVER),--server $(SERVER))

chaos-quick: dev ## the part of them that CI runs, on CherryPy
	$(PY) chaos/run.py --quick --server $(or $(SERVER),cherrypy)

soak: dev ## good and abusive clients for a long time (MINUTES=30 SERVER=cherrypy)
	$(PY) chaos/run.py --soak $(or $(MINUTES),30) --server $(or $(SERVER),cherrypy)

pythons: browser strace ## the tests under every CPython found
	@tools/run_pythons.sh

clean: ## remove environments, caches and reports
	rm -rf .venv .venvs .cache conformance/reports build dist htmlcov .coverage .coverage.* src/*.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
