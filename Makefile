# The targets that people use carry a remark; `make` prints them.
.DEFAULT_GOAL := help
.PHONY: help build run demo simulator test contract e2e lint generate bench bench-indexer bench-appview bench-escrow soak oracle oracle-escrow mutants mutants-ledger mutants-escrow model fuzz clean

# Full-text search is a build tag of the SQLite driver.
export GOFLAGS += -tags=sqlite_fts5

VERSION := $(shell git describe --always --dirty 2>/dev/null || echo dev)
GO_FILES = $(shell git ls-files '*.go')

# Linters are run at a fixed version and stay out of go.mod.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
ERRCHECK    := github.com/kisielk/errcheck@v1.30.0
ERRORLINT   := github.com/polyfloyd/go-errorlint@v1.8.0

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## everything on this machine: PLC, PDS, AppView, escrow, simulated payments, sample data
	@go build -o bin/ ./cmd/demo ./cmd/escrow
	@bin/demo

run: ## an AppView that follows the live network
	@go build -ldflags '-X main.version=$(VERSION)' -o bin/appview ./cmd/appview
	@bin/appview run

simulator: ## a payment processor of play money
	@go build -ldflags '-X main.version=$(VERSION)' -o bin/simulator ./cmd/simulator
	@mkdir -p data
	@bin/simulator run --database data/simulator.db

build: ## the binaries, in bin/
	go build -ldflags '-X main.version=$(VERSION)' -o bin/ ./cmd/appview ./cmd/escrow ./cmd/simulator

test: ## all tests, against a real PLC and PDS
	go test -race -timeout 20m ./...

contract: ## every endpoint by the official client, and those of the escrow, against their lexicons
	go test ./appview/contract -v -count 1
	go test ./escrow -run '^TestContract_' -v -count 1

e2e: ## the pages in Chromium as people use them, with play money; pictures of them, and a table of what keeps people out, in .artifacts/pages (10 minutes)
	rm -rf .artifacts/pages
	STRATOS_E2E=1 E2E_PICTURES=$(CURDIR)/.artifacts/pages go test ./appview/web/e2e -v -count 1 -timeout 15m
	STRATOS_E2E=1 E2E_PICTURES=$(CURDIR)/.artifacts/pages go test ./cmd/demo -run '^TestDemo_People' -v -count 1 -timeout 20m
	@cat .artifacts/pages/accessibility.txt

lint: ## formatting, vet, staticcheck, unchecked errors
	@unformatted=$$(gofmt -l $(GO_FILES)); test -z "$$unformatted" || { echo "gofmt these:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	go run $(ERRCHECK) -exclude .errcheck ./...
	go run $(ERRORLINT) ./...

generate: ## the Go types of the lexicons
	go generate ./...

bench: ## how soon a record written to the PDS can be read
	go test ./appview -run '^$$' -bench CommitToVisible -benchtime 300x

bench-indexer: ## the indexer beside indigo's tap, on the same frames (6 minutes)
	go run ./indexer/bench/cmd

bench-appview: ## the AppView's answers beside an echo handler, on a million records (10 minutes; the first time 20)
	go run ./appview/bench/cmd

bench-escrow: ## durable entries a second beside bare inserts, and the verification of a million postings (3 minutes)
	go run ./escrow/bench/cmd

SOAK_FOR ?= 30m
soak: ## half an hour (SOAK_FOR) of events as fast as the indexer reads: is its memory flat?
	go run ./indexer/bench/cmd soak --for $(SOAK_FOR)

SEEDS ?= 200
SEED ?= 0
oracle: ## the indexer against SEEDS (200) simulated networks full of faults; SEED=24 is that one alone
	ORACLE_SEEDS=$(SEEDS) ORACLE_SEED=$(SEED) go test ./indexer/oracle -run '^TestOracle$$' -timeout 60m -count 1

oracle-escrow: ## the escrow in SEEDS (200) simulated societies, killed and lied to; SEED=24 is that one alone
	ESCROW_ORACLE_SEEDS=$(SEEDS) ESCROW_ORACLE_SEED=$(SEED) go test ./escrow/oracle -run '^TestOracle$$' -timeout 120m -count 1 -v

STATES ?= 4000000
model: ## all states of campaigns (STATES, 4000000, at most), whoever acts and whatever fails: each ends, and nothing is paid twice (a minute)
	MODEL_STATES=$(STATES) go test ./escrow/campaign -run '^TestModel_' -timeout 30m -count 1 -v

mutants: ## deliberate bugs, each of which the oracle must catch
	indexer/oracle/mutants/run

mutants-ledger: ## deliberate bugs, each of which the ledger's tests must catch
	escrow/ledger/mutants/run

mutants-escrow: ## deliberate bugs, each of which the escrow's oracle must catch
	escrow/oracle/mutants/run

FUZZTIME ?= 30s
fuzz: ## every fuzz target for FUZZTIME (30s, or a number of inputs: 2000x)
	@for folder in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n 1 dirname | sort -u); do \
		for target in $$(git grep -ho '^func Fuzz[A-Za-z]*' -- ":(glob)$$folder/*_test.go" | cut -c 6-); do \
			echo "$$folder $$target"; \
			go test "./$$folder" -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x || exit 1; \
		done; \
	done

clean: ## remove binaries and the demo's data
	rm -rf bin .demo
