"""Formula weights: every parameter of a network computed from its name, so that two programs can share a network without a file.

Element i (row-major) of the tensor called `name` starts from a uniform number

    u_i = (splitmix64(fnv1a64(name) + i) >> 11) / 2^53        in [0, 1)

which `from_uniform` scales by the tensor's part in the network: tables of embeddings and places, and whatever else has two or more
dimensions, are weights; the scale and shift of every norm are a batch norm's. Everything is float64, rounded once to float32 at the end.
models/io/formula.cpp does the same in C++. Both hashes are public domain: FNV-1a by Fowler, Noll and Vo; splitmix64 by Vigna.
"""
import math

import numpy as np

MASK_64 = 2**64 - 1


def fnv1a64(name):
    h = 0xCBF29CE484222325
    for byte in name.encode("utf-8"):
        h = (h ^ byte) * 0x100000001B3 & MASK_64
    return h


def splitmix64(x):
    """The generator's output for the states `x`, an array of uint64; products and sums wrap around."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform(name, count):
    start = np.full(count, fnv1a64(name), np.uint64)
    bits = splitmix64(start + np.arange(count, dtype=np.uint64))
    return (bits >> np.uint64(11)) * 2.0**-53


def from_uniform(u, shape, role):
    signed = 2 * u - 1
    if role == "weight":  # He's uniform bound; the fan-in is all but the first dimension
        return signed * math.sqrt(6 / math.prod(shape[1:]))
    if role == "bias":
        return signed * 0.05
    if role in ("norm_weight", "norm_variance"):
        return 0.5 + u
    if role in ("norm_bias", "norm_mean"):
        return signed * 0.1
    if role == "input":
        return signed * 2
    raise ValueError(role)


def tensor(name, shape, role):
    shape = tuple(shape)
    return from_uniform(uniform(name, math.prod(shape)), shape, role).reshape(shape).astype(np.float32)


NORM_ROLES = {"weight": "norm_weight", "bias": "norm_bias", "running_mean": "norm_mean", "running_var": "norm_variance"}


def fill(network):
    """Overwrites every parameter and running statistic of a torch module; returns it in evaluation mode and float64."""
    import torch

    norms = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
    for prefix, module in network.named_modules():
        norm = isinstance(module, norms)
        own = dict(module.named_parameters(recurse=False)) | dict(module.named_buffers(recurse=False))
        own.pop("num_batches_tracked", None)
        for leaf, target in own.items():
            role = NORM_ROLES[leaf] if norm else "weight" if target.dim() > 1 else "bias"
            with torch.no_grad():
                target.copy_(torch.from_numpy(tensor(f"{prefix}.{leaf}".lstrip("."), target.shape, role)))
    return network.eval().double()


def input_batch(*shape):
    """The formula input as a float64 torch tensor of shape (N, 3, H, W)."""
    import torch

    return torch.from_numpy(tensor("input", shape, "input")).double()
