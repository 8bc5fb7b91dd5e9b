"""What tests/bench/main.ts measures, in PyTorch on the CPU: one JSON request a line in, one answer a line out."""

import json
import sys
import time

import torch
from torch import nn


def best(run, seconds):
    """Seconds of the fastest call."""
    end, fastest = time.perf_counter() + seconds, float("inf")
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest


def step(batch_size, optimizer):
    """One training step of 784-512-512-10, the loss read as a number."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    )
    kind = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[optimizer]
    update = kind(model.parameters(), lr=1e-3)
    images, targets = torch.rand(batch_size, 784), torch.randint(10, (batch_size,))

    def run():
        loss = nn.functional.cross_entropy(model(images), targets)
        update.zero_grad()
        loss.backward()
        update.step()
        return loss.item()

    return run


for line in sys.stdin:
    request = json.loads(line)
    torch.set_num_threads(request["threads"])
    if "shape" in request:
        m, k, n = request["shape"]
        a, b = torch.rand(m, k), torch.rand(k, n)
        run = lambda: a @ b
    else:
        run = step(request["batch_size"], request["optimizer"])
    print(json.dumps(best(run, request["seconds"])), flush=True)
