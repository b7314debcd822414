"""Small files of torch.save, one of every kind that Loupe reads, with what is in them.

    python3 make_torch_files.py OUT      writes OUT/*.pth, OUT/*.pt and OUT/expected.json

expected.json says for each file, in the order of state_dict(), each tensor's name, type, shape and values. The modules' expectations are
their own state_dict(); those of the rest are what torch.load gives back.
"""
import collections
import json
import pathlib
import sys
import warnings
import zipfile

import numpy as np
import torch

TYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32",
         torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL", torch.uint16: "U16"}


def numbers(*shape, dtype=torch.float32, start=0):
    count = int(np.prod(shape))
    return ((torch.arange(count, dtype=torch.float64) + start) * 37 % 101 - 50).div(8 if dtype.is_floating_point else 1).to(dtype).reshape(shape)


def dictionary(short=False):
    """Every type, and every way to lie in a storage."""
    state = collections.OrderedDict()
    state["conv.weight"] = numbers(2, 3, 1, 2)
    state["conv.bias"] = numbers(2, start=9)
    shared = numbers(4, 5, start=3)
    state["transposed"] = shared.t()
    state["column"] = shared[:, 2]
    state["row"] = shared[2]
    state["block"] = shared[1:3, 1:4]
    if short:
        return state
    state["channels_last"] = numbers(2, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    state["expanded"] = numbers(1, 2).expand(3, 2)
    state["empty"] = numbers(0, 3)
    state["scalar"] = numbers(1, start=5)[0]
    for dtype in TYPES:
        if dtype not in (torch.float32, torch.uint16):
            state[f"type.{TYPES[dtype]}"] = numbers(3, dtype=dtype, start=60) if dtype.is_signed or dtype == torch.bool else numbers(3, start=60).abs().to(dtype)
    half = torch.tensor([1.0, -65504, 6e-8, 2.0], dtype=torch.float16)
    state["type.strided_half"] = half[::2]
    return state


class Block(torch.nn.Module):
    """A module of this file: whoever reads it must not need the class."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 1)
        self.norm = torch.nn.BatchNorm2d(2)
        self.same = self.conv  # a module under two names
        self.absent = None
        self.layers = torch.nn.ModuleList([torch.nn.Linear(2, 1, bias=False)])
        self.register_buffer("kept", numbers(2))
        self.register_buffer("left_out", numbers(3), persistent=False)
        self.parent = [self]  # a cycle outside the modules
        with torch.no_grad():
            for i, p in enumerate(self.parameters()):
                p.copy_(numbers(*p.shape, start=i))

    def forward(self, x):
        return self.norm(self.conv(x))


def described(state):
    return [dict(name=name, dtype=TYPES[t.dtype], shape=list(t.shape), values=[float(v) for v in t.detach().reshape(-1).to(torch.float64)])
            for name, t in state.items()]


def wrapped(key, inner):
    optimizer = {"state": {0: {"step": 3, "momentum_buffer": numbers(2, start=70)}}, "param_groups": [{"lr": 0.1, "params": [0, 1]}]}
    return {"epoch": 3, "arch": "blocké", "best": np.float64(91.25), "optimizer": optimizer, key: inner, "scheduler": None}


def copy(source, target, compression=zipfile.ZIP_STORED, leave_out="/.data/"):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            if leave_out not in entry:
                new.writestr(zipfile.ZipInfo(entry), old.read(entry), compression)


def main(out):
    warnings.simplefilter("ignore")
    expected = {}

    def save(name, value, state=None, **options):
        torch.save(value, out / name, **options)
        expected[name] = described(state if state is not None else torch.load(out / name, weights_only=False))

    legacy = dict(_use_new_zipfile_serialization=False)
    save("zip.pth", dictionary())
    save("zip_v3.pth", {"type.U16": torch.tensor([1, 65535], dtype=torch.uint16)})
    save("legacy.pth", dictionary(), **legacy)
    for protocol in 1, 3, 4, 5:
        save(f"legacy_protocol_{protocol}.pth", dictionary(short=True), pickle_protocol=protocol, **legacy)
    save("zip_protocol_5.pth", dictionary(short=True), pickle_protocol=5)
    for key in "state_dict", "model_state_dict", "model", "net", "ema":
        short = collections.OrderedDict([("module.weight", torch.nn.Parameter(numbers(2))), ("module.bias", numbers(1))])
        save(f"wrapped_{key}.pth", wrapped(key, short), short, **(legacy if key in ("net", "ema") else {}))
    block = Block()
    save("module.pth", block, block.state_dict())
    # This format keeps the source of every module beside it; the place of torch on this machine is nobody's business.
    torch.serialization.get_source_lines_and_file = lambda of: (["class Made: ...\n"], 1, "made.py")
    save("module_legacy.pth", block, block.state_dict(), **legacy)
    parallel = torch.nn.DataParallel(torch.nn.Linear(2, 1))
    parallel.load_state_dict({"module.weight": numbers(1, 2), "module.bias": numbers(1)})
    save("wrapped_module.pth", wrapped("model", parallel), parallel.state_dict())
    noted = torch.nn.Parameter(numbers(2))
    noted.origin = "an attribute"
    save("parameter_with_state.pth", {"weight": noted})
    del block.parent
    scripted = torch.jit.script(torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.BatchNorm1d(1)))
    scripted.save(str(out / "whole_script.pt"))
    copy(out / "whole_script.pt", out / "script.pt", leave_out="/code/")  # debug information names places of this machine
    (out / "whole_script.pt").unlink()
    expected["script.pt"] = described(scripted.state_dict())

    copy(out / "wrapped_model.pth", out / "deflated.pth", zipfile.ZIP_DEFLATED)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(tensors)}" for name, tensors in expected.items())
    (out / "expected.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
