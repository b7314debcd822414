"""Small pictures of every kind that Loupe reads or refuses, and what PIL and torchvision make of resizing and cropping.

    python3 tests/oracle/make_images.py tests/fixtures/images        (Pillow 13, torchvision, numpy; before 13 the passes of a
                                                                      tall picture came in another order)

Every picture is computed, by `pattern`. The PNGs that PIL cannot write (16-bit RGB, interlaced, absurd headers) are put
together here from their chunks.
"""
import json
import os
import struct
import sys
import zlib

import numpy as np
import torchvision.transforms as T
from PIL import Image

out = sys.argv[1]
os.makedirs(out, exist_ok=True)


def at(name):
    return os.path.join(out, name)


def pattern(width, height):
    """(height, width, 3) bytes; tests/engine/image/image_test.cpp computes the same."""
    y, x, c = np.ogrid[:height, :width, :3]
    return ((x * x * 3 + y * 5 + x * y * 7 + c * 50) % 256).astype(np.uint8)


def smooth(width, height):
    """A picture that JPEG keeps well: ramps."""
    y, x, c = np.ogrid[:height, :width, :3]
    return np.clip(x * (4 + c) + y * (6 - 2 * c) + 20 * c, 0, 255).astype(np.uint8)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(name, width, height, depth, colour, interlace, rows):
    raw = b"".join(b"\0" + r for r in rows)
    with open(at(name), "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n")
        f.write(chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)))
        f.write(chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


# --- PNG
rgb = pattern(13, 11)
Image.fromarray(rgb).save(at("rgb.png"))
Image.fromarray(rgb[..., 0]).save(at("grey.png"))
Image.fromarray(np.dstack([rgb, rgb[..., 0]])).save(at("rgba.png"))
Image.fromarray(np.dstack([rgb[..., 0], rgb[..., 1]])).save(at("grey_alpha.png"))
Image.fromarray(rgb).quantize(16).save(at("palette.png"))
Image.fromarray(rgb).quantize(16).convert("RGB").save(at("palette_as_rgb.png"))
Image.fromarray(rgb[..., 0] > 127).save(at("bilevel.png"))
low = 255 - rgb  # low bytes, to be dropped
deep = np.stack([rgb, low], -1)  # big-endian samples: the pattern is the high byte
png("rgb16.png", 13, 11, 16, 2, 0, [deep[y].tobytes() for y in range(11)])
png("grey16.png", 13, 11, 16, 0, 0, [deep[y, :, 0].tobytes() for y in range(11)])
adam7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
png("interlaced.png", 13, 11, 8, 2, 1, [rgb[y, x0::dx].tobytes() for x0, y0, dx, dy in adam7 for y in range(y0, 11, dy)])
png("claims_60000x60000.png", 60000, 60000, 8, 2, 0, [b"\0" * 16])

# --- JPEG
ramp = Image.fromarray(smooth(37, 29))
ramp.save(at("ramp.png"))
ramp.save(at("rgb.jpg"), quality=95)
ramp.save(at("rgb_444.jpg"), quality=95, subsampling=0)
ramp.save(at("progressive.jpg"), quality=95, progressive=True)
ramp.convert("L").save(at("grey.jpg"), quality=95)
ramp.convert("CMYK").save(at("cmyk.jpg"))
data = open(at("rgb.jpg"), "rb").read()
thumbnail = open(at("grey.jpg"), "rb").read()  # an end-of-image marker inside a segment is not the file's end
segment = b"\xff\xe1" + struct.pack(">H", 2 + 6 + len(thumbnail)) + b"Exif\0\0" + thumbnail
with open(at("thumbnail.jpg"), "wb") as f:
    f.write(data[:2] + segment + data[2:])
sof = data.index(b"\xff\xc0")
with open(at("claims_60000x60000.jpg"), "wb") as f:
    f.write(data[: sof + 5] + struct.pack(">HH", 60000, 60000) + data[sof + 9 :])

# --- other formats
tiny = Image.fromarray(rgb[:3, :3])
for kind in ("bmp", "gif", "webp", "tiff"):
    tiny.save(at("tiny." + kind))
with open(at("text.jpg"), "w") as f:
    f.write("This is not a picture, whatever its name says.\n")

# --- resize and crop
cases = []
for width, height, resize, crop in [
    (13, 11, 8, 6),  # shrinks
    (13, 11, 40, 8),  # enlarges
    (40, 30, 16, 12),  # margins (21 - 12) / 2 = 4.5 and 2
    (31, 17, 9, 6),  # margins 5 and 1.5
    (17, 31, 9, 8),  # portrait, margin 0.5
    (12, 12, 12, 12),  # nothing to do
    (20, 9, 9, 9),  # crop only
    (10, 14, 6, 11),  # padded on three sides: 6 of 11 wide, 8 of 11 high
    (9, 40, 5, 8),  # padded in one direction, cropped in the other
    (1, 1, 5, 4),
    (1, 300, 4, 4),
    (2000, 10, 16, 8),
    (10, 2000, 16, 8),
    (300, 200, 7, 5),
]:
    for mode in T.InterpolationMode.BILINEAR, T.InterpolationMode.BICUBIC:
        image = Image.fromarray(pattern(width, height))
        image = T.Compose([T.Resize(resize, mode), T.CenterCrop(crop)])(image)
        assert image.size == (crop, crop)
        cases.append(dict(width=width, height=height, resize=resize, crop=crop, bicubic=mode == T.InterpolationMode.BICUBIC,
                          rgb=np.asarray(image).ravel().tolist()))
with open(at("torchvision_resize.json"), "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
