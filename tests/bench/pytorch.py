"""The workloads of tests/bench/train.ts in PyTorch: reads one JSON request per line and writes one answer per line."""

import json
import sys
import time

import torch
from torch import nn


def measure(run, seconds, calls):
    """Seconds of each call, if one run makes so many."""
    end, found = time.perf_counter() + seconds, []
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        found.append((time.perf_counter() - start) / calls)
    return found


def trainer(optimizer, device):
    """784-512-512-10, and a function that does one step and answers with the loss."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    ).to(device)
    kind = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[optimizer]
    update = kind(model.parameters(), lr=1e-3)

    def step(images, targets):
        loss = nn.functional.cross_entropy(model(images), targets)
        update.zero_grad()
        loss.backward()
        update.step()
        return loss.detach()

    return step


def steps(count, batch_size, optimizer, device):
    """Steps on one batch; on a graphics card the loss is read at the last one, elsewhere at each."""
    step = trainer(optimizer, device)
    images = torch.rand(batch_size, 784, device=device)
    targets = torch.randint(10, (batch_size,), device=device)
    if device == "cpu":
        return lambda: step(images, targets).item(), 1

    def run():
        for _ in range(count):
            loss = step(images, targets)
        return loss.item()

    return run, count


def epoch(count, batch_size, optimizer, device):
    """An epoch over bytes in memory: shuffled, mirrored at random, scaled, uploaded."""
    step = trainer(optimizer, device)
    images = torch.randint(256, (count, 28, 28), dtype=torch.uint8)
    labels = torch.randint(10, (count,))

    def run():
        losses = []
        for indices in torch.randperm(count).split(batch_size):
            batch = images[indices].to(torch.float32) / 255
            mirrored = torch.rand(len(indices), 1, 1) < 0.5
            batch = torch.where(mirrored, batch.flip(2), batch).reshape(-1, 784)
            losses.append(step(batch.to(device), labels[indices].to(device)))
        return torch.stack(losses).mean().item()

    return run, 1


def default_epoch(count, batch_size, device):
    """An epoch of the default recipe: AdamW, mirrored, shifted, mixup, dropout, averaged weights."""
    torch.manual_seed(0)
    layers = [nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.05), nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.05)]
    model = nn.Sequential(*layers, nn.Linear(512, 10)).to(device)
    update = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    averages = [parameter.detach().clone() for parameter in model.parameters()]
    images = torch.randint(256, (count, 28, 28), dtype=torch.uint8)
    labels = torch.randint(10, (count,))

    def run():
        losses = []
        for indices in torch.randperm(count).split(batch_size):
            size = len(indices)
            batch = images[indices].to(torch.float32) / 255
            batch = torch.where(torch.rand(size, 1, 1) < 0.5, batch.flip(2), batch)
            moves = torch.randint(-1, 2, (2, size, 1)) * (torch.rand(size, 1) < 0.4)
            rows, columns = torch.arange(28) + 1 - moves
            padded = nn.functional.pad(batch, (1, 1, 1, 1))
            batch = padded[torch.arange(size)[:, None, None], rows[:, :, None], columns[:, None, :]].reshape(-1, 784)
            targets = nn.functional.one_hot(labels[indices], 10).to(torch.float32)
            share, partners = torch.distributions.Beta(0.4, 0.4).sample(), torch.randperm(size)
            batch = torch.lerp(batch[partners], batch, share)
            targets = torch.lerp(targets[partners], targets, share)
            loss = nn.functional.cross_entropy(model(batch.to(device)), targets.to(device))
            update.zero_grad()
            loss.backward()
            update.step()
            with torch.no_grad():
                torch._foreach_lerp_(averages, list(model.parameters()), 0.001)
            losses.append(loss.detach())
        return torch.stack(losses).mean().item()

    return run, 1


for line in sys.stdin:
    request = json.loads(line)
    torch.set_num_threads(request["threads"])
    training = [request.get(key) for key in ("batch_size", "optimizer", "device")]
    if "shape" in request:
        m, k, n = request["shape"]
        a, b = torch.rand(m, k), torch.rand(k, n)
        run, calls = lambda: a @ b, 1
    elif request.get("optimizer") == "default":
        run, calls = default_epoch(request["epoch"], request["batch_size"], request["device"])
    elif "epoch" in request:
        run, calls = epoch(request["epoch"], *training)
    else:
        run, calls = steps(request["steps"], *training)
    print(json.dumps(measure(run, request["seconds"], calls)), flush=True)
