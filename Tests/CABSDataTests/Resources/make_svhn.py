"""Made the .mat files beside it: python3 make_svhn.py, with NumPy 2.4 and SciPy 1.17."""

import struct
import zlib

import numpy
import scipy.io


def save(name, **arrays):
    scipy.io.savemat(f"{name}.mat", arrays, do_compression=True)


row, column, channel, example = numpy.indices((32, 32, 3, 3))
images = ((row + 3 * column + 50 * channel + 90 * example) % 256).astype(numpy.uint8)
labels = numpy.array([[1], [10], [9]], numpy.uint8)

save("svhn", X=images, y=labels)
save("svhn-one", X=images[..., :1], y=labels[:1])
save("svhn-class", X=images.astype(numpy.float64), y=labels)
save("svhn-row", X=images.astype(numpy.int16), y=labels.reshape(1, 3).astype(numpy.int64))
save("svhn-fraction", X=images, y=labels / 2)
save("svhn-complex", X=images, y=labels.astype(numpy.complex128))
save("svhn-shape", X=images[:, :16], y=labels)
save("svhn-count", X=images, y=labels[:2])
save("svhn-label", X=images, y=numpy.array([[1], [11], [9]], numpy.uint8))
save("svhn-zero", X=images, y=numpy.array([[1], [0], [9]], numpy.uint8))
save("svhn-no-y", X=images)
scipy.io.savemat("svhn-plain.mat", {"X": images[..., :1], "y": labels[:1]})

# Images whose header promises more than they hold, by one and by as many as there can be.
whole = open("svhn.mat", "rb").read()
size = struct.unpack("<I", whole[132:136])[0]
element = bytearray(zlib.decompress(whole[136:136 + size]))
position = element.index(struct.pack("<iiii", 32, 32, 3, 3)) + 12
for name, count in [("svhn-lie", 4), ("svhn-absurd", 2**31 - 1)]:
    element[position:position + 4] = struct.pack("<i", count)
    compressed = zlib.compress(bytes(element))
    with open(f"{name}.mat", "wb") as file:
        file.write(whole[:128] + struct.pack("<II", 15, len(compressed)) + compressed + whole[136 + size:])

# How MATLAB's format 7.3 begins.
with open("svhn-hdf5.mat", "wb") as file:
    file.write(b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + b"\x00\x02IM" + bytes(384) + b"\x89HDF\r\n\x1a\n")
