#!/usr/bin/env python3
"""Metrics of explanations by Loupe and by Quantus: the same pictures, maps, network and weights, values first, then time.

    python3 bench/peers/quantus.py [--build build/release] [--pictures 100] [--rounds 3]

Draws pictures of the zoo with their masks (`loupe zoo render`), takes the gradient of the network `zoo` in PyTorch as the map, and
lets each library score it, in turns; the ratio is of the medians, in one run. For each metric both have the values are compared
before any time is printed. Then what one has and the other has not, or has under another meaning. Exits with 77 and one line that
begins with "skipped" where Quantus, PyTorch or the build is not there, and with 1 where values differ.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

HERE = pathlib.Path(__file__).resolve()
ROOT = HERE.parents[2]
# This file has the name of the package that it imports.
sys.path = [str(ROOT / "tests/oracle")] + [p for p in sys.path if pathlib.Path(p or ".").resolve() != HERE.parent]

SIDE, STEPS, PATCH, NEIGHBOURS, RADIUS = 64, 48, 8, 20, 0.2


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


warnings.filterwarnings("ignore")
try:
    import numpy as np
    import quantus
    import torch
    from PIL import Image
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    skip(f"{missing.name} is not installed for {sys.executable}")
from make_metric_goldens import scrambled, uniforms
from zoo import Zoo


def zoo_network():
    net = Zoo().eval()
    net.load_state_dict(load_file(ROOT / "models/zoo/weights/zoo.safetensors"), strict=False)
    for p in net.parameters():
        p.requires_grad_(False)
    return net


def gradients(model, inputs, targets, **_):
    """(N, 3, H, W), as a map of its own kind for Quantus."""
    x = torch.as_tensor(inputs, dtype=torch.float32).requires_grad_()
    scores = model(x)[torch.arange(len(x)), torch.as_tensor(targets)]
    return torch.autograd.grad(scores.sum(), x)[0].numpy()


def pictures(loupe, folder, count):
    """Pictures as the network sees them, and where the object of each is."""
    subprocess.run([loupe, "zoo", "render", "--count", str(count), "--out", folder / "zoo"], check=True, capture_output=True)
    x, masks = [], []
    for line in (folder / "zoo/manifest.jsonl").read_text().splitlines():
        told = json.loads(line)
        rgb = np.asarray(Image.open(folder / "zoo" / told["file"]).convert("RGB"), np.float32) / 255
        x.append(((rgb - 0.5) / 0.25).transpose(2, 0, 1))
        masks.append(np.asarray(Image.open(folder / "zoo" / told["objects"][0]["mask"]).convert("L")) >= 128)
    return np.ascontiguousarray(np.stack(x)), np.stack(masks)


class Quantus:
    """Its metrics, with the settings under which they are Loupe's too."""

    def __init__(self, net, x, classes, maps, masks):
        self.net, self.x, self.classes, self.maps, self.masks = net, x, classes, maps, masks
        self.sums = maps.astype(np.float64).sum(axis=1, keepdims=True)
        with np.errstate(over="ignore"):
            noise = RADIUS * (2 * uniforms("max_sensitivity", NEIGHBOURS * x[0].size) - 1)
        self.noise = noise.reshape(NEIGHBOURS, -1)

    def call(self, metric, maps, **more):
        return metric(model=self.net, x_batch=self.x.copy(), y_batch=self.classes, a_batch=maps.copy(), device="cpu", batch_size=len(self.x), **more)

    def pixel_flipping(self):
        metric = quantus.PixelFlipping(features_in_step=self.x[0].size // STEPS, perturb_baseline=0.0, normalise=False, disable_warnings=True)
        # Its own area under the curve calls np.trapz, which numpy 2.4 has no more.
        return np.trapezoid(np.asarray(self.call(metric, self.maps, softmax=True)), axis=1)

    def infidelity(self, samples=10):
        metric = quantus.Infidelity(perturb_patch_sizes=[PATCH], n_perturb_samples=samples, perturb_baseline=0.0, disable_warnings=True)
        return self.call(metric, self.maps, softmax=False)

    def infidelity_once(self):
        return self.infidelity(1)

    def max_sensitivity(self):
        step = iter(range(NEIGHBOURS))
        move = lambda arr, indices, **_: (arr + self.noise[next(step)]).astype(np.float32)
        metric = quantus.MaxSensitivity(nr_samples=NEIGHBOURS, perturb_func=move, disable_warnings=True)
        return self.call(metric, self.maps, explain_func=gradients)

    def road_imputation(self):
        found = []
        for x, sums in zip(self.x.astype(np.float64), self.sums.reshape(len(self.x), -1)):
            gone = np.lexsort((scrambled(np.arange(sums.size)), -sums))[: sums.size // 2]
            found.append((quantus.functions.perturb_func.noisy_linear_imputation(arr=x, indices=gone, noise=0) ** 2).mean())
        return found

    def sparseness(self):
        return self.call(quantus.Sparseness(normalise=False, disable_warnings=True), self.sums)

    def complexity(self):
        return self.call(quantus.Complexity(normalise=False, disable_warnings=True), self.sums)

    def localisation_auc(self):
        return self.call(quantus.AUC(normalise=False, disable_warnings=True), self.sums, s_batch=self.masks[:, None].astype(bool))


# Metric, what it is, the relative difference that floats explain.
METRICS = [
    ("pixel_flipping", f"{STEPS} steps to grey, each channel of a pixel by itself", 1e-3),
    ("infidelity", f"squares of {PATCH} pixels that stay away; Quantus asks ten times what is the same each time", 1e-3),
    ("infidelity_once", "the same, asked once by both", 1e-3),
    ("max_sensitivity", f"of the gradient, {NEIGHBOURS} neighbours", 5e-3),
    ("road_imputation", "half of the pixels from the others, without noise", 1e-6),
    ("sparseness", "of the map alone", 1e-3),
    ("complexity", "of the map alone", 1e-5),
    ("localisation_auc", "of the map alone, against the mask", 1e-5),
]
OTHERWISE = """What only one of them has, or has otherwise:
  road             Quantus 0.6 takes the channels of a pixel for pixels: IndexError on colour pictures; only the imputation above
  sensitivity_n    Quantus 0.6 takes pixels in the map's order, and sums of the last step beside drops of all; the paper, and Loupe,
                   random sets
"""


def ours(program, file, metric):
    said = subprocess.run([program, file, metric.removesuffix("_once")], check=True, capture_output=True, text=True)
    return json.loads(said.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=ROOT / "build/release", type=pathlib.Path)
    parser.add_argument("--pictures", default=100, type=int)
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--metrics", default=",".join(name for name, *_ in METRICS))
    args = parser.parse_args()
    loupe, program = args.build / "bin/loupe", args.build / "bin/peer_exam"
    if not loupe.exists() or not program.exists():
        skip(f"there is no {program}: build loupe and peer_exam")

    net = zoo_network()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        x, masks = pictures(loupe, folder, args.pictures)
        classes = net(torch.from_numpy(x)).argmax(dim=1).numpy()
        maps = gradients(net, x, classes)
        file = folder / "data.safetensors"
        save_file({"x": torch.from_numpy(x), "maps": torch.from_numpy(maps), "mask": torch.from_numpy(masks.astype(np.uint8)),
                   "classes": torch.from_numpy(classes.astype(np.int32))}, file)
        theirs = Quantus(net, x, classes, maps, masks)
        print(f"{args.pictures} pictures, network zoo, {torch.get_num_threads()} threads, torch {torch.__version__}, quantus {quantus.__version__}, "
              f"medians of {args.rounds} rounds in turns")
        print(f"{'metric':18}{'difference':>12}{'Quantus s':>12}{'Loupe s':>10}{'ratio':>8}")
        totals, bad = [0.0, 0.0], []
        for metric, what, bound in METRICS:
            if metric not in args.metrics.split(","):
                continue
            seconds = ([], [])
            for _ in range(args.rounds):
                begin = time.perf_counter()
                values = np.asarray(getattr(theirs, metric)(), np.float64)
                seconds[0].append(time.perf_counter() - begin)
                answer = ours(program, file, metric)
                seconds[1].append(answer["seconds"])
            own = np.asarray(answer["values"])
            off = np.linalg.norm(own - values) / np.linalg.norm(values)
            if not off <= bound:
                bad.append(f"{metric}: values differ by {off:.2g}, more than {bound:.0e}")
            medians = [statistics.median(s) for s in seconds]
            if metric != "infidelity_once":
                totals = [t + m for t, m in zip(totals, medians)]
            mark = "" if medians[0] >= 5 * medians[1] else "  below 5"
            print(f"{metric:18}{off:12.1e}{medians[0]:12.3f}{medians[1]:10.3f}{medians[0] / medians[1]:8.1f}{mark}  {what}", flush=True)
        print(f"{'all of them':18}{'':12}{totals[0]:12.3f}{totals[1]:10.3f}{totals[0] / totals[1]:8.1f}")
        print(OTHERWISE, end="")
        for line in bad:
            print(line)
        sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
