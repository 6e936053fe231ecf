#!/usr/bin/env python3
"""Runs the commands of docs/tutorial.md with tiny sizes, and holds what they print against what the page shows.

    tests/tools/tutorial_test.py PLUMB [PAGE]

A line that the page shows below a command must be printed by it, numbers aside; `...` stands for any lines. Progress depends
on time, and a sample is text that a model made up: their lines are not compared.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TINY = ("--set run.steps=20 --set run.eval_every=10 --set run.eval_rows=4 --set run.sample_tokens=4 --set train.batch=4 "
        "--set model.layers=1 --set model.context=16")
FOLDERS = ["examples", "core", "autograd", "lab"]  # what the commands read
MAY_FAIL = {"diff": {1}, "timeout": {0, 137}}  # differing runs; a run that ends before it is killed


def commands(page: str):
    """(command, the lines shown below it) of each console block."""
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            lines = part.rstrip("\n").split("\n")
            end = 1
            if "<<'END'" in lines[0]:
                end = lines.index("END") + 1
            yield "\n".join(lines[:end]), lines[end:]


def shape(line: str) -> str:
    """A line without its numbers, times and widths of columns: what stays the same from run to run."""
    line = re.sub(r"\b\d+ min (\d+ s)", r"\1", line)
    line = re.sub(r"-?\b\d[\d.]*(e[-+]?\d+)?k?\b", "N", line)
    return re.sub(r"\s+", " ", line).strip()


def tiny(command: str) -> str:
    command = re.sub(r"^\./run\.sh", "build/plumb train examples/copy_language/gpt.toml", command)
    return f"{command} {TINY}" if re.search(r"\bplumb train\b", command) and ".toml" in command else command


def missing(shown: list[str], printed: str) -> list[str]:
    have = {shape(line) for line in printed.splitlines()}
    return [line for line in shown if not re.match(r"\.\.\.$|sample |step \d+/", line) and shape(line) not in have]


def run(command: str, shown: list[str], folder: pathlib.Path) -> list[str]:
    done = subprocess.run(["bash", "-c", tiny(command)], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60, errors="replace")
    if shown and shown[0].startswith("error: "):
        allowed = {1}
    else:
        allowed = next((codes for word, codes in MAY_FAIL.items() if word in command.split()), {0})
    problems = [] if done.returncode in allowed else [f"exit code {done.returncode}"]
    if "plumb sample" not in command:
        problems += [f"does not print: {line}" for line in missing(shown, done.stdout)]
    return [f"$ {command}\n  {p}\n  it printed:\n{done.stdout}" for p in problems]


def main() -> int:
    plumb = pathlib.Path(sys.argv[1]).resolve()
    page = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs" / "tutorial.md"
    problems, count = [], 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "build").mkdir()
        os.symlink(plumb, folder / "build" / "plumb")
        for read in FOLDERS:
            os.symlink(ROOT / read, folder / read)
        for command, shown in commands(page.read_text(encoding="utf-8")):
            count += 1
            problems += run(command, shown, folder)
    for problem in problems:
        print(problem)
    print(f"{page.name}: {count} commands, {len(problems)} problems")
    return 1 if problems or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
