#!/usr/bin/env python3
"""Images a second of each method by PyTorch, with Captum where it is installed: the same networks, batches and options as
gpu_methods (bench/gpu/methods.cpp), random weights. One line of JSON each.

    python3 bench/peers/methods.py [--device cuda|cpu] [--quick] [--seconds S] [--networks a,b] [--size PIXELS]

Everything is computed four times, as engines of their own: in float32 and with TF32 (tensor cores, 10 bits of mantissa), in
PyTorch's own layout (NCHW) and in channels_last (NHWC). float32 is what Loupe computes in. Time is from pixels on the host to
maps on the host, the median of several runs after two to warm up (cuDNN chooses its algorithms in them). Without Captum the
same computations are written out below, so that there is a figure all the same. With --seconds, what was not begun after so many
is named in a last line, {"left_out": [...]}. Exits with 77 and one line that begins with "skipped" where there is no PyTorch,
torchvision or device.
"""

import argparse
import json
import statistics
import sys
import time

BEGAN = time.perf_counter()  # importing PyTorch takes a while, too


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


try:
    import torch
    import torchvision
except ImportError as missing:
    skip(f"{missing.name} is not installed for {sys.executable}")
try:
    import captum
    from captum import attr
except ImportError:
    captum = None

# name, forward passes of one image
METHODS = [
    ("forward", 1),
    ("gradient", 1),
    ("input_x_gradient", 1),
    ("guided_backprop", 1),
    ("deconvnet", 1),
    ("grad_cam", 1),
    ("integrated_gradients", 50),
    ("occlusion", 49),
]
STEPS, WINDOW, STRIDE = 50, 32, 32
# Rows of a batch that integrated gradients and occlusion make of several images.
ROWS = 64


def score_gradient(model, x):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model(x)[:, 0].sum(), x)
    return gradient


class ReluRule:
    """Replaces what goes down through every ReLU while it is entered."""

    def __init__(self, model, rule):
        self.model, self.rule = model, rule

    def __enter__(self):
        hook = lambda module, down, up: (self.rule(down[0], up[0]),)
        self.hooks = [
            m.register_full_backward_hook(hook) for m in self.model.modules() if isinstance(m, torch.nn.ReLU)
        ]

    def __exit__(self, *_):
        for hook in self.hooks:
            hook.remove()


def grad_cam(model, layer, x):
    kept = {}

    def keep(module, inputs, maps):
        kept["maps"] = maps.detach().requires_grad_()  # the signal need not go further down
        return kept["maps"]

    hook = layer.register_forward_hook(keep)
    try:
        score = model(x)[:, 0].sum()
        (gradient,) = torch.autograd.grad(score, kept["maps"])
    finally:
        hook.remove()
    weight = gradient.mean(dim=(2, 3), keepdim=True)
    return torch.relu((weight * kept["maps"]).sum(dim=1))


def laid_out_like(x, rows):
    return rows if x.is_contiguous() else rows.contiguous(memory_format=torch.channels_last)


def integrated_gradients(model, x):
    total = torch.zeros_like(x)
    points = (torch.arange(STEPS, device=x.device) + 0.5) / STEPS
    for image in range(len(x)):
        rows = laid_out_like(x, points.view(-1, 1, 1, 1) * x[image])
        total[image] = score_gradient(model, rows).mean(dim=0)
    return total * x


def occlusion(model, x):
    n, _, height, width = x.shape
    corners = [(i, j) for i in range(0, height - WINDOW + 1, STRIDE) for j in range(0, width - WINDOW + 1, STRIDE)]
    scores = []
    with torch.no_grad():
        for image in x:
            rows = laid_out_like(x, image.repeat(len(corners), 1, 1, 1))
            for k, (i, j) in enumerate(corners):
                rows[k, :, i : i + WINDOW, j : j + WINDOW] = 0
            scores.append(model(rows)[:, 0])
    return torch.stack(scores).view(n, -1)


def trunk(model, name):
    """The layer of Grad-CAM: the last maps."""
    if name.startswith("resnet"):
        return model.layer4
    return model.features[-1] if not name.startswith("squeezenet") else model.features[12]


def plain(model, name, x):
    """Each method without Captum."""
    relu = torch.relu
    last = trunk(model, name)

    def with_rule(rule):
        with ReluRule(model, rule):
            return score_gradient(model, x)

    def forward():
        with torch.no_grad():
            return model(x)

    return {
        "forward": forward,
        "gradient": lambda: score_gradient(model, x),
        "input_x_gradient": lambda: x * score_gradient(model, x),
        "guided_backprop": lambda: with_rule(lambda down, up: relu(down)),
        "deconvnet": lambda: with_rule(lambda down, up: relu(up)),
        "grad_cam": lambda: grad_cam(model, last, x),
        "integrated_gradients": lambda: integrated_gradients(model, x),
        "occlusion": lambda: occlusion(model, x),
    }


def by_captum(model, name, x):
    x.requires_grad_()
    last = trunk(model, name)
    window = dict(sliding_window_shapes=(3, WINDOW, WINDOW), strides=(3, STRIDE, STRIDE))
    return {
        "gradient": lambda: attr.Saliency(model).attribute(x, target=0, abs=False),
        "input_x_gradient": lambda: attr.InputXGradient(model).attribute(x, target=0),
        "guided_backprop": lambda: attr.GuidedBackprop(model).attribute(x, target=0),
        "deconvnet": lambda: attr.Deconvolution(model).attribute(x, target=0),
        "grad_cam": lambda: attr.LayerGradCam(model, last).attribute(x, target=0, relu_attributions=True),
        "integrated_gradients": lambda: attr.IntegratedGradients(model).attribute(
            x, target=0, n_steps=STEPS, internal_batch_size=ROWS
        ),
        "occlusion": lambda: attr.Occlusion(model).attribute(
            x, target=0, perturbations_per_eval=max(1, ROWS // len(x)), **window
        ),
    }


# Name, TF32, channels_last; the most telling first: what is computed in the same arithmetic, then what is fastest.
SETTINGS = [
    ("fp32", False, False),
    ("TF32, channels_last", True, True),
    ("fp32, channels_last", False, True),
    ("TF32", True, False),
]


def set_precision(tf32):
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32


def load(name, device):
    model = getattr(torchvision.models, name)(weights=None).eval().to(device)
    for m in model.modules():  # hooks on a module's gradient do not work in place
        if isinstance(m, torch.nn.ReLU):
            m.inplace = False
    for p in model.parameters():
        p.requires_grad_(False)
    return model


def batch_of(args, passes):
    if args.size < 224:
        return 1
    if passes > 1:
        return 1 if args.quick else 4
    return 16 if args.quick else 64


def median_seconds(once):
    once()
    once()
    times = []
    while len(times) < 2 or (len(times) < 7 and sum(times) < 0.7):
        start = time.perf_counter()
        once()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(args, make, model, name, method, layout, row):
    host = torch.rand(row["batch"], 3, args.size, args.size) * 4 - 2

    def once():
        x = host.to(args.device).contiguous(memory_format=layout)
        return make(model, name, x)[method]().detach().cpu()

    try:
        seconds = median_seconds(once)
        row["ms"] = 1e3 * seconds
        row["images_per_s"] = row["batch"] / seconds
    except Exception as error:  # one method that fails should not hide the others
        row["error"] = " ".join(str(error).split())[:300]
    print(json.dumps(row), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--networks", default="squeezenet1_1,resnet50,vgg16")
    parser.add_argument("--size", type=int, default=224)
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        skip(f"PyTorch {torch.__version__} finds no GPU")

    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    engines = [(f"PyTorch {torch.__version__}", plain)]
    if captum:
        engines.append((f"Captum {captum.__version__}", by_captum))
    models, left_out = {}, []
    for setting, tf32, channels_last in SETTINGS:
        set_precision(tf32)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        for name in args.networks.split(","):
            for method, passes in METHODS:
                for engine, make in engines:
                    if make is by_captum and method == "forward":
                        continue
                    row = {"engine": f"{engine}, {setting}", "network": name, "method": method, "batch": batch_of(args, passes)}
                    if args.seconds and time.perf_counter() - BEGAN >= args.seconds:
                        left_out.append(f"{row['engine']}, {name} {method}")
                        continue
                    if name not in models:
                        models[name] = load(name, args.device)
                    models[name].to(memory_format=layout)
                    measure(args, make, models[name], name, method, layout, row)
    if left_out:
        print(json.dumps({"left_out": left_out, "after_s": args.seconds}), flush=True)


if __name__ == "__main__":
    main()
