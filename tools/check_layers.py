#!/usr/bin/env python3
"""Checks who may include whom, and what may stand where. Prints file:line and the rule that is broken; exit code 1.

    tools/check_layers.py [ROOT]

A rule is one line in one of the tables below. A line of code that must break one says so, with the reason:
    // check: allow threads, the child of a fork has no other way out
"""
import pathlib
import re
import sys
from typing import Iterator, NamedTuple

# Each floor includes only itself and the floors before it.
FLOORS = ["core", "autograd", "nn", "optim", "models", "alignment", "lab", "examples"]
BESIDE = ["tests", "bench", "tools", "docs", "build"]  # no floor includes these
SHARED_ALGEBRA = ["contract", "batch", "math"]         # what the families of objectives in alignment/ have in common

ANY, KERNELS = r".*", r"core/cpu/isa/.*"


class Include(NamedTuple):
    """Files that match `where` include something that matches `what` only if it matches `allowed` too."""
    name: str
    where: str
    what: str
    allowed: str
    because: str


INCLUDES = [
    Include("devices", r"(?!core/).*", r"core/(cpu|cuda)/.*", r"core/cpu/isa\.h", "floors above core/ know core/backend.h alone"),
    Include("isa", KERNELS, r".*", r"core/cpu/isa/.*|core/cpu/\w+_table\.h|core/random_math\.h|std(def|int|bool)\.h|float\.h|string\.h|immintrin\.h|\w+intrin\.h|sleef\.h",
            "a kernel compiled for one instruction set shares no inline code with the rest: C headers only"),
    Include("trainer", r"lab/train(er)?[/.].*", r"alignment/.*", r"alignment/(contract|batch)/.*", "the trainer knows only the contract"),
]


class Home(NamedTuple):
    """A third-party header has one home; everybody else goes through our own functions."""
    header: str
    home: str


HOMES = [
    Home(r"omp\.h", r"core/parallel\.cpp"),
    Home(r"dnnl.*|oneapi/.*", r"core/cpu/(gemm|matmul)\w*\.cpp"),
    Home(r"sleef\.h", r"core/cpu/.*|core/exact_math\.cpp|lab/worlds/portable_math\.cpp"),
    Home(r"\w*intrin\.h", KERNELS),
    Home(r"(eigen3/)?Eigen/.*", r"core/linalg\.cpp"),
    Home(r"boost/.*", r"lab/study/statistics\.cpp"),
    Home(r"xxh.*\.h", r"core/files/\w+\.cpp"),
    Home(r"(hdf5|H5\w*)\.h", r"core/files/hdf5_api\.h"),
    Home(r"toml\+\+/.*|toml\.hpp", r"lab/config/toml\.cpp"),
    Home(r"nlohmann/.*", r"lab/.*\.cpp"),  # costly: never in a header
    Home(r"CLI/.*", r"lab/.*cli\w*(/\w+)*\.cpp|lab/main\.cpp"),
    Home(r"sentencepiece.*", r"lab/data/sentencepiece\.cpp"),
    Home(r"cuda.*|cublas.*|nv.*|cub/.*|thrust/.*", r"core/cuda/.*"),
    Home(r"mpi\.h", r"core/mpi/.*"),
]
ONE_FILE = [r"toml\+\+/.*|toml\.hpp", r"CLI/.*", r"spdlog/.*", r"Eigen/.*"]  # costly: one .cpp includes them


class Text(NamedTuple):
    """No line of code in files that match `where` contains `pattern`, except in `home`."""
    name: str
    where: str
    pattern: str
    home: str
    because: str


TEXTS = [
    Text("pragma", ANY, r"#\s*pragma\s+omp\b", r"core/parallel\.cpp", "all threads go through core/parallel.h"),
    Text("threads", ANY, r"\bstd::(j?thread|async)\b(?!::)|\bpthread_create\b", r"core/parallel\.cpp", "all threads go through core/parallel.h"),
    Text("atomics", ANY, r"\batomic(_ref)?\s*<\s*(float|double)\b|#\s*pragma\s+omp\s+atomic", r"", "additions of floats in the order of arrival change bits"),
    Text("atomics", r".*\.cuh?", r"\batomicAdd\s*\((?!.*\binteger\b)", r"", "no atomics on floats; on an integer, say so on the line: // integer"),
    Text("random", ANY, r"\bstd::(mt19937\w*|random_device|\w+_distribution|shuffle)\b|\bs?rand\s*\(\)", r"", "random numbers come from core/random.h"),
    Text("abort", ANY, r"(?<![\w.>:])(std::)?(abort|exit|_Exit|quick_exit|terminate)\s*\(", r"lab/main\.cpp", "library code never ends the process: throw"),
    Text("assert", ANY, r"(?<!\w)assert\s*\(", r"", "PLUMB_ASSERT says what broke and stays on"),
    Text("stdout", r"(core|autograd|nn|optim|models|alignment)/.*", r"\bstd::(cout|cerr|clog)\b|\bf?printf\s*\(", r"", "the library does not print"),
    Text("using", r".*\.h", r"^\s*using\s+namespace\b", r"core/backend\.h", "a header opens no namespace for those who include it"),
]

SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}
INCLUDE_LINE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]')
ALLOWED_LINE = re.compile(r"//.*\bcheck: allow (\w+), \S")
STRINGS_AND_COMMENTS = re.compile(r'"(?:[^"\\]|\\.)*"|//(?!.*\binteger\b).*')


class Breach(NamedTuple):
    file: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message} [{self.rule}]"


def floor_of(path: str) -> str:
    return path.split("/", 1)[0]


def breaks_floors(path: str, header: str) -> str | None:
    """The order of the floors, and the families of alignment/."""
    here, there = floor_of(path), floor_of(header)
    if there in BESIDE and "/" in header:
        return f"{here}/ includes {header}: no floor includes {there}/"
    if there not in FLOORS or "/" not in header:
        return None
    if FLOORS.index(there) > FLOORS.index(here):
        return f"{here}/ includes {header}: {there}/ stands above it"
    return breaks_families(path, header) if here == there == "alignment" else None


def breaks_families(path: str, header: str) -> str | None:
    mine, theirs = path.split("/")[1:-1], header.split("/")[1:-1]
    if not mine or not theirs or mine[0] == theirs[0] or theirs[0] in SHARED_ALGEBRA:
        return None
    return f"alignment/{mine[0]}/ includes {header}: families share algebra only through " + ", ".join(SHARED_ALGEBRA)


def breaches_of_include(path: str, header: str) -> Iterator[tuple[str, str]]:
    if message := breaks_floors(path, header):
        yield "floors", message
    for rule in INCLUDES:
        if re.fullmatch(rule.where, path) and re.fullmatch(rule.what, header) and not re.fullmatch(rule.allowed, header):
            yield rule.name, f"includes {header}: {rule.because}"
    for rule in HOMES:
        if re.fullmatch(rule.header, header) and not re.fullmatch(rule.home, path):
            yield "home", f"includes {header}, whose home is {rule.home}"


def check_file(path: str, text: str, seen: dict[str, str]) -> Iterator[Breach]:
    for number, line in enumerate(text.splitlines(), 1):
        allowed = set(ALLOWED_LINE.findall(line))
        found: list[tuple[str, str]] = []
        if match := INCLUDE_LINE.match(line):
            found += breaches_of_include(path, match[1])
            for pattern in ONE_FILE:
                if re.fullmatch(pattern, match[1]) and seen.setdefault(pattern, path) != path:
                    found.append(("one_file", f"includes {match[1]}, and so does {seen[pattern]}: one file is enough"))
        else:
            code = STRINGS_AND_COMMENTS.sub('""', line)
            found += [(rule.name, rule.because) for rule in TEXTS
                      if re.fullmatch(rule.where, path) and re.search(rule.pattern, code) and not re.fullmatch(rule.home, path)]
        yield from (Breach(path, number, rule, message) for rule, message in found if rule not in allowed)


def check_tree(root: pathlib.Path) -> tuple[list[Breach], int]:
    """All breaches under `root`, and the number of files read."""
    seen: dict[str, str] = {}
    files = sorted(file for floor in FLOORS for file in (root / floor).rglob("*") if file.suffix in SUFFIXES)
    breaches = [breach for file in files
                for breach in check_file(file.relative_to(root).as_posix(), file.read_text(encoding="utf-8"), seen)]
    return breaches, len(files)


def main() -> int:
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    breaches, files = check_tree(root)
    for breach in breaches:
        print(breach)
    if files == 0:
        print(f"{root}: no sources found")
    else:
        print(f"layers: {files} files, {len(breaches)} broken rules")
    return 1 if breaches or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
