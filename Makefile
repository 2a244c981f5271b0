# What people and CI run. `make check` is all of it.

CARGO ?= cargo

.PHONY: demo servers test model check fmt lint doc docs bench

## Build and run a small sample case in a temporary folder.
demo:
	$(CARGO) build --locked --quiet
	./target/debug/daylily-watch demo

## Install what the tests start themselves: sshd, rsync, pueue.
servers:
	CARGO="$(CARGO)" tests/servers.sh

# Most tests wait for something: three at a time for each processor keep it busy.
THREADS = $$((3 * $$(nproc)))

## Everything that is tested, the pure crate first.
test: servers
	$(CARGO) test --locked -p daylily-lifecycle
	$(CARGO) test --locked -- --test-threads $(THREADS)

LIVES ?= 1000000

## A million lives of cases in a world where everything goes wrong, and a crash at every
## point of every story: docs/proof.md.
model:
	$(CARGO) build --locked --profile model --test model
	MODEL_POINTS=1000000 MODEL_PAIRS=20000 $(CARGO) test --locked --profile model --test model -- --nocapture crash
	MODEL_LIVES=$(LIVES) $(CARGO) test --locked --profile model --test model -- --nocapture many_lives

## What CI runs.
check: fmt lint doc test

fmt:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --quiet

## Write the generated pages anew.
docs:
	UPDATE_DOCS=1 $(CARGO) test --locked -q -p daylily-lifecycle --test it page
	UPDATE_DOCS=1 $(CARGO) test --locked -q --lib page

ROUNDS ?= 5

## How fast it is beside a script of one's own: docs/performance.md. Takes a while, and
## wants a machine that does nothing else.
bench: servers
	$(CARGO) bench --locked --bench figures -- --rounds $(ROUNDS)
