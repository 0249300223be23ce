# `make help` lists the targets; the comment after `##` is what it prints.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test test-long fuzz scan dev site release clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## builds everything and serves it with demonstration data; the second time it starts at once
	@source tools/steps.sh; steps 6; \
	step "finds the toolchain" use_toolchain; \
	step "installs the packages of npm" npm_packages; \
	step "builds what browsers download" cargo xtask site --profile demo; \
	step "builds the program (minutes the first time)" cargo build --profile demo --package server; \
	step "fills the demonstration" "$$target_dir/demo/kabinet" demo; \
	echo "step 6 of 6: serves (stop with Ctrl-C)"; \
	exec "$$target_dir/demo/kabinet" serve

test: ## runs every layer of tests, prints the seconds of each, and ends with a line that counts
	@source tools/steps.sh; use_toolchain test; npm_packages; exec python3 tools/test.py

test-long: ## the long forms: kills, hang-ups, nodes, fuzzers, desktop; hours in full, writes docs/test-long.txt
	@source tools/steps.sh; use_toolchain test; exec python3 tools/test.py --long

SECONDS_EACH = $(if $(filter command line,$(origin SECONDS)),$(SECONDS),30)
fuzz: ## feeds every reader of foreign data made-up input for SECONDS=30 each
	@source tools/steps.sh; use_toolchain; exec tools/fuzz.sh $(SECONDS_EACH)

scan: ## attacks a demonstration with scanners, checks licences and advisories, writes docs/scan.md
	@source tools/steps.sh; use_toolchain; exec tools/scan.sh

dev: ## serves a debug build, and builds and starts it again whenever a source changes
	@source tools/steps.sh; use_toolchain; npm_packages; exec tools/dev.sh

site: ## builds only what browsers download, into target/site
	@source tools/steps.sh; use_toolchain; npm_packages; cargo xtask site

release: ## puts what a server needs into dist/: the program, the site folder, and an SBOM
	@source tools/steps.sh; steps 5; \
	step "finds the toolchain" use_toolchain; \
	step "installs the packages of npm" npm_packages; \
	step "builds what browsers download" cargo xtask site --profile release; \
	step "builds the program (many minutes)" cargo build --release --package server; \
	step "gathers dist/" gather_release

clean: ## removes everything that was built; data/ stays
	rm -rf target dist node_modules .toolchain
