#!/usr/bin/env python3
"""Makes the README's pictures again, with the networks that Loupe carries: engine/neurons/pictures/*.jpg.

    python3 tools/readme_pictures.py [--loupe build/release/bin/loupe]

Wants Pillow. The drawn pictures, the ascents, the patches and the dream are what the commands write; what happens here is
laying them side by side.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    from PIL import Image, ImageDraw
except ImportError:
    print(f"skipped: Pillow is not installed for {sys.executable}")
    sys.exit(77)

TREE = pathlib.Path(__file__).resolve().parent.parent
TO = TREE / "engine/neurons/pictures"
SIDE, GAP, WORDS = 128, 4, 16
FILTERS = {"features.6": [3, 17, 42], "features.10": [5, 33, 70], "features.16": [12, 99, 200]}
METHODS = "deconvnet,guided_backprop,gradient"


def save(sheet, name):
    TO.mkdir(exist_ok=True)
    sheet.save(TO / name, quality=85, optimize=True)
    print(f"{(TO / name).relative_to(TREE)}: {sheet.width} x {sheet.height}, {(TO / name).stat().st_size // 1024} KiB")


def classes(run, folder):
    """Of every class a drawn picture, and beneath it the picture that makes its logit large."""
    run("zoo", "render", "--count", "14", "--seed", "5", "--out", folder / "animals")
    run("visualize", "--class", "all", "--size", f"{SIDE}x{SIDE}", "--steps", "192", "--frames", "0", "--out", folder / "ascent")
    drawn = {}
    for line in (folder / "animals/manifest.jsonl").read_text().splitlines():
        record = json.loads(line)
        drawn[record["objects"][0]["class"]] = folder / "animals" / record["file"]
    names, columns, cell = sorted(drawn), 7, SIDE + GAP
    rows = -(-len(names) // columns)
    sheet = Image.new("RGB", (columns * cell - GAP, rows * (2 * cell + WORDS)), "white")
    pen = ImageDraw.Draw(sheet)
    for i, name in enumerate(names):
        x, y = i % columns * cell, i // columns * (2 * cell + WORDS)
        sheet.paste(Image.open(drawn[name]).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS), (x, y))
        sheet.paste(Image.open(folder / "ascent" / f"{name}.png"), (x, y + cell))
        pen.text((x + SIDE / 2, y + 2 * cell + WORDS / 2 - GAP), name, "black", anchor="mm")
    save(sheet, "classes.jpg")


def filters(run, folder):
    """Strips of some filters: their strongest patches among drawn pictures, and below them the ways back."""
    run("features", "--zoo", "1400", "--layers", ",".join(FILTERS), "--method", METHODS, "--out", folder / "features")
    strips = [[Image.open(folder / "features/features" / layer / f"{unit:04}.png").convert("RGB") for unit in units]
              for layer, units in FILTERS.items()]
    for i, row in enumerate(strips):
        strips[i] = [s.resize((288, 288 * s.height // s.width), Image.Resampling.LANCZOS) for s in row]
    cell, high = 288 + 3 * GAP, strips[0][0].height + 3 * GAP
    sheet = Image.new("RGB", (3 * cell - 3 * GAP, len(strips) * (high + WORDS)), "white")
    pen = ImageDraw.Draw(sheet)
    for r, (layer, units) in enumerate(FILTERS.items()):
        for c, unit in enumerate(units):
            sheet.paste(strips[r][c], (c * cell, r * (high + WORDS)))
            pen.text((c * cell, r * (high + WORDS) + high), f"{layer}, channel {unit}", "black", anchor="lm")
    save(sheet, "filters.jpg")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loupe", default=TREE / "build/release/bin/loupe")
    loupe = parser.parse_args().loupe
    with tempfile.TemporaryDirectory() as name:
        def run(*words):
            subprocess.run([loupe, *map(str, words)], check=True, stdout=subprocess.DEVNULL)
        classes(run, pathlib.Path(name))
        filters(run, pathlib.Path(name))


if __name__ == "__main__":
    main()
