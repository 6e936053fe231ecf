"""Plumb and PyTorch side by side: the same transformer, weights, batches and optimiser, on the same cores, in turns.

    python3 -m venv venv && venv/bin/pip install torch h5py          # from PyPI
    cmake -S . -B build -G Ninja -DPLUMB_BENCH=ON && cmake --build build --target peer_plumb
    venv/bin/python bench/peers/compare.py --text input.txt [--tokenizer m.model] [--sizes 64,256] [--precision f32,bf16]

First both train a few steps from the same weights on the same batches, and their losses must agree. Then they take turns
of about a second each; every round gives one ratio of tokens/s, and the median is reported with the smallest and largest.
Memory is the peak of the whole process (VmHWM). A ratio over 1 is in favour of Plumb.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
SIZES = {64: (2, 4, 64, 16), 128: (4, 4, 128, 16), 256: (4, 4, 256, 8), 512: (6, 8, 256, 8)}  # layers, heads, T, batch
AGREE = {"f32": 1e-4, "bf16": 2e-2}  # largest relative difference of the first losses


class Peer:
    def __init__(self, name, command, environment):
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} has ended")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def agree(name, ours, theirs, allowed):
    far = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))
    if far > allowed:
        sys.exit(f"{name}: losses differ by {far:.1e}, more than {allowed:.0e}: {ours} and {theirs}")
    return far


def turns(ours, theirs, command, rounds):
    """Both in turns; of each round, their seconds over ours."""
    return [theirs.ask(command)["seconds"] / ours.ask(command)["seconds"] for _ in range(rounds)]


def steps_in_a_second(peer):
    return f"steps {max(1, round(4 / peer.ask('steps 4')['seconds']))}"


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def race(a, width, precision, folder):
    layers, heads, context, batch = SIZES[width]
    settings = {
        "data.path": a.text, "data.tokenizer": a.tokenizer, "model.width": width, "model.layers": layers, "model.heads": heads,
        "model.context": context, "train.batch": batch, "train.precision": precision,
    }  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": str(a.threads), "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "10000")}
    plumb = [a.worker, str(HERE / "gpt.toml")] + [f"{k}={v}" for k, v in settings.items()]
    ours = Peer("plumb", plumb, environment)
    file = str(pathlib.Path(folder) / "start.h5")
    flops = ours.ask(f"export {file} 8")["flops_per_token"]
    first = ours.ask("steps 8")
    print(f"\nwidth {width}, layers {layers}, heads {heads}, T {context}, batch {batch}, {precision}", flush=True)
    torch = [sys.executable, str(HERE / "pytorch_worker.py"), file, "--threads", str(a.threads)]
    default = os.environ | {"OMP_NUM_THREADS": str(a.threads)}
    for name, command in (("eager", torch), ("compiled", torch + ["--compile"])):
        if name not in a.against:
            continue
        theirs = Peer(name, command, default)
        answer = theirs.ask("steps 8")
        far = agree(name, first["losses"], answer["losses"], AGREE[precision])
        training = turns(ours, theirs, steps_in_a_second(ours), a.rounds)
        line = f"  {name:9} losses within {far:.0e}; training x {spread(training)}"
        if name == "eager":
            sampling = turns(ours, theirs, f"sample 8 {context - 8}", a.rounds + 1)[1:]  # the first warms up
            line += f"; sampling x {spread(sampling)}"
        now = ours.ask("steps 16"), theirs.ask("steps 16")
        line += f"; memory x {now[1]['peak_mib'] / now[0]['peak_mib']:.1f} less ({now[0]['peak_mib']:.0f} MiB)"
        tokens = 16 * context * batch
        line += f"; {tokens / now[0]['seconds']:,.0f} against {tokens / now[1]['seconds']:,.0f} tokens/s"
        print(line, flush=True)
        theirs.close()
    print(f"  {flops * 16 * context * batch / ours.ask('steps 16')['seconds'] * 1e-9:.0f} GFLOP/s", flush=True)
    ours.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True)
    parser.add_argument("--tokenizer", default="bytes")
    parser.add_argument("--sizes", default="64,128,256,512")
    parser.add_argument("--precision", default="f32,bf16")
    parser.add_argument("--against", default="eager,compiled")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--worker", default="build/bench/peer_plumb")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for precision in arguments.precision.split(","):
            for width in arguments.sizes.split(","):
                race(arguments, int(width), precision, folder)


main()
