#!/usr/bin/env python3
"""What the pages name exists: links, tests (`Suite.Name`), and `plumb check NAME`.

    tests/tools/docs_test.py PLUMB
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def tests() -> set[str]:
    found = set()
    for path in (ROOT / "tests").rglob("*.cpp"):
        text = path.read_text(encoding="utf-8")
        found |= {f"{suite}.{name}" for suite, name in re.findall(r"^(?:TYPED_)?TEST(?:_[FP])?\((\w+), (\w+)\)", text, re.M)}
    return found


def problems(page: pathlib.Path, known_tests: set[str], checks: set[str]):
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)  # C++ has brackets of its own
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)|<img src=\"([^\"]+)\"", prose):
        target = link[0] or link[1]
        if "://" not in target and not (page.parent / target).exists():
            yield f"links to {target}, which does not exist"
    if page.name == "determinism.md":
        for name in re.findall(r"`([A-Z]\w+\.[A-Z]\w+)`", text):
            if name not in known_tests:
                yield f"names the test {name}, which does not exist"
    for name in re.findall(r"plumb check (\w+)", text):
        if name not in checks | {"all"}:
            yield f"names plumb check {name}, which does not exist"


def main() -> int:
    listed = subprocess.run([sys.argv[1], "check", "list"], capture_output=True, text=True, check=True).stdout
    checks = {line.split()[1] for line in listed.splitlines()} | {"list", "replay"}
    known_tests, count = tests(), 0
    for page in PAGES:
        for problem in problems(page, known_tests, checks):
            count += 1
            print(f"{page.relative_to(ROOT)}: {problem}")
    print(f"{len(PAGES)} pages, {count} problems")
    return 1 if count or not known_tests else 0


if __name__ == "__main__":
    sys.exit(main())
