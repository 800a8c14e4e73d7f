#!/usr/bin/env bash
# Installs the MCP clients of the integration tests into target/clients:
#   node_modules/   MCP Inspector and the conformance suite, from npm
#   node            a Node that is new enough for them (22.19)
#   python/         a virtual environment with the Python SDK, from PyPI
# Versions are pinned beside this script. Does nothing when all is there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}/clients
mkdir -p "$target"
target=$(cd "$target" && pwd)

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

if ! cmp -s "$here/python/requirements.txt" "$target/installed.pip"; then
  python3 -m venv --clear "$target/python"
  "$target/python/bin/pip" install --quiet --disable-pip-version-check -r "$here/python/requirements.txt"
  cp "$here/python/requirements.txt" "$target/installed.pip"
fi
echo "MCP clients: $target"
