#!/usr/bin/env python3
"""A small tree in which every rule of tools/check_layers.py is broken once, and kept once."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_layers  # noqa: E402

# path, its text, and the rules that each of its lines breaks
BROKEN = [
    ("core/a.h", '#include "nn/layer.h"\n', ["floors"]),
    ("core/b.cpp", '#include "tests/support.h"\n', ["floors"]),
    ("nn/a.h", '#include "optim/adam.h"\n', ["floors"]),
    ("nn/b.cpp", '#include "core/cpu/backend.h"\n', ["devices"]),
    ("alignment/preference/dpo.cpp", '#include "alignment/reward/model.h"\n', ["floors"]),
    ("alignment/math/log.h", '#include "alignment/preference/dpo.h"\n', ["floors"]),
    ("alignment/math/omp.cpp", "  #pragma omp parallel for\n", ["pragma"]),
    ("core/cpu/isa/exp.cpp", "#include <vector>\n#include <math.h>\n", ["isa", "isa"]),
    ("lab/trainer.cpp", '#include "alignment/preference/dpo.h"\n', ["trainer"]),
    ("lab/store.cpp", "#include <hdf5.h>\n", ["home"]),
    ("lab/a.cpp", "#include <spdlog/spdlog.h>\n", []),
    ("lab/b.cpp", "#include <spdlog/spdlog.h>\n", ["one_file"]),
    ("core/c.cpp", "std::thread t;\nstd::jthread u;\nstd::async(f);\n", ["threads"] * 3),
    ("core/d.cpp", "std::atomic<float> x;\n", ["atomics"]),
    ("core/cuda/e.cu", "atomicAdd(&x[i], 1.0f);\n", ["atomics"]),
    ("core/f.cpp", "std::mt19937 generator;\n", ["random"]),
    ("core/g.cpp", "  if (bad) abort();\n  std::exit(1);\n", ["abort", "abort"]),
    ("core/h.cpp", "assert(x > 0);\n", ["assert"]),
    ("models/i.cpp", 'std::cout << "hello";\n', ["stdout"]),
    ("models/j.h", "using namespace plumb;\n", ["using"]),
]
KEPT = [
    ("core/parallel.cpp", "#include <omp.h>\n#pragma omp parallel\n"),
    ("core/tensor.h", '#include "core/shape.h"\n#include <vector>\nstd::atomic<int> n;\nstatic_assert(true);\n'),
    ("core/cpu/isa/exp.cpp", '#include "core/cpu/isa/isa.h"\n#include "core/cpu/rows_table.h"\n#include <stdint.h>\n#include <sleef.h>\n'),
    ("core/cuda/a.cu", "#include <cublas_v2.h>\natomicAdd(&count, 1);  // integer\n"),
    ("alignment/preference/dpo.cpp", '#include "alignment/math/log.h"\n#include "alignment/preference/margin.h"\n#include "alignment/objective.h"\n'),
    ("lab/doctor.cpp", '#include "core/cpu/isa.h"\n#include "alignment/preference/dpo.h"\n'),
    ("core/files/hdf5_api.h", "#include <hdf5.h>\n"),
    ("lab/spawn.cpp", "_Exit(1);  // check: allow abort, a child that could not start has nobody to throw to\n"),
    ("lab/words.cpp", 'print("#pragma omp, std::thread");  // std::thread, abort()\nobject.exit(1);\nstd::thread::id me;\n'),
    ("examples/study/main.cpp", '#include "lab/world.h"\n'),
]


class CheckLayers(unittest.TestCase):
    def breaches(self, files):
        with tempfile.TemporaryDirectory() as root:
            for path, text in files:
                file = pathlib.Path(root, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            return check_layers.check_tree(pathlib.Path(root))[0]

    def test_names_every_broken_rule_with_its_line(self):
        found = self.breaches([(path, text) for path, text, _ in BROKEN])
        for path, _, rules in BROKEN:
            self.assertEqual([b.rule for b in found if b.file == path], rules, path)
            self.assertEqual([b.line for b in found if b.file == path], list(range(1, len(rules) + 1)), path)

    def test_is_silent_where_the_rules_are_kept(self):
        self.assertEqual([str(b) for b in self.breaches(KEPT)], [])

    def test_every_rule_is_broken_somewhere_above(self):
        rules = {r.name for r in check_layers.INCLUDES} | {r.name for r in check_layers.TEXTS} | {"floors", "home", "one_file"}
        self.assertEqual(rules, {rule for _, _, names in BROKEN for rule in names})

    def test_a_waiver_needs_a_reason(self):
        self.assertEqual(len(self.breaches([("lab/a.cpp", "abort();  // check: allow abort\n")])), 1)


if __name__ == "__main__":
    unittest.main()
