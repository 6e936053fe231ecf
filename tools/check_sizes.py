#!/usr/bin/env python3
"""Warns of files that outgrew the house rules (CONTRIBUTING.md), and of files that do not say what they are for.

    tools/check_sizes.py [--strict] [ROOT]      --strict: exit code 1 where there is a warning
"""
import pathlib
import sys

FLOORS = ["core", "autograd", "nn", "optim", "models", "alignment", "lab", "examples", "tests", "bench"]
LINES = {".h": 150, ".cuh": 150, ".cpp": 400, ".cu": 400}
FILES_IN_A_FOLDER = 20
EXCEPTIONS = {"core/backend.h"}  # the one page of kernels


def warnings(root: pathlib.Path):
    for floor in FLOORS:
        for folder in [root / floor, *(path for path in (root / floor).rglob("*") if path.is_dir())]:
            sources = [path for path in sorted(folder.glob("*")) if path.suffix in LINES]
            if len(sources) > FILES_IN_A_FOLDER:
                yield f"{folder.relative_to(root)}/: {len(sources)} files, more than {FILES_IN_A_FOLDER}"
            for path in sources:
                name, lines = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8").splitlines()
                if len(lines) > LINES[path.suffix] and name not in EXCEPTIONS:
                    yield f"{name}: {len(lines)} lines, more than {LINES[path.suffix]}"
                if lines and not lines[0].startswith(("//", "/*")):
                    yield f"{name}:1: opens without a comment that says what it is for"


def main() -> int:
    words = sys.argv[1:]
    strict = "--strict" in words
    roots = [pathlib.Path(word) for word in words if word != "--strict"]
    root = roots[0] if roots else pathlib.Path(__file__).resolve().parent.parent
    found = list(warnings(root))
    for warning in found:
        print(f"warning: {warning}")
    return 1 if strict and found else 0


if __name__ == "__main__":
    sys.exit(main())
