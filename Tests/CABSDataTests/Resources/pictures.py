"""Made the files in pictures/ and, by Pillow, what is to be seen in them: python3 pictures.py, with Pillow 13 and NumPy 2.4."""
import io, json, pathlib
import numpy
from PIL import Image, ImageOps, PngImagePlugin

folder = pathlib.Path(__file__).parent / "pictures"
height, width = 5, 7
row, column = numpy.indices((height, width))
grey = ((37 * row + 11 * column + 3) % 256).astype(numpy.uint8)
color = numpy.stack([grey, 255 - grey, (grey // 2 + 40).astype(numpy.uint8)], axis=-1)
# JPEG is exact nowhere; smooth pictures come out nearly the same everywhere.
smooth = numpy.stack([20 * row + 50, 15 * column + 60, 10 * (row + column) + 30], axis=-1).astype(numpy.uint8)
smooth = numpy.kron(smooth, numpy.ones((4, 4, 1), numpy.uint8))
seen = {}


def note(name, picture):
    """What is to be seen in a file: its pixels, channels first."""
    values = numpy.asarray(picture)
    values = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    seen[name] = {"shape": list(values.shape), "pixels": values.flatten().tolist()}


def save(name, picture, expected=None, **options):
    picture.save(folder / name, **options)
    note(name, Image.open(folder / name) if expected is None else expected)


save("grey.png", Image.fromarray(grey))
save("color.PNG", Image.fromarray(color), format="png")
deep = grey.astype(numpy.uint16) * 257
save("grey16.png", Image.fromarray(deep), Image.fromarray(grey))
palette = Image.fromarray(color).quantize(16)
save("palette.png", palette, palette.convert("RGB"))
save("bits.png", Image.fromarray(grey > 100), Image.fromarray(((grey > 100) * 255).astype(numpy.uint8)))
# Wholly transparent in the left column, more and more opaque to the right.
for name, picture in {"alpha.png": color, "grey-alpha.png": grey[..., None]}.items():
    alpha = (column * 42).astype(numpy.uint8)
    mixed = Image.fromarray(numpy.dstack([picture, alpha])).convert("RGBA")
    white = Image.new("RGBA", mixed.size, "white")
    save(name, Image.fromarray(numpy.dstack([picture, alpha])),
         Image.alpha_composite(white, mixed).convert("RGB" if picture.shape[2] == 3 else "L"))
save("color.jpg", Image.fromarray(smooth), quality=95)
save("grey.jpeg", Image.fromarray(smooth[..., 0]), quality=95)
save("progressive.JPG", Image.fromarray(smooth), quality=95, progressive=True, format="jpeg")
for orientation in range(1, 9):
    picture = Image.fromarray(smooth[:, :24])
    exif = picture.getexif()
    exif[0x0112] = orientation
    name = f"turned-{orientation}.jpg"
    picture.save(folder / name, quality=95, exif=exif)
    note(name, ImageOps.exif_transpose(Image.open(folder / name)))
(pathlib.Path(__file__).parent / "pictures.json").write_text(json.dumps(seen))

# What cannot be used.
Image.fromarray(smooth).convert("CMYK").save(folder / "bad-cmyk.jpg")
(folder / "bad-empty.png").write_bytes(b"")
(folder / "bad-text.jpg").write_text("no picture")
whole = (folder / "color.jpg").read_bytes()
(folder / "bad-cut.jpg").write_bytes(whole[:-100])
whole = (folder / "color.PNG").read_bytes()
(folder / "bad-cut.png").write_bytes(whole[:-30])
damaged = bytearray(whole)
damaged[60] ^= 0xff
(folder / "bad-damaged.png").write_bytes(damaged)
# 50,000 by 50,000 in the header alone.
import struct, zlib
header = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
(folder / "bad-huge.png").write_bytes(whole[:8] + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + whole[33:])
