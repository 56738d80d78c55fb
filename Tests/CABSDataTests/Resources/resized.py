"""Makes resized.json: images resized by Pillow 13 (bilinear, which is antialiased there), of the middle part that covers the size.

python3 resized.py > resized.json
"""
import json
import random

from PIL import Image

random.seed(1)
cases = []
for (height, width), (target_height, target_width) in [
    ((9, 7), (4, 4)), ((5, 5), (8, 8)), ((12, 16), (6, 6)), ((3, 10), (5, 4)), ((32, 32), (24, 16)), ((1, 1), (2, 3)), ((60, 45), (13, 7)), ((21, 31), (16, 16)),
]:
    pixels = [random.randrange(256) for _ in range(height * width)]
    image = Image.frombytes("L", (width, height), bytes(pixels))
    scale = max(target_height / height, target_width / width)
    left, top = (width - target_width / scale) / 2, (height - target_height / scale) / 2
    resized = image.resize((target_width, target_height), Image.Resampling.BILINEAR,
                           box=(left, top, width - left, height - top))
    cases.append({"height": height, "width": width, "pixels": pixels, "size": f"{target_height}x{target_width}",
                  "resized": list(resized.tobytes())})
print(json.dumps(cases))
