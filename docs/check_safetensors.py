#!/usr/bin/env python3
"""Loads an exported LeNet into PyTorch and measures it on MNIST.

    althing model export --config node.toml --out model.safetensors
    pip install torch safetensors numpy
    python3 docs/check_safetensors.py model.safetensors testnet/data/mnist

prints the accuracy on the 10,000 test images, which is what `althing model evaluate` says of the same model.
With --save FILE the model is written back as PyTorch has it, for `althing model import`.
"""

import argparse
import gzip
import pathlib

import numpy
import safetensors.torch
import torch
from torch import nn


class LeNet(nn.Module):
    """LeNet for 28 x 28 images, with ReLU and max pooling."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 4 * 4, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, images):
        maps = nn.functional.max_pool2d(self.conv1(images).relu(), 2)
        maps = nn.functional.max_pool2d(self.conv2(maps).relu(), 2)
        hidden = self.fc1(maps.flatten(1)).relu()
        return self.fc3(self.fc2(hidden).relu())


def idx(folder, name, header_bytes):
    """The bytes of an IDX file, packed or not, behind its header."""
    packed = folder / f"{name}.gz"
    data = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / name).read_bytes()
    return torch.from_numpy(numpy.frombuffer(data, numpy.uint8, offset=header_bytes).copy())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="file made by `althing model export`")
    parser.add_argument("mnist", type=pathlib.Path, help="folder of the MNIST files")
    parser.add_argument("--save", metavar="FILE", help="write the model back, as PyTorch has it")
    arguments = parser.parse_args()

    network = LeNet().eval()
    network.load_state_dict(safetensors.torch.load_file(arguments.model), strict=True)
    images = idx(arguments.mnist, "t10k-images-idx3-ubyte", 16).view(-1, 1, 28, 28)
    labels = idx(arguments.mnist, "t10k-labels-idx1-ubyte", 8).long()
    with torch.no_grad():
        logits = network((images.float() / 255 - 0.1307) / 0.3081)
    correct = int((logits.argmax(1) == labels).sum())
    loss = nn.functional.cross_entropy(logits, labels).item()
    print(f"accuracy  {correct / len(labels):.4f} ({correct} of {len(labels)} test examples)\nloss      {loss:.4f}")
    if arguments.save:
        safetensors.torch.save_file(network.state_dict(), arguments.save)


if __name__ == "__main__":
    main()
