#!/usr/bin/env python3
"""Class pictures by ascent: Loupe's `visualize` beside torch-lucent, on the CPU, in turns.

    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive python3 bench/peers/ascent.py --weights squeezenet1_1.safetensors [--rounds 3] [--steps 64]

SqueezeNet's logits of eight classes at 224 pixels, as one batch on both sides, each with what it does by default: Fourier
parameters with decorrelated colours, Adam (Lucent at 0.05, Loupe at 0.03), and moved, scaled and turned views. Steps a second are of the ascent alone: a run of
1 + N steps less one of a single step, so that nobody pays for starting. Times are of rounds in which the two take turns; what is
printed is their medians' ratio. Scores are PyTorch's: each side's pictures as 8-bit pixels, straight, after N steps.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

try:
    import numpy as np
    import safetensors.torch
    import torch
    import torchvision
    from lucent.optvis import objectives, param, render
    from PIL import Image
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed for {sys.executable}")
    sys.exit(77)

CLASSES = [130, 144, 351, 251, 99, 9, 278, 250]


def lucent(model, steps, seed):
    """The pictures after the first step and the last, uint8, and seconds."""
    torch.manual_seed(seed)
    start = time.perf_counter()
    # A hook at the model's last layer, whose result are the logits once flattened.
    objective = sum(objectives.channel("classifier_3", c, batch=i) for i, c in enumerate(CLASSES))
    images = render.render_vis(model, objective, lambda: param.image(224, batch=len(CLASSES)), thresholds=(steps,),
                               progress=False, show_image=False)
    seconds = time.perf_counter() - start
    return (images[-1].clip(0, 1) * 255).round().astype(np.uint8), seconds


def loupe(program, weights, steps, seed):
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run([program, "visualize", "--model", "squeezenet1_1", "--weights", weights, "--class",
                        ",".join(map(str, CLASSES)), "--steps", str(steps), "--seed", str(seed), "--frames", "0", "--out", folder],
                       check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        record = json.load(open(os.path.join(folder, "visualize.json")))
        pictures = [np.asarray(Image.open(os.path.join(folder, u["file"]))) for u in record["units"]]
    return np.stack(pictures), seconds


def scores(model, pictures):
    x = torch.from_numpy(pictures.astype(np.float32) / 255).permute(0, 3, 1, 2)
    x = torchvision.transforms.functional.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with torch.no_grad():
        logits = model(x)
    own = logits[torch.arange(len(CLASSES)), CLASSES]
    right = (logits.argmax(1) == torch.tensor(CLASSES)).float().mean().item()
    return own.mean().item(), right


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--weights", required=True)
    options.add_argument("--loupe", default="build/release/bin/loupe")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--steps", type=int, default=64)
    o = options.parse_args()
    model = torchvision.models.squeezenet1_1()
    model.load_state_dict(safetensors.torch.load_file(o.weights))
    model.eval()
    for p in model.parameters():
        p.requires_grad_(False)
    sides = {"lucent": lambda steps, seed: lucent(model, steps, seed),
             "loupe": lambda steps, seed: loupe(o.loupe, o.weights, steps, seed)}
    speed = {name: [] for name in sides}
    found = {name: [] for name in sides}
    for name, run in sides.items():
        run(1, 0)  # warm
    for turn in range(o.rounds):
        for name, run in sides.items():
            _, one = run(1, turn)
            pictures, many = run(1 + o.steps, turn)
            speed[name].append(o.steps / (many - one))
            found[name].append(scores(model, pictures))
    for name in sides:
        logit = statistics.mean(f[0] for f in found[name])
        right = statistics.mean(f[1] for f in found[name])
        print(f"{name:8} {statistics.median(speed[name]):6.2f} steps/s of {len(CLASSES)} pictures   mean logit {logit:7.2f}   "
              f"named right {100 * right:5.1f} %")
    ratios = [a / b for a, b in zip(speed["loupe"], speed["lucent"])]
    print(f"loupe / lucent: {statistics.median(ratios):.2f} (rounds from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
