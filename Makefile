# `make` lists what there is. The work is done by scripts/.

# where rustup puts cargo, in a shell that was open before
export PATH := $(PATH):$(HOME)/.cargo/bin
release := $(or $(CARGO_TARGET_DIR),target)/release

.PHONY: help run test lint fmt bench soak api-check trace build deps tools clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18
	@echo
	@echo 'make run and make test need root. make run DIR=/folder puts the runtime elsewhere;'
	@echo "make test ARGS='words' gives words to cargo nextest (or cargo test)."

run: ## a Podman API socket in front of a private runtime, and a first container
	@DIR='$(DIR)' scripts/run

test: ## all tests: on containerd, and on CRI-O where it is installed
	@scripts/test $(ARGS)

lint: ## format, clippy, licences and sources, shell scripts
	@scripts/rust
	@scripts/lint

fmt: ## format the code
	cargo fmt --all

bench: ## ours beside Podman's service and raw CRI calls: medians and ratios
	@scripts/packages test
	@scripts/rust
	cargo build --release --workspace --bins
	$(release)/bench $(ARGS)

api-check: ## what Podman's source has and we lack (PODMAN_SRC=folder or git clone)
	@PODMAN_SRC='$(PODMAN_SRC)' PODMAN_REV='$(PODMAN_REV)' WRITE='$(WRITE)' scripts/api-check

soak: ## streams a thousand times, a gigabyte through one (a quarter of an hour)
	@PODMAN_CRI_SOAK=1000 scripts/test -E 'test(/^soak::/)'

trace: ## which requests a client sends (SOCKET=unix:///podman.sock BODIES=1)
	@SOCKET='$(SOCKET)' LISTEN='$(LISTEN)' BODIES='$(BODIES)' scripts/trace

build: ## the release program: target/release/podman-cri
	@scripts/packages build
	@scripts/rust
	cargo build --release -p podman-cri

deps: ## install what make run needs (apt)
	@scripts/packages run

tools: ## install what make lint and make test use where they find it (cargo, apt)
	@scripts/packages build lint
	@scripts/rust
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest

clean: ## remove what was built
	cargo clean
