"""Writes a small data set in MNIST's format: a folder's name, and how many training examples."""

import struct
import sys
from pathlib import Path

folder, count = Path(sys.argv[1], "mnist"), int(sys.argv[2])
folder.mkdir()
for part, number in [("train", count), ("t10k", 10)]:
    pixels = bytes((7 * i + 13 * (i // 784)) % 256 for i in range(784 * number))
    (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, number, 28, 28) + pixels)
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, number) + bytes(i % 10 for i in range(number)))
