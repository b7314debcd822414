// onnx_run MODEL INPUTS OUT [--whole] [--device D] [--weights W]: what compare_onnx.py puts beside PyTorch and
// onnxruntime. MODEL: an .onnx file, or with --weights an architecture. INPUTS: safetensors with a tensor
// `input`, (N, …). Writes `output`, and `gradient`, that of output 0 … of image n's class `n mod classes`.
// --whole: with the softmax at the end that networks are explained without (and no gradient).
#include <cstdio>
#include <cstring>
#include <string>

#include "engine/run/passes.h"
#include "models/io/onnx/import.h"
#include "models/models.h"

namespace loupe {
namespace {

Tensor run(Network& net, const Tensor& x) {
  const NodeId output = net.graph().output();
  Execution& e = net.execution(x.shape(), {.values = {output}});
  e.forward(x);
  return e.value(output);
}

int go(int argc, char** argv) {
  std::string model = argv[1], weights, device = "cpu";
  bool whole = false;
  for (int i = 4; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--whole")
      whole = true;
    else if (word == "--device" && i + 1 < argc)
      device = argv[++i];
    else if (word == "--weights" && i + 1 < argc)
      weights = argv[++i];
    else
      throw UsageError("onnx_run does not know '" + word + "'");
  }
  const Tensor x = SafetensorsFile::open(argv[2]).tensor("input").to(Dtype::f32);
  const Device on = Device::parse(device);
  NamedTensors out;
  if (whole) {
    onnx::Imported imported = onnx::import(onnx::read_model(model), {.shapes = {}});
    Network net(model, std::move(imported.graph), std::move(imported.parameters), on);
    out.emplace_back("output", run(net, x));
  } else {
    ImageModel net = models::load(model, weights, on);
    for (const std::string& note : net.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
    std::fprintf(stderr, "trunk: %s\n", net.trunk.c_str());
    out.emplace_back("output", run(net.network, x));
    std::vector<int64_t> classes;
    for (int64_t n = 0; n < x.shape()[0]; ++n) classes.push_back(n % net.classes());
    out.emplace_back("gradient", input_signal(net.network, x, classes, gradient_rule(), {}));
  }
  write_safetensors(argv[3], out);
  return 0;
}

}  // namespace
}  // namespace loupe

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: onnx_run MODEL INPUTS OUT [--whole] [--device D] [--weights W]\n");
    return 2;
  }
  try {
    return loupe::go(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "onnx_run: %s\n", error.what());
    return 1;
  }
}
