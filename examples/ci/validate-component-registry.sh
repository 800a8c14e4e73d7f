#!/usr/bin/env bash
# Checks a catalog from outside, as an agent would use it: for each URI that is new
# since BASE, starts `wassette serve`, loads the component with the MCP Inspector, and
# looks for its tools. Fails if any of them failed.
#
#   validate-component-registry.sh [FILE] [BASE]
#
# FILE is component-registry.json by default. BASE is a revision of git; without it
# all URIs are checked.
#
#   WASSETTE    the program (default: wassette)
#   INSPECTOR   the MCP Inspector (default: npx --yes @modelcontextprotocol/inspector@2.12.0)
#   PORT        where the server listens (default: 8089; 0: any free port)
#
# Needs node, curl, and git where BASE is given.
set -euo pipefail

file=${1:-component-registry.json}
base=${2:-}
wassette=${WASSETTE:-wassette}
read -r -a inspector <<<"${INSPECTOR:-npx --yes @modelcontextprotocol/inspector@2.12.0}"
port=${PORT:-8089}

work=$(mktemp -d)
server=
stop() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
  fi
}
trap 'stop; rm -rf "$work"' EXIT

# The catalog as it was; an empty one where it was not there.
echo '{"components": []}' >"$work/before.json"
if [ -n "$base" ]; then
  git -C "$(dirname "$file")" rev-parse --quiet --verify "$base^{commit}" >/dev/null || {
    echo "git has no revision \`$base\`" >&2
    exit 2
  }
  git -C "$(dirname "$file")" show "$base:./$(basename "$file")" >"$work/was.json" 2>/dev/null &&
    mv "$work/was.json" "$work/before.json"
fi

# The URIs that are in FILE and were not in it before, each once.
node -e '
  const read = (path) => {
    const document = JSON.parse(require("fs").readFileSync(path, "utf8").replace(/^\uFEFF/, ""));
    return (Array.isArray(document) ? document : document.components).map((entry) => entry.uri);
  };
  const before = new Set(read(process.argv[1]));
  for (const uri of new Set(read(process.argv[2]))) if (!before.has(uri)) console.log(uri);
' "$work/before.json" "$file" >"$work/uris"

# start ROOT   starts a server and waits until it listens; its address is in $url
start() {
  WASSETTE_ROOT=$1 "$wassette" serve --transport sse --bind "127.0.0.1:$port" \
    </dev/null 2>"$work/log" &
  server=$!
  for _ in $(seq 300); do
    url=$(sed -n 's/.*listening on \(http[^ ]*\).*/\1/p' "$work/log" | head -n 1)
    if [ -n "$url" ] && curl --silent --fail --output /dev/null "$url/readyz"; then return; fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.2
  done
  cat "$work/log" >&2
  return 1
}

# inspect ARGUMENT...   asks the server by the Inspector
inspect() {
  "${inspector[@]}" --cli --transport sse --server-url "$url/sse" "$@" </dev/null
}

# check URI
check() {
  inspect --method tools/call --tool-name load-component --tool-arg "uri=$1" >"$work/loaded" || {
    cat "$work/loaded" >&2
    return 1
  }
  inspect --method tools/list >"$work/listed" || return
  node -e '
    const [loaded, listed] = process.argv.slice(1).map((path) =>
      JSON.parse(require("fs").readFileSync(path, "utf8")));
    if (loaded.isError) {
      console.error(loaded.content.map((part) => part.text).join("\n"));
      process.exit(1);
    }
    const wanted = loaded.structuredContent.tool_names;
    const offered = new Set(listed.tools.map((tool) => tool.name));
    const missing = wanted.filter((name) => !offered.has(name));
    if (wanted.length === 0 || missing.length > 0) {
      console.error(`its tools are not offered: ${missing.join(", ") || "it has none"}`);
      process.exit(1);
    }
    console.log(`  tools: ${wanted.join(", ")}`);
  ' "$work/loaded" "$work/listed"
}

passed=0
failed=0
while IFS= read -r uri; do
  echo "$uri"
  root=$(mktemp -d "$work/root.XXXXXX")
  if start "$root" && check "$uri"; then
    echo "  passed"
    passed=$((passed + 1))
  else
    echo "  failed"
    failed=$((failed + 1))
  fi
  stop
done <"$work/uris"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
