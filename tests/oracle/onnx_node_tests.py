#!/usr/bin/env python3
"""Generates the backend node tests of the `onnx` package, for Loupe to be tried on.

    tests/oracle/onnx_node_tests.py DIR [--run build/release/bin/onnx_nodes]

Needs onnx (tried with 1.23.2). Writes into DIR/onnx_node a folder for each test with
  model.onnx    the model as the package has it
  data.onnx     a model of no nodes whose initialisers are the test's tensors: inputs, under their names, in `graph.input`'s
                order, and outputs as "output 0", "output 1" …; its metadata hold the tolerances rtol and atol, and under
                `other` why a test has no tensors (sequences, optional values)
Then LOUPE_TEST_MODELS=DIR makes onnx_node_models_test run them; --run does so at once, and prints the table.
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import warnings

import numpy as np
import onnx
from onnx import helper, numpy_helper


def node_tests():
    warnings.simplefilter("ignore")
    np.random.seed(0)  # the package draws some inputs by chance
    from onnx.backend.test.case.node import collect_testcases

    return collect_testcases(None)


def tensor_of(value, info, name):
    """A TensorProto of the type that the model declares; None where it is no tensor."""
    if info.type.WhichOneof("value") != "tensor_type" or value is None or isinstance(value, (list, tuple, dict)):
        return None
    if isinstance(value, onnx.TensorProto):
        tensor = onnx.TensorProto()
        tensor.CopyFrom(value)
        tensor.name = name
        return tensor
    try:
        return numpy_helper.from_array(np.asarray(value), name)
    except (TypeError, NotImplementedError, RuntimeError, ValueError, AttributeError):
        return None


def data_model(test):
    inputs, outputs = test.data_sets[0]
    tensors, other = [], ""
    graph = test.model.graph
    for value, info in zip(inputs, graph.input):
        tensors.append(tensor_of(value, info, info.name))
    for k, (value, info) in enumerate(zip(outputs, graph.output)):
        tensors.append(tensor_of(value, info, f"output {k}"))
    if any(t is None for t in tensors):
        other, tensors = "sequences, optional values, maps", []
    model = helper.make_model(helper.make_graph([], "data", [], [], tensors))
    helper.set_model_props(model, {"rtol": str(test.rtol), "atol": str(test.atol), "other": other})
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="LOUPE_TEST_MODELS")
    parser.add_argument("--run", type=pathlib.Path, help="the program onnx_nodes")
    a = parser.parse_args()
    root = a.folder / "onnx_node"
    shutil.rmtree(root, ignore_errors=True)
    tests = node_tests()
    for test in tests:
        folder = root / test.name
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(test.model.SerializeToString())
        (folder / "data.onnx").write_bytes(data_model(test).SerializeToString())
    print(f"{len(tests)} tests of onnx {onnx.__version__} in {root}", flush=True)
    return subprocess.run([a.run, root], check=False).returncode if a.run else 0


if __name__ == "__main__":
    sys.exit(main())
