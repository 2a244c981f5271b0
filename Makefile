# What people and CI run. `make check` is all of it.

CARGO ?= cargo

.PHONY: demo servers test model chaos soak check fmt lint doc docs fuzz deny advisories bench

## Build and run a small sample case in a temporary folder.
demo:
	$(CARGO) build --locked --quiet
	./target/debug/daylily-watch demo

## Install what the tests start themselves: sshd, rsync, pueue, S3 stores.
servers:
	CARGO="$(CARGO)" tests/servers.sh

# Most tests wait for something: three at a time for each processor keep it busy.
THREADS = $$((3 * $$(nproc)))

# What proptest invents is the same each time, so that a change is judged by what it
# changes; `fuzz`, `model` and `soak` look for what nobody has thought of. Any number draws
# others.
DRAW ?= 1

## Everything that is tested, the pure crate first.
test: export PROPTEST_RNG_SEED = $(DRAW)
test: servers
	$(CARGO) test --locked -p daylily-lifecycle
	$(CARGO) test --locked -- --test-threads $(THREADS)

LIVES ?= 1000000

## A million lives of cases in a world where everything goes wrong, and a crash at every
## point of every story: docs/proof.md.
model:
	$(CARGO) build --locked --profile model --test model
	MODEL_POINTS=1000000 MODEL_PAIRS=20000 $(CARGO) test --locked --profile model --test model -- --nocapture crash
	MODEL_SCHEDULES=5000 $(CARGO) test --locked --profile model --test model any_schedule
	MODEL_LIVES=$(LIVES) $(CARGO) test --locked --profile model --test model -- --nocapture many_lives

HOURS ?= 8
SEED ?=

## One round in which everything is broken on purpose, as CI has it: docs/proof.md.
chaos: servers
	DAYLILY_SEED=$(SEED) $(CARGO) test --locked --test it -- --exact --nocapture \
		chaos::two_hundred_cases_run_once_each_while_everything_around_them_breaks

## The same with all kinds of faults, round after round, for hours: as root all of it, else
## without reboots and full disks. A table at the end.
soak: servers
	DAYLILY_SOAK_HOURS=$(HOURS) DAYLILY_SEED=$(SEED) $(CARGO) test --locked --test it -- --exact --nocapture \
		chaos::rounds_of_all_kinds_of_faults_execute_nothing_twice_and_lose_nothing

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

CASES ?= 5000

## Far more of what tests invent for everything that reads what others wrote, and for
## everything that is quoted.
fuzz: servers
	PROPTEST_CASES=$(CASES) $(CARGO) test --locked --lib fuzz::
	PROPTEST_CASES=$(CASES) $(CARGO) test --locked --test it fuzz::

## Licences, duplicate versions, banned crates, sources: docs/security.md. Not part of
## `check`, since its program takes minutes to install.
deny:
	CARGO="$(CARGO)" tests/deny.sh check licenses bans sources

## Known vulnerabilities, by a list that is fetched from the network.
advisories:
	CARGO="$(CARGO)" tests/deny.sh check advisories

ROUNDS ?= 5

## How fast it is beside a script of one's own: docs/performance.md. Takes a while, and
## wants a machine that does nothing else.
bench: servers
	$(CARGO) bench --locked --bench figures -- --rounds $(ROUNDS)
