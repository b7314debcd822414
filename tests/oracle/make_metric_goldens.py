"""Writes tests/golden/metrics.json: metrics of engine/exam on the network `zoo` with the weights of the repository, by their papers.

    python3 tests/oracle/make_metric_goldens.py

Pictures, maps and draws come from the hash of kernels/common/draws.h, so that nothing but results is stored. Everything is in
double. Where Quantus has the same metric it is asked, too, and what it says must agree, or differ as the headers of engine/exam
say; its answers stand beside ours under "quantus". Wants torch, scipy, safetensors and quantus.
"""

import json
import math
import pathlib
import warnings

import numpy as np
import quantus
import torch
from safetensors.torch import load_file
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from zoo import Zoo

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIDE, PIXELS = 64, 64 * 64
DRAWS, SQUARES, NEIGHBOURS, RADIUS, STEPS, NOISE = 20, 50, 4, 0.2, 32, 0.01
MASK64 = (1 << 64) - 1


def fnv1a64(text):
    h = 0xCBF29CE484222325
    for b in text.encode():
        h = ((h ^ b) * 0x100000001B3) & MASK64
    return h


def scrambled(x):
    """splitmix64 of an array of whole numbers."""
    with np.errstate(over="ignore"):
        x = x.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def uniforms(name, count, first=0):
    """u(first), u(first + 1), … of a name: (splitmix64(fnv1a64(name) + i) >> 11) / 2^53."""
    with np.errstate(over="ignore"):
        x = np.uint64(fnv1a64(name)) + np.arange(first, first + count, dtype=np.uint64)
    return (scrambled(x) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normals(name, count):
    u1, u2 = uniforms(name + ".u1", count), uniforms(name + ".u2", count)
    return np.sqrt(-2 * np.log1p(-u1)) * np.cos(2 * np.pi * u2)


def picture(p):
    """(3, 64, 64): squares of 8×8 pixels, each of one of the even numbers in [-2, 2)."""
    coarse = 4 * uniforms("metric.picture", 3 * 64, p * 3 * 64).reshape(3, 8, 8) - 2
    return coarse.repeat(8, axis=1).repeat(8, axis=2).astype(np.float32).astype(np.float64)


def relevance(p):
    return uniforms("metric.map", PIXELS, p * PIXELS) - 0.5


def disc():
    y, x = np.mgrid[:SIDE, :SIDE]
    return ((y - 30) ** 2 + (x - 25) ** 2 < 15**2).reshape(-1)


def network():
    net = Zoo().double().eval()
    missing = net.load_state_dict({k: v.double() for k, v in load_file(ROOT / "models/zoo/weights/zoo.safetensors").items()}, strict=False)
    assert not missing.unexpected_keys and all("num_batches" in k for k in missing.missing_keys)
    return net


def logits(net, pictures):
    with torch.no_grad():
        return net(torch.from_numpy(np.stack(pictures))).numpy()


def probabilities(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def removed(x, pixels):
    y = x.reshape(3, -1).copy()
    y[:, pixels] = 0
    return y.reshape(x.shape)


# ---- the metrics


def pixel_flipping(net, x, cls, order):
    """The curve from x to its negative, at the even fractions of the pixels."""
    black, white = (0 - 0.5) / 0.25, (1 - 0.5) / 0.25
    flipped, steps = black + white - x, []
    for k in range(STEPS + 1):
        y = x.reshape(3, -1).copy()
        gone = order[: k * PIXELS // STEPS]
        y[:, gone] = flipped.reshape(3, -1)[:, gone]
        steps.append(y.reshape(x.shape))
    return probabilities(logits(net, steps))[:, cls]


def set_sizes():
    most = math.floor(0.8 * PIXELS)
    return sorted({round(most ** (i / 7)) for i in range(8)})


def random_sets(size, count, name):
    sets = []
    for s in range(count):
        order, u = np.arange(PIXELS), uniforms(name, size, s * PIXELS)
        for i in range(size):
            j = i + int(u[i] * (PIXELS - i))
            order[i], order[j] = order[j], order[i]
        sets.append(order[:size].copy())
    return sets


def sensitivity_n(net, x, cls, r):
    found = []
    score = logits(net, [x])[0, cls]
    for size in set_sizes():
        sets = random_sets(size, DRAWS, f"sensitivity_n.{size}")
        drops = score - logits(net, [removed(x, s) for s in sets])[:, cls]
        found.append(np.corrcoef([r[s].sum() for s in sets], drops)[0, 1])
    return found


def squares():
    u, found = uniforms("infidelity", 3 * SQUARES), []
    for s in range(SQUARES):
        side = 8 + int(u[3 * s] * 25)
        top, left = int(u[3 * s + 1] * (SIDE - side + 1)), int(u[3 * s + 2] * (SIDE - side + 1))
        inside = np.zeros((SIDE, SIDE), bool)
        inside[top : top + side, left : left + side] = True
        found.append(np.flatnonzero(inside))
    return found


def infidelity(net, x, cls, r):
    sets = squares()
    drops = logits(net, [x])[0, cls] - logits(net, [removed(x, s) for s in sets])[:, cls]
    sums = np.array([r[s].sum() for s in sets])
    scale = (sums * drops).mean() / (sums**2).mean()
    return {"raw": ((sums - drops) ** 2).mean(), "scale": scale, "scaled": ((scale * sums - drops) ** 2).mean() / (drops**2).mean()}


def product(net, x, cls):
    """Gradient times input, summed over channels."""
    t = torch.from_numpy(np.stack(x) if isinstance(x, list) else x[None]).requires_grad_()
    net(t)[:, cls].sum().backward()
    return (t * t.grad).detach().numpy().sum(axis=1).reshape(len(t), -1)


def max_sensitivity(net, x, cls):
    noise = RADIUS * (2 * uniforms("max_sensitivity", NEIGHBOURS * x.size).reshape(NEIGHBOURS, *x.shape) - 1)
    around = [(x + n).astype(np.float32).astype(np.float64) for n in noise]
    middle = product(net, x, cls)[0]
    return max(np.linalg.norm(m - middle) for m in product(net, around, cls)) / np.linalg.norm(middle)


def imputed(x, gone, noise=NOISE):
    """Rong 2022, from the definition: D·v − Σ w·v = Σ w·x over the neighbours that are there."""
    number = {int(p): i for i, p in enumerate(gone)}
    a, b = lil_matrix((len(gone), len(gone))), np.zeros((len(gone), 3))
    flat = x.reshape(3, -1)
    for p, i in number.items():
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                y, z = p // SIDE + dy, p % SIDE + dx
                if (dy, dx) == (0, 0) or not (0 <= y < SIDE and 0 <= z < SIDE):
                    continue
                w, q = (1 / 12 if dy and dx else 1 / 6), y * SIDE + z
                a[i, i] += w
                if q in number:
                    a[i, number[q]] -= w
                else:
                    b[i] += w * flat[:, q]
    filled = flat.copy()
    filled[:, gone] = spsolve(a.tocsc(), b).T + noise * normals("road", 3 * PIXELS).reshape(3, -1)[:, gone]
    return filled.reshape(x.shape)


def road(net, x, cls, order):
    fractions = [0.1, 0.5, 0.9]
    scores = logits(net, [imputed(x, order[: int(f * PIXELS)]) for f in fractions])
    return {"fractions": fractions, "right": [bool(c == cls) for c in scores.argmax(axis=1)], "probability": list(probabilities(scores)[:, cls])}


def sparseness(r):
    a = np.sort(np.abs(r))
    n = len(a)
    return ((2 * np.arange(1, n + 1) - n - 1) * a).sum() / (n * a.sum())


def complexity(r):
    p = np.abs(r) / np.abs(r).sum()
    return -(p[p > 0] * np.log(p[p > 0])).sum()


def auc(r, inside):
    ranks = np.argsort(np.argsort(r))
    own = inside.sum()
    return (ranks[inside].sum() - own * (own - 1) / 2) / (own * (len(r) - own))


# ---- the second opinion


def second_opinion(net, x, cls, r, ours):
    """Of those that are defined alike: sparseness, complexity, AUC, and the imputation without its noise."""
    quiet = dict(disable_warnings=True, normalise=False)
    a = r.reshape(1, 1, SIDE, SIDE)
    said = dict(model=net, x_batch=x[None], y_batch=np.array([cls]), device="cpu")
    found = {
        "sparseness": quantus.Sparseness(**quiet)(a_batch=a.copy(), **said)[0],
        "complexity": quantus.Complexity(**quiet)(a_batch=a.copy(), **said)[0],
        "localisation_auc": quantus.AUC(**quiet)(a_batch=a.copy(), s_batch=disc().reshape(1, 1, SIDE, SIDE), **said)[0],
    }
    for name, value in found.items():
        assert abs(value - ours[name]) < 1e-5, (name, value, ours[name])
    order = np.argsort(-r)
    gone = order[: PIXELS // 2]
    theirs = quantus.functions.perturb_func.noisy_linear_imputation(arr=x, indices=gone, noise=0)
    assert np.abs(theirs - imputed(x, gone, 0)).max() < 1e-9
    try:
        quantus.ROAD(percentages=[50], **quiet)(a_batch=a.copy(), **said)
        found["road"] = "runs on three channels"
    except IndexError as error:
        found["road"] = f"IndexError: {error}"
    return {k: v if isinstance(v, str) else float(v) for k, v in found.items()}


def main():
    warnings.filterwarnings("ignore")
    net, cases = network(), []
    for p in range(2):
        x, r = picture(p), relevance(p)
        cls = int(logits(net, [x])[0].argmax())
        order = np.argsort(-r)
        case = {
            "cls": cls,
            "pixel_flipping": list(pixel_flipping(net, x, cls, order)),
            "sensitivity_n": sensitivity_n(net, x, cls, r),
            "infidelity": infidelity(net, x, cls, r),
            "max_sensitivity": max_sensitivity(net, x, cls),
            "road": road(net, x, cls, order),
            "sparseness": sparseness(r),
            "complexity": complexity(r),
            "localisation_auc": auc(r, disc()),
        }
        # On a map that knows something, as a map of noise explains nothing.
        case["of_product"] = {"sensitivity_n": sensitivity_n(net, x, cls, product(net, x, cls)[0]),
                              "infidelity": infidelity(net, x, cls, product(net, x, cls)[0])}
        case["quantus"] = second_opinion(net, x, cls, r, case)
        cases.append(case)
    out = {
        "made_by": f"tests/oracle/make_metric_goldens.py, torch {torch.__version__.split('+')[0]}, quantus {quantus.__version__}",
        "draws": DRAWS, "squares": SQUARES, "neighbours": NEIGHBOURS, "radius": RADIUS, "steps": STEPS, "noise": NOISE,
        "sizes": set_sizes(), "cases": cases,
    }
    (ROOT / "tests/golden/metrics.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
