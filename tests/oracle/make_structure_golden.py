"""What torchvision's architectures are made of: every node's name and shape, every parameter's name and shape.

    python3 make_structure_golden.py OUT.json           writes counts and hashes, one architecture a line
    python3 make_structure_golden.py --list NAME [H W]  prints the lists that the hashes were made of

A list has one line for each node or parameter, "name (1, 64, 112, 112)", in torch.fx's and state_dict's order, but for two things:
the joined parts of a dense layer that has only one part are left out, and the input is called "input". Its hash is FNV-1a.
"""
import json
import pathlib
import sys

import torch
from torch import fx
from torchvision.models import feature_extraction

from formula_weights import fnv1a64
from make_architecture_goldens import build

NAMES = """alexnet densenet121 googlenet mobilenet_v2 resnet18 resnet34 resnet50 resnet101 resnet152 squeezenet1_0 squeezenet1_1
vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn zfnet zoo zoo_fc""".split()


def sizes(name):
    """Inputs to list the nodes of; the heads of some networks take one size only."""
    own = {"zfnet": [(224, 224)], "zoo": [(64, 64), (48, 80)], "zoo_fc": [(64, 64)]}
    return own.get(name, [(224, 224), (96, 128)])


class Shapes(fx.Interpreter):
    """Runs a traced network and notes the shape of every node's value."""

    def run_node(self, node):
        value = super().run_node(node)
        if isinstance(value, torch.Tensor):
            self.shapes[node] = tuple(value.shape)
        return value


class Tracer(feature_extraction.NodePathTracer):
    def is_leaf_module(self, module, path):
        return not list(module.children())


def nodes(name, height, width):
    network = build(name).eval()
    tracer = Tracer()
    graph = tracer.trace(network)
    interpreter = Shapes(fx.GraphModule(tracer.root, graph))
    interpreter.shapes = {}
    with torch.no_grad():
        interpreter.run(torch.zeros(1, 3, height, width))
    for node, shape in interpreter.shapes.items():
        if node.op == "output":
            continue
        path = "input" if node.op == "placeholder" else tracer.node_to_qualname[node]
        if path.endswith("denselayer1.cat"):
            continue
        yield f"{path} {shape}"


def parameters(name):
    for key, value in build(name).state_dict().items():
        if not key.endswith("num_batches_tracked"):
            yield f"{key} ({', '.join(map(str, value.shape))})"


def digest(lines):
    lines = list(lines)
    return dict(count=len(lines), hash=f"{fnv1a64(''.join(line + chr(10) for line in lines)):016x}")


def record(name):
    weights = sum(v.numel() for k, v in build(name).state_dict().items() if not k.endswith("num_batches_tracked"))
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
