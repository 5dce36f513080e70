# snapexport: `make` lists what there is. Everything that a target needs beside Go, Python 3.11, a JDK 17 and Maven is put
# into .tools/ by `make tools`, with pinned versions; after that nothing here needs a network.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

TOOLS   := $(CURDIR)/.tools
STAMPS  := $(TOOLS)/stamps
STEP    := ./scripts/step
PYTHON  ?= python3
VERSION ?= $(shell git describe --tags --dirty 2>/dev/null || echo 0.1.0-dev)
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
FUZZTIME ?= 20s
BENCH    ?= .
BENCHDATA  ?= D1:500000:v1,v2,v2-plain D2:60000:v2-plain D4:200000:v1 D6:10000 memory:2500000:v2-plain
BENCHROWS  ?= 0
BENCHFLAGS ?=
BENCHTOMBSTONES ?= 100000000
BENCHCOREFLAGS ?=
PKG      ?= ./...
TESTTIMEOUT ?= 20m
TESTPACKAGES ?= 2

VERSITYGW   := v1.8.0
STATICCHECK := v0.8.2
GOVULNCHECK := v1.9.0
SPARKS      := 4.0 3.5

export PATH := $(TOOLS)/bin:$(PATH)

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables: PKG=./... FUZZTIME=20s BENCH=. PYTHON=python3"

## ---- tools: pinned, inside the checkout; a stamp that is newer than its pins means nothing to do

.PHONY: tools tools-go tools-python tools-spark tools-milvus tools-catalogs
tools: tools-go tools-python tools-spark tools-milvus tools-catalogs ## install what the other targets need into .tools/ (idempotent)

tools-go: $(STAMPS)/modules $(STAMPS)/versitygw-$(VERSITYGW) $(STAMPS)/staticcheck-$(STATICCHECK) $(STAMPS)/govulncheck-$(GOVULNCHECK)
tools-python: $(STAMPS)/venv
tools-spark: $(SPARKS:%=$(STAMPS)/spark-%) $(STAMPS)/pyspark-3.5
tools-catalogs: $(STAMPS)/moto $(STAMPS)/rest-catalog
tools-milvus: $(STAMPS)/milvus-venv ## install the genuine Milvus 2.3.5 that tests import into (part of tools)

$(STAMPS)/modules: go.sum
	@mkdir -p $(@D)
	@$(STEP) "Go modules" go mod download
	@touch $@

$(STAMPS)/versitygw-%:
	@mkdir -p $(@D)
	@$(STEP) "versitygw $*" env GOBIN=$(TOOLS)/bin go install github.com/versity/versitygw/cmd/versitygw@$*
	@touch $@

$(STAMPS)/staticcheck-%:
	@mkdir -p $(@D)
	@$(STEP) "staticcheck $*" env GOBIN=$(TOOLS)/bin go install honnef.co/go/tools/cmd/staticcheck@$*
	@touch $@

$(STAMPS)/govulncheck-%:
	@mkdir -p $(@D)
	@$(STEP) "govulncheck $*" env GOBIN=$(TOOLS)/bin go install golang.org/x/vuln/cmd/govulncheck@$*
	@touch $@

# A virtual environment is made anew when its pins change: pip never removes what is no longer listed.
$(STAMPS)/venv: internal/testkit/requirements.txt
	@mkdir -p $(@D)
	@rm -rf $(TOOLS)/venv
	@$(STEP) "Python environment" $(PYTHON) -m venv $(TOOLS)/venv
	@$(STEP) "Python packages" $(TOOLS)/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

$(STAMPS)/milvus-venv: internal/testkit/requirements-milvus.txt
	@mkdir -p $(@D)
	@rm -rf $(TOOLS)/milvus-venv
	@$(STEP) "Milvus environment" $(PYTHON) -m venv $(TOOLS)/milvus-venv
	@$(STEP) "Milvus 2.3.5" $(TOOLS)/milvus-venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

# What stands in for Glue, and Iceberg's REST server. Postgres is Debian's: its tests are skipped where it is not installed.
$(STAMPS)/moto: internal/testkit/requirements-moto.txt | $(STAMPS)/venv
	@mkdir -p $(@D)
	@rm -rf $(TOOLS)/moto
	@$(STEP) "moto" $(TOOLS)/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(TOOLS)/moto --requirement $<
	@touch $@

$(STAMPS)/rest-catalog: internal/testkit/rest-catalog/pom.xml
	@mkdir -p $(@D)
	@rm -rf $(TOOLS)/jars/rest-catalog
	@$(STEP) "jars of the REST catalog" mvn --quiet --batch-mode --file $< dependency:copy-dependencies \
		-DoutputDirectory=$(TOOLS)/jars/rest-catalog -DincludeScope=runtime
	@touch $@

# Spark 4.0 is one of the Python packages; 3.5 stands beside them and is run by the same Python.
$(STAMPS)/pyspark-%: internal/testkit/spark-%/requirements.txt scripts/pyspark | $(STAMPS)/venv
	@mkdir -p $(@D)
	@rm -rf $(TOOLS)/spark-$*
	@$(STEP) "Spark $*" ./scripts/pyspark $(TOOLS)/venv/bin/python $< $(TOOLS)/spark-$*
	@touch $@

$(STAMPS)/spark-%: internal/testkit/spark-%/pom.xml
	@mkdir -p $(@D)
	@rm -rf $(TOOLS)/jars/spark-$*
	@$(STEP) "jars for Spark $*" mvn --quiet --batch-mode --file $< dependency:copy-dependencies \
		-DoutputDirectory=$(TOOLS)/jars/spark-$* -DincludeScope=runtime
	@touch $@

## ---- build
# What is built and tested here starts in a sixth of the time: go.mod with one module replaced (docs/adr/0008-quick-start.md).

QUICK := $(TOOLS)/quickstart/go.mod

$(QUICK): go.mod go.sum
	@mkdir -p $(@D)
	@cp go.sum $(@D)/go.sum
	@{ cat go.mod; echo 'replace github.com/substrait-io/substrait => ./internal/quickstart/substrait'; } > $@

.PHONY: build
build: $(QUICK) ## bin/snapexport
	@$(STEP) "build" env CGO_ENABLED=0 go build -modfile=$(QUICK) -buildvcs=false -trimpath -ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)' -o bin/snapexport ./cmd/snapexport

.PHONY: wheel
wheel: tools-python $(QUICK) ## bin/snapexport-*.whl, the Python package with the program for Linux on x86-64 in it
	@$(STEP) "program of the wheel" env CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -modfile=$(QUICK) -tags slim -buildvcs=false -trimpath -ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)' -o python/src/snapexport/bin/snapexport ./cmd/snapexport
	@$(STEP) "wheel" $(TOOLS)/venv/bin/python -m pip wheel --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --wheel-dir bin ./python

.PHONY: generate
generate: ## what `go generate` makes (protobuf code)
	@$(STEP) "generate" go generate $(PKG)

## ---- checks
# Tests of TESTPACKAGES packages run at a time: each may start a Spark of its own, of 1 GB or more.

.PHONY: test
test: tools lint $(QUICK) ## everything: lint, then every Go test, with the engines and the genuine Milvus
	@$(STEP) "go test" env SNAPEXPORT_MILVUS=1 go test -modfile=$(QUICK) -p $(TESTPACKAGES) -timeout $(TESTTIMEOUT) $(PKG)

.PHONY: lint
lint: $(STAMPS)/staticcheck-$(STATICCHECK) $(STAMPS)/govulncheck-$(GOVULNCHECK) ## gofmt, go vet, staticcheck, govulncheck
	@$(STEP) "gofmt" ./scripts/gofmt
	@$(STEP) "go vet" go vet $(PKG)
	@$(STEP) "staticcheck" staticcheck $(PKG)
	@$(STEP) "govulncheck" ./scripts/vulncheck $(PKG)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each
	@$(STEP) "fuzz" ./scripts/fuzz $(FUZZTIME) $(PKG)

.PHONY: bench bench-core bench-quick bench-tombstones bench-code
bench: tools-go tools-python tools-milvus build ## whole programs beside pyarrow, DuckDB, cp and a genuine Milvus; bench/README.md tells the variables
	@$(STEP) "bench data" go run ./bench/dataset -out bench/data -rows $(BENCHROWS) $(BENCHDATA)
	@$(STEP) "bench" go run ./bench/run -data bench/data $(BENCHFLAGS)
	@$(MAKE) --no-print-directory bench-core

bench-core: tools-go tools-milvus build ## the server alone: snapshots and restores beside cp and an import into a genuine Milvus (BENCHCOREFLAGS)
	@$(STEP) "bench core" go run ./bench/core $(BENCHCOREFLAGS)

bench-quick: tools-go tools-python tools-milvus build ## all of bench over small data, once; its figures mean nothing
	@$(STEP) "bench data" go run ./bench/dataset -out bin/bench-quick -rows 20000 D1:S:v1,v2,v2-plain D2:4000:v2-plain D3:4000:v2,v3 D4:S:v1 D6:500 memory:S:v2-plain
	@cp bench/README.md bin/bench-quick/page.md
	@$(STEP) "bench" go run ./bench/run -data bin/bench-quick -runs 1 -slow 1 -name quick -results bin/bench-quick -readme bin/bench-quick/page.md $(BENCHFLAGS)

bench-tombstones: ## data of BENCHTOMBSTONES deletes, which bench then measures too: gigabytes
	@$(STEP) "bench data" go run ./bench/tombstones -out bench/data/tombstones -tombstones $(BENCHTOMBSTONES) -rows $$(($(BENCHTOMBSTONES) / 10))

bench-code: ## the benchmarks that stand beside the code (BENCH=regexp)
	@$(STEP) "bench" go test -run '^$$' -bench '$(BENCH)' -benchmem $(PKG)

.PHONY: demo
demo: tools-go tools-python tools-spark build ## export a real Milvus collection to Iceberg on a local S3 server and read it with Spark
	@$(STEP) "demo" ./scripts/demo

.PHONY: notebooks
notebooks: tools-python build ## execute the notebooks, and save them with what they show and their plots in docs/pictures
	@for n in notebooks/*.ipynb; do $(STEP) "$$n" $(TOOLS)/venv/bin/python internal/demo/execute.py "$$n" --save docs/pictures; done

.PHONY: clean
clean: ## remove what was built; .tools/ stays (make distclean removes it too)
	rm -rf bin
	find . -path ./.tools -prune -o -name __pycache__ -type d -print0 | xargs -0r rm -rf

.PHONY: distclean
distclean: clean ## also remove .tools/
	rm -rf .tools
