#!/usr/bin/env python3
"""Times a training step of the three built-in models in PyTorch, on one thread of the CPU.

The step is the one that `cargo bench --bench training -- --json` times in Althing: forward, mean cross-entropy,
backward, SGD with momentum 0.9, on data that is in memory. The images here are floating-point numbers already; Althing
still has to make them of bytes. What counts is time on the processor, so that other work on the machine does not.

    pip install torch
    python3 docs/bench/torch_training.py [--seconds 5]

Prints one line of JSON for each model.
"""

import argparse
import json
import os
import statistics
import time

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from torch import nn
from torch.nn import functional

CLASSES = 10
# Steps in one pass, as in the benchmark of Althing.
STEPS = 8


def two_nn():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, CLASSES)
    )


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, CLASSES),
    )


def fedavg_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, CLASSES),
    )


def passes(network, batch, seconds):
    """Processor seconds of each pass of STEPS steps. A fifth of them is the warm-up and left out."""
    images = torch.randn(STEPS * batch, 1, 28, 28)
    labels = torch.randint(CLASSES, (STEPS * batch,))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    times, end = [], time.process_time() + 1.25 * seconds
    while time.process_time() < end:
        begin = time.process_time()
        for step in range(STEPS):
            rows = slice(step * batch, (step + 1) * batch)
            optimizer.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(network(images[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            loss.item()
        times.append(time.process_time() - begin)
    return times[len(times) // 5 :]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to measure each model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    for name, build, batch in [("2nn", two_nn, 10), ("lenet", lenet, 64), ("fedavg-cnn", fedavg_cnn, 32)]:
        median = statistics.median(passes(build(), batch, arguments.seconds))
        speed = {"model": name, "batch": batch, "samples_per_second": round(STEPS * batch / median)}
        print(json.dumps(speed | {"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}), flush=True)


if __name__ == "__main__":
    main()
