"""Makes resized.json: images resized by Pillow 13 (bilinear, which is antialiased there), of the middle part that covers the size.
Pillow leaves out what lies beyond the border; here, as in our library, the border's values go on there, so images are framed by them.

python3 resized.py > resized.json
"""
import json
import random

from PIL import Image

random.seed(1)
cases = []
for (height, width), (target_height, target_width) in [
    ((9, 7), (4, 4)), ((5, 5), (8, 8)), ((12, 16), (6, 6)), ((3, 10), (5, 4)), ((32, 32), (24, 16)), ((1, 1), (2, 3)),
]:
    pixels = [random.randrange(256) for _ in range(height * width)]
    frame = 16
    framed = [pixels[min(max(row, 0), height - 1) * width + min(max(column, 0), width - 1)]
              for row in range(-frame, height + frame) for column in range(-frame, width + frame)]
    image = Image.frombytes("L", (width + 2 * frame, height + 2 * frame), bytes(framed))
    scale = max(target_height / height, target_width / width)
    left, top = (width - target_width / scale) / 2, (height - target_height / scale) / 2
    resized = image.resize((target_width, target_height), Image.Resampling.BILINEAR,
                           box=(frame + left, frame + top, frame + width - left, frame + height - top))
    cases.append({"height": height, "width": width, "pixels": pixels, "size": f"{target_height}x{target_width}",
                  "resized": list(resized.tobytes())})
print(json.dumps(cases))
