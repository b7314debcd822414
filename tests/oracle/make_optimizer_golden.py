"""Trajectories of PyTorch's SGD and AdamW in float64, as tests/fixtures/optimizer.json holds them.

    python3 make_optimizer_golden.py OUT.json

Five weights go ten steps. The gradient of step t at element i is (37·t² + 11·i·t + 5·i) mod 23 − 11, over 8 (one element is always zero),
times `scale`, and the rate falls from step to step, as under a schedule. A line holds the settings and the weights after each step.
"""
import json
import sys

import torch

STEPS, WEIGHTS = 10, 5
CASES = [
    {"rule": "sgd", "rate": 0.1},
    {"rule": "sgd", "rate": 0.05, "momentum": 0.9, "weight_decay": 0.01},
    {"rule": "sgd", "rate": 0.05, "momentum": 0.8, "weight_decay": 0.1, "nesterov": True, "scale": 0.25},
    {"rule": "adamw", "rate": 0.01},
    {"rule": "adamw", "rate": 0.1, "betas": [0.7, 0.95], "eps": 0.001, "weight_decay": 0.3, "scale": 0.125},
    {"rule": "adamw", "rate": 0.02, "betas": [0.0, 0.5], "weight_decay": 0.0, "scale": 1e-6},
]


def gradient(t):
    g = [((37 * t * t + 11 * i * t + 5 * i) % 23 - 11) / 8 for i in range(WEIGHTS)]
    g[3] = 0
    return torch.tensor(g, dtype=torch.float64)


def run(case):
    rate, scale = case["rate"], case.get("scale", 1)
    settings = {k: v for k, v in case.items() if k not in ("rule", "rate", "scale")}
    rule = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[case["rule"]]
    w = torch.tensor([(3 * i - 5) / 4 for i in range(WEIGHTS)], dtype=torch.float64, requires_grad=True)
    optimizer = rule([w], lr=rate, **settings)
    weights = []
    for t in range(1, STEPS + 1):
        optimizer.param_groups[0]["lr"] = rate * (1 - (t - 1) / 16)
        w.grad = gradient(t) * scale
        optimizer.step()
        weights.append(w.detach().tolist())
    return case | {"weights": weights}


with open(sys.argv[1], "w") as out:
    out.write("[" + ",\n ".join(json.dumps(run(case)) for case in CASES) + "]\n")
