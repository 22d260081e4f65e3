#!/usr/bin/env python3
"""Compares a training step of Althing with one of PyTorch, both on one thread, and prints the ratios.

Both are measured in turn, several times, so that a busy machine slows down both; the median of the ratios counts.

    pip install torch
    python3 docs/bench/compare.py [--rounds 3]
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
ALTHING = ["cargo", "bench", "-q", "--profile", "dev", "-p", "althing-node", "--bench", "training", "--", "--json"]
TORCH = [sys.executable, str(HERE / "torch_training.py"), "--seconds", "3"]
# What a step must reach, as a multiple of PyTorch's speed, and how many plain steps a private one may take.
GOALS = {"2nn": 2.0, "lenet": 1.0, "fedavg-cnn": 0.8}
PRIVATE_GOAL = 2.5


def measure(command):
    run = subprocess.run(command, cwd=HERE.parent.parent, check=True, capture_output=True, text=True)
    return {line["model"]: line for line in map(json.loads, run.stdout.splitlines())}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often to measure both")
    arguments = parser.parse_args()
    rounds = [(measure(ALTHING), measure(TORCH)) for _ in range(arguments.rounds)]
    median = lambda figure: statistics.median(figure(ours, theirs) for ours, theirs in rounds)
    print("| model, batch | Althing, samples/s | PyTorch, samples/s | ratio | goal | private step / plain step |")
    print("|---|---|---|---|---|---|")
    for model, goal in GOALS.items():
        speed = median(lambda ours, _: ours[model]["samples_per_second"])
        torch = median(lambda _, theirs: theirs[model]["samples_per_second"])
        ratio = median(lambda ours, theirs: ours[model]["samples_per_second"] / theirs[model]["samples_per_second"])
        private = median(lambda ours, _: ours[model]["samples_per_second"] / ours[model]["private_samples_per_second"])
        batch = rounds[0][0][model]["batch"]
        print(f"| {model}, {batch} | {speed:,.0f} | {torch:,.0f} | {ratio:.2f} | {goal} | {private:.2f} |")
    print(f"\nThe goal for a private step of LeNet at batch 64 is at most {PRIVATE_GOAL} plain ones.")


if __name__ == "__main__":
    main()
