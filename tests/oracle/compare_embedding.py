"""Maps and neighbours of `loupe embed` beside scikit-learn's.

    python3 compare_embedding.py LOUPE [--points 2000] [--steps 1000]      needs scikit-learn and NumPy

Of clouds of points in 32 dimensions, and of the digits that scikit-learn carries, both make an exact t-SNE map
(method="exact", init="pca") and principal components. Printed are trustworthiness, recall of ten neighbours and KL
divergence of either map, all by the same functions of scikit-learn's, and how far Loupe's own trustworthiness, recall
and neighbours are from those. The exit status is 1 where trustworthiness or recall of a map differ by more than .01,
a component by more than 1e-5 of the greatest, or a number that both compute of the same map by more than 1e-9.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness

K = 10


def clouds(count):
    random = np.random.default_rng(3)
    middles = random.normal(size=(12, 32)) * 2
    x = middles[np.arange(count) % 12] + random.normal(size=(count, 32)) * random.uniform(.3, 1.2, size=(count, 1))
    return x.astype(np.float32)


def order(x):
    """Of each point all points, itself and then the nearest first, ties by index, which sklearn leaves open."""
    distances = cdist(x.astype(np.float64), x.astype(np.float64), "sqeuclidean")
    np.fill_diagonal(distances, -1)
    return np.argsort(distances, axis=1, kind="stable")


def trust(truth, on_map):
    n, rank = len(truth), np.empty_like(truth)
    np.put_along_axis(rank, truth, np.arange(n)[None], axis=1)
    return 1 - 2 / (n * K * (2 * n - 3 * K - 1)) * np.maximum(0, np.take_along_axis(rank, on_map, axis=1) - K).sum()


def recall(truth, other):
    return np.mean([len(set(a) & set(b)) / K for a, b in zip(truth, other)])


def by_loupe(loupe, folder, *options):
    out = folder / "out"
    begin = time.time()
    command = [loupe, "embed", "--vectors", folder / "x.npy", "--out", out, *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return np.load(out / "map.npy"), json.loads((out / "embed.json").read_text()), time.time() - begin


def compare(name, x, loupe, steps, folder):
    np.save(folder / "x.npy", x)
    truth, good = order(x), True

    y, record, seconds = by_loupe(loupe, folder, "--map", "pca")
    theirs = PCA(2, svd_solver="full").fit_transform(x.astype(np.float64))
    theirs *= np.sign((theirs * y).sum(0))
    off = np.abs(y - theirs).max() / np.abs(theirs).max()
    good &= off < 1e-5
    print(f"{name}: PCA differs by {off:.1e} of the greatest coordinate")

    y, record, seconds = by_loupe(loupe, folder, "--map", "tsne", "--steps", str(steps))
    begin = time.time()
    sne = TSNE(method="exact", init="pca", perplexity=30, max_iter=steps, random_state=1)
    theirs = sne.fit_transform(x)
    their_seconds = time.time() - begin
    print(f"{'':10} {'trustworthiness':>16} {'recall of 10':>13} {'KL':>8} {'s':>7}")
    rows = []
    for who, where, divergence, took in (("Loupe", y, record["tsne"]["kl_divergence"], seconds),
                                         ("sklearn", theirs, sne.kl_divergence_, their_seconds)):
        rows.append((trustworthiness(x, where, n_neighbors=K), recall(truth[:, 1:K + 1], order(where)[:, 1:K + 1])))
        print(f"{who:10} {rows[-1][0]:16.5f} {rows[-1][1]:13.4f} {divergence:8.4f} {took:7.1f}")
    good &= abs(rows[0][0] - rows[1][0]) < .01 and abs(rows[0][1] - rows[1][1]) < .01
    own = max(abs(record["trustworthiness"] - trust(truth, order(y)[:, 1:K + 1])), abs(record["recall"] - rows[0][1]))
    good &= own < 1e-9
    print(f"           of Loupe's map, Loupe's own trustworthiness and recall differ by {own:.1e}")
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("loupe")
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=1000)
    a = parser.parse_args()
    digits = load_digits().data.astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        good = [compare(f"{a.points} points in 12 clouds", clouds(a.points), a.loupe, a.steps, pathlib.Path(folder)),
                compare(f"{len(digits)} digits", digits, a.loupe, a.steps, pathlib.Path(folder))]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
