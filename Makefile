# Proofline. `make demo` and `make test` are the two commands a newcomer needs:
# each installs what is missing, does its work and ends with one clear line.
# Running them again is quick. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
ENV := . scripts/env.sh;

VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME ?= 10s
# For example -trimpath for a release; it compiles everything a second time,
# which is why it is not the default.
BUILDFLAGS ?=
# Packages whose tests run a second time under the race detector: those with
# goroutines and no vision, where it finds something in reasonable time.
RACE ?= ./api ./models ./policy/... ./mrz ./calibrate/... ./audit/... ./session/... ./storage/... ./webhook/... ./web/console ./internal/testserver

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build models ## install, build and run real cases end to end; on a terminal it keeps serving
	@$(ENV) exec dist/proofline demo

.PHONY: test
test: ## install, lint, build and run every test; nothing is skipped for a missing server
	@start=$$SECONDS; \
	$(MAKE) --no-print-directory setup lint build models unit race; \
	known="no known vulnerability"; status=0; scripts/vuln.sh || status=$$?; \
	case $$status in 0) ;; 3) known="NOT CHECKED for known vulnerabilities" ;; *) exit $$status ;; esac; \
	echo "make test: everything passed in $$((SECONDS - start)) s; $$known"

.PHONY: setup
setup: ## install the packages, the Go toolchain and the tools that are missing
	@scripts/install.sh build test
	@scripts/tools.sh

.PHONY: build
build: ## build dist/proofline
	@scripts/install.sh build
	@$(ENV) go build $(BUILDFLAGS) -ldflags "-X main.version=$(VERSION)" -o dist/proofline ./cmd/proofline
	@echo "make build: dist/proofline $(VERSION)"

.PHONY: models
models: build ## fetch the models, and the portraits for specimens, that are missing
	@$(ENV) dist/proofline models fetch
	@$(ENV) dist/proofline specimen --fetch

.PHONY: lint
lint: ## golangci-lint with the layer rule, gofmt and go vet
	@scripts/install.sh build
	@scripts/tools.sh lint
	@$(ENV) golangci-lint run
	@echo "make lint: clean"

.PHONY: vet
vet: ## go vet
	@$(ENV) go vet ./...

.PHONY: unit
unit: build models ## every test; requires all servers, the browser and the models; browsers get the machine to themselves
	@scripts/tools.sh s3 web
	@$(ENV) export PROOFLINE_REQUIRE=all; \
	go test -timeout 20m $$(go list ./... | grep -v '/web\(/\|$$\)') && \
	go test -timeout 20m -p 1 ./web/...

.PHONY: vuln
vuln: ## look for known vulnerabilities in what is reached; status 3 when the database can not be asked
	@scripts/vuln.sh

.PHONY: sbom
sbom: build ## write dist/sbom.cdx.json: what the binary is made of (CycloneDX)
	@$(ENV) dist/proofline sbom > dist/sbom.cdx.json
	@echo "make sbom: dist/sbom.cdx.json"

SCHEDULES ?= 10000
CHAOS_CASES ?= 2000

.PHONY: chaos
chaos: ## the failure tests in their long form: SCHEDULES simulated, CHAOS_CASES on real servers
	@scripts/tools.sh s3 web
	@$(ENV) PROOFLINE_REQUIRE=all go test ./session -count=1 -v -timeout 3h -run UnderAnySchedule -rapid.checks=$(SCHEDULES)
	@$(ENV) PROOFLINE_REQUIRE=all PROOFLINE_CHAOS_CASES=$(CHAOS_CASES) go test ./pipeline -count=1 -v -timeout 3h -run Chaos

.PHONY: race
race: ## the concurrency-heavy packages under the race detector, without browsers, one by one
	@$(ENV) PROOFLINE_REQUIRE=all go test -race -short -p 1 -timeout 20m $(RACE)

.PHONY: bench
bench: build models ## Go benchmarks
	@$(ENV) go test -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (10s)
	@$(ENV) scripts/fuzz.sh $(FUZZTIME)

.PHONY: generate
generate: ## rewrite the files that are generated from data (docs/models.md, …)
	@$(ENV) go generate ./...

.PHONY: clean
clean: ## remove what was built here; .tools, models and caches stay
	rm -rf dist
