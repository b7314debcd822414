#!/usr/bin/env python3
"""RISE and feature ablation on the CPU: Loupe against PyTorch, Captum's FeatureAblation and RISE written out in PyTorch.

    python3 bench/peers/perturbations.py build/release/bin/loupe [--networks a,b] [--masks 1000] [--rounds 3] [--threads 2]

Both have the networks' formula weights (tests/oracle/formula_weights.py), one picture of 224×224 pixels, the same class, the
same masks (Loupe's draws, by name) and the same squares, in float32 with the same number of threads. The maps are compared
before anything is timed; then one round after another asks Loupe, then PyTorch. PyTorch runs in the best of a few sizes of batches,
which are tried beforehand. Loupe's time is what `loupe explain --json` says of each method; both are from the picture to the map. Printed are
medians and theirs / ours, losses too; last the geometric mean over the networks. Exits with 1 where maps differ, and with 77
and one line that begins with "skipped" where PyTorch, torchvision or Captum is missing.
"""
import argparse
import json
import math
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time

try:
    import captum.attr
    import numpy as np
    import torch
    import torchvision
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed for {sys.executable}")
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracle"))
import formula_weights

SIDE, GRID, CELL, PROBABILITY = 224, 7, 32, 0.5
BATCHES = (1, 4, 16, 50)
METHODS = ("rise", "feature_ablation")


# ---- theirs


def rise(model, x, cls, cells, shifts, batch):
    total = torch.zeros(SIDE, SIDE)
    side = (GRID + 1) * CELL
    with torch.no_grad():
        for begin in range(0, len(cells), batch):
            part = slice(begin, begin + batch)
            large = torch.nn.functional.interpolate(cells[part, None], (side, side), mode="bilinear", align_corners=False)
            masks = torch.stack([m[:, y : y + SIDE, c : c + SIDE] for m, (y, c) in zip(large, shifts[part])])
            weights = model(x * masks).softmax(1)[:, cls]
            total += torch.einsum("n,nyx->yx", weights, masks[:, 0])
    return total / (len(cells) * PROBABILITY)


def feature_ablation(model, x, cls, squares, batch):
    found = captum.attr.FeatureAblation(model).attribute(
        x, target=cls, baselines=0, feature_mask=squares, perturbations_per_eval=batch
    )
    return found[0, 0, ::CELL, ::CELL]


def theirs(name, masks):
    """By method, a function of the batch that makes the map; and the picture and its class."""
    model = formula_weights.fill(getattr(torchvision.models, name)(weights=None)).float().eval()
    for p in model.parameters():
        p.requires_grad_(False)
    x = formula_weights.input_batch(1, 3, SIDE, SIDE).float()
    with torch.no_grad():
        cls = int(model(x).argmax())
    cells = torch.from_numpy(formula_weights.uniform("rise.grid", masks * GRID**2) < PROBABILITY).float().reshape(masks, GRID, GRID)
    shifts = np.floor(CELL * formula_weights.uniform("rise.shift", 2 * masks)).astype(int).reshape(masks, 2)
    places = torch.arange(SIDE) // CELL
    squares = (places[:, None] * GRID + places)[None, None].expand(1, 3, SIDE, SIDE)
    return x, cls, {
        "rise": lambda batch, count=masks: rise(model, x, cls, cells[:count], shifts[:count], batch),
        "feature_ablation": lambda batch: feature_ablation(model, x, cls, squares, batch),
    }


def best_batch(run, **few):
    def seconds(batch):
        start = time.perf_counter()
        run(batch, **few)
        return time.perf_counter() - start

    seconds(BATCHES[0])
    return min(BATCHES, key=lambda batch: min(seconds(batch) for _ in range(2)))


# ---- ours


def read_safetensors(path):
    data = pathlib.Path(path).read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, about in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__" and about["dtype"] == "F32":
            begin, end = about["data_offsets"]
            tensors[name] = np.frombuffer(data[8 + length + begin : 8 + length + end], "<f4").reshape(about["shape"])
    return tensors


def ours(loupe, name, picture, cls, masks, threads, folder):
    """Seconds and maps by method."""
    command = [loupe, "explain", picture, "--model", name, "--weights", "formula", "--class", str(cls), "--device", "cpu"]
    command += ["--method", ",".join(METHODS), "--rise.samples", str(masks), "--threads", str(threads)]
    done = subprocess.run(command + ["--out", folder, "--json"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    image = json.loads(done.stdout)["images"][0]
    seconds = {m["method"]: m["seconds"] for m in image["methods"]}
    found = next(pathlib.Path(folder).rglob("maps.safetensors"))
    return seconds, read_safetensors(found)


def distance(a, b):
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def compare(args, name, folder):
    """Prints the network's lines; theirs / ours by method."""
    x, cls, runs = theirs(name, args.masks)
    picture = os.path.join(folder, "input.npy")
    np.save(picture, x[0].numpy())
    ask = lambda: ours(args.loupe, name, picture, cls, args.masks, args.threads, os.path.join(folder, "out"))
    _, maps = ask()
    batches = {"rise": best_batch(runs["rise"], count=min(100, args.masks)), "feature_ablation": best_batch(runs["feature_ablation"])}
    for method in METHODS:
        apart = distance(maps[method], runs[method](batches[method]).numpy())
        print(f"{name:16} {method:16} maps {apart:.1e} apart (relative L2)", flush=True)
        if not apart < 1e-3:
            sys.exit(f"the maps of {name}'s {method} differ")
    times = {method: ([], []) for method in METHODS}
    for _ in range(args.rounds):
        seconds, _ = ask()
        for method in METHODS:
            start = time.perf_counter()
            runs[method](batches[method])
            times[method][0].append(seconds[method])
            times[method][1].append(time.perf_counter() - start)
    ratios = {}
    for method, (mine, other) in times.items():
        own, peer = statistics.median(mine), statistics.median(other)
        ratios[method] = peer / own
        print(f"{name:16} {method:16} ours {own:8.3f} s, theirs {peer:8.3f} s (batches of {batches[method]}): {peer / own:.2f}x"
              + ("" if peer >= own else "  LOSS"), flush=True)
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("loupe")
    parser.add_argument("--networks", default="squeezenet1_1,resnet18,resnet50,vgg16")
    parser.add_argument("--masks", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"PyTorch {torch.__version__}, Captum {captum.__version__}; {args.threads} threads, {args.masks} masks, "
          f"medians of {args.rounds} rounds", flush=True)
    ratios = []
    for name in args.networks.split(","):
        with tempfile.TemporaryDirectory() as folder:
            ratios.append(compare(args, name, folder))
    for method in METHODS:
        print(f"geometric mean   {method:16} {math.exp(statistics.mean(math.log(r[method]) for r in ratios)):.2f}x")


if __name__ == "__main__":
    main()
