#!/usr/bin/env python3
"""Puts Loupe's reading of ONNX files beside onnxruntime, PyTorch and Loupe's own architectures, and prints a table.

    tests/oracle/compare_onnx.py build/release/bin/onnx_run [--models DIR] [--only NAME,…] [--keep DIR]

Needs torch, torchvision, onnx, onnxruntime, onnxscript, safetensors. It exports torchvision's networks, with weights and
batch norms' statistics drawn by chance, by both of torch's exporters, and compares
  scores     with onnxruntime's of the same file, relative to the largest
  gradient   of a score by the input, with that of Loupe's architecture with the same weights (on the cpu), relative
             to the largest, and with torch's in double. Where an exporter has folded the batch norms it has rounded the
             weights, and what lies at the kink of a ReLU or ties in a pool goes another way: the limit is then twice what
             float32 costs Loupe's own network, which is its distance from torch's in double
  batch      the bits of a batch of two with those of its images alone
With --models DIR, as ../shared/oracle/language/get_models.sh fills it: the light models of the onnx package beside the
outputs that it stores, and with weights drawn by chance beside onnxruntime's; open_nsfw and magika beside onnxruntime.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision
from onnx import numpy_helper
from safetensors.numpy import load_file, save_file

NETWORKS = ["resnet18", "googlenet", "mobilenet_v3_small", "efficientnet_b0", "densenet121", "shufflenet_v2_x1_0",
            "convnext_tiny", "vit_b_16"]
LIMIT_SCORES, LIMIT_GRADIENT = 1e-4, 1e-6


def loupe(program, folder, model, x, *options):
    """output, gradient: of onnx_run."""
    save_file({"input": np.ascontiguousarray(x, np.float32)}, folder / "x.safetensors")
    done = subprocess.run([program, str(model), str(folder / "x.safetensors"), str(folder / "y.safetensors"), *options],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{model}: {done.stderr.strip()}")
    y = load_file(folder / "y.safetensors")
    return y["output"], y.get("gradient"), done.stderr


def difference(a, b):
    """The largest one, relative to the largest number of b."""
    return float(np.abs(a.astype(np.float64) - b).max() / np.abs(b).max())


def runtime(model, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0]


def network(name):
    """torchvision's, in eval mode, with weights drawn by chance and the batch norms' statistics of a batch of noise: as in a
    trained network each layer's values spread, so that few lie at the kink of a ReLU or tie in a pool."""
    torch.manual_seed(7)
    options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    net = getattr(torchvision.models, name)(weights=None, **options)
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.8, 1.2)
            module.bias.data.normal_(0, 0.1)
            module.momentum = None  # the statistics become the batch's own
        if isinstance(module, torchvision.models.convnext.CNBlock):
            module.layer_scale.data.uniform_(0.1, 0.5)
    head = [m for m in net.modules() if isinstance(m, torch.nn.Linear)][-1]
    torch.nn.init.normal_(head.weight, 0, 0.05)
    if any(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules()):
        with torch.no_grad():
            net.train()(torch.randn(4, 3, 224, 224))
    return net.eval()


# Exporters fold batch norms into the weights, rounding as they do; as "norms kept" Loupe does it.
EXPORTERS = {
    "script": {"dynamo": False},
    "script, norms kept": {"dynamo": False, "training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False},
    "dynamo": {"dynamo": True, "verbose": False},
    "dynamo, norms kept": {"dynamo": True, "verbose": False, "optimize": False},
}


def export(net, x, path, exporter):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (x,), str(path), **EXPORTERS[exporter])


def torch_gradient(net, x, cls):
    double = net.double()
    at = x.double().requires_grad_()
    double(at)[0, cls].backward()
    net.float()
    return at.grad.numpy()


def row(*cells):
    print(f"{cells[0]:<40}" + "".join(f"{c:>16}" for c in cells[1:]), flush=True)


def number(value, limit):
    return f"{value:.1e}" + ("" if value <= limit else " !")


def compare_networks(program, folder, names):
    row("network, exporter", "scores", "grad, own net", "absolute", "grad, torch", "own, torch", "batch of two")
    good = True
    x = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 3, 224, 224)).astype(np.float32))
    for name in names:
        net = network(name)
        save_file({k: v.contiguous().numpy() for k, v in net.state_dict().items() if v.dim()}, folder / "w.safetensors")
        _, own, _ = loupe(program, folder, name, x[:1], "--weights", str(folder / "w.safetensors"))
        truth = torch_gradient(net, x[:1], 0)
        for exporter in EXPORTERS:
            path = folder / f"{name}_{exporter.replace(', ', '_').replace(' ', '_')}.onnx"
            export(net, x[:1], path, exporter)
            feed = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).get_inputs()[0].name
            scores, gradient, said = loupe(program, folder, path, x[:1])
            s = difference(scores, runtime(path, {feed: x[:1].numpy()}))
            g = difference(gradient, own)
            two, two_gradients, _ = loupe(program, folder, path, x)
            same = np.array_equal(two[:1], scores) and np.array_equal(two_gradients[:1], gradient)
            limit = max(LIMIT_GRADIENT, 2 * difference(own, truth))
            good &= s <= LIMIT_SCORES and g <= limit and same
            row(f"{name}, {exporter}", number(s, LIMIT_SCORES), number(g, limit), f"{np.abs(gradient - own).max():.1e}",
                f"{difference(gradient, truth):.1e}", f"{difference(own, truth):.1e}", "same bits" if same else "DIFFERS !")
    return good


def light_input(model):
    """What onnx's backend tests feed: numpy's sequence divided by the count, in the input's shape."""
    graph = model.graph
    stored = {i.name for i in graph.initializer}
    shape = next([d.dim_value for d in i.type.tensor_type.shape.dim] for i in graph.input if i.name not in stored)
    n = int(np.prod(shape))
    return (np.arange(n) / n).reshape(shape).astype(np.float32)


def with_weights(model):
    """A light model holds one number a weight: here each is drawn by chance, of a size that keeps signals alive."""
    rng = np.random.default_rng(9)
    sizes = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    variances = {n.input[4] for n in model.graph.node if n.op_type == "BatchNormalization"}
    kept = []
    for n in model.graph.node:
        if n.op_type != "ConstantOfShape":
            kept.append(n)
            continue
        shape = sizes[n.input[0]]
        values = rng.standard_normal(shape) * np.sqrt(2 / max(1, np.prod(shape[1:]))) if len(shape) > 1 else rng.uniform(-0.1, 0.1, shape)
        values = np.abs(values) + 0.5 if n.output[0] in variances else values
        model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), n.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model


def compare_files(program, folder, models):
    good = True
    row("file", "output", "drawn weights")
    for path in sorted((models / "onnx_light").glob("*.onnx")):
        model = onnx.load(path)
        tensor = onnx.TensorProto()
        tensor.ParseFromString(path.with_name(path.stem + "_output_0.pb").read_bytes())
        stored = numpy_helper.to_array(tensor)
        output, _, _ = loupe(program, folder, path, light_input(model), "--whole")
        d = difference(output.reshape(stored.shape), stored)
        good &= d <= LIMIT_SCORES
        drawn = folder / "drawn.onnx"
        onnx.save(with_weights(model), drawn)
        x = np.random.default_rng(2).standard_normal(light_input(model).shape).astype(np.float32)
        truth = runtime(drawn, {next(i.name for i in model.graph.input if i.name not in {j.name for j in model.graph.initializer}): x})
        output, _, _ = loupe(program, folder, drawn, x, "--whole")
        drawn.unlink()
        e = difference(output.reshape(truth.shape), truth)
        good &= e <= LIMIT_SCORES
        row(path.name, number(d, LIMIT_SCORES), number(e, LIMIT_SCORES))
    rng = np.random.default_rng(3)
    nsfw = rng.uniform(-120, 130, (2, 224, 224, 3)).astype(np.float32)
    output, _, _ = loupe(program, folder, models / "open_nsfw.onnx", nsfw.transpose(0, 3, 1, 2), "--whole")
    d = difference(output, runtime(models / "open_nsfw.onnx", {"input:0": nsfw}))
    good &= d <= LIMIT_SCORES
    row("open_nsfw.onnx", number(d, LIMIT_SCORES))
    text = rng.integers(0, 257, (2, 2048)).astype(np.int32)
    output, _, _ = loupe(program, folder, models / "magika.onnx", text, "--whole")
    d = difference(output, runtime(models / "magika.onnx", {"bytes": text}))
    good &= d <= LIMIT_SCORES
    row("magika.onnx", number(d, LIMIT_SCORES))
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path, help="onnx_run")
    parser.add_argument("--models", type=pathlib.Path)
    parser.add_argument("--only", default=",".join(NETWORKS))
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the exported files")
    a = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as temporary:
        folder = a.keep or pathlib.Path(temporary)
        folder.mkdir(exist_ok=True)
        if a.models:
            good &= compare_files(a.program, folder, a.models)
        good &= compare_networks(a.program, folder, [n for n in a.only.split(",") if n])
    print("all within the limits" if good else "NOT all within the limits")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
