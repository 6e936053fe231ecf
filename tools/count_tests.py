#!/usr/bin/env python3
"""Adds up test reports and prints the closing line of test.sh: 'N passed, N failed, N skipped'. Exit code 0 if all is well.

    tools/count_tests.py [--broken N] FOLDER...

A folder holds ctest's own report (ctest.xml, an entry for each test program) and one report of each GoogleTest program.
Cases are counted where there are any; a program that died without a report counts as one failed case. `--broken` is the
number of other stages (a build, a check) that failed: each counts as one.
"""
import argparse
import pathlib
import sys
import xml.etree.ElementTree as xml


def cases_of(report: pathlib.Path) -> tuple[int, int, int]:
    """Passed, failed, skipped cases of one GoogleTest report."""
    cases = list(xml.parse(report).getroot().iter("testcase"))
    failed = sum(case.find("failure") is not None for case in cases)
    skipped = sum(case.get("result") == "skipped" or case.get("status") == "notrun" for case in cases)
    return len(cases) - failed - skipped, failed, skipped


def outcome_of(folder: pathlib.Path, entry: xml.Element) -> tuple[int, int, int]:
    """Passed, failed, skipped cases of one entry of ctest."""
    good, skipped = entry.get("status") == "run", entry.get("status") in ("notrun", "disabled")
    report = folder / f"test_{entry.get('name')}.xml"
    if not report.exists():
        return int(good), int(not good and not skipped), int(skipped)
    counts = cases_of(report)
    return counts if good or skipped or counts[1] else (counts[0], 1, counts[2])  # it reported, then died


def totals(folders: list[pathlib.Path]) -> list[int]:
    counts = [0, 0, 0]
    for folder in folders:
        if (folder / "ctest.xml").exists():
            for entry in xml.parse(folder / "ctest.xml").getroot().iter("testcase"):
                counts = [a + b for a, b in zip(counts, outcome_of(folder, entry))]
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broken", type=int, default=0, help="other stages that failed")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    passed, failed, skipped = totals(options.folders)
    failed += options.broken
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
