"""Compares every tensor of files of torch.save, as Loupe reads them, with what torch.load gives.

    cmake --build --preset release --target torch_lines
    python3 compare_torch_files.py build/release/bin/torch_lines FILE…      prints "FILE: N of N tensors equal"; exit status 1 where not
    python3 compare_torch_files.py --golden FOLDER NAME…                    prints tests/golden/torch_files.json

torch.load executes what a file says: only give it files that you trust.
"""
import json
import pathlib
import subprocess
import sys

import numpy as np
import torch

from formula_weights import fnv1a64, splitmix64
from make_torch_files import TYPES

WRAPPERS = "state_dict", "model_state_dict", "model", "net", "ema"


def state_of(path):
    """The file's state dict, whatever it is in."""
    try:
        value = torch.jit.load(path, map_location="cpu")
    except RuntimeError:
        value = torch.load(path, map_location="cpu", weights_only=False)
    while isinstance(value, dict) and any(key in value for key in WRAPPERS):
        value = next(value[key] for key in WRAPPERS if key in value)
    return value if isinstance(value, dict) else value.state_dict()


def digest(tensor):
    """As tests/support/torch_lines.h: of the bytes of the type that Loupe makes of it."""
    if tensor.dtype in (torch.float16, torch.bfloat16):
        tensor = tensor.float()
    if tensor.dtype in (torch.int8, torch.int16, torch.uint16, torch.int64):
        tensor = tensor.to(torch.int32)
    data = np.frombuffer(tensor.detach().contiguous().numpy().tobytes(), np.uint8).astype(np.uint64)
    return int(splitmix64(np.arange(len(data), dtype=np.uint64) * np.uint64(256) + data).sum(dtype=np.uint64)) if len(data) else 0


def lines(path):
    for name, tensor in state_of(path).items():
        shape = ", ".join(map(str, tensor.shape))
        yield f"{name} {TYPES[tensor.dtype]} ({shape}) {digest(tensor):016x}"


def main():
    first, *rest = sys.argv[1:]
    if first == "--golden":
        golden = {}
        for name in rest[1:]:
            found = list(lines(pathlib.Path(rest[0]) / name))
            golden[name] = dict(tensors=len(found), hash=f"{fnv1a64(''.join(line + chr(10) for line in found)):016x}")
        print("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in golden.items()) + "\n}")
        return 0
    wrong = False
    for path in rest:
        ours = subprocess.run([first, path], capture_output=True, text=True, check=False)
        theirs = list(lines(path))
        equal = sum(a == b for a, b in zip(ours.stdout.splitlines(), theirs))
        print(f"{path}: {equal} of {len(theirs)} tensors equal {ours.stderr.strip()}".rstrip())
        wrong |= ours.stdout.splitlines() != theirs
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
