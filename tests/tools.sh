# Sourced by scripts: cargo's helpers, prebuilt from PyPI into target/tools.

# cargo_helper NAME VERSION   puts cargo-NAME on the path, unless it is there
cargo_helper() {
  local name=cargo-$1 tools=${CARGO_TARGET_DIR:-target}/tools
  tools=$(mkdir -p "$tools" && cd "$tools" && pwd)
  PATH=$tools/bin:$PATH
  if command -v "$name" >/dev/null; then return; fi
  [ -x "$tools/bin/python" ] || python3 -m venv "$tools"
  "$tools/bin/python" -m pip install --quiet --disable-pip-version-check \
    "astral-dev-toolchain-$name==$2"
}
