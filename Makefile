# SPDX-License-Identifier: BSD-3-Clause
# Thin: every target is a script of its own in scripts/.

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## .venv with the package, and the engine built
	@scripts/setup

demo: ## a small scientific workflow; writes equation_of_state.png
	@scripts/demo

test: ## all tests: Swift, Python, examples, the wheel
	@scripts/test

check: ## format, lint, types, arrows between rooms, file sizes
	@scripts/check

format: ## format all sources in place
	@scripts/format

bench: ## race against peers; prints ratios beside the goals
	@scripts/bench

clean: ## remove everything that was built
	rm -rf .build .venv .venv-bench .venv-openmpi dist python/swiftlet/_bin equation_of_state.png
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
