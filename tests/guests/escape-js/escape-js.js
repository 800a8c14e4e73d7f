// A guest that tries to escape from a JavaScript engine. wit/escape.wit says what
// each function does.

import { getArguments, getEnvironment, initialCwd } from "wasi:cli/environment@0.2.0";

export function add(a, b) {
  return a + b;
}

export function see() {
  const seen = getEnvironment().map(([name, value]) => `${name}=${value}`);
  seen.push(...getArguments(), initialCwd() ?? "nowhere");
  // What engines outside a sandbox have.
  for (const name of ["process", "require", "Deno", "Bun", "std", "os"]) {
    if (name in globalThis) seen.push(name);
  }
  return seen;
}

export function allocate() {
  const kept = [];
  for (;;) kept.push(new Uint8Array(1 << 20).fill(1));
}

export function recurse() {
  const deeper = (depth) => deeper(depth + 1) + 1;
  deeper(0);
}

export function spin() {
  for (;;);
}

export function backtrack() {
  /^(a+)+$/.test("a".repeat(64) + "b");
}

export function double() {
  let text = "a";
  for (;;) text = `${text}${text}`.split("").join("");
}
