"""What torchvision's architectures are made of: every node's name and shape, every parameter's name and shape.

    python3 make_structure_golden.py OUT.json           writes counts and hashes, one architecture a line
    python3 make_structure_golden.py --list NAME [H W]  prints the lists that the hashes were made of

A list has one line for each node or parameter, "name (1, 64, 112, 112)", in torch.fx's and state_dict's order; its hash is FNV-1a.
A module's node has the module's path, a function's that of the module around it and the function's name; what comes again is numbered,
"add", "add_1". It differs from torch.fx's list in this:

    the input is called "input"
    parameters that functions read, and numbers, are no nodes; nor is what changes nothing at inference: contiguous, StochasticDepth
    the joined parts of a dense layer that has only one part are left out
    nn.MultiheadAttention is taken apart: in_proj, its thirds query, key and value, attention, out_proj
    an index (the class token's) is a slice, "getitem", and "flatten"; one that skips rows and columns is two slices
    EfficientNet-Lite's convolutions are modules that pad before: what a convolution can pad by itself is no node, and "view" is "flatten"
"""
import collections
import functools
import json
import operator
import pathlib
import re
import sys

import torch
import torchvision
from torch import fx
from torchvision.models import feature_extraction

from formula_weights import fnv1a64
from make_architecture_goldens import build

NAMES = """alexnet densenet121 googlenet mobilenet_v2 resnet18 resnet34 resnet50 resnet101 resnet152 squeezenet1_0 squeezenet1_1
vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn zfnet zoo zoo_fc densenet161 densenet169 densenet201 resnext50_32x4d
resnext101_32x8d resnext101_64x4d wide_resnet50_2 wide_resnet101_2 inception_v3 mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3
mobilenet_v3_small mobilenet_v3_large efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5
efficientnet_b6 efficientnet_b7 regnet_x_400mf regnet_x_800mf regnet_x_1_6gf regnet_x_3_2gf regnet_x_8gf regnet_x_16gf regnet_x_32gf
regnet_y_400mf regnet_y_800mf regnet_y_1_6gf regnet_y_3_2gf regnet_y_8gf regnet_y_16gf regnet_y_32gf regnet_y_128gf
shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0 convnext_tiny convnext_small convnext_base convnext_large
vit_b_16 vit_b_32 vit_l_16 vit_l_32 vit_h_14 efficientnet_lite0 efficientnet_lite1 efficientnet_lite2 efficientnet_lite3
efficientnet_lite4 resnet20 resnet32 resnet44 resnet56 resnet110""".split()
CROPS = dict(inception_v3=299, efficientnet_b1=240, efficientnet_b2=288, efficientnet_b3=300, efficientnet_b4=380, efficientnet_b5=456,
             efficientnet_b6=528, efficientnet_b7=600, efficientnet_lite1=240, efficientnet_lite2=260, efficientnet_lite3=280,
             efficientnet_lite4=300)
CIFAR = "resnet20", "resnet32", "resnet44", "resnet56", "resnet110"


def sizes(name):
    """Inputs to list the nodes of; some networks take one size only."""
    if name == "zfnet" or name.startswith("vit"):
        return [(224, 224)]
    own = {"inception_v3": [(299, 299), (107, 139)], "zoo": [(64, 64), (48, 80)], "zoo_fc": [(64, 64)]}
    crop = CROPS.get(name, 224)
    if name in CIFAR:
        return [(32, 32), (24, 40)]
    if name.startswith("efficientnet_lite"):
        return [(crop, crop), (97, 130)]
    return own.get(name, [(crop, crop), (96, 128)])


@functools.lru_cache(maxsize=1)
def on_paper(name, *size):
    """The network without memory for its weights, of which the larger ones have gigabytes."""
    if name.startswith("efficientnet_lite"):
        with torch.device("meta"):
            return build(name, size).eval()
    if name.startswith("regnet"):  # computes its widths with tensors
        return build(name).eval().to("meta")
    with torch.device("meta"):
        return build(name).eval()


class Shapes(fx.Interpreter):
    """Runs a traced network and notes the shape of every node's value."""

    def run_node(self, node):
        value = super().run_node(node)
        if isinstance(value, torch.Tensor):
            self.shapes[node] = tuple(value.shape)
        elif isinstance(value, tuple) and node.op == "call_module":
            self.shapes[node] = None  # of an attention
        return value


def padded_evenly(module):
    """EfficientNet-Lite's static_padding, as a convolution can do it: nothing, or the same on both sides."""
    if isinstance(module, torch.nn.ZeroPad2d):
        left, right, top, bottom = module.padding
        return left == right and top == bottom
    return type(module).__module__.startswith("efficientnet_lite") and type(module).__name__ == "Identity"


class Tracer(feature_extraction.NodePathTracer):
    def is_leaf_module(self, module, path):
        return isinstance(module, torch.nn.MultiheadAttention) or not list(module.children())


def pieces(tracer, node, shape, modules, shapes):
    """What we make of one node of torch.fx: names, as yet without numbers, and shapes."""
    if node.op in ("output", "get_attr") or node.target == "contiguous":
        return
    if node.op == "placeholder":
        yield "input", shape
    elif node.op != "call_module":
        name = re.sub(r"_\d+$", "", tracer.node_to_qualname[node])
        index = node.args[1] if node.target is operator.getitem else None
        if isinstance(modules.get(node.args[0].target if index is not None else ""), torch.nn.MultiheadAttention):
            return
        if isinstance(index, tuple) and index[1:] == (0,):
            yield name, (shape[0], 1, *shape[1:])
            yield "flatten", shape
        elif isinstance(index, tuple) and all(isinstance(part, slice) for part in index):
            *rows, _ = shape
            yield name, (*rows, shapes[node.args[0]][-1])
            yield name, shape
        elif name == "view":
            yield "flatten", shape
        elif name.endswith("conv.conv2d") or name in ("_conv_stem.conv2d", "_conv_head.conv2d"):
            yield name.removesuffix(".conv2d"), shape
        elif not name.endswith("denselayer1.cat"):
            yield name, shape
    elif isinstance(modules[node.target], torch.nn.MultiheadAttention):
        *rows, width = shapes[node.args[0]]
        for part in "in_proj", "query", "key", "value", "attention", "out_proj":
            yield f"{node.target}.{part}", (*rows, 3 * width if part == "in_proj" else width)
    elif not isinstance(modules[node.target], torchvision.ops.StochasticDepth) and not padded_evenly(modules[node.target]):
        yield node.target, shape


def nodes(name, height, width):
    tracer = Tracer()
    network = on_paper(name, height, width)
    graph = tracer.trace(network)
    interpreter = Shapes(fx.GraphModule(tracer.root, graph))
    interpreter.shapes = {}
    with torch.no_grad():
        interpreter.run(torch.zeros(1, 3, height, width, device="meta"))
    modules, seen = dict(network.named_modules()), collections.Counter()
    for node, shape in interpreter.shapes.items():
        for path, size in pieces(tracer, node, shape, modules, interpreter.shapes):
            yield f"{path}_{seen[path]} {size}" if seen[path] else f"{path} {size}"
            seen[path] += 1


def parameters(name):
    for key, value in on_paper(name).state_dict().items():
        if not key.endswith("num_batches_tracked"):
            yield f"{key} ({', '.join(map(str, value.shape))})"


def digest(lines):
    lines = list(lines)
    return dict(count=len(lines), hash=f"{fnv1a64(''.join(line + chr(10) for line in lines)):016x}")


def record(name):
    weights = sum(v.numel() for k, v in on_paper(name).state_dict().items() if not k.endswith("num_batches_tracked"))
    return dict(
        name=name, parameters=digest(parameters(name)) | dict(elements=weights),
        nodes=[digest(nodes(name, *size)) | dict(input=size) for size in sizes(name)])


def main():
    if sys.argv[1] == "--list":
        size = [int(a) for a in sys.argv[3:5]] or sizes(sys.argv[2])[0]
        print(*nodes(sys.argv[2], *size), "", *parameters(sys.argv[2]), sep="\n")
    else:
        lines = ",\n".join(json.dumps(record(name)) for name in NAMES)
        pathlib.Path(sys.argv[1]).write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
