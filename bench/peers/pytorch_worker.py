"""The other side of the race: the same transformer, objective and optimiser in PyTorch, written as its users write them.

    pytorch_worker.py FILE.h5 [--compile] [--threads N]

FILE comes from peer_plumb's `export`. Commands as of peer_plumb: `steps N`, `sample ROWS N`.
"""

import argparse
import json
import sys
import time
import tomllib

import h5py
import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, o):
        super().__init__()
        width, hidden = o["width"], round(o["mlp_ratio"] * o["width"])
        self.heads = o["heads"]
        self.attn_norm, self.mlp_norm = (nn.LayerNorm(width, o["norm_eps"], bias=False) for _ in range(2))
        self.q, self.k, self.v, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.up, self.down = nn.Linear(width, hidden, bias=False), nn.Linear(hidden, width, bias=False)

    def forward(self, x, cos, sin, cache=None, at=0):
        b, t, width = x.shape
        y = self.attn_norm(x)
        q, k, v = (f(y).view(b, t, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        q, k = rope(q, cos, sin), rope(k, cos, sin)
        if cache is not None:
            cache[0][:, :, at : at + t], cache[1][:, :, at : at + t] = k, v
            k, v = cache[0][:, :, : at + t], cache[1][:, :, : at + t]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=t > 1)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, width))
        return x + self.down(F.gelu(self.up(self.mlp_norm(x))))


def rope(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1).to(x.dtype)


class Gpt(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.o, half = o, o["width"] // o["heads"] // 2
        self.embedding = nn.Embedding(o["vocab"], o["width"])
        self.blocks = nn.ModuleList(Block(o) for _ in range(o["layers"]))
        self.final_norm = nn.LayerNorm(o["width"], o["norm_eps"], bias=False)
        self.head = nn.Linear(o["width"], o["vocab"], bias=False)
        angle = torch.arange(o["context"])[:, None] * o["rope_base"] ** (-torch.arange(half) / half)
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def forward(self, tokens, caches=None, at=0):
        x, t = self.embedding(tokens), tokens.shape[1]
        cos, sin = self.cos[at : at + t], self.sin[at : at + t]
        for i, block in enumerate(self.blocks):
            x = block(x, cos, sin, caches[i] if caches else None, at)
        return self.head(self.final_norm(x))


def name_in_torch(name):
    for a, b in ((".attn.", "."), (".mlp.", "."), (".gain", ".weight"), ("head", "head.weight")):
        name = name.replace(a, b)
    return name


class Worker:
    def __init__(self, path, compiled):
        with h5py.File(path) as file:
            config = tomllib.loads(file.attrs["config"])
            weights = {name_in_torch(n): torch.tensor(x) for n, x in leaves(file["params"])}
            self.batches = [torch.tensor(file[f"tokens/{i}"][()]) for i in range(len(file["tokens"]))]
        options = config["model"] | {"vocab": weights["embedding.weight"].shape[0]}
        self.model = Gpt(options)
        self.model.load_state_dict(weights | {n: getattr(self.model, n) for n in ("cos", "sin")})
        self.bf16 = config["train"]["precision"] == "bf16"
        optim = config["optim"]
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config["schedule"]["lr"], betas=optim["betas"], eps=optim["eps"], weight_decay=0, fused=True
        )
        self.clip = optim["clip_norm"]
        self.loss = torch.compile(self.loss_of) if compiled else self.loss_of
        self.done = 0

    def loss_of(self, tokens):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            logits = self.model(tokens[:, :-1])
        return F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())

    def step(self):
        loss = self.loss(self.batches[self.done % len(self.batches)])
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.done += 1
        return loss.item()

    def steps(self, n):
        start = time.perf_counter()
        losses = [self.step() for _ in range(n)]
        return {"seconds": time.perf_counter() - start, "losses": losses}

    @torch.inference_mode()
    def sample(self, rows, n):
        start = time.perf_counter()
        o, d = self.model.o, self.model.o["width"] // self.model.o["heads"]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            dtype = torch.bfloat16 if self.bf16 else torch.float32
            caches = [[torch.zeros(rows, o["heads"], n + 4, d, dtype=dtype) for _ in range(2)] for _ in range(o["layers"])]
            tokens, at = torch.tensor([[1, 2, 3, 4]] * rows), 0
            for _ in range(n):
                logits = self.model(tokens, caches, at)[:, -1].float()
                at += tokens.shape[1]
                tokens = torch.multinomial(torch.softmax(logits, -1), 1)
        return {"seconds": time.perf_counter() - start}


def leaves(group, prefix=""):
    for name, x in group.items():
        if isinstance(x, h5py.Group):
            yield from leaves(x, f"{prefix}{name}/")
        else:
            yield prefix + name, x[()]


def peak_mib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    worker = Worker(arguments.file, arguments.compile)
    for line in sys.stdin:
        verb, *numbers = line.split()
        answer = getattr(worker, verb)(*map(int, numbers))
        print(json.dumps(answer | {"peak_mib": peak_mib()}), flush=True)


main()
