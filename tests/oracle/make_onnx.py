#!/usr/bin/env python3
"""Small ONNX files, and what onnxruntime computes of them: tests/oracle/make_onnx.py [--models DIR].

Writes tests/fixtures/onnx, and with --models, a folder as ../shared/oracle/language/get_models.sh fills it, what onnxruntime
computes of open_nsfw and magika for an input by formula: tests/golden/onnx_models.json.

For each <name>.onnx a <name>.safetensors with `input` and `output` (a batch of two; one for files that are written down for
a batch of one). The networks of torch are exported by both of its exporters, weights come from a seed.
Needs torch, onnx, onnxruntime, onnxscript, safetensors.
"""
import json
import pathlib
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from torch import nn

rng = np.random.default_rng(5)


def weights(name, *shape, scale=0.5):
    return numpy_helper.from_array((rng.standard_normal(shape) * scale).astype(np.float32), name)


def integers(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def model(nodes, inputs, outputs, initializers, opset, functions=(), extra=()):
    info = lambda pairs: [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in pairs]
    graph = helper.make_graph(nodes, "g", info(inputs), info(outputs), initializers)
    opsets = [helper.make_opsetid("", opset), *extra]
    made = helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=min(8, onnx.IR_VERSION))
    onnx.checker.check_model(made)
    return made


# ---- networks of torch

class Cnn(nn.Module):
    """What convolutional networks are made of, in small."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish(), nn.MaxPool2d(3, 2, 1))
        self.depthwise = nn.Conv2d(8, 8, 3, 1, 2, dilation=2, groups=8)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1), nn.SiLU(), nn.Conv2d(4, 8, 1), nn.Hardsigmoid())
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = self.stem(x)
        y = self.depthwise(x)
        y = y * self.gate(y)
        n, c, h, w = y.shape
        y = y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        z = torch.cat([torch.relu(self.norm(y)), nn.functional.avg_pool2d(x, 3, 1, 1)], 1)
        return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(z, 1), 1))


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.place = nn.Parameter(torch.randn(1, 10, 8))
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        n = x.shape[0]
        x = self.patches(x).flatten(2).permute(0, 2, 1)
        x = torch.cat([self.token.expand(n, -1, -1), x], 1) + self.place
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        x = x + self.mlp(x)
        return self.head(x[:, 0])


def exported(net, size):
    """By both exporters with an open batch, and by the older one with a batch of one, batch norms kept."""
    x = torch.randn(2, 3, size, size)
    net = net.eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = pathlib.Path("/tmp/loupe_make_onnx.onnx")
        torch.onnx.export(net, (x,), str(path), dynamo=False, dynamic_axes={"x": {0: "batch"}}, input_names=["x"])
        found["script"] = onnx.load(path)
        torch.onnx.export(net, (x,), str(path), dynamo=True, verbose=False, dynamic_shapes=({0: torch.export.Dim("batch")},))
        found["dynamo"] = onnx.load(path)
        torch.onnx.export(net, (x[:1],), str(path), dynamo=False, training=torch.onnx.TrainingMode.PRESERVE,
                          do_constant_folding=False)
        found["one"] = onnx.load(path)
        # Before opset 17 a layer norm is nine nodes, and before 20 a GELU five.
        torch.onnx.export(net, (x,), str(path), dynamo=False, dynamic_axes={"x": {0: "batch"}}, input_names=["x"], opset_version=14)
        found["old"] = onnx.load(path)
    path.unlink()
    for m in found.values():  # no paths of this machine, no stack traces
        for n in m.graph.node:
            n.doc_string = ""
            del n.metadata_props[:]
        del m.graph.value_info[:]
        del m.metadata_props[:]
    return found


# ---- by hand

def channels_last():
    """As converters from TensorFlow write: maps (N, H, W, C), padding by auto_pad, a softmax at the end."""
    n = helper.make_node
    return model(
        [n("Transpose", ["x"], ["t"], "to_maps", perm=[0, 3, 1, 2]),
         n("Conv", ["t", "w", "b"], ["c"], "conv", auto_pad="SAME_UPPER", strides=[2, 2]),
         n("Relu", ["c"], ["r"], "relu"),
         n("MaxPool", ["r"], ["p"], "pool", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
         n("Conv", ["p", "w2"], ["c2"], "conv2", auto_pad="SAME_LOWER", kernel_shape=[4, 4]),
         n("Transpose", ["c2"], ["l"], "to_last", perm=[0, 2, 3, 1]),
         n("Add", ["l", "row"], ["a"], "add"),
         n("ReduceMean", ["a"], ["m"], "mean", axes=[1, 2], keepdims=0),
         n("MatMul", ["m", "fc"], ["y"], "product"),
         n("Softmax", ["y"], ["out"], "probabilities", axis=1)],
        [("x", ["n", 17, 17, 3])], [("out", ["n", 4])],
        [weights("w", 6, 3, 3, 3), weights("b", 6), weights("w2", 5, 6, 4, 4), weights("row", 5), weights("fc", 5, 4)], 13)


def sequence():
    """1-D: convolutions, norm, pools, and back up."""
    n = helper.make_node
    return model(
        [n("Conv", ["x", "w", "b"], ["c"], "conv", kernel_shape=[3], pads=[2, 0], dilations=[2], group=2),
         n("BatchNormalization", ["c", "s", "o", "m", "v"], ["bn"], "norm", epsilon=1e-3),
         n("LeakyRelu", ["bn"], ["r"], "leaky", alpha=0.2),
         n("AveragePool", ["r"], ["p"], "pool", kernel_shape=[3], strides=[2], pads=[1, 0], ceil_mode=1),
         n("ConvTranspose", ["p", "up"], ["u"], "up", strides=[2], pads=[0, 1], kernel_shape=[4]),
         n("GlobalMaxPool", ["u"], ["g"], "top"),
         n("Flatten", ["g"], ["f"], "row"),
         n("Gemm", ["f", "fc", "bias"], ["y"], "head", transB=1, alpha=0.5, beta=2.0)],
        [("x", ["n", 4, 31])], [("y", ["n", 3])],
        [weights("w", 6, 2, 3), weights("b", 6), weights("s", 6), weights("o", 6), weights("m", 6),
         numpy_helper.from_array(rng.uniform(0.5, 2, 6).astype(np.float32), "v"), weights("up", 6, 5, 4),
         weights("fc", 3, 5), weights("bias", 3)], 17)


def old():
    """Opset 7: what later became operands is still attributes, and softmax takes all that follows an axis."""
    n = helper.make_node
    return model(
        [n("Pad", ["x"], ["p"], "pad", pads=[0, 0, 1, 0, 0, 0, 2, 1], mode="reflect"),
         n("Conv", ["p", "w"], ["c"], "conv", kernel_shape=[3, 3]),
         n("Clip", ["c"], ["k"], "clip", min=-0.5, max=0.75),
         n("Slice", ["k"], ["s"], "slice", axes=[2, 3], starts=[1, -6], ends=[9, 100]),
         n("Split", ["s"], ["s0", "s1"], "split", axis=1, split=[2, 4]),
         n("ReduceSum", ["s0"], ["r"], "sum", axes=[1], keepdims=1),
         n("Mul", ["s1", "r"], ["q"], "times"),
         n("Softmax", ["q"], ["f"], "soft", axis=2),
         n("Squeeze", ["r"], ["z"], "squeeze", axes=[1]),
         n("Unsqueeze", ["z"], ["uz"], "unsqueeze", axes=[1]),
         n("Add", ["f", "uz"], ["y"], "all")],
        [("x", [1, 3, 9, 8])], [("y", [1, 4, 8, 6])], [weights("w", 6, 3, 3, 3)], 7)


def resizes():
    """Every way of resizing, side by side in a row."""
    n = helper.make_node
    nodes, rows, inits = [], [], []
    ways = [(mode, coordinates, sizes, more) for sizes in ((9, 13), (3, 5), (10, 14))
            for coordinates in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
            for mode, more in (("linear", {}), ("cubic", {}), ("cubic", {"exclude_outside": 1, "cubic_coeff_a": -0.5}),
                               ("nearest", {"nearest_mode": "floor"}), ("nearest", {"nearest_mode": "round_prefer_ceil"}))]
    for i, (mode, coordinates, (h, w), more) in enumerate(ways):
        scales = numpy_helper.from_array(np.array([1, 1, h / 5, w / 7], np.float32), f"s{i}")
        inits.append(scales if i % 2 else integers(f"s{i}", 1, 2, h, w))
        inputs = ["x", "", f"s{i}"] if i % 2 else ["x", "", "", f"s{i}"]
        nodes += [n("Resize", inputs, [f"y{i}"], f"resize{i}", mode=mode, coordinate_transformation_mode=coordinates, **more),
                  n("Flatten", [f"y{i}"], [f"f{i}"])]
        rows.append(f"f{i}")
    nodes.append(n("Concat", rows, ["y"], "row", axis=1))
    return model(nodes, [("x", [1, 2, 5, 7])], [("y", [1, None])], inits, 13)


def functions():
    """A function of the file's own, called twice with another attribute, and a branch that is known."""
    n = helper.make_node
    soft = helper.make_function(
        "own", "SoftClip", ["x"], ["y"],
        [helper.make_node("Tanh", ["x"], ["t"]), helper.make_node("Elu", ["t"], ["y"])],
        [helper.make_opsetid("", 17)], ["alpha"])
    soft.node[1].attribute.append(helper.make_attribute("alpha", 0.0))
    soft.node[1].attribute[0].ClearField("f")
    soft.node[1].attribute[0].ref_attr_name = "alpha"
    branch = lambda op: helper.make_graph([helper.make_node(op, ["b"], [op])], op, [], [helper.make_tensor_value_info(op, 1, None)])
    return model(
        [n("SoftClip", ["x"], ["a"], "first", domain="own", alpha=0.5),
         n("MatMul", ["a", "w"], ["m"], "product"),
         n("SoftClip", ["m"], ["b"], "second", domain="own", alpha=2.0),
         n("Shape", ["x"], ["shape"]), n("Size", ["shape"], ["rank"]),
         n("Equal", ["rank", "two"], ["is_two"]),
         n("If", ["is_two"], ["y"], "choice", then_branch=branch("Exp"), else_branch=branch("Neg"))],
        [("x", ["n", 4])], [("y", ["n", 3])], [weights("w", 4, 3), numpy_helper.from_array(np.array(2, np.int64), "two")], 17,
        [soft], [helper.make_opsetid("own", 1)])


def quantized():
    """A convolution and a product with weights of 8 bits, values rounded in between. As quantisers do, the ReLU is left to
    the type, whose least number stands for zero."""
    n = helper.make_node
    scalar = lambda name, v, t: numpy_helper.from_array(np.array(v, t), name)
    nodes, inits = [], [scalar("zp", 0, np.int8), scalar("least", -128, np.int8)]

    def rounded(x, y, scale, zero):
        inits.append(scalar(y + "_s", scale, np.float32))
        nodes.extend([n("QuantizeLinear", [x, y + "_s", zero], [y + "_q"]), n("DequantizeLinear", [y + "_q", y + "_s", zero], [y])])

    def stored(name, *shape):
        inits.extend([numpy_helper.from_array(rng.integers(-127, 128, shape).astype(np.int8), name + "_q"),
                      numpy_helper.from_array(rng.uniform(0.002, 0.006, shape[0]).astype(np.float32), name + "_s"),
                      numpy_helper.from_array(np.zeros(shape[0], np.int8), name + "_z")])
        nodes.append(n("DequantizeLinear", [name + "_q", name + "_s", name + "_z"], [name], axis=0))

    rounded("x", "xq", 0.03, "zp")
    stored("w", 6, 3, 3, 3)
    nodes.append(n("Conv", ["xq", "w"], ["c"], "conv"))
    rounded("c", "rq", 0.02, "least")
    nodes.extend([n("GlobalAveragePool", ["rq"], ["g"], "pool"), n("Flatten", ["g"], ["f"], "row")])
    stored("fc", 4, 6)
    nodes.append(n("Gemm", ["f", "fc"], ["y"], "head", transB=1))
    return model(nodes, [("x", ["n", 3, 8, 8])], [("y", ["n", 4])], inits, 13)


def without_rounding(m):
    """The quantised graph with its values as they are, and its ReLU: what Loupe computes."""
    m = onnx.ModelProto.FromString(m.SerializeToString())
    places = {n.output[0]: n.input[0] for n in m.graph.node if n.op_type == "QuantizeLinear"}
    same = {n.output[0]: places[n.input[0]] for n in m.graph.node if n.op_type == "DequantizeLinear" and n.input[0] in places}
    kept = []
    for n in m.graph.node:
        if n.op_type == "QuantizeLinear" and n.input[2] == "least":
            kept.append(helper.make_node("Relu", [n.input[0]], [n.output[0] + "_relu"]))
            same.update({name: n.output[0] + "_relu" for name, x in same.items() if x == n.input[0]})
        elif n.op_type != "QuantizeLinear" and n.output[0] not in same:
            n.input[:] = [same.get(name, name) for name in n.input]
            kept.append(n)
    del m.graph.node[:]
    m.graph.node.extend(kept)
    return m


def make_golden(models):
    run = lambda name, **feeds: onnxruntime.InferenceSession(str(models / name), providers=["CPUExecutionProvider"]).run(None, feeds)[0]
    steps = lambda shape, period: (np.arange(np.prod(shape), dtype=np.int64) * 7919 % period).reshape(shape)
    picture = (steps((2, 224, 224, 3), 2003) / 2003 * 200 - 100).astype(np.float32)
    golden = {
        "open_nsfw": run("open_nsfw.onnx", **{"input:0": picture}).astype(float).tolist(),
        "magika": run("magika.onnx", bytes=steps((2, 2048), 257).astype(np.int32)).astype(float).tolist(),
    }
    path = pathlib.Path(__file__).parents[1] / "golden" / "onnx_models.json"
    path.write_text(json.dumps(golden, indent=1) + "\n")


def main():
    if sys.argv[1:2] == ["--models"]:
        return make_golden(pathlib.Path(sys.argv[2]))
    out = pathlib.Path(__file__).parents[1] / "fixtures" / "onnx"
    out.mkdir(parents=True, exist_ok=True)
    files = {f.__name__: f() for f in (channels_last, sequence, old, functions, quantized, resizes)}
    torch.manual_seed(11)
    for name, (net, size) in {"cnn": (Cnn(), 20), "vit": (Vit(), 12)}.items():
        for kind, exported_model in exported(net, size).items():
            if (name, kind) != ("cnn", "old"):
                files[f"{name}_{kind}"] = exported_model
    for name, m in files.items():
        onnx.save(m, out / f"{name}.onnx")
        computed = without_rounding(m) if name == "quantized" else m
        session = onnxruntime.InferenceSession(computed.SerializeToString(), providers=["CPUExecutionProvider"])
        feed = session.get_inputs()[0]
        shape = [d if isinstance(d, int) else 2 for d in feed.shape]
        x = rng.standard_normal(shape).astype(np.float32)
        save_file({"input": x, "output": np.ascontiguousarray(session.run(None, {feed.name: x})[0])}, out / f"{name}.safetensors")
    # The same weights in a file beside it.
    (out / "external.bin").unlink(missing_ok=True)
    m = onnx.load(out / "cnn_dynamo.onnx")
    onnx.save_model(m, out / "external.onnx", save_as_external_data=True, location="external.bin", size_threshold=64)
    (out / "external.safetensors").write_bytes((out / "cnn_dynamo.safetensors").read_bytes())


if __name__ == "__main__":
    main()
