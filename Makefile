# Each target sets itself up first: a .venv with the wheels that requirements.lock pins, each checked by its hash. Repeat
# runs skip that. Once it is set up, nothing but `make lock` leaves the machine.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Sets $found to the first Python that is new enough and can make an environment, or ends with what to install.
define FIND_PYTHON
new=; found=; \
for python in "$(PYTHON)" python3.13 python3.12 python3.11; do \
    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
    new="$${new:-$$python}"; \
    if "$$python" -c 'import venv, ensurepip' 2>/dev/null; then found="$$python"; break; fi; \
done; \
if [ -z "$$new" ]; then \
    echo 'agentd needs Python 3.11 or newer: apt install python3.11 python3.11-venv, or make PYTHON=/path/to/one.' >&2; exit 1; \
elif [ -z "$$found" ]; then \
    echo "$$new has no venv module to make an environment with: apt install python3-venv (for python3.N: python3.N-venv)." >&2; \
    exit 1; \
fi
endef

.DEFAULT_GOAL := help
.PHONY: help demo test lint lock sweep bench soak crash clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1 \2/p' Makefile | while read -r make target what; do \
	    printf '  %s %-6s %s\n' "$$make" "$$target" "$$what"; done

demo: $(READY)  ## place three spoken calls on this machine and show them
	@$(BIN)/agentd demo

test: $(READY)  ## run the tests that take seconds
	@$(BIN)/python -m pytest -q -m "not slow and not postgres"
	@echo 'Left out: the tests marked slow, and those marked postgres, which need that server (apt install postgresql).'
	@echo '.ci/run runs them too ($(BIN)/python -m pytest -q -m "slow or postgres").'

lint: $(READY)  ## check style and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

sweep: $(READY)  ## disturb a turn at every millisecond, for each class of tool (an hour)
	@$(BIN)/python -m tests.laws.sweep

bench: $(READY)  ## measure gaps, barge-ins, overhead and memory
	@$(BIN)/python -m ops.bench

soak: $(READY)  ## place thousands of calls and watch for what grows
	@$(BIN)/python -m ops.bench soak

crash: $(READY)  ## kill daemons with live calls, 200 times, and see what becomes of their effects
	@$(BIN)/python -m tests.crash.nodes --rounds 200

lock:  ## pin what pyproject.toml asks for, in requirements.lock (asks the package index)
	@set -e; $(FIND_PYTHON); \
	tool=$$(mktemp -d); trap 'rm -rf "$$tool"' EXIT; \
	echo '→ uv, in a throw-away environment'; \
	"$$found" -m venv "$$tool"; \
	"$$tool/bin/python" -m pip install -q --disable-pip-version-check uv; \
	echo '→ requirements.lock'; \
	"$$tool/bin/uv" pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --extra local --extra postgres --extra dev --group build --no-header --no-annotate pyproject.toml -q -o requirements.lock

clean:  ## remove the environment and what was built; calls/ stays
	rm -rf $(VENV) build demo-out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find agentd flows telemetry ops tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@set -e; \
	if ! $(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    $(FIND_PYTHON); \
	    echo "→ 1/3 $(VENV), by $$("$$found" --version)"; \
	    "$$found" -m venv --clear $(VENV); \
	fi; \
	echo '→ 2/3 the wheels of requirements.lock'; \
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock; \
	echo '→ 3/3 agentd itself'; \
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps --no-index -e .; \
	touch $@; echo '→ ready'
