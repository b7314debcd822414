"""Golden attribution maps of small networks with formula weights, by torch in float64.

    python3 make_method_goldens.py OUT_DIR [NAME...]          writes OUT_DIR/NAME.safetensors

One image, the formula input at 64×64; the class is the largest logit (metadata `class`). Where Captum is installed, every map that
it can compute is compared with it before anything is written (metadata `captum`).

    input                   (1, 3, 64, 64) f32
    logits                  (1, 1000) f64
    gradient                (1, 3, 64, 64) f32     d logit / d input
    input_x_gradient        (1, 3, 64, 64) f32
    integrated_gradients    (1, 3, 64, 64) f32     baseline 0, 50 Gauss-Legendre points
    guided_backprop         (1, 3, 64, 64) f32     ReLU and ReLU6: mask × rectified signal
    deconvnet               (1, 3, 64, 64) f32     ReLU and ReLU6: rectified signal; pools by switches
    grad_cam                (1, h, w) f64          at the node of metadata `grad_cam_layer`, rectified; of tokens: over the patches
    attention_rollout       (1, h, w) f64          of a vision transformer: the class token's row of the product of all layers'
                                                   (mean over heads + identity) / 2, the first layer rightmost
    cam                     (1, h, w) f64          where the head is a global average and at most a linear layer; no bias
    occlusion_logit         (1, 7, 7) f64          logit with a 16×16 square of 0 at (8i, 8j), all channels
    occlusion_probability   (1, 7, 7) f64          softmax of the same
    occlusion_attribution   (1, 64, 64) f64        mean drop of the logit over the squares that cover a pixel

Sources: Simonyan et al. 2013 (gradient), Springenberg et al. 2014 (guided), Zeiler & Fergus 2013 (deconvnet, occlusion),
Sundararajan et al. 2017 (integrated gradients), Zhou et al. 2015 (CAM), Selvaraju et al. 2016 (Grad-CAM), Abnar & Zuidema 2020
(attention rollout).
"""
import importlib.util
import json
import math
import pathlib
import sys

import numpy as np
import torch
import torchvision

import formula_weights

SIZE, WINDOW, STRIDE, STEPS = 64, 16, 8, 50

# Where Grad-CAM looks, as an input of a module ("<") or its output, and where CAM's class weights are: a linear layer after
# a global average, or, in SqueezeNet, a convolution whose channels are the classes.
NETWORKS = {
    "squeezenet1_1": dict(grad_cam="features.12", cam_channels="classifier.1"),
    "resnet18": dict(grad_cam="layer4", cam_linear="fc"),
    "vgg11_bn": dict(grad_cam="<features.28"),
    "mobilenet_v2": dict(grad_cam="features.18", cam_linear="classifier.1"),
    "mobilenet_v3_small": dict(grad_cam="features.12"),
    "vit_b_32": dict(grad_cam="encoder.layers.encoder_layer_11.ln_1", options=dict(image_size=SIZE)),
}


# Captum rounds the weights of its integral, and the sum and mean of its drops, to float32.
ROUNDED_BY_CAPTUM = ("integrated_gradients", "occlusion_attribution")


def build(name):
    network = getattr(torchvision.models, name)(weights=None, **NETWORKS[name].get("options", {}))
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return formula_weights.fill(network)


def rectifier(rule, low, high):
    """A ReLU (high None) or ReLU6 whose backward pass is the method's own."""

    class Rectifier(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward((x > low) if high is None else (x > low) & (x < high))
            return x.clamp(low, high)

        @staticmethod
        def backward(ctx, signal):
            (mask,) = ctx.saved_tensors
            if rule == "gradient":
                return signal * mask
            return signal.clamp(min=0) * mask if rule == "guided_backprop" else signal.clamp(min=0)

    return Rectifier.apply


class Activation(torch.nn.Module):
    """Stands in for every ReLU of a network. `rule` is shared by all of them and may be changed between passes."""

    rule = "gradient"

    def __init__(self, high):
        super().__init__()
        self.high = high

    def forward(self, x):
        return rectifier(Activation.rule, 0, self.high)(x)


def replace_activations(module):
    for name, child in module.named_children():
        if isinstance(child, (torch.nn.ReLU, torch.nn.ReLU6)):
            setattr(module, name, Activation(6 if isinstance(child, torch.nn.ReLU6) else None))
        else:
            replace_activations(child)
    return module


def input_gradient(network, x, target, rule="gradient"):
    Activation.rule = rule
    x = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(network(x)[:, target].sum(), x)
    Activation.rule = "gradient"
    return g


def integrated_gradients(network, x, target):
    points, weights = np.polynomial.legendre.leggauss(STEPS)  # on [-1, 1]
    total = torch.zeros_like(x)
    for alpha, weight in zip((1 + points) / 2, weights / 2):
        total += weight * input_gradient(network, alpha * x, target)
    return total * x


def capture(network, where, run):
    """The tensor at a module's output, or at its input ("<name"), while `run` runs."""
    module = dict(network.named_modules())[where.lstrip("<")]
    kept = []
    hook = module.register_forward_hook(lambda _, inputs, output: kept.append(inputs[0] if where[0] == "<" else output))
    result = run()
    hook.remove()
    return kept[0], result


def maps_at(network, where, x):
    return capture(network, where, lambda: network(x))[0]


def grad_cam(network, x, target, where):
    x = x.clone().requires_grad_()  # so that activations belong to a graph
    maps, logits = capture(network, where, lambda: network(x))
    (g,) = torch.autograd.grad(logits[0, target], maps)
    if maps.dim() == 3:  # tokens (1, 1 + places, width): their numbers as maps over the places, without the class token
        side = math.isqrt(maps.shape[1] - 1)
        maps, g = ((t[:, 1:].transpose(1, 2).reshape(1, -1, side, side)) for t in (maps, g))
    return (g.mean((2, 3), keepdim=True) * maps).sum(1).clamp(min=0)


@torch.no_grad()
def attention_rollout(network, x):
    inputs = []  # of every attention, in order
    layers = [m for m in network.modules() if isinstance(m, torch.nn.MultiheadAttention)]
    hooks = [m.register_forward_hook(lambda _, given, __: inputs.append(given[0])) for m in layers]
    network(x)
    for hook in hooks:
        hook.remove()
    product = torch.eye(inputs[0].shape[1]).double()
    for layer, given in zip(layers, inputs):
        _, pattern = layer(given, given, given, need_weights=True, average_attn_weights=True)
        mixed = pattern[0] + torch.eye(len(product)).double()
        product = mixed / mixed.sum(1, keepdim=True) @ product
    side = math.isqrt(len(product) - 1)
    return product[0, 1:].reshape(1, side, side)


def cam(network, x, target, spec):
    if "cam_channels" in spec:
        return capture(network, spec["cam_channels"], lambda: network(x))[0][:, target]
    maps, _ = capture(network, spec["grad_cam"], lambda: network(x))
    weight = dict(network.named_modules())[spec["cam_linear"]].weight[target]
    return (weight[None, :, None, None] * maps).sum(1)


@torch.no_grad()
def occlusion(network, x, target):
    starts = range(0, SIZE - WINDOW + 1, STRIDE)
    squares = [(i, j) for i in starts for j in starts]
    batch = x.repeat(len(squares), 1, 1, 1)
    for image, (i, j) in zip(batch, squares):
        image[:, i : i + WINDOW, j : j + WINDOW] = 0
    logits = torch.cat([network(part) for part in batch.split(7)])
    score = network(x)[0, target]
    drop, count = torch.zeros(SIZE, SIZE).double(), torch.zeros(SIZE, SIZE).double()
    for logit, (i, j) in zip(logits[:, target], squares):
        drop[i : i + WINDOW, j : j + WINDOW] += score - logit
        count[i : i + WINDOW, j : j + WINDOW] += 1
    grid = (1, len(starts), len(starts))
    return dict(
        occlusion_logit=logits[:, target].reshape(grid),
        occlusion_probability=logits.softmax(1)[:, target].reshape(grid),
        occlusion_attribution=(drop / count)[None])


def maps_of(name, spec):
    network = replace_activations(build(name))
    x = formula_weights.input_batch(1, 3, SIZE, SIZE)
    with torch.no_grad():
        logits = network(x)
    target = int(logits.argmax())
    gradient = input_gradient(network, x, target)
    maps = dict(
        input=x, logits=logits, gradient=gradient, input_x_gradient=x * gradient,
        integrated_gradients=integrated_gradients(network, x, target),
        guided_backprop=input_gradient(network, x, target, "guided_backprop"),
        deconvnet=input_gradient(network, x, target, "deconvnet"),
        grad_cam=grad_cam(network, x, target, spec["grad_cam"]), **occlusion(network, x, target))
    if "cam_channels" in spec or "cam_linear" in spec:
        maps["cam"] = cam(network, x, target, spec)
    if name.startswith("vit"):
        maps["attention_rollout"] = attention_rollout(network, x)
    return target, {key: value.detach() for key, value in maps.items()}


def check_by_captum(name, spec, target, maps):
    """Compares with Captum, on torchvision's own network with its own ReLU modules (one for each use, which its hooks need)."""
    from captum import attr

    network = build(name)
    split_shared_relus(network)
    x = maps["input"]
    fresh = lambda: x.clone().requires_grad_()
    occlusion_captum = attr.Occlusion(network).attribute(
        x, target=target, sliding_window_shapes=(3, WINDOW, WINDOW), strides=(3, STRIDE, STRIDE), perturbations_per_eval=7)
    theirs = dict(
        gradient=attr.Saliency(network).attribute(fresh(), target=target, abs=False),
        input_x_gradient=attr.InputXGradient(network).attribute(fresh(), target=target),
        integrated_gradients=attr.IntegratedGradients(network).attribute(x, target=target, n_steps=STEPS),
        occlusion_attribution=occlusion_captum[:, 0])
    where = spec["grad_cam"]
    if maps_at(network, where, x).dim() == 4:
        theirs["grad_cam"] = attr.LayerGradCam(network, dict(network.named_modules())[where.lstrip("<")]).attribute(
            x, target=target, relu_attributions=True, attribute_to_layer_input=where[0] == "<")[:, 0]
    if name != "mobilenet_v2":  # its hooks know ReLU but not ReLU6
        theirs["guided_backprop"] = attr.GuidedBackprop(network).attribute(fresh(), target=target)
        theirs["deconvnet"] = attr.Deconvolution(network).attribute(fresh(), target=target)
    for key, value in theirs.items():
        ours = maps[key].double()
        error = ((value.detach() - ours).norm() / ours.norm()).item()
        print(f"  {key:24s} Captum differs by {error:.1e}")
        if not error < (2**-23 if key in ROUNDED_BY_CAPTUM else 1e-12):
            raise SystemExit(f"{name}: {key} differs from Captum's by {error}")


def split_shared_relus(network):
    """Gives both uses of a BasicBlock's one ReLU a module of their own."""
    from torchvision.models.resnet import BasicBlock

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out = out + (self.downsample(x) if self.downsample is not None else x)
        return self.relu_after(out)

    for module in network.modules():
        if isinstance(module, BasicBlock):
            module.relu_after = torch.nn.ReLU()
            module.forward = forward.__get__(module)


def save(path, maps, metadata):
    """Writes safetensors: float64 for small tensors, float32 for images."""
    header, data = {"__metadata__": metadata}, b""
    arrays = {key: value.numpy() if value.numel() < 5000 else value.float().numpy() for key, value in maps.items()}
    for key, array in sorted(arrays.items(), key=lambda item: -item[1].itemsize):  # wide types first: all are aligned
        bytes_ = np.ascontiguousarray(array).tobytes()
        header[key] = dict(dtype=f"F{8 * array.itemsize}", shape=array.shape, data_offsets=[len(data), len(data) + len(bytes_)])
        data += bytes_
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    captum = importlib.util.find_spec("captum") is not None
    for name in sys.argv[2:] or NETWORKS:
        spec = NETWORKS[name]
        target, maps = maps_of(name, spec)
        print(name, "class", target, "logit", maps["logits"].max().item())
        for key, value in maps.items():
            print(f"  {key:24s} {str(tuple(value.shape)):20s} L2 {value.norm().item():.4g}")
        metadata = {"class": str(target), "grad_cam_layer": spec["grad_cam"], "torch": torch.__version__,
                    "torchvision": torchvision.__version__}
        if captum:
            check_by_captum(name, spec, target, maps)
            metadata["captum"] = __import__("captum").__version__
        completeness = maps["integrated_gradients"].sum().item()
        print("  sum of integrated gradients", completeness, flush=True)
        save(out / f"{name}.safetensors", maps, metadata)


if __name__ == "__main__":
    main()
