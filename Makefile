# flysql. The two that matter: make demo, make test.

SHELL := /bin/bash
export CGO_ENABLED ?= 1
BIN := $(CURDIR)/bin
TOOLS := $(BIN)/tools
STATICCHECK := $(TOOLS)/staticcheck
GOTESTSUM := $(TOOLS)/gotestsum
GOOSE := $(TOOLS)/goose
BENCHSTAT := $(TOOLS)/benchstat
# What the tests said, event by event, for the last line of make test.
RESULTS := $(BIN)/results
# The tests that need LiteFS run this one; they look for it here by themselves.
LITEFS := $(TOOLS)/litefs
# Tests compare the lease server with this one, where it has been built: make consul.
CONSUL := $(TOOLS)/consul
# The official image is built with Go 1.21. Built with a newer one, LiteFS loses its
# HALT lock when it starts a command.
LITEFS_TOOLCHAIN ?= go1.21.13
# goose's command, without the databases that are not compared here.
GOOSE_TAGS := no_clickhouse no_libsql no_mssql no_mysql no_postgres no_vertica no_ydb no_turso no_spanner

.DEFAULT_GOAL := help
.PHONY: help demo test unit racing sequential e2e lint fmt build bench soak litefs consul setup clean

help: ## what there is
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

# With root and FUSE, machines in three regions; it builds LiteFS then. DEMO_FLAGS="-single" is one machine.
demo: setup ## the example app, set up by flysql init, run by flysql dev, with its page (CHECK=1 drives it by itself)
	@cd e2e && go build -o $(BIN)/demo ./demo
	@cd e2e && exec $(BIN)/demo $(if $(CHECK),-check) $(DEMO_FLAGS)

test: setup lint unit e2e ## everything: lint, unit and end-to-end tests; and what of them could not be run
	@cd e2e && go build -o $(TOOLS)/notrun ./notrun && $(TOOLS)/notrun $(RESULTS)/sequential.json $(RESULTS)/unit.json $(RESULTS)/e2e.json

# The sequential packages start no goroutine, or few, and read much: the race detector finds
# little in them, slowly. What of them does run beside something else is run under it again.
SEQUENTIAL := ./flyconf ./internal/scaffold ./internal/doctor ./internal/move/... ./internal/pgfunc
BESIDE := TestImport(Dump|Types)|Killed|Cancel|ConnectionLost|TestHistory|TestCutover|TestBegin|TestTwoFollowers

# Both at once: the racing ones wait, most of the time.
unit: $(GOTESTSUM) $(LITEFS)
	@mkdir -p $(RESULTS)
	@$(MAKE) --no-print-directory -j2 racing sequential

# entrypoint takes longest, and waits most: it begins first.
racing:
	$(GOTESTSUM) --jsonfile $(RESULTS)/unit.json --format pkgname-and-test-fails -- -race -timeout 40m -parallel 6 \
	  $$(go list ./entrypoint ./... | grep -vxF "$$(go list $(SEQUENTIAL))")

sequential:
	$(GOTESTSUM) --jsonfile $(RESULTS)/sequential.json --format pkgname-and-test-fails -- -timeout 40m $(SEQUENTIAL)
	$(GOTESTSUM) --format pkgname-and-test-fails -- -race -timeout 40m -run '$(BESIDE)' ./internal/move/transfer ./internal/move/follow

e2e: $(GOTESTSUM) $(LITEFS)
	@mkdir -p $(RESULTS)
	cd e2e && $(GOTESTSUM) --jsonfile $(RESULTS)/e2e.json --format pkgname-and-test-fails -- -count=1 -timeout 40m ./...

lint: $(STATICCHECK) ## gofmt, go vet, staticcheck
	@files=$$(git -c safe.directory='*' ls-files --cached --others --exclude-standard '*.go') && [ -n "$$files" ] || exit 1; \
	  unformatted=$$(gofmt -l $$files) || exit 1; \
	  if [ -n "$$unformatted" ]; then echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi
	go vet ./... && cd e2e && go vet ./...
	$(STATICCHECK) ./... && cd e2e && $(STATICCHECK) ./...

fmt: ## format the Go files
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go')

build: ## bin/flysql and bin/flysql-entrypoint
	CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o $(BIN)/ ./cmd/...

bench: setup $(GOOSE) $(BENCHSTAT) $(LITEFS) ## the benchmarks that docs/ quote
	PATH="$(TOOLS):$$PATH" scripts/bench

soak: setup $(LITEFS) ## on three LiteFS nodes: 50 rolling deploys, failovers and boots beside litefs mount; a replica far behind; clocks that differ; reads and writes by way of all; 2,000 tables and a row of 300 MB from PostgreSQL; a file that follows PostgreSQL through crashes
	FLYSQL_TEST_DEPLOYS=50 go test ./entrypoint -run 'TestLiteFSRollingDeploys|TestLiteFS(Failover|Boot)Time|TestFaultFarBehind' -v -timeout 40m
	scripts/skewed && FLYSQL_TEST_LITEFS=$(BIN)/skewed/litefs go test ./entrypoint -run 'TestWatch|TestSalvage|TestLiteFSHandoff|TestLiteFSReplicaFirst' -v -timeout 20m
	FLYSQL_TEST_IMPORT_TABLES=2000 FLYSQL_TEST_IMPORT_ROW=300 go test ./internal/move/transfer -run 'TestCasesMany|TestCasesLargeRow' -v -timeout 40m
	FLYSQL_TEST_REPLAY=60s go test ./entrypoint -run TestReplayHistory -v -timeout 20m
	FLYSQL_TEST_FOLLOW_HISTORY=5m go test ./internal/move/follow -run TestHistory -v -timeout 20m
	FLYSQL_TEST_DEPLOYS=1 go test ./internal/emulator/cluster -run 'TestTwelve|TestMemory' -v -timeout 20m

litefs: $(LITEFS) ## bin/tools/litefs, for the tests that need LiteFS

consul: $(CONSUL) ## bin/tools/consul, for the tests that compare with Consul (takes minutes)

setup:
	@scripts/setup

clean: ## what make built
	rm -rf $(BIN)

# Built from the versions that tools/go.mod pins.
$(STATICCHECK): tools/go.mod
	cd tools && go build -o $@ honnef.co/go/tools/cmd/staticcheck
$(LITEFS): tools/litefs/go.mod
	cd tools/litefs && GOTOOLCHAIN=$(LITEFS_TOOLCHAIN) go build -o $@ github.com/superfly/litefs/cmd/litefs
$(CONSUL): tools/consul/go.mod
	cd tools/consul && go build -trimpath -ldflags="-s -w" -o $@ github.com/hashicorp/consul
$(GOTESTSUM): tools/go.mod
	cd tools && go build -o $@ gotest.tools/gotestsum
$(BENCHSTAT): tools/go.mod
	cd tools && go build -o $@ golang.org/x/perf/cmd/benchstat
$(GOOSE): tools/go.mod
	cd tools && go build -tags '$(GOOSE_TAGS)' -o $@ github.com/pressly/goose/v3/cmd/goose
