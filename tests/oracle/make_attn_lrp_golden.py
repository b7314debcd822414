"""AttnLRP (Achtibat et al. 2024) of a small vision transformer, every equation of the paper written out in float64.

    python3 make_attn_lrp_golden.py OUT.json

The network is small_transformer_graph() of tests/support/networks.h with formula weights and input. Nothing here uses a
gradient: relevance goes down by the sums that the paper gives, with stab(z) = z + 1e-6 sign(z), sign(0) = +1:

    linear layers   R_i = sum_j x_i w_ji R_j / stab(z_j)                        (LRP-epsilon, biases in z)
    sums            R_a = a R / stab(a + b)
    products        R_A,ji = A_ji sum_p V_ip R_jp / stab(2 O_jp), R_V alike     Proposition 3.3
    softmax         R_i = x_i (R_i - s_i sum_j R_j)                             Proposition 3.1
    layer norms and GELU pass it on.                                            Proposition 3.4
"""
import json
import math
import sys

import numpy as np
from formula_weights import tensor

WIDTH, HEADS, TOKENS, PATCH = 8, 2, 7, 4


def weight(name, *shape, role="weight"):
    return tensor(name, shape, role).astype(np.float64)


def stab(z):
    return np.where(z < 0, z - 1e-6, z + 1e-6)


class Linear:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def __call__(self, x):
        self.x, self.z = x, x @ self.w.T + self.b
        return self.z

    def down(self, r):
        return self.x * ((r / stab(self.z)) @ self.w)


def named(name, out, size):
    return Linear(weight(name + ".weight", out, size), weight(name + ".bias", out, role="bias"))


def layer_norm(name, x):
    scale, shift = (weight(f"{name}.{p}", WIDTH, role="norm_" + p) for p in ("weight", "bias"))
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * scale + shift


gelu = np.vectorize(lambda v: v * (1 + math.erf(v / math.sqrt(2))) / 2)


def product_down(a, b, y, r):
    """y = a b: half of the relevance to each side, shared out by what each product of two numbers adds."""
    share = r / stab(2 * y)
    return a * (share @ b.T), b * (a.T @ share)


class Attention:
    def __call__(self, qkv):
        size, heads = WIDTH // HEADS, []
        for h in range(HEADS):
            q, k, v = (qkv[:, i * WIDTH + h * size : i * WIDTH + (h + 1) * size] for i in range(3))
            q = q / math.sqrt(size)
            s = q @ k.T
            p = np.exp(s - s.max(-1, keepdims=True))
            p /= p.sum(-1, keepdims=True)
            heads.append((q, k, v, s, p, p @ v))
        self.heads = heads
        return np.concatenate([h[-1] for h in heads], -1)

    def down(self, r):
        size, parts = WIDTH // HEADS, ([], [], [])
        for h, (q, k, v, s, p, y) in enumerate(self.heads):
            r_p, r_v = product_down(p, v, y, r[:, h * size : (h + 1) * size])
            r_s = s * (r_p - p * r_p.sum(-1, keepdims=True))
            r_q, r_k = product_down(q, k.T, s, r_s)
            for part, value in zip(parts, (r_q, r_k.T, r_v)):
                part.append(value)
        return np.concatenate([np.concatenate(part, -1) for part in parts], -1)


class Layer:
    def __init__(self, name):
        self.name = name
        bias = weight(name + ".in_proj_bias", 3 * WIDTH, role="bias")
        self.in_proj = Linear(weight(name + ".in_proj_weight", 3 * WIDTH, WIDTH), bias)
        self.attention, self.out_proj = Attention(), named(name + ".out_proj", WIDTH, WIDTH)
        self.mlp = named(name + ".mlp", WIDTH, WIDTH)

    def __call__(self, x):
        self.x, self.y = x, self.out_proj(self.attention(self.in_proj(layer_norm(self.name + ".norm", x))))
        self.sum = self.x + self.y
        self.g = gelu(self.mlp(layer_norm(self.name + ".norm2", self.sum)))
        self.end = self.sum + self.g
        return self.end

    def down(self, r):
        share = r / stab(self.end)
        r = self.sum * share + self.mlp.down(self.g * share)
        share = r / stab(self.sum)
        return self.x * share + self.in_proj.down(self.attention.down(self.out_proj.down(self.y * share)))


def main():
    image = weight("input", 1, 3, 12, 8, role="input")[0]
    patches = image.reshape(3, 3, PATCH, 2, PATCH).transpose(1, 3, 0, 2, 4).reshape(6, 48)
    filters = weight("patches.weight", WIDTH, 3, PATCH, PATCH).reshape(WIDTH, 48)
    embed = Linear(filters, weight("patches.bias", WIDTH, role="bias"))
    tokens = np.concatenate([weight("class_token", 1, 1, WIDTH)[0], embed(patches)])
    placed = tokens + weight("place", 1, TOKENS, WIDTH)[0]
    layers, head = [Layer("0"), Layer("1")], named("head", 5, WIDTH)
    x = placed
    for layer in layers:
        x = layer(x)
    scores = head(x[:1])
    found = {"scores": scores[0].tolist()}
    for c in range(5):
        r = np.zeros_like(x)
        r[:1] = head.down(scores * (np.arange(5) == c))
        for layer in reversed(layers):
            r = layer.down(r)
        r = embed.down((tokens * r / stab(placed))[1:])
        r = r.reshape(3, 2, 3, PATCH, PATCH).transpose(2, 0, 3, 1, 4)
        found[f"relevance of {c}"] = r.flatten().tolist()
    with open(sys.argv[1], "w") as out:
        json.dump(found, out)


main()
