#!/usr/bin/env bash
# Installs the MCP clients of the integration tests into target/clients:
#   node_modules/   MCP Inspector, the conformance suite, the TypeScript SDK and
#                   mcp-remote, from npm
#   node            a Node that is new enough for them (22.19)
#   python/         a virtual environment with the Python SDK, from PyPI
#   python-v1/      another one with the SDK before 2, fastmcp and LangChain's adapters
# Versions are pinned beside this script. Does nothing when all is there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}/clients
mkdir -p "$target"
target=$(cd "$target" && pwd)

# venv NAME   a virtual environment with what is pinned for it
venv() {
  local pinned=$here/$1/requirements.txt
  if cmp -s "$pinned" "$target/$1/installed"; then return; fi
  python3 -m venv --clear "$target/$1"
  "$target/$1/bin/pip" install --quiet --disable-pip-version-check -r "$pinned"
  cp "$pinned" "$target/$1/installed"
}
# Meanwhile npm works: each of the three mostly waits for its registry.
venv python & python=$!
venv python-v1 & python_v1=$!

if ! cmp -s "$here/package-lock.json" "$target/installed.npm" || [ ! -x "$target/node" ]; then
  cp "$here/package.json" "$here/package-lock.json" "$target/"
  # Not `npm ci`: it refuses lock files without the optional packages of other platforms.
  # The engines warning is about the system's Node, which is not the one that runs them.
  (cd "$target" && npm install --ignore-scripts --no-audit --no-fund --loglevel error)
  # The package brings Node where the system's is older; elsewhere the system's must do.
  node=$(ls "$target"/node_modules/node-linux-*/bin/node 2>/dev/null | head -n 1 || true)
  ln -sfn "${node:-$(command -v node)}" "$target/node"
  cp "$here/package-lock.json" "$target/installed.npm"
fi
"$target/node" -e '
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 22 || (major === 22 && minor < 19)) {
    console.error(`the MCP Inspector needs Node 22.19 or newer; found ${process.version}`);
    process.exit(1);
  }'

wait "$python"
wait "$python_v1"
echo "MCP clients: $target"
