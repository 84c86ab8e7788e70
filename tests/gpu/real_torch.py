"""A real PyTorch training loop, for `xtask bench gpu`: so long, of that size, on the first GPU.

Prints `ready` when the loop begins, and one line of JSON at the end.
"""

import argparse
import json
import time

import torch
from torch import nn


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--size", type=int, default=4096, help="width of the layers")
    parser.add_argument("--mode", choices=["train", "resident"], default="train")
    options = parser.parse_args()

    device = torch.device("cuda", 0)
    torch.manual_seed(7)
    width = options.size
    model = nn.Sequential(
        nn.Linear(width, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, 256)
    ).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    inputs = torch.randn(4096, width, device=device)
    targets = torch.randint(0, 256, (4096,), device=device)
    loss_of = nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = loss_of(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    # The first steps choose kernels and fill the allocator's pools.
    for _ in range(3):
        first = step().item()
    torch.cuda.synchronize()
    print("ready", flush=True)

    begin = time.monotonic()
    steps = 0
    last = first
    while time.monotonic() - begin < options.seconds:
        if options.mode == "resident":
            time.sleep(0.1)
            continue
        for _ in range(20):
            loss = step()
        last = loss.item()
        steps += 20
    torch.cuda.synchronize()
    elapsed = time.monotonic() - begin
    print(json.dumps({"steps": steps, "seconds": elapsed, "first_loss": first, "last_loss": last}), flush=True)


main()
