# Lockstep. Every target does its own set-up: on a fresh machine `make demo` or `make test` is the only command.
# PYTHON=python3.12 chooses the interpreter (3.11 or later) when .venv is made.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

export PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Passed on: make demo DEMO='--redis redis://127.0.0.1:6379/0'   make test TESTS='tests/core -x'
# make faults FAULTS='--redis --seed 8'   make test-engines ENGINES=postgresql
DEMO ?=
TESTS ?=
BENCH ?=
FAULTS ?=
# Many tests wait for other processes: more of them at once than there are cores.
JOBS ?= 4
ENGINES ?= postgresql,cluster,sentinel

.PHONY: help setup demo test test-engines test-failover faults fuzz bench bench-quick bench-peers check format constraints clean

help:  ## Say what each target does
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1|\2/' | column -t -s '|' 2>/dev/null \
	  || grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST)

setup: .venv/.ready-to-work  ## Make .venv with everything for work on Lockstep, pinned by constraints.txt

demo: .venv/.ready-to-run  ## Start the centre and three demo sites, ready to click (needs only Python)
	@exec $(BIN)/sso demo $(DEMO)

test: .venv/.ready-to-work  ## Run the tests; as root, install redis-server, Node, npm, Chromium and a Chinese font first if missing
	@scripts/system-parts
	@scripts/foreign-packages
	@# Hundreds of processes are started: where PYTHONDONTWRITEBYTECODE is set, each would compile all modules.
	-@$(BIN)/python -m compileall -q sso_server sso_client demo_apps
	@$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal $(TESTS)

test-engines: .venv/.ready-to-work  ## The contract suite on PostgreSQL, Redis Cluster and Sentinel, and what else needs these
	@scripts/system-parts engines
	@$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal -m 'engines and not failover' --engines $(ENGINES) $(TESTS)

test-failover: .venv/.ready-to-work  ## Several nodes behind nginx; servers that die, hang, are cut off and come back
	@scripts/system-parts engines
	@$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal -m failover $(TESTS)

faults: .venv/.ready-to-work  ## Kill, cut and hang everything while 1,000 people sign out, and count (docs/faults.md)
	@exec $(BIN)/python -m tests.faults $(FAULTS)

fuzz: .venv/.ready-to-work  ## Ask every endpoint 100,000 times what nobody should ask (tests/fuzz)
	@FUZZ_REQUESTS=$${FUZZ_REQUESTS:-100000} $(BIN)/pytest --numprocesses 2 --dist worksteal -m "engines or not engines" tests/fuzz

bench: .venv/.ready-to-work  ## Measure what everything costs, next to bare Flask, and renew docs/performance.md
	@exec $(BIN)/python -m benchmarks $(BENCH)

bench-quick: .venv/.ready-to-work  ## Three minutes: fail unless each request costs what docs/performance.md says
	@exec $(BIN)/python -m benchmarks.quick

bench-peers: .venv/.ready-to-work  ## All of bench, and other people's servers in the same rounds, installed by name first; an hour
	@scripts/bench-peers
	@exec $(BIN)/python -m benchmarks $(BENCH) --peers all

check: .venv/.ready-to-work  ## Check style, formatting, types and who imports whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

format: .venv/.ready-to-work  ## Mend style and formatting
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

constraints: .venv/.ready-to-work  ## Renew constraints.txt with the newest versions (then: make check test)
	@scripts/renew-constraints

clean:  ## Remove .venv and every cache (data in lockstep-data/ stays)
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis tests/artifacts tests/foreign/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make the second time quick. Only a whole set-up leaves one.
.venv/.ready-to-run: pyproject.toml constraints.txt scripts/make-venv
	@scripts/make-venv
	$(PIP) install --quiet --constraint constraints.txt hatchling editables
	$(PIP) install --quiet --constraint constraints.txt --no-build-isolation --editable '.[server,redis]'
	@touch $@

.venv/.ready-to-work: .venv/.ready-to-run
	$(PIP) install --quiet --constraint constraints.txt --no-build-isolation --editable '.[server,redis,postgres,granian,starlette,django,cas]'
	$(PIP) install --quiet --constraint constraints.txt --group test --group check --group build
	@touch $@
