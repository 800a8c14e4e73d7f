#!/usr/bin/env bash
# Builds the core module of the guest that tries to escape; the tests make a
# component of it. Needs Python 3.9 or newer.
# Usage: build.sh OUTPUT
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../../../examples/tools.sh"
output=$(absolute "$1")

# Zig's C compiler brings a WASI libc with it.
python_tools ziglang==0.16.0
python -m ziglang cc -target wasm32-wasi -mexec-model=reactor -mreference-types -Os -s \
  -Wall -Wextra -Werror "$here/escape.c" -o "$output"
printf 'built %s (%s bytes)\n' "$output" "$(wc -c <"$output" | tr -d ' ')"
