"""The transformer in plain PyTorch, against what Plumb says of the same weights: logits, loss and every gradient.

    python3 -m venv venv && venv/bin/pip install torch h5py          # from PyPI; no GPU needed
    cmake --build build --target export_gpt && build/tests/export_gpt /tmp/gpt.h5
    venv/bin/python tests/peers/gpt_in_pytorch.py /tmp/gpt.h5 [--golden tests/golden/gpt_against_pytorch.json]

Prints, per case and precision, our largest norm of a difference over norm (against PyTorch in f64; beside it, how far
PyTorch is from itself in that precision), and ends with an error where ours is over 1e-10 (f64) or 1e-5 (f32). --golden writes the small cases as PyTorch has them in f64, for the test suite
(tests/alignment/test_against_pytorch.cpp). Nothing here is taken from Plumb but options, weights and tokens.
"""

import argparse
import json
import math
import sys
import tomllib

import h5py
import torch
import torch.nn.functional as F

ALLOWED = {"f64": 1e-10, "f32": 1e-5}
DTYPES = {"f64": torch.float64, "f32": torch.float32}
ACTIVATIONS = {
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
}


class Gpt:
    """options: the table [model] of a Plumb configuration; w: parameters by name."""

    def __init__(self, options, w):
        self.o, self.w = options, w

    def linear(self, x, name):
        return F.linear(x, self.w[name + ".weight"], self.w.get(name + ".bias"))

    def norm(self, x, name):
        gain = self.w[name + ".gain"] + (1 if self.o["norm_unit_offset"] else 0)
        if self.o["norm"] == "layernorm":
            return F.layer_norm(x, x.shape[-1:], gain, self.w.get(name + ".bias"), self.o["norm_eps"])
        y = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.o["norm_eps"]) * gain
        return y + self.w[name + ".bias"] if name + ".bias" in self.w else y

    def rope(self, x):  # [B, T, H, d]: pairs (i, i + d/2), as in Llama's rotate_half
        half = x.shape[-1] // 2
        rate = self.o["rope_base"] ** (-torch.arange(half, dtype=torch.float64) / half)
        angle = torch.arange(x.shape[1], dtype=torch.float64)[:, None] * rate
        cos, sin = (f(angle).to(x.dtype)[:, None, :] for f in (torch.cos, torch.sin))
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)

    def qk(self, x, gain):  # [B, T, H, d]
        kind, eps = self.o["qk_norm"], self.o["norm_eps"]
        if kind == "none":
            return x
        if kind == "l2":
            return F.normalize(x, dim=-1, eps=eps) * gain
        if kind == "kappa":
            return x * torch.rsqrt(x.square().mean(-1, keepdim=True)) * math.sqrt(self.o["kappa"])
        rows = x.flatten(2) if kind.endswith("_full") else x
        if kind.startswith("layernorm"):
            rows = F.layer_norm(rows, rows.shape[-1:], gain, None, eps)
        else:
            rows = rows * torch.rsqrt(rows.square().mean(-1, keepdim=True) + eps) * gain
        return rows.reshape(x.shape)

    def attention(self, x, name):
        o, (b, t, width) = self.o, x.shape
        heads, kv_heads = o["heads"], o["kv_heads"] or o["heads"]
        d = width // heads
        q = self.qk(self.linear(x, name + ".q").view(b, t, heads, d), self.w.get(name + ".q_gain"))
        k = self.qk(self.linear(x, name + ".k").view(b, t, kv_heads, d), self.w.get(name + ".k_gain"))
        v = self.linear(x, name + ".v").view(b, t, kv_heads, d)
        if o["positions"] == "rope":
            q, k = self.rope(q), self.rope(k)
        k, v = (y.repeat_interleave(heads // kv_heads, dim=2) for y in (k, v))
        if o["attn_scale"] == "fixed":
            scale = o["attn_scale_value"]
        elif o["qk_norm"] == "l2":
            scale = 1
        else:
            scale = 1 / d if o["attn_scale"] == "d" else d**-0.5
        z = torch.einsum("bthd,bshd->bhts", q, k) * scale
        if o["attn_softcap"]:
            z = o["attn_softcap"] * torch.tanh(z / o["attn_softcap"])
        seen = torch.ones(t, t, dtype=torch.bool).tril()
        if o["squared_relu_attention"]:
            a = F.relu(z).square().masked_fill(~seen, 0) / math.sqrt(o["context"])
        else:
            a = torch.softmax(z.masked_fill(~seen, -torch.inf), -1)
        return self.linear(torch.einsum("bhts,bshd->bthd", a, v).reshape(b, t, width), name + ".out")

    def mlp(self, x, name):
        up = self.linear(x, name + ".up")
        if self.o["activation"] == "swiglu":
            return self.linear(F.silu(self.linear(x, name + ".gate")) * up, name + ".down")
        return self.linear(ACTIVATIONS[self.o["activation"]](up), name + ".down")

    def branch(self, x, f, block, part):
        placement = self.o["norm_placement"]
        y = f(self.norm(x, f"{block}.{part}_norm") if placement in ("pre", "sandwich") else x, f"{block}.{part}")
        if self.o["layer_scale"]:
            y = y * self.w[f"{block}.{part}_scale"]
        if placement == "deepnorm":
            return self.norm((2 * self.o["layers"]) ** 0.25 * x + y, f"{block}.{part}_out_norm")
        return x + (y if placement == "pre" else self.norm(y, f"{block}.{part}_out_norm"))

    def logits(self, tokens):
        x = F.embedding(tokens, self.w["embedding.weight"]) * self.o["embed_multiplier"]
        if self.o["positions"] == "learned":
            x = x + self.w["positions"][: tokens.shape[1]]
        if self.o["embedding_norm"]:
            x = self.norm(x, "embedding_norm")
        for i in range(self.o["layers"]):
            x = self.branch(x, self.attention, f"blocks.{i}", "attn")
            x = self.branch(x, self.mlp, f"blocks.{i}", "mlp")
        head = self.w["embedding.weight"] if self.o["tied_head"] else self.w["head"]
        z = F.linear(self.norm(x, "final_norm"), head) * self.o["logit_multiplier"]
        cap = self.o["final_softcap"]
        return cap * torch.tanh(z / cap) if cap else z


def loss_of(logits, labels, z_loss, z_target):
    cross_entropy = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
    log_z = torch.logsumexp(logits, -1)[labels >= 0]
    return cross_entropy + z_loss * (log_z - z_target).square().mean()


def distance(got, want):
    got, want = torch.as_tensor(got, dtype=torch.float64), torch.as_tensor(want, dtype=torch.float64)
    return (torch.linalg.vector_norm(got - want) / torch.linalg.vector_norm(want).clamp_min(1e-300)).item()


def compute(case, weights, dtype):
    w = {n: torch.tensor(x[()], dtype=dtype, requires_grad=True) for n, x in weights.items()}
    model = Gpt(tomllib.loads(case.attrs["options"]), w)
    logits = model.logits(torch.tensor(case["tokens"][()]))
    loss = loss_of(logits, torch.tensor(case["labels"][()]), case.attrs["z_loss"], case.attrs["z_target"])
    grads = torch.autograd.grad(loss, list(w.values()))
    return logits.detach(), loss.item(), dict(zip(w, grads))


def distances(logits, loss, grads, reference):
    far = {"logits": distance(logits, reference[0]), "loss": distance(loss, reference[1])}
    return far | {f"gradient of {name}": distance(grads[name], g) for name, g in reference[2].items()}


def compare(case, precision):
    """Our largest distance from PyTorch in f64, where it is, and that of PyTorch itself in our precision."""
    ours = case[precision]
    grads = {name: g[()] for name, g in ours["grads"].items()}
    reference = compute(case, ours["weights"], torch.float64)
    if set(grads) != set(reference[2]):
        raise SystemExit(f"gradients of other parameters: {set(grads) ^ set(reference[2])}")
    far = distances(ours["logits"][()], ours.attrs["loss"], grads, reference)
    theirs = distances(*compute(case, ours["weights"], DTYPES[precision]), reference)
    worst = max(far, key=far.get)
    return far[worst], worst, max(theirs.values())


def golden_of(case):
    logits, loss, grads = compute(case, case["f64"]["weights"], torch.float64)
    numbers = lambda x: [float(f"{v:.13g}") for v in x.flatten().tolist()]
    return {
        "name": case.attrs["name"],
        "loss": float(f"{loss:.13g}"),
        "logits": numbers(logits),
        "grads": {name: numbers(g) for name, g in grads.items()},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--golden")
    arguments = parser.parse_args()
    failed = False
    with h5py.File(arguments.file) as file:
        for scale in file:
            for case in file[scale].values():
                for precision, allowed in ALLOWED.items():
                    worst, where, theirs = compare(case, precision)
                    failed |= not worst <= allowed
                    print(f"{scale} {precision} {worst:.1e} (PyTorch {theirs:.1e})  {case.attrs['name']}: {where}")
        if arguments.golden:
            cases = [golden_of(c) for c in file["scale1"].values()]
            with open(arguments.golden, "w") as out:
                head = f"PyTorch {torch.__version__.split('+')[0]}, f64, by tests/peers/gpt_in_pytorch.py"
                out.write('{"made_by": ' + json.dumps(head) + ', "cases": [\n')
                out.write(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]}\n")
    sys.exit("further apart than allowed" if failed else 0)


main()
