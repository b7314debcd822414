"""Networks whose input is not three normalised channels, with formula weights, by torch in float64: those of one channel, and
torchvision's GoogLeNet and Inception as their trained weights come, with transform_input.

    python3 tests/oracle/make_other_inputs_golden.py tests/golden/other_inputs.json
"""
import json
import sys

import torch
import torchvision
from torch import nn

import formula_weights


def grey_resnet18():
    network = torchvision.models.resnet18(weights=None)
    network.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    return network


def grey(name, where):
    network = getattr(torchvision.models, name)(weights=None)
    first = where(network)
    old = first[0]
    first[0] = nn.Conv2d(1, old.out_channels, old.kernel_size, old.stride, old.padding, bias=old.bias is not None)
    return network


def transforming(name):
    return getattr(torchvision.models, name)(weights=None, aux_logits=False, init_weights=False, transform_input=True)


CASES = [
    ("resnet18", dict(channels=1), grey_resnet18, 64),
    ("squeezenet1_1", dict(channels=1), lambda: grey("squeezenet1_1", lambda n: n.features), 64),
    ("mobilenet_v2", dict(channels=1), lambda: grey("mobilenet_v2", lambda n: n.features[0]), 64),
    ("densenet121", dict(channels=1), lambda: grey("densenet121", lambda n: n.features), 64),
    ("googlenet", dict(transform_input=True), lambda: transforming("googlenet"), 64),
    ("inception_v3", dict(transform_input=True), lambda: transforming("inception_v3"), 96),
]


def golden(name, options, build, size):
    network = build()
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    x = formula_weights.input_batch(1, options.get("channels", 3), size, size).requires_grad_()
    logits = formula_weights.fill(network)(x)
    (gradient,) = torch.autograd.grad(logits[0, 7], x)
    return dict(name=name, options=options, input=list(x.shape), logits=logits[0, :50].tolist(),
                largest=logits.abs().max().item(), gradient_l2=gradient.norm().item())


with open(sys.argv[1], "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(golden(*case)) for case in CASES) + "\n]\n")
