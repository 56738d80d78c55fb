"""Made the .npz files in arrays/: python3 arrays.py, with NumPy 2.4."""
import pathlib, zipfile
import numpy

folder = pathlib.Path(__file__).parent / "arrays"


def images(count, offset):
    index, row, column, channel = numpy.indices((count, 3, 4, 2))
    return ((index * 31 + row * 7 + column * 3 + channel * 100 + offset) % 256).astype(numpy.uint8)


x_train, x_test = images(6, 0), images(4, 5)
y_train, y_test = numpy.array([0, 1, 2, 0, 1, 2]), numpy.array([2, 1, 0, 2])


def save(name, compressed=True, **arrays):
    all_arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test} | arrays
    (numpy.savez_compressed if compressed else numpy.savez)(
        folder / f"{name}.npz", **{key: value for key, value in all_arrays.items() if value is not None})


save("plain", compressed=False)
save("same-i8", x_train=x_train.astype(">i8"), y_train=y_train.reshape(-1, 1).astype(numpy.uint8))
save("same-f4", x_train=numpy.asfortranarray(x_train.astype(">f4")), x_test=x_test.astype(numpy.float16))
save("same-i2", x_test=numpy.asfortranarray(x_test.astype("<i2")), y_test=(y_test + 0).astype(">i2"))
save("same-from-one", y_train=y_train + 1, y_test=y_test + 1)
save("grey", x_train=x_train[..., 0], x_test=x_test[..., 0])
save("fractions", x_train=x_train / 255, x_test=(x_test / 255).astype(numpy.float32))
save("vectors", x_train=x_train.reshape(6, 24) / 10, x_test=x_test.reshape(4, 24) / 10)
save("vectors-from-one", x_train=x_train.reshape(6, 24) / 10, x_test=x_test.reshape(4, 24) / 10, y_train=y_train + 1, y_test=y_test + 1)
save("values", y_train=y_train / 2, y_test=y_test / 2)
save("two-values", y_train=numpy.stack([y_train, -y_train], 1) / 2, y_test=numpy.stack([y_test, -y_test], 1) / 2)
# Numbers of other ranges than bytes: black and white, 16 and 17 shades, and the same images as bytes.
bits_train, bits_test = images(6, 0)[..., 0] % 2, images(4, 5)[..., 0] % 2
save("black-white-bytes", x_train=bits_train * 255, x_test=bits_test * 255)
save("black-white-bool", x_train=bits_train.astype(bool), x_test=bits_test.astype(bool))
save("black-white-floats", x_train=bits_train.astype("f4"), x_test=bits_test.astype("f4"))
save("four-bits", x_train=bits_train * 15, x_test=bits_test * 15)
save("digits", x_train=bits_train * 16, x_test=bits_test * 16)
save("twelve-bits", x_train=x_train[..., 0].astype("u2") * 16 + 15, x_test=x_test[..., 0].astype("u2") * 16 + 15)
save("one-part-scaled", x_train=x_train / 255)
save("channels-first", x_train=numpy.zeros((6, 3, 8, 8), "u1") + 200, x_test=numpy.zeros((4, 3, 8, 8), "u1"))
save("one-hot", y_train=numpy.eye(3, dtype="f4")[y_train], y_test=numpy.eye(3, dtype="f4")[y_test])
save("float-classes", y_train=y_train.astype("f4"), y_test=y_test.astype("f4"))
# Files to evaluate a network on that was trained on labels 0, 1, 2.
save("evaluate-test-alone", x_train=None, y_train=None)
save("evaluate-two-classes", x_test=x_test[:3], y_test=numpy.array([2, 1, 2]))
save("evaluate-two-vectors", x_train=None, y_train=None, x_test=x_test.reshape(4, 24)[:3] / 10, y_test=numpy.array([3, 2, 3]))
save("evaluate-whole", x_test=None, y_test=None)
save("evaluate-plain-names", x_train=None, y_train=None, x_test=None, y_test=None, x=x_test, y=y_test)
save("evaluate-other-class", y_test=y_test + 1)
save("bad-objects", y_train=numpy.array([0, "a", 2, 0, 1, None], dtype=object))
save("bad-text", y_train=numpy.array(list("abcabc")))
save("bad-complex", x_train=x_train.astype(complex))
save("bad-negative", y_train=y_train - 1)
save("bad-gap", y_train=y_train * 2, y_test=y_test * 2)
save("bad-label", y_test=y_test + 1)
save("bad-one-class", y_train=y_train * 0, y_test=y_test * 0)
save("bad-missing", x_test=None)
save("bad-count", y_train=y_train[:5])
save("bad-shapes", x_test=x_test[:, :2])
save("bad-rank", x_train=x_train.reshape(6, 3, 2, 2, 2))
save("bad-empty", x_test=x_test[:0], y_test=y_test[:0])
save("bad-infinite", x_train=numpy.where(x_train == 0, numpy.inf, x_train))
save("bad-huge-label", y_test=numpy.array([2, 1, 0, 2**64 - 1], numpy.uint64))
whole = (folder / "plain.npz").read_bytes()
flipped = bytearray(whole)
flipped[whole.index(x_train.tobytes()) + 10] ^= 1
(folder / "bad-checksum.npz").write_bytes(flipped)
# A size of zero beside two whose product no integer holds.
text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296, 0), }"
array = b"\x93NUMPY\x01\x00" + (len(text) + 1).to_bytes(2, "little") + text + b"\n"
with zipfile.ZipFile(folder / "bad-sizes.npz", "w") as archive:
    for name in ("x_train", "y_train", "x_test", "y_test"):
        archive.writestr(f"{name}.npy", array)
with zipfile.ZipFile(folder / "bad-names.npz", "w") as archive:
    for name in ("x_train", "y_train", "x_test", "y_test"):
        archive.writestr(f"../{name}.npy", array)
(folder / "bad-cut.npz").write_bytes(whole[:-100])
(folder / "bad-array.npz").write_bytes(b"\x93NUMPY\x01\x00")
damaged = bytearray((folder / "grey.npz").read_bytes())
damaged[120] ^= 0xff
(folder / "bad-damaged.npz").write_bytes(damaged)
