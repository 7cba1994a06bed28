# Everything is set up by the targets themselves; a machine needs Python 3.11 or newer and make.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

# The interpreter that .venv is made with: PYTHON=/path/to/python overrides the search.
CANDIDATES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
SCHEDULES ?= 2000
ARGS ?=
# What `make package` packs, and for which machine: arm64 (Lambda) or host (this one).
ARCH ?= arm64
CATALOG ?= millrace.core.catalogs.retail:catalog

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check --no-input
DEMO := .millrace-demo

# ---------------------------------------------------------------------------------------------------------- for people
.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

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
test: $(VENV)/dev $(VENV)/editable $(VENV)/npm $(VENV)/chromium ## the test-suite (ARGS="-k redrive" narrows it)
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

.PHONY: coverage
coverage: ## the test-suite again, with the branches that it reaches; takes half as long again
	@$(MAKE) --no-print-directory test ARGS="--cov --cov-report=term $(ARGS)"

.PHONY: lint
lint: $(VENV)/dev $(VENV)/editable ## ruff, mypy and the layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@# mypy reads the package through the editable install; name the files as their author knows them.
	@found=$$($(BIN)/mypy -p millrace -p tests 2>&1); status=$$?; \
	printf '%s\n' "$$found" | sed 's|^build/__editable__[^/]*/millrace/|src/|'; exit $$status
	@$(BIN)/mypy deploy/package.py plugin
	@$(BIN)/lint-imports --no-logo

.PHONY: lint-deploy
lint-deploy: $(VENV)/dev $(VENV)/editable $(VENV)/npm $(VENV)/sam/done $(VENV)/checkov/done ## the template and the state machine, by sam, checkov and asl-validator
	@MILLRACE_SAM=$(CURDIR)/$(VENV)/sam/bin/sam MILLRACE_CHECKOV=$(CURDIR)/$(VENV)/checkov/bin/checkov \
	  $(BIN)/python -m pytest -q tests/deploy/test_checkers.py tests/deploy/test_state_machine.py $(ARGS)

.PHONY: docs
docs: $(VENV)/dev $(VENV)/editable ## the guide, into build/docs; a warning is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo 'Open build/docs/index.html; with search: $(BIN)/python -m http.server --directory build/docs'

.PHONY: tutorial
tutorial: $(VENV)/dev $(VENV)/editable ## the tutorial to the letter, as on a machine that has only Python
	@FRESH_MACHINE=yes $(BIN)/python -m pytest -q tests/docs/test_fresh_machine.py $(ARGS)

.PHONY: screenshots
screenshots: $(VENV)/dev $(VENV)/editable ## the guide's pictures, taken anew of the console (needs chromium)
	@SCREENSHOTS=write $(BIN)/python -m pytest -q tests/docs/test_screenshots.py $(ARGS)

.PHONY: package
package: $(VENV)/dev $(VENV)/editable ## what `sam deploy` ships (ARCH=arm64 or host, CATALOG=module:attribute or a file)
	@$(BIN)/python deploy/package.py --arch $(ARCH) --catalog '$(CATALOG)' $(ARGS)

.PHONY: bench
bench: $(VENV)/dev $(VENV)/editable ## the benchmarks
	@$(BIN)/python -m tests.benchmarks $(ARGS)

.PHONY: soak
soak: $(VENV)/dev $(VENV)/editable ## simulated schedules with faults (SCHEDULES=2000)
	@$(BIN)/python -m tests.simulation $(SCHEDULES) $(ARGS)

.PHONY: pins
pins: $(VENV)/dev ## resolve requirements/*.txt again, to the newest versions that pyproject.toml allows
	@# From within requirements/, so that the comments in the files name no path of this machine.
	@cd requirements && export UV_SYSTEM_CERTS=true && pin='../$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header' && \
	$$pin --all-extras --group ../pyproject.toml:dev ../pyproject.toml --output-file dev.txt && \
	$$pin --constraints dev.txt ../pyproject.toml --output-file runtime.txt && \
	$$pin --constraints dev.txt lambda.in --output-file lambda.txt && \
	$$pin sam.in --output-file sam.txt && $$pin checkov.in --output-file checkov.txt

.PHONY: clean
clean: ## remove what the other targets made
	@rm -rf $(VENV) $(DEMO) build dist *.egg-info .coverage .coverage.* htmlcov \
	  tests/aws/npm/node_modules .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
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

# Tools that want other versions of what the tests use live in environments of their own.
$(VENV)/%/done: requirements/%.txt $(VENV)/dev
	@echo 'Installing $*' >&2
	@$(BIN)/python -m venv --clear $(VENV)/$* && $(VENV)/$*/bin/python -m pip --quiet --quiet \
	  --disable-pip-version-check --no-input install -r $<
	@touch $@

# Without node, or where npm cannot install, the tests that need it are skipped, and say so. Node trusts its own list of
# authorities only, unless it is told what the system trusts.
$(VENV)/npm: tests/aws/npm/package-lock.json $(VENV)/place
	@if ! command -v npm >/dev/null; then touch $@; exit; fi; \
	echo 'Installing what the tests need of npm' >&2; \
	export NODE_EXTRA_CA_CERTS="$${NODE_EXTRA_CA_CERTS:-$(wildcard /etc/ssl/certs/ca-certificates.crt)}"; \
	if npm ci --prefix tests/aws/npm --no-audit --no-fund --loglevel=error >&2; then touch $@; \
	else echo 'npm could not: the tests that need it are skipped' >&2; fi

# The console is tested in Debian's chromium. Who may not install it gets the tests skipped, and is told so.
$(VENV)/chromium: $(VENV)/place
	@if command -v chromium >/dev/null; then touch $@; exit; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo 'Installing chromium, which the tests of the console need' >&2; export DEBIAN_FRONTEND=noninteractive; \
	  if apt-get -qq update >&2 && apt-get -qq install --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	  then touch $@; exit; fi; \
	fi; \
	echo 'There is no chromium here (Debian: apt-get install chromium): the tests of the console are skipped' >&2

# In its strict mode the editable install links file by file, so it is made again when a file comes or goes.
FILES := $(sort $(shell find src plugin -name '*.py' -o -name py.typed -o -path 'src/entrypoints/console/*'))
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
