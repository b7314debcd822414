"""Golden logits and input gradients of whole architectures with formula weights, by torch in float64.

    python3 make_architecture_goldens.py OUT_DIR NAME...      writes OUT_DIR/NAME.json

The gradient is that of logit 7 for the first image of the batch and of logit 400 (in the zoo, 12; of CIFAR, 3) for the second; its L2 norm is
stored for each image, and a sample of its elements, spread by a stride that is prime to their number.
"""
import functools
import json
import pathlib
import sys

import torch
import torchvision

import formula_weights
from cifar_resnet import CifarResNet
from zfnet import ZFNet
from zoo import Zoo, ZooFC

OWN = {"zfnet": ZFNet, "zoo": Zoo, "zoo_fc": ZooFC}  # what torchvision lacks
OWN |= {f"resnet{6 * n + 2}": functools.partial(CifarResNet, n) for n in (3, 5, 7, 9, 18)}
SAMPLES, STRIDE = 64, 7919


def build(name, image_size=None):
    """`image_size` (height, width): what EfficientNet-Lite pads for, if not for its own."""
    if name in OWN:
        return OWN[name]()
    if name.startswith("efficientnet_lite"):  # of the package efficientnet-lite-pytorch
        from efficientnet_lite_pytorch import EfficientNet

        return EfficientNet.from_name(name.replace("_", "-"), **(dict(image_size=image_size) if image_size else {}))
    plain = dict(aux_logits=False, init_weights=False, transform_input=False)
    options = plain if name in ("googlenet", "inception_v3") else {}
    network = getattr(torchvision.models, name)(weights=None, **options)
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return network


def golden(name):
    network = formula_weights.fill(build(name))
    other_sizes = {"zoo": 64, "zoo_fc": 64, "inception_v3": 299}
    size = getattr(network, "input_image_size", other_sizes.get(name, 224))  # EfficientNet-Lite says its own
    targets = [7, 12] if name.startswith("zoo") else [7, 400]
    if isinstance(network, CifarResNet):
        size, targets = 32, [7, 3]
    x = formula_weights.input_batch(2, 3, size, size).requires_grad_()
    logits = network(x)
    score = sum(logits[i, target] for i, target in enumerate(targets))
    (gradient,) = torch.autograd.grad(score, x)
    flat = gradient.flatten()
    index = [i * STRIDE % flat.numel() for i in range(SAMPLES)]
    return dict(
        name=name, torchvision=torchvision.__version__, input=list(x.shape), dtype="float64", target=targets,
        logits=logits.detach().tolist(), gradient_l2=[g.norm().item() for g in gradient],
        gradient_index=index, gradient_value=flat[index].tolist())


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:]:
        record = golden(name)
        (out / f"{name}.json").write_text(json.dumps(record) + "\n")
        largest = max(abs(v) for row in record["logits"] for v in row)
        print(name, "largest logit", largest, "gradient L2", record["gradient_l2"], flush=True)


if __name__ == "__main__":
    main()
