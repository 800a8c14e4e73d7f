#!/usr/bin/env python3
"""Puts the doc comments of a WIT package into a component.

Toolchains drop doc comments. wasm-tools keeps them when it encodes a WIT
package, as JSON in a custom section named `package-docs`; this script copies
that section to the end of a component, where Wassette reads it.

Usage: document.py WIT COMPONENT      (the component is changed in place;
                                       $WASM_TOOLS names wasm-tools)
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator

NAME = b"package-docs"
CUSTOM = 0
HEADER = 8  # magic and version


def main(wit: str, component: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        package = Path(scratch, "package.wasm")
        wasm_tools = os.environ.get("WASM_TOOLS", "wasm-tools")
        subprocess.run([wasm_tools, "component", "wit", wit, "--wasm", "-o", package], check=True)
        docs = [s for s in sections(package.read_bytes()) if is_docs(s)]

    path = Path(component)
    wasm = path.read_bytes()
    kept = [s for s in sections(wasm) if not is_docs(s)]
    path.write_bytes(wasm[:HEADER] + b"".join(kept + docs))


def sections(wasm: bytes) -> Iterator[bytes]:
    """The top-level sections, each with its own header."""
    at = HEADER
    while at < len(wasm):
        size, body = leb128(wasm, at + 1)
        yield wasm[at : body + size]
        at = body + size


def is_docs(section: bytes) -> bool:
    if section[0] != CUSTOM:
        return False
    _, body = leb128(section, 1)
    length, name = leb128(section, body)
    return section[name : name + length] == NAME


def leb128(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number and the place after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
