# Everything is set up by the targets themselves; a machine needs Python 3.11 or newer and make.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

# The interpreter that .venv is made with: PYTHON=/path/to/python overrides the search.
CANDIDATES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
SCHEDULES ?= 2000
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check --no-input
DEMO := .millrace-demo

# ---------------------------------------------------------------------------------------------------------- for people
.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: $(VENV)/runtime $(VENV)/editable ## a tour: sample events, processed, looked at and reconciled
	@rm -rf $(DEMO) && mkdir $(DEMO)
	@PATH="$(CURDIR)/$(BIN):$$PATH"; export PATH; unset MILLRACE_STORE MILLRACE_CATALOG; \
	say() { printf '\n$$ %s\n' "$$*"; "$$@"; }; \
	set -e; \
	printf '$$ millrace sample --events 2000 --seed 7 --duplicates 5 --broken 2 > $(DEMO)/sample.ndjson\n'; \
	millrace sample --events 2000 --seed 7 --duplicates 5 --broken 2 > $(DEMO)/sample.ndjson; \
	say millrace run $(DEMO)/sample.ndjson --store file:$(DEMO)/store; \
	say millrace events purchase --limit 1 --store file:$(DEMO)/store; \
	say millrace view revenue --store file:$(DEMO)/store; \
	say millrace dead-letters summary --store file:$(DEMO)/store; \
	say millrace reconcile --store file:$(DEMO)/store

.PHONY: test
test: $(VENV)/dev $(VENV)/editable ## the test-suite with branch coverage (ARGS="-k redrive" narrows it)
	@$(BIN)/python -m pytest -n 2 --cov --cov-report=term $(ARGS)

.PHONY: lint
lint: $(VENV)/dev $(VENV)/editable ## ruff, mypy and the layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@# mypy reads the package through the editable install; name the files as their author knows them.
	@found=$$($(BIN)/mypy -p millrace -p tests 2>&1); status=$$?; \
	printf '%s\n' "$$found" | sed 's|^build/__editable__[^/]*/millrace/|src/|'; exit $$status
	@$(BIN)/lint-imports --no-logo

.PHONY: bench
bench: $(VENV)/dev $(VENV)/editable ## the benchmarks
	@$(BIN)/python -m tests.benchmarks $(ARGS)

.PHONY: soak
soak: $(VENV)/dev $(VENV)/editable ## simulated schedules with faults (SCHEDULES=2000)
	@$(BIN)/python -m tests.simulation $(SCHEDULES) $(ARGS)

.PHONY: pins
pins: $(VENV)/place ## resolve requirements/*.txt again, to the newest versions that pyproject.toml allows
	@$(PIP) install uv
	@# From within requirements/, so that the comments in the files name no path of this machine.
	@cd requirements && pin='../$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header' && \
	$$pin --all-extras --group ../pyproject.toml:dev ../pyproject.toml --output-file dev.txt && \
	$$pin --constraints dev.txt ../pyproject.toml --output-file runtime.txt

.PHONY: clean
clean: ## remove what the other targets made
	@rm -rf $(VENV) $(DEMO) build dist *.egg-info .coverage .coverage.* htmlcov \
	  .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# -------------------------------------------------------------------------------------------------------------- set-up
# Each stamp in .venv says that a step was done; a second call of make does none of them again.

# An environment works only where it was made: a copy of the checkout would run the code of the original.
ifneq ($(shell $(BIN)/python -c 'print(open("$(VENV)/place").read(), end="")' 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)/place
endif
$(VENV)/place:
	@for python in $(CANDIDATES); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    printf 'Setting up %s with %s\n' '$(VENV)' "$$("$$python" --version)" >&2; \
	    "$$python" -m venv --clear $(VENV) && printf '%s' '$(CURDIR)' >$@; exit; \
	  fi; \
	done; \
	first=$(firstword $(CANDIDATES)); \
	echo "Millrace needs Python 3.11 or newer, but $$first is $$("$$first" --version 2>/dev/null || echo 'not there');" \
	  "name another with: make PYTHON=/path/to/python" >&2; \
	exit 1

# The build tool is installed too, at the version that dev.txt pins.
$(VENV)/runtime: $(VENV)/place requirements/runtime.txt
	@echo 'Installing what Millrace needs' >&2
	@$(PIP) install -r requirements/runtime.txt -c requirements/dev.txt setuptools
	@touch $@

$(VENV)/dev: $(VENV)/runtime requirements/dev.txt
	@echo 'Installing what its tests need' >&2
	@$(PIP) install -r requirements/dev.txt
	@touch $@

# In its strict mode the editable install links file by file, so it is made again when a file comes or goes.
FILES := $(sort $(shell find src -name '*.py' -o -name py.typed))
ifneq ($(shell cat $(VENV)/files 2>/dev/null),$(FILES))
.PHONY: $(VENV)/files
endif
$(VENV)/files: $(VENV)/place
	@printf '%s\n' '$(FILES)' >$@

# The links lie in build/, which people remove.
ifeq ($(wildcard build/__editable__*),)
.PHONY: $(VENV)/editable
endif
$(VENV)/editable: $(VENV)/place $(VENV)/files pyproject.toml | $(VENV)/runtime
	@$(PIP) install --no-deps --no-build-isolation --config-settings editable_mode=strict -e .
	@touch $@
