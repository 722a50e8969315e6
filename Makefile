# Mairror. `make help` lists the targets; README.md tells what you see.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
EXTRAS := processor weights sinks local gateway dashboard test lint

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'
	@echo "Installing the pinned, hash-checked packages (about 1 GB, once; 2 minutes on a fast line)"
	@$(PYTHON) -m venv $(VENV) || (echo "mend it: apt-get install python3-venv"; exit 1)
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: install
install: $(INSTALLED) ## Make the virtual environment (run and test do it by themselves)

.PHONY: run
run: $(INSTALLED) ## Start everything on this machine, Ctrl-C stops it
	@exec $(BIN)/mairror up

# What the tests drive besides our own processes: a browser, a proxy, foreign consumers.
TEST_TOOLS := chromium:chromium kcat:kcat node:nodejs npm:npm nginx:nginx-light

.PHONY: test-tools
test-tools:
	@missing=""; PATH="$$PATH:/usr/sbin"; for tool in $(TEST_TOOLS); do command -v $${tool%%:*} >/dev/null || missing="$$missing $${tool##*:}"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing for the tests:$$missing"; apt-get -qq update && apt-get -qq install -y --no-install-recommends $$missing fonts-dejavu-core >/dev/null; \
	  else \
	    echo "The tests need more: sudo apt-get install$$missing fonts-dejavu-core"; exit 1; \
	  fi; \
	fi

.PHONY: test
test: $(INSTALLED) test-tools ## Run every test, on a real broker, a real store and a real browser
	@$(BIN)/python -m tests.side_by_side

.PHONY: check
check: $(INSTALLED) ## ruff, mypy --strict, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: deploy-check
deploy-check: $(INSTALLED) ## Check docker/, compose, strimzi/ and the chart with their real tools (needs Go, once)
	@$(BIN)/python -m tests.deploy.check

.PHONY: prove
prove: $(INSTALLED) ## Run the long proofs (soaks, drills); minutes to an hour
	@$(BIN)/python -m pytest -m prove --timeout 3600

.PHONY: docs
docs: $(INSTALLED) ## Write what is made from the code: docs/, strimzi/base
	@$(BIN)/python -m contracts.documents docs
	@$(BIN)/python -m contracts.strimzi strimzi/base

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
# Which extras each image of docker/Dockerfile installs.
IMAGES := producer:sample processor:processor processor-gpu:processor,gpu sinks:sinks gateway:gateway,sinks dashboard:dashboard,sinks,sample weights:weights

.PHONY: lock
lock: $(INSTALLED) ## Resolve requirements.lock anew from pyproject.toml
	@$(COMPILE) $(addprefix --extra ,$(EXTRAS)) pyproject.toml --output-file requirements.lock
	@set -e; for image in $(IMAGES); do \
	  $(COMPILE) --constraint requirements.lock --extra $$(echo "$${image#*:}" | sed 's/,/ --extra /g') pyproject.toml \
	    --output-file docker/requirements/$${image%%:*}.lock; \
	done
	@echo setuptools | $(COMPILE) --constraint requirements.lock - --output-file docker/requirements/build.lock

.PHONY: clean
clean: ## Remove the virtual environment and build leftovers (data stays)
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
