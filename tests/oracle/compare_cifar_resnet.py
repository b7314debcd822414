"""resnet20 with weights trained on CIFAR-10: Loupe's logits of pictures and PyTorch's.

    python3 compare_cifar_resnet.py LOUPE resnet20-12fca82f.th PICTURES [GOLDEN.json]

PICTURES is a folder of photographs of anything; of each the middle square, 32×32 pixels small, is looked at. torch computes with the
inputs that `loupe explain` says it used. The exit status is 1 where a logit differs by more than 1e-4 or a likeliest class is another one.
GOLDEN.json gets the logits of the formula input in float64, for tests.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file

import formula_weights
from cifar_resnet import CifarResNet

MOST = 1e-4  # of a logit


def trained(path):
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    network = CifarResNet(3)
    network.load_state_dict({name.removeprefix("module."): tensor for name, tensor in state.items()})
    return network.eval()


def main():
    loupe, weights, folder = sys.argv[1:4]
    pictures = sorted(pathlib.Path(folder).iterdir())
    with tempfile.TemporaryDirectory() as out:
        command = [loupe, "explain", *pictures, "--model", "resnet20", "--weights", weights, "--out", out, "--json"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        files = [load_file(pathlib.Path(out) / picture.stem / "maps.safetensors") for picture in pictures]
    x = torch.stack([f["input"].reshape(3, 32, 32) for f in files])
    ours = torch.stack([f["logits"].flatten() for f in files])
    network = trained(weights)
    with torch.no_grad():
        theirs = network(x)
        if len(sys.argv) > 4:
            logits = network.double()(formula_weights.input_batch(2, 3, 32, 32))
            pathlib.Path(sys.argv[4]).write_text(json.dumps(dict(logits=logits.tolist())) + "\n")
    worst = (ours - theirs).abs().max().item()
    agree = (ours.argmax(1) == theirs.argmax(1)).sum().item()
    print(f"logits differ by at most {worst:.2e} (the largest is {theirs.abs().max():.2f}), top-1 agrees for {agree} of {len(pictures)}")
    return int(worst > MOST or agree < len(pictures))


if __name__ == "__main__":
    sys.exit(main())
