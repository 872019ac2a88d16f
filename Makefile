# The project's front door. Every target brings what it needs by itself, so `make demo` and `make test` work from
# nothing on a fresh clone. `make help` lists the targets from the ## comments.

export PATH := $(CURDIR)/.tools/node/bin:$(PATH):/usr/sbin:/sbin
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
NODE := node --disable-warning=ExperimentalWarning
# Passed on to the command: make test-unit ARGS='-t parses', make demo ARGS=--help
ARGS ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':[^#]*## ' '/^[a-z0-9-]+:[^#]*## / { printf "  \033[1m%-25s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Bring what is missing: system packages, Node 24, npm packages, native and BPF build
	@scripts/setup

.PHONY: demo
demo: setup ## A real guest that reaches its consumer and nothing else, step by step (root)
	@$(NODE) demo/main.ts $(ARGS)

.PHONY: demo-wireguard
demo-wireguard: setup ## A real Debian with its tunnel up: wg show on both ends, then root attacks (root, two minutes)
	@$(NODE) demo/wireguard/main.ts $(ARGS)

.PHONY: test
test: setup ## All tests, tier after tier (root for kernel and e2e)
	@$(NODE) scripts/test.ts $(ARGS)

.PHONY: test-unit
test-unit: setup ## Unit, property and contract tests; needs nothing
	@$(NODE) scripts/test.ts unit $(ARGS)

.PHONY: test-native
test-native: setup ## The C filter, built with ASan and UBSan
	@$(NODE) scripts/test.ts native $(ARGS)

.PHONY: test-kernel
test-kernel: setup ## BPF, taps and namespaces on this kernel (root)
	@$(NODE) scripts/test.ts kernel $(ARGS)

.PHONY: test-control-plane
test-control-plane: setup ## The API, its guardrails and the controller on a real kube-apiserver (built once, by Go)
	@$(NODE) scripts/test.ts control-plane $(ARGS)

.PHONY: test-control-plane-agent
test-control-plane-agent: setup ## The real agent under the real controller, with taps and traffic (root)
	@$(NODE) scripts/test.ts control-plane-agent $(ARGS)

.PHONY: kube-assets
kube-assets: setup-node ## Build kube-apiserver, etcd, kubectl and helm into a cache, unless they are there
	@$(NODE) scripts/kube-assets.ts $(ARGS)

.PHONY: test-e2e
test-e2e: setup ## A real guest under QEMU (root)
	@$(NODE) scripts/test.ts e2e $(ARGS)

.PHONY: test-kernels
test-kernels: setup ## The filter in other kernels, booted under emulation: 5.10, 6.1, 6.12 and the newest
	@$(NODE) scripts/kernel-matrix.ts $(ARGS)

.PHONY: test-kills
test-kills: setup ## The agent killed 300 times at random, it and the filter at each of their changes; the kernel tier has some (root)
	@VMN_KILLS=$${VMN_KILLS:-300} VMN_CRASH_STRIDE=$${VMN_CRASH_STRIDE:-1} $(NODE) scripts/test.ts \
		kernel/kill-agent kernel/contract/crash-points kernel/native-crash kernel/native-upgrade $(ARGS)

.PHONY: fuzz
fuzz: setup ## Fuzz the filter for FUZZ_SECONDS (60), compare its three engines, show what was covered (root)
	@$(NODE) scripts/fuzz.ts $(ARGS)

.PHONY: churn
churn: setup ## A host of a cluster at random for 15 minutes: VMs, networks, agents, outages (root; ARGS='--minutes 15 --seed N')
	@$(NODE) scripts/kube-assets.ts >/dev/null
	@$(NODE) scripts/churn.ts $(ARGS)

.PHONY: endurance
endurance: setup ## A thousand VMs come and go on one agent: what is left behind (root)
	@VMN_ENDURANCE_CYCLES=1000 $(NODE) scripts/test.ts test/kernel/endurance.test.ts $(ARGS)

.PHONY: bench-filter
bench-filter: setup ## What the filter costs, against its targets; writes bench/results.json and the docs' tables (root)
	@$(NODE) bench/main.ts filter $(ARGS)

.PHONY: bench-fleet
bench-fleet: setup ## What a fleet costs the controller, and twice the fleet; a real API server, minutes (ARGS='--nodes 100' for fewer)
	@$(NODE) scripts/kube-assets.ts >/dev/null
	@$(NODE) bench/main.ts fleet $(ARGS)

.PHONY: bench-agent
bench-agent: setup ## What the agent costs a host and how soon it acts; a real API server, minutes (root, ARGS='--taps 100' for fewer)
	@$(NODE) scripts/kube-assets.ts >/dev/null
	@$(NODE) bench/main.ts agent $(ARGS)

.PHONY: acceptance
acceptance: setup-node ## Every acceptance id with its tests and their last result; STRICT=1 fails on ids without a test
	@$(NODE) scripts/acceptance.ts $(ARGS)

.PHONY: lint
lint: setup ## Types, eslint with the import rules, prettier, clang-format, shell syntax
	@scripts/lint

.PHONY: fmt
fmt: setup ## Format everything in place
	@scripts/fmt

.PHONY: crds
crds: setup ## Write crds/ anew from the schemas in src/api
	@$(NODE) scripts/generate-crds.ts $(ARGS)

.PHONY: build
build: setup ## Native addon, host-compiled filter and BPF object into build/native; TypeScript runs as it stands

.PHONY: build-native
build-native: ## Only the native and BPF build, without looking at the rest
	@SETUP_STEPS=native scripts/setup

.PHONY: clean
clean: ## Remove what was built; keeps .tools and node_modules
	@rm -rf build coverage

# Only Node: for what needs neither packages nor a build.
.PHONY: setup-node
setup-node:
	@SETUP_STEPS=node scripts/setup >/dev/null
