#!/usr/bin/env python3
"""Draws docs/session.svg: the first commands of docs/tutorial.md, really run.

Usage: docs/session.py [WASSETTE]      (from the root of the repository)
"""

import os
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

COMMANDS = 5  # of the tutorial
WIDTH = 88  # characters
CHARACTER, LINE = 7.8, 18  # pixels
COLOURS = {"command": "#7ee787", "error": "#ff7b72", "hint": "#79c0ff", "": "#c9d1d9"}


def main(program: str) -> None:
    docs = Path(__file__).parent
    tutorial = (docs / "tutorial.md").read_text().splitlines()
    commands = [line[2:] for line in tutorial if line.startswith("$ wassette")][:COMMANDS]
    with tempfile.TemporaryDirectory() as home:
        tool = Path(home, "bin", "wassette")
        tool.parent.mkdir()
        tool.symlink_to(Path(program).resolve())
        path = f"{tool.parent}:{os.environ['PATH']}"
        env = {"HOME": home, "PATH": path, "LC_ALL": "C.UTF-8"}
        lines = [line for command in commands for line in run(command, env)]
    (docs / "session.svg").write_text(svg(lines))


def run(command: str, env: dict[str, str]) -> list[tuple[str, str]]:
    ended = subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True)
    # How long it took differs from run to run.
    shown = [line for line in ended.stdout.splitlines() if not line.startswith("time ")]
    said = [line for line in ended.stderr.splitlines() if line.strip()]
    kinds = [("error" if line.startswith("error:") else "hint", line) for line in said]
    return [("command", f"$ {command}"), *(("", line) for line in shown), *kinds, ("", "")]


def fit(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def svg(lines: list[tuple[str, str]]) -> str:
    width, height = round(WIDTH * CHARACTER) + 32, len(lines) * LINE + 40
    texts = "\n".join(
        f'<text x="16" y="{36 + nth * LINE}" fill="{COLOURS[kind]}">{escape(fit(line))}</text>'
        for nth, (kind, line) in enumerate(lines)
        if line
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="monospace" font-size="13" '
        f'xml:space="preserve" role="img">\n'
        f"<title>A component is loaded and called</title>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>\n{texts}\n</svg>\n'
    )


main(sys.argv[1] if len(sys.argv) > 1 else "target/debug/wassette")
