#!/usr/bin/env python3
"""Adds up the branches in an export of llvm-cov by area, and prints the line that tools/coverage.sh ends with.

    tools/coverage.py EXPORT.json [--lines]

Each area has its share of branches that must be taken. Instances of one template count together: a branch is taken when
any of them took it.
"""
import argparse
import json
import pathlib
import sys

# Area: share wanted, files.
areas = {
    "parsers": (0.95, ("lab/config/", "lab/data/", "lab/cli/parse.cpp")),
    "store": (1.00, ("lab/store/", "core/files/")),
    "loop": (0.95, ("lab/run/",)),
    "objectives": (0.95, ("alignment/",)),
}


def branches_of(export: dict) -> dict[tuple, bool]:
    """(file, line, column, end line, end column, way) -> taken, over all functions and their instances."""
    taken: dict[tuple, bool] = {}
    for function in export["data"][0]["functions"]:
        for l1, c1, l2, c2, true_count, false_count, file, *_ in function["branches"]:
            name = function["filenames"][file].removeprefix("build-coverage/")  # a source's name in this repository
            for way, count in ((True, true_count), (False, false_count)):
                key = (name, l1, c1, l2, c2, way)
                taken[key] = taken.get(key, False) or count > 0
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=pathlib.Path)
    parser.add_argument("--lines", action="store_true", help="list each branch that is missing")
    options = parser.parse_args()
    branches = branches_of(json.loads(options.export.read_text()))
    total = hit = 0
    short = []
    for area, (wanted, starts) in areas.items():
        mine = {key: ok for key, ok in branches.items() if key[0].startswith(starts)}
        good = sum(mine.values())
        total, hit = total + len(mine), hit + good
        share = good / len(mine) if mine else 0.0
        print(f"{area:<11} {good:>5} of {len(mine):>5} branches, {100 * share:6.2f} %")
        if share < wanted:
            short.append(f"{area} below {100 * wanted:.0f} %")
        if options.lines:
            for name, line, column, _, _, way in sorted(key for key, ok in mine.items() if not ok):
                print(f"  {name}:{line}:{column} never {str(way).lower()}")
    verdict = ", ".join(short) or "holds"
    print(f"{100 * hit / max(total, 1):.2f}\t% of branches taken\t{verdict}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
