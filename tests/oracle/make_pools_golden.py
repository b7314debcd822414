"""Pools and normalisations as PyTorch computes them in float64, outputs and gradients, one case a line.

    python3 make_pools_golden.py OUT.json

The configurations are drawn, small and with much at the edges: windows that overhang, padding, maps smaller than the window. Element i
of an input is (37·i² + 11·i) mod 23 − 9, of dL/dy (13·i² + 5·i) mod 7 − 3, of a batch norm's parameter number p
((7·i + 3·p) mod 5 + 1) / 4, so ties are many. Where PyTorch refuses, "refused" stands for the results.
"""
import json
import random
import sys

import torch
from torch.nn import functional as F


def numbers(shape, a, b, modulus, offset):
    i = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return ((a * i * i + b * i) % modulus - offset).reshape(shape)


def run(case):
    x = numbers(case["input"], 37, 11, 23, 9).requires_grad_()
    op, parameters = case["op"], []
    sliding = (case.get("kernel"), case.get("stride"), case.get("padding"))
    if op == "max_pool2d":
        y = F.max_pool2d(x, *sliding, case["dilation"], case["ceil_mode"])
    elif op == "avg_pool2d":
        y = F.avg_pool2d(x, *sliding, case["ceil_mode"], case["count_include_pad"], case["divisor"] or None)
    elif op == "adaptive_avg_pool2d":
        y = F.adaptive_avg_pool2d(x, case["output_size"])
    elif op == "lrn":
        y = F.local_response_norm(x, case["size"], case["alpha"], case["beta"], case["k"])
    else:
        training = op == "batch_norm_training"
        channels = torch.arange(case["input"][1], dtype=torch.float64)
        parameters = [(((7 * channels + 3 * p) % 5 + 1) / 4).requires_grad_(p < 2) for p in range(4)]
        weight, bias, mean, variance = parameters
        y = F.batch_norm(x, mean, variance, weight, bias, training, 1, case["eps"])  # 1: keep the batch's alone
        if training:
            case["running_mean"], case["running_var"] = mean.tolist(), variance.tolist()
    y.backward(numbers(y.shape, 13, 5, 7, 3))
    case["shape"] = list(y.shape)
    case["output"] = y.flatten().tolist()
    case["gradient"] = x.grad.flatten().tolist()
    for name, p in zip(("gradient_weight", "gradient_bias"), parameters):
        case[name] = p.grad.tolist()
    return case


def cases(draw):
    def pair(low, high):
        return [draw.randint(low, high), draw.randint(low, high)]

    def pooling(op):
        kernel = pair(1, 5)
        return {"op": op, "input": [1, 1, *pair(1, 7)], "kernel": kernel, "stride": pair(1, 4),
                "padding": [draw.randint(0, k // 2) for k in kernel], "ceil_mode": draw.random() < 0.6}

    for _ in range(40):
        yield pooling("max_pool2d") | {"dilation": draw.choice([[1, 1], [1, 1], [2, 1], [1, 2]])}
    for _ in range(50):
        yield pooling("avg_pool2d") | {"count_include_pad": draw.random() < 0.6, "divisor": draw.choice([0, 0, 0, 0, 5])}
    for _ in range(12):
        yield {"op": "adaptive_avg_pool2d", "input": [1, 1, *pair(1, 7)], "output_size": pair(1, 6)}
    for size, beta in ((1, 0.75), (2, 0.75), (3, 0.5), (4, 1.25), (5, 0.75), (9, 0.75)):
        yield {"op": "lrn", "input": [1, 7, 1, 3], "size": size, "alpha": 0.25 * size, "beta": beta, "k": 1.5}
    for op in ("batch_norm", "batch_norm_training"):
        for eps in (1e-5, 0.5):
            yield {"op": op, "input": [2, 3, 2, 2], "eps": eps}


def main():
    lines = []
    for case in cases(random.Random(0)):
        try:
            lines.append(json.dumps(run(case)))
        except RuntimeError:
            lines.append(json.dumps(case | {"refused": True}))
    with open(sys.argv[1], "w") as out:
        out.write("[\n" + ",\n".join(lines) + "\n]\n")


main()
