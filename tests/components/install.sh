#!/usr/bin/env bash
# Puts the real components of the integration tests into target/components:
#   json.wasm, json-qjs.wasm   JavaScript, 12 MB and 1.6 MB   (built here)
#   stats.wasm                 Python, 18 MB                  (built here)
#   text.wasm, units.wasm      C and Rust                     (as committed)
#   files.core.wasm            C, a guest that tries to get at files   (built here)
#   escape.core.wasm           C, one that tries to escape in other ways   (built here)
#   escape-js.wasm             JavaScript, the same, 1.6 MB    (built here)
# Builds only what has changed since it was last built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
examples=$(cd "$here/../../examples" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}/components
mkdir -p "$target"
target=$(cd "$target" && pwd)

# What a component is built from: its folder, the shared scripts, and the option.
fingerprint() {
  { cat "$examples/tools.sh" "$examples/document.py"
    find "$1" -type f ! -name '*.wasm' ! -name '*.md' ! -path '*/bindings/*' ! -path '*/__pycache__/*' -print0 |
      LC_ALL=C sort -z | xargs -0 cat
    echo "${2:-}"
  } | sha256sum | cut -d ' ' -f 1
}

# build EXAMPLE OUTPUT [BACKEND]
build() {
  build_from "$examples/$1" "${@:2}"
}

# build_from FOLDER OUTPUT [BACKEND]
build_from() {
  local sources=$1 output=$target/$2 now
  now=$(fingerprint "$sources" "${3:-}")
  if [ -f "$output" ] && [ "$now" = "$(cat "$output.sources" 2>/dev/null)" ]; then return; fi
  rm -f "$output.sources"
  BACKEND=${3:-} "$sources/build.sh" "$output"
  echo "$now" >"$output.sources"
}

build_from "$here/../guests/files" files.core.wasm
build_from "$here/../guests/escape" escape.core.wasm
build_from "$here/../guests/escape-js" escape-js.wasm
build json-js json.wasm starlingmonkey
build json-js json-qjs.wasm qjs
build stats-py stats.wasm
cp "$examples/text-c/text.wasm" "$examples/units-rust/units.wasm" "$target/"
echo "components: $target"
