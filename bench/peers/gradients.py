#!/usr/bin/env python3
"""Integrated gradients, SmoothGrad and GradientSHAP: Loupe beside Captum with PyTorch, on the CPU, in turns.

    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive python3 bench/peers/gradients.py [--networks a,b] [--rounds 5] [--loupe build/release/bin/explainer]

Formula weights and formula input (tests/oracle/formula_weights.py) on both sides, the same class. Results are compared before
anything is timed; a method whose results differ says so and is timed all the same. Times are medians of rounds in which the two
take turns; what is printed is their ratio, theirs / ours.

Integrated gradients: to a map within 1 % (relative L2) of the integral, which is taken to be Loupe's by rule secant with 400
intervals after Captum's with 400 midpoints at (k + 1/2)²/400² agrees with it within 0.5 %. Theirs: Captum's Gauss-Legendre with the
least number of steps, and the best of several batch sizes, that reaches it. Ours: rule secant with the least number of intervals that
reaches it; and adaptive as it is by default, whatever it reaches. Both numbers are found by trying, so nobody pays for knowing them.

SmoothGrad and GradientSHAP: 50 samples, theirs with Captum's own random numbers, so maps are compared by Loupe's samples in PyTorch.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "tests", "oracle"))
import formula_weights as fw

try:
    import captum
    import torch
    import torchvision
    from captum import attr
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed for {sys.executable}")
    sys.exit(77)

SHAPE = (1, 3, 224, 224)
WITHIN = 0.01


class Loupe:
    def __init__(self, program, network, cls=0):
        self.process = subprocess.Popen([program, network], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.file = tempfile.mktemp()
        self.cls = cls

    def __call__(self, method, **options):
        words = [str(self.cls), method, self.file] + [f"{k}={v}" for k, v in options.items()]
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return np.fromfile(self.file).reshape(SHAPE), answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        if os.path.exists(self.file):
            os.remove(self.file)


def load(name):
    """The network with formula weights, as Loupe has it."""
    model = getattr(torchvision.models, name)(weights=None)
    state = model.state_dict()
    norms = {k.rsplit(".", 1)[0] for k in state if k.endswith("running_mean")}
    for key, value in state.items():
        owner, leaf = key.rsplit(".", 1)
        if leaf == "num_batches_tracked":
            continue
        role = fw.NORM_ROLES[leaf] if owner in norms else "bias" if value.dim() == 1 else "weight"
        state[key] = torch.from_numpy(fw.tensor(key, tuple(value.shape), role).copy())
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)


def distance(a, b):
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def least(reaches, low, high):
    """The least n for which reaches(n), if it does so for all larger ones, to about 2 %."""
    while not reaches(high):
        low, high = high, 2 * high
    while high - low > max(1, high // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def fine_integral(model, x, cls, points):
    total = torch.zeros_like(x, dtype=torch.float64)
    for k in range(0, points, 4):
        i = torch.arange(k, min(k + 4, points), dtype=torch.float64)
        p = (((i + 0.5) / points) ** 2).view(-1, 1, 1, 1) * x.double()
        p = p.float().requires_grad_()
        (g,) = torch.autograd.grad(model(p)[:, cls].sum(), p)
        total += ((2 * i + 1) / points**2).view(-1, 1, 1, 1).mul(g.double()).sum(0, keepdim=True)
    return (total * x).numpy()


def in_turns(rounds, **work):
    """Median seconds of each, which take turns; work returns its own seconds or None."""
    times = {name: [] for name in work}
    for _ in range(rounds + 1):
        for name, once in work.items():
            start = time.perf_counter()
            own = once()
            times[name].append(own if own is not None else time.perf_counter() - start)
    return {name: statistics.median(t[1:]) for name, t in times.items()}


def best_batch(run, sizes=(4, 8, 16, 32)):
    run(sizes[0])
    times = {}
    for size in sizes:
        start = time.perf_counter()
        run(size)
        times[size] = time.perf_counter() - start
    return min(times, key=times.get)


def compare_integrals(row, loupe, model, x, cls, args):
    reference, _ = loupe("integrated_gradients", rule="secant", steps=400)
    row["integral_differs"] = distance(reference, fine_integral(model, x, cls, args.fine))
    captums = attr.IntegratedGradients(model)

    def theirs(steps, batch=8):
        return captums.attribute(x, target=cls, n_steps=steps, internal_batch_size=batch).detach().numpy()

    def ours(steps):
        return loupe("integrated_gradients", rule="secant", steps=steps)

    row["their_steps"] = least(lambda n: distance(theirs(n), reference) <= WITHIN, 1, 64)
    row["our_steps"] = least(lambda n: distance(ours(n)[0], reference) <= WITHIN, 1, 16)
    row["their_batch"] = best_batch(lambda b: theirs(16, b))
    row["their_distance"] = distance(theirs(row["their_steps"], row["their_batch"]), reference)
    row["our_distance"] = distance(ours(row["our_steps"])[0], reference)
    adaptive, answer = loupe("integrated_gradients", rule="adaptive")
    row["adaptive_gradients"], row["adaptive_distance"] = answer["checks"]["gradients"], distance(adaptive, reference)
    t = in_turns(
        args.rounds,
        theirs=lambda: theirs(row["their_steps"], row["their_batch"]) is None or None,
        ours=lambda: ours(row["our_steps"])[1]["seconds"],
        adaptive=lambda: loupe("integrated_gradients", rule="adaptive")[1]["seconds"],
        theirs_50=lambda: theirs(50, row["their_batch"]) is None or None,
        ours_50=lambda: loupe("integrated_gradients", steps=50)[1]["seconds"],
    )
    row["theirs_s"], row["ours_s"], row["adaptive_s"] = t["theirs"], t["ours"], t["adaptive"]
    row["ratio"], row["ratio_adaptive"] = t["theirs"] / t["ours"], t["theirs"] / t["adaptive"]
    row["ratio_50_steps_each"] = t["theirs_50"] / t["ours_50"]


def noisy(x, samples):
    size = x.numel()
    scale = 0.15 * float(x.max() - x.min())
    for s in range(samples):
        u = [fw.uniform(f"smooth_grad.noise.{s}.u{k}", size) for k in (1, 2)]
        n = np.sqrt(-2 * np.log1p(-u[0])) * np.cos(2 * math.pi * u[1])
        yield (x.double() + scale * torch.from_numpy(n).view(SHAPE)).float()


def compare_samples(row, loupe, model, x, cls, args):
    samples = 50
    total = torch.zeros_like(x, dtype=torch.float64)
    for p in noisy(x, 4):
        p.requires_grad_()
        total += torch.autograd.grad(model(p)[:, cls].sum(), p)[0].double() / 4
    row["smooth_grad_differs"] = distance(loupe("smooth_grad", samples=4)[0], total.numpy())
    tunnel, shap = attr.NoiseTunnel(attr.Saliency(model)), attr.GradientShap(model)
    sigma = 0.15 * float(x.max() - x.min())
    baselines = torch.cat([torch.zeros_like(x), torch.ones_like(x)])

    def smooth(batch):
        tunnel.attribute(x, nt_type="smoothgrad", nt_samples=samples, nt_samples_batch_size=batch, stdevs=sigma, target=cls, abs=False)

    batch = best_batch(smooth)
    t = in_turns(
        args.rounds,
        smooth=lambda: smooth(batch),
        ours_smooth=lambda: loupe("smooth_grad", samples=samples)[1]["seconds"],
        shap=lambda: shap.attribute(x, baselines=baselines, n_samples=samples, target=cls) is None or None,
        ours_shap=lambda: loupe("gradient_shap", samples=samples)[1]["seconds"],
    )
    row["smooth_grad_ratio"] = t["smooth"] / t["ours_smooth"]
    row["gradient_shap_ratio"] = t["shap"] / t["ours_shap"]
    row["smooth_grad_s"], row["gradient_shap_s"] = t["ours_smooth"], t["ours_shap"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default="squeezenet1_1,resnet18,resnet50,vgg16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fine", type=int, default=400)
    parser.add_argument("--only", choices=["integrals", "samples"])
    parser.add_argument("--loupe", default="build/release/bin/explainer")
    args = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    print(f"PyTorch {torch.__version__}, Captum {captum.__version__}, {torch.get_num_threads()} threads", flush=True)
    for name in args.networks.split(","):
        model = load(name)
        x = torch.from_numpy(fw.tensor("input", SHAPE, "input").copy())
        cls = int(model(x).argmax())
        loupe = Loupe(args.loupe, name, cls)
        row = {"network": name}
        if args.only != "samples":
            compare_integrals(row, loupe, model, x, cls, args)
        if args.only != "integrals":
            compare_samples(row, loupe, model, x, cls, args)
        loupe.close()
        print(json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}), flush=True)


if __name__ == "__main__":
    main()
