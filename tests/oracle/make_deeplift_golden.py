"""DeepLIFT's two rules on a small network, with every layer as a matrix and every share written out, in float64.

    python3 make_deeplift_golden.py OUT.json

Written from Shrikumar et al. 2017, sections 3.5.1 to 3.5.3, and from the definition of pools in engine/methods/deeplift_rules.h. Maps are
few enough that a layer is its matrix: W[j, i] says what input i adds to output j. A batch norm after a layer is part of its matrix.

    input (2,7,6) -> conv1 3x3, 3 channels, padding 1 -> bn1 -> relu1 -> max pool 3x3, stride 2 -> conv2 2x2, 4 channels -> relu2
    -> relu2 + conv3 1x1 -> relu3 -> flatten -> fc1 5 -> sigmoid -> fc2 3
"""
import json
import sys

import numpy as np

from formula_weights import tensor

EPS = 1e-5
INPUT = (2, 7, 6)


def conv(name, shape, out_channels, kernel, padding=0):
    """Matrix, bias and output shape of a convolution of stride 1."""
    c, h, w = shape
    weight = tensor(name + ".weight", (out_channels, c, kernel, kernel), "weight").astype(float)
    bias = tensor(name + ".bias", (out_channels,), "bias").astype(float)
    oh, ow = h + 2 * padding - kernel + 1, w + 2 * padding - kernel + 1
    matrix = np.zeros((out_channels, oh, ow, c, h, w))
    for y in range(oh):
        for x in range(ow):
            for r in range(kernel):
                for s in range(kernel):
                    iy, ix = y + r - padding, x + s - padding
                    if 0 <= iy < h and 0 <= ix < w:
                        matrix[:, y, x, :, iy, ix] = weight[:, :, r, s]
    return matrix.reshape(out_channels * oh * ow, -1), np.repeat(bias, oh * ow), (out_channels, oh, ow)


def batch_norm(name, matrix, bias, shape):
    weight, shift, mean, variance = (tensor(f"{name}.{leaf}", (shape[0],), role).astype(float) for leaf, role in [
        ("weight", "norm_weight"), ("bias", "norm_bias"), ("running_mean", "norm_mean"), ("running_var", "norm_variance")])
    scale = weight / np.sqrt(variance + EPS)
    each = lambda v: np.repeat(v, shape[1] * shape[2])
    return matrix * each(scale)[:, None], (bias - each(mean)) * each(scale) + each(shift)


def linear(name, inputs, outputs):
    weight = tensor(name + ".weight", (outputs, inputs), "weight").astype(float)
    return weight, tensor(name + ".bias", (outputs,), "bias").astype(float)


def windows(shape, kernel=3, stride=2):
    """The cells of each window of a pool, in row-major order."""
    c, h, w = shape
    cell = np.arange(c * h * w).reshape(shape)
    oh, ow = (h - kernel) // stride + 1, (w - kernel) // stride + 1
    found = [cell[k, y * stride : y * stride + kernel, x * stride : x * stride + kernel].ravel()
             for k in range(c) for y in range(oh) for x in range(ow)]
    return np.array(found), (c, oh, ow)


relu = lambda v: np.maximum(v, 0)
sigmoid = lambda v: 1 / (1 + np.exp(-v))


class Network:
    def __init__(self):
        w1, b1, shape = conv("conv1", INPUT, 3, 3, 1)
        self.first = batch_norm("bn1", w1, b1, shape)
        self.windows, shape = windows(shape)
        w, b, shape = conv("conv2", shape, 4, 2)
        self.second = (w, b)
        w, b, shape = conv("conv3", shape, 4, 1)
        self.third = (w, b)
        self.fc1, self.fc2 = linear("fc1", int(np.prod(shape)), 5), linear("fc2", 5, 3)

    def forward(self, x):
        v = {"x": x}
        v["a1"] = self.first[0] @ x + self.first[1]
        v["r1"] = relu(v["a1"])
        v["p"] = v["r1"][self.windows].max(1)
        v["a2"] = self.second[0] @ v["p"] + self.second[1]
        v["r2"] = relu(v["a2"])
        v["sum"] = v["r2"] + self.third[0] @ v["r2"] + self.third[1]
        v["r3"] = relu(v["sum"])
        v["f1"] = self.fc1[0] @ v["r3"] + self.fc1[1]
        v["s"] = sigmoid(v["f1"])
        v["y"] = self.fc2[0] @ v["s"] + self.fc2[1]
        return v

    def pool_back(self, m, at, base):
        flow, d = np.zeros_like(at["r1"]), at["r1"] - base["r1"]
        plain = np.zeros_like(flow)
        for j, cells in enumerate(self.windows):
            y, y0 = at["p"][j], base["p"][j]
            here, there = cells[np.argmax(at["r1"][cells])], cells[np.argmax(base["r1"][cells])]
            flow[here] += m[j] * (max(y, y0) - y0)
            flow[there] += m[j] * (y - max(y, y0))
            plain[here] += m[j]
        return np.where(abs(d) < 1e-10, plain, flow / np.where(abs(d) < 1e-10, 1, d))

    def rescale(self, at, base, cls):
        def back(m, y, x, slope):
            d = at[x] - base[x]
            return m * np.where(abs(d) < 1e-10, slope(at[x]), (at[y] - base[y]) / np.where(abs(d) < 1e-10, 1, d))

        step = lambda v: (v > 0).astype(float)
        m = back(self.fc2[0][cls], "s", "f1", lambda v: sigmoid(v) * (1 - sigmoid(v)))
        m = back(self.fc1[0].T @ m, "r3", "sum", step)
        m = back(m + self.third[0].T @ m, "r2", "a2", step)
        m = back(self.pool_back(self.second[0].T @ m, at, base), "r1", "a1", step)
        return (self.first[0].T @ m) * (at["x"] - base["x"])

    def reveal_cancel(self, at, base, cls):
        d = lambda name: at[name] - base[name]

        def mixture(matrix, x):
            terms = matrix * d(x)[None, :]
            return relu(terms).sum(1), -relu(-terms).sum(1)

        def through_weights(matrix, x, plus, minus):
            terms = matrix * d(x)[None, :]
            which = np.where(terms > 0, plus[:, None], np.where(terms < 0, minus[:, None], (plus + minus)[:, None] / 2))
            return (matrix * which).sum(0)

        def through_function(f, x, up, down, plus, minus):
            x0 = base[x]
            y_up = (f(x0 + up) - f(x0) + f(x0 + down + up) - f(x0 + down)) / 2
            y_down = (f(x0 + down) - f(x0) + f(x0 + up + down) - f(x0 + up)) / 2
            quotient = lambda a, b: np.where(abs(b) < 1e-10, 0, a / np.where(abs(b) < 1e-10, 1, b))
            return plus * quotient(y_up, up), minus * quotient(y_down, down)

        one = self.fc2[0][cls]
        plus, minus = through_function(sigmoid, "f1", *mixture(self.fc1[0], "r3"), one, one)
        m = through_weights(self.fc1[0], "r3", plus, minus)
        plus, minus = through_function(relu, "sum", relu(d("sum")), -relu(-d("sum")), m, m)
        m = np.where(d("sum") > 0, plus, np.where(d("sum") < 0, minus, (plus + minus) / 2))
        m = m + through_weights(self.third[0], "r2", m, m)
        plus, minus = through_function(relu, "a2", *mixture(self.second[0], "p"), m, m)
        m = self.pool_back(through_weights(self.second[0], "p", plus, minus), at, base)
        plus, minus = through_function(relu, "a1", *mixture(self.first[0], "x"), m, m)
        return through_weights(self.first[0], "x", plus, minus) * d("x")


if __name__ == "__main__":
    network = Network()
    base = network.forward(tensor("baseline", INPUT, "input").astype(float).ravel())
    out = {"rescale": [], "reveal_cancel": []}
    for cls in range(3):
        at = network.forward(tensor("input", INPUT, "input").astype(float).ravel())
        for rule in ("rescale", "reveal_cancel"):
            share = getattr(network, rule)(at, base, cls)
            assert abs(share.sum() - (at["y"] - base["y"])[cls]) < 1e-12, (rule, cls)
            out[rule].append(share.tolist())
    with open(sys.argv[1], "w") as f:
        json.dump(out, f)
        f.write("\n")
