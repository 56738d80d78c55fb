#!/usr/bin/env python3
"""Writes parameters.safetensors, which `Safetensors` must read and write to the byte: the tensors of `SafetensorsTests.parameters`.

usage: parameters.py
"""
import json, pathlib, struct, zlib

tensors = [("b.weight", [2, 3], [1, -2, 3.5, float("inf"), -0.0, 2.0**-140]), ("a.bias", [1], [7]), ("empty", [0, 4], [])]
checksum = zlib.crc32(b"note\0kept\0")
values, header = b"", {}
for name, shape, numbers in tensors:
    data = struct.pack(f"<{len(numbers)}f", *numbers)
    checksum = zlib.crc32(f"{name}\0{shape}\0".encode() + data, checksum)
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(values), len(values) + len(data)]}
    values += data
header["__metadata__"] = {"crc32": f"{checksum:08x}", "note": "kept"}
text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
text += b" " * (-len(text) % 8)
file = pathlib.Path(__file__).with_name("parameters.safetensors")
file.write_bytes(struct.pack("<Q", len(text)) + text + values)
