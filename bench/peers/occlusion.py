#!/usr/bin/env python3
"""Occlusion on the CPU: Loupe's windows against Captum's Occlusion.

    python3 bench/peers/occlusion.py build/release/bin/loupe [--networks a,b] [--strides 16,8] [--rounds 3] [--threads 2]

Both have the networks' formula weights (tests/oracle/formula_weights.py), one picture of 224×224 pixels, the same class and a
grey square of 32 pixels, in float32 with the same number of threads. One round
after another asks Loupe, then Captum, which runs in the best of a few sizes of batches. Loupe's time is what
`loupe explain --json` says of the method; both are from the picture to the map. The first maps are compared. Printed are medians and theirs / ours, losses
too, with the part of a whole pass's multiplications that Loupe's places took, and last the geometric mean. Exits with 1
where maps differ, and with 77 and one line that begins with "skipped" where PyTorch, torchvision or Captum is missing.
"""
import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from perturbations import SIDE, distance, formula_weights, np, read_safetensors, torch, torchvision
import captum

WINDOW = 32
BATCHES = (1, 4, 16)


def ours(loupe, name, picture, cls, stride, threads, folder):
    """Seconds, the part of the multiplications, and the drops of each pixel."""
    command = [loupe, "explain", picture, "--model", name, "--weights", "formula", "--class", str(cls), "--device", "cpu"]
    command += ["--method", "occlusion", "--occlusion.window", str(WINDOW), "--occlusion.stride", str(stride)]
    done = subprocess.run(command + ["--threads", str(threads), "--out", folder, "--json"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    method = json.loads(done.stdout)["images"][0]["methods"][0]
    part = next(c["value"] for c in method["checks"] if c["name"] == "multiplications")
    maps = read_safetensors(next(pathlib.Path(folder).rglob("maps.safetensors")))
    return method["seconds"], part, maps["occlusion_attribution"]


def theirs(model, x, cls, stride, batch):
    found = captum.attr.Occlusion(model).attribute(
        x, (3, WINDOW, WINDOW), strides=(3, stride, stride), target=cls, baselines=0, perturbations_per_eval=batch
    )
    return found[0, 0].numpy()


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compare(args, name, folder):
    """Prints the network's lines; theirs / ours of each stride."""
    model = formula_weights.fill(getattr(torchvision.models, name)(weights=None)).float().eval()
    for p in model.parameters():
        p.requires_grad_(False)
    x = formula_weights.input_batch(1, 3, SIDE, SIDE).float()
    with torch.no_grad():
        cls = int(model(x).argmax())
    picture = os.path.join(folder, "input.npy")
    np.save(picture, x[0].numpy())
    batch = min(BATCHES, key=lambda b: min(timed(lambda: theirs(model, x, cls, WINDOW, b)) for _ in range(2)))
    ratios = []
    for stride in args.strides:
        ask = lambda: ours(args.loupe, name, picture, cls, stride, args.threads, os.path.join(folder, "out"))
        _, part, own_map = ask()
        mine, other, apart = [], [], None
        for _ in range(args.rounds):
            mine.append(ask()[0])
            start = time.perf_counter()
            their_map = theirs(model, x, cls, stride, batch)
            other.append(time.perf_counter() - start)
            if apart is None:
                apart = distance(own_map, their_map)
                if not apart < 1e-3:
                    sys.exit(f"the maps of {name}'s occlusion differ by {apart:.1e}")
        own, peer = statistics.median(mine), statistics.median(other)
        ratios.append(peer / own)
        print(f"{name:14} {WINDOW}/{stride:<2}  maps {apart:.0e} apart, {part:.2f} of the multiplications; ours {own:7.3f} s, theirs "
              f"{peer:8.3f} s (batches of {batch}): {peer / own:.2f}x" + ("" if peer >= own else "  LOSS"), flush=True)
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("loupe")
    parser.add_argument("--networks", default="squeezenet1_1,resnet18,resnet50,vgg16")
    parser.add_argument("--strides", type=lambda text: [int(s) for s in text.split(",")], default=[16, 8])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"PyTorch {torch.__version__}, Captum {captum.__version__}; {args.threads} threads, medians of {args.rounds} rounds",
          flush=True)
    ratios = []
    for name in args.networks.split(","):
        with tempfile.TemporaryDirectory() as folder:
            ratios += compare(args, name, folder)
    print(f"geometric mean {math.exp(statistics.mean(map(math.log, ratios))):.2f}x")


if __name__ == "__main__":
    main()
