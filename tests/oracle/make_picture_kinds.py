"""Pictures of the kinds that Loupe reads, each with the pixels that Pillow sees in it, and what Pillow 13 makes of tall and
wide pictures.

    python3 tests/oracle/make_picture_kinds.py tests/fixtures/pictures        (Pillow 13, torchvision, numpy)

X.jpg, X.webp, X.bmp, X.gif: X.ext.png beside it holds ImageOps.exif_transpose(Image.open(X.ext)).convert("RGB"); where the
orientation matters, X.ext.stored.png holds it without exif_transpose. resizes.json: CRC-32 of Pillow's resized `pattern`s.
prepared.json: inputs as torchvision prepares them with other sizes, without a crop and in grey.
"""
import json
import os
import struct
import sys
import zlib

import numpy as np
import PIL
import torchvision.transforms as T
from PIL import Image, ImageOps

assert PIL.__version__ >= "13", "Pillow before 13 takes the passes of a tall picture in another order"
out = sys.argv[1]
os.makedirs(out, exist_ok=True)


def at(name):
    return os.path.join(out, name)


def pattern(width, height):
    """As in make_images.py."""
    y, x, c = np.ogrid[:height, :width, :3]
    return ((x * x * 3 + y * 5 + x * y * 7 + c * 50) % 256).astype(np.uint8)


def scene(width, height):
    """Ramps, edges and colours."""
    y, x, c = np.ogrid[:height, :width, :3]
    ramps = x * (4 + c) + y * (6 - 2 * c) + 20 * c
    return np.clip(ramps + 90 * (((x // 7 + y // 5) % 3) == c), 0, 255).astype(np.uint8)


def expect(name):
    image = Image.open(at(name))
    image.load()
    stored, shown = image.convert("RGB"), ImageOps.exif_transpose(image).convert("RGB")
    shown.save(at(name + ".png"))
    if image.getexif().get(0x0112, 1) != 1:
        stored.save(at(name + ".stored.png"))


def save(image, name, **how):
    image.save(at(name), **how)
    expect(name)


photo = Image.fromarray(scene(45, 37))

# --- JPEG: every subsampling, restart markers, progressive, grey
for name, how in {
    "h1v1.jpg": dict(subsampling="4:4:4", quality=90),
    "h2v1.jpg": dict(subsampling="4:2:2", quality=90),
    "h2v2.jpg": dict(subsampling="4:2:0", quality=75),
    "optimized.jpg": dict(optimize=True, quality=30),
    "progressive.jpg": dict(progressive=True, quality=90),
    "restarts.jpg": dict(restart_marker_blocks=2, quality=90),
    "rgb_stored.jpg": dict(keep_rgb=True, quality=90),
}.items():
    save(photo, name, **how)
save(photo.convert("L"), "grey.jpg", quality=90)

# --- CMYK, as Adobe stores it: inverted. YCCK is the same file, whose Adobe marker says that C, M and Y were transformed.
patches = np.zeros((32, 64, 4), np.uint8)  # C, M, Y, K
patches[:16, :16] = 0, 255, 255, 0  # red
patches[:16, 16:32] = 0, 255, 255, 128
patches[:16, 32:48] = 255, 0, 0, 0
patches[:16, 48:] = 0, 0, 0, 255
patches[16:, :32] = 30, 60, 90, 20
patches[16:, 32:] = np.arange(32, dtype=np.uint8)[None, :, None] * 8
save(Image.fromarray(patches, "CMYK"), "cmyk.jpg", quality=100, subsampling=0)
save(Image.fromarray(np.tile(patches[:1, :1], (8, 8, 1)), "CMYK"), "cmyk_red.jpg", quality=100)
save(Image.fromarray(np.tile(patches[:1, 16:17], (8, 8, 1)), "CMYK"), "cmyk_dark_red.jpg", quality=100)
data = bytearray(open(at("cmyk.jpg"), "rb").read())
adobe = data.index(b"Adobe")
assert data[adobe + 11] == 0  # its transform
data[adobe + 11] = 2
open(at("ycck.jpg"), "wb").write(data)
expect("ycck.jpg")

# --- EXIF orientation, in both byte orders and in three formats
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x010F] = "Loupe"
    exif[0x0112] = orientation
    save(photo, f"orientation_{orientation}.jpg", exif=exif, quality=90)
big = open(at("orientation_6.jpg"), "rb").read()
tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 8, 0, 0)
segment = b"Exif\0\0" + tiff
plain = open(at("h1v1.jpg"), "rb").read()
open(at("orientation_big_endian.jpg"), "wb").write(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + plain[2:])
expect("orientation_big_endian.jpg")
exif = Image.Exif()
exif[0x0112] = 5
save(photo, "orientation_5.webp", exif=exif, lossless=True)
photo.save(at("with_exif.png"), exif=exif)
os.rename(at("with_exif.png"), at("orientation_5_png.apng"))  # not to be taken for an expectation
expect("orientation_5_png.apng")

# --- WebP, BMP, GIF
save(photo, "lossy.webp", quality=80)
save(photo, "lossless.webp", lossless=True)
save(Image.fromarray(np.dstack([scene(45, 37), scene(45, 37)[..., :1]])), "alpha.webp", lossless=True, exact=True)
save(photo, "rgb.bmp")
save(photo.convert("L"), "grey.bmp")
save(photo.quantize(16), "palette.bmp")
save(photo.convert("1"), "bilevel.bmp")
save(photo.convert("RGBA"), "rgba.bmp")
save(photo.quantize(200), "palette.gif", interlace=0)
save(photo.quantize(200), "interlaced.gif", interlace=1)
save(photo.quantize(5), "five_colours.gif")
save(photo.quantize(31), "transparent.gif", transparency=3)
save(photo.quantize(64), "animated.gif", save_all=True, append_images=[photo.rotate(180).quantize(64)])
Image.fromarray(pattern(130, 100)).quantize(256).save(at("codes_start_anew.gif"))  # more codes than 12 bits have room for
expect("codes_start_anew.gif")
photo.save(at("animated.webp"), save_all=True, append_images=[photo.rotate(180)])  # refused

# --- resizes of tall and wide pictures
cases = []
for width, height, to_width, to_height in [
    (100, 201, 64, 128),  # columns first
    (100, 200, 64, 128),  # rows first: it has to be more than twice as many
    (100, 100, 90, 79),
    (100, 100, 90, 80),
    (60, 300, 51, 256),
    (300, 60, 256, 51),
    (90, 400, 50, 40),
    (400, 90, 50, 40),
    (30, 200, 60, 100),  # wider and lower
    (50, 80, 100, 200),  # enlarged
    (200, 30, 100, 60),
    (64, 500, 64, 100),  # one pass alone
]:
    for bicubic in False, True:
        image = Image.fromarray(pattern(width, height))
        image = image.resize((to_width, to_height), Image.BICUBIC if bicubic else Image.BILINEAR)
        cases.append(dict(width=width, height=height, to_width=to_width, to_height=to_height, bicubic=bicubic,
                          crc32=zlib.crc32(image.tobytes())))
with open(at("resizes.json"), "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")

# --- inputs of networks with their own preprocessing
prepared = []
for width, height, steps, how in [
    (40, 90, [T.Resize((12, 10))], dict(stretch=[12, 10], crop=0)),
    (90, 40, [T.Resize((16, 16)), T.CenterCrop(12)], dict(stretch=[16, 16], crop=12)),
    (50, 30, [T.Resize(9)], dict(resize=9, crop=0)),
    (20, 70, [T.Resize(6)], dict(resize=6, crop=0)),
    (33, 21, [T.Grayscale(), T.Resize((8, 8))], dict(stretch=[8, 8], crop=0, channels=1)),
    (21, 33, [T.Grayscale(), T.Resize(10), T.CenterCrop(8)], dict(resize=10, crop=8, channels=1)),
]:
    channels = how.get("channels", 3)
    mean, std = ([0.1307], [0.3081]) if channels == 1 else ([0.5, 0.4, 0.3], [0.25, 0.5, 0.75])
    transform = T.Compose(steps + [T.ToTensor(), T.Normalize(mean, std)])
    x = transform(Image.fromarray(pattern(width, height)))
    prepared.append(dict(width=width, height=height, how=how, mean=mean, std=std, shape=list(x.shape),
                         values=x.ravel().tolist()))
with open(at("prepared.json"), "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in prepared) + "\n]\n")
