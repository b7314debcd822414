// Which tensor of a file is which parameter, and files that belong to another network.
#include "models/io/read_weights.h"

#include <doctest/doctest.h>

#include "models/models.h"
#include "tests/support/command.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

// A file with the tensors that SmallNetwork wants, changed.
class File {
 public:
  File() {
    for (const auto& [name, tensor] : formula_weights(graph_)) tensors.emplace_back(name, tensor);
  }
  void rename(const std::string& from, const std::string& to) {
    for (auto& [name, tensor] : tensors)
      if (name == from) name = to;
  }
  std::map<std::string, Tensor> read(ExtraTensors extra = ExtraTensors::refuse,
                                     const WeightNames& names = {}) {
    write_safetensors(path_, tensors);
    return read_weights("small", graph_, WeightsFile::open(path_), path_, names, extra, notes);
  }
  std::string refusal(const WeightNames& names = {}) {
    try {
      read(ExtraTensors::refuse, names);
    } catch (const Error& e) {
      const std::string text = e.what();
      CHECK(text.starts_with("'" + path_ + "' "));
      return text.substr(path_.size() + 3);
    }
    return "no error";
  }

  NamedTensors tensors;
  std::vector<std::string> notes;

 private:
  Graph graph_ = SmallNetwork{}.graph();
  Folder folder_;
  std::string path_ = folder_ / "w.safetensors";
};

TEST_CASE("a tensor that the network has no place for is named") {
  File file;
  CHECK(file.refusal() == "no error");
  file.tensors.emplace_back("layer9.weight", Tensor::zeros(Dtype::f32, {2, 3}));
  CHECK(
      file.refusal() ==
      "holds the tensor 'layer9.weight' (2, 3), which small does not have: are these the weights of another "
      "model? (--weights.extra ignore leaves it out)");
  file.tensors.emplace_back("layer9.bias", Tensor::zeros(Dtype::f32, {2}));
  CHECK(file.refusal().starts_with("holds the tensor 'layer9.weight' (2, 3) and 1 more, which small"));
  CHECK(file.read(ExtraTensors::ignore).size() == file.tensors.size() - 2);
  CHECK(file.refusal({.training_only = {"layer9."}}) == "no error");
  CHECK(file.refusal({.training_only = {"layer8."}}) != "no error");
}

TEST_CASE("counters of batches are no other network's weights") {
  File file;
  file.tensors.emplace_back("bn1.num_batches_tracked", Tensor::zeros(Dtype::i32, {}));
  CHECK(file.refusal() == "no error");
}

TEST_CASE("another number of classes is said") {
  File file;
  for (auto& [name, tensor] : file.tensors)
    if (name == "fc.weight" || name == "fc.bias")
      tensor = Tensor::zeros(Dtype::f32, tensor.shape().with(0, 10));
  const std::string text = file.refusal();
  CHECK(text.find("weights for 10 classes, and small was to have 5: --classes 10 fits it to them") !=
        std::string::npos);
  for (auto& [name, tensor] : file.tensors)  // no longer the head alone
    if (name == "fc.weight") tensor = Tensor::zeros(Dtype::f32, {10, 19});
  CHECK(file.refusal().find("--classes") == std::string::npos);
  CHECK(file.refusal().find("but small needs (5, 18)") != std::string::npos);
}

TEST_CASE("where a missing tensor might be") {
  File file;
  file.rename("fc.weight", "head.weight");
  CHECK(
      file.refusal() ==
      "lacks the tensor 'fc.weight' (5, 18), which small needs; it has 'head.weight' of that shape: are its "
      "tensors called otherwise?");
  file.rename("head.weight", "fc.weight");
  file.rename("fc.bias", "head.bias");
  file.tensors.insert(file.tensors.begin(), {"mean", Tensor::zeros(Dtype::f32, {5})});
  CHECK(file.refusal().find("it has 'head.bias' of that shape") != std::string::npos);  // not 'mean'
  std::erase_if(file.tensors, [](const auto& t) { return t.first == "head.bias" || t.first == "mean"; });
  CHECK(file.refusal() ==
        "lacks the tensor 'fc.bias' (5), which small needs: are these the weights of another model?");
}

TEST_CASE("older names, after the prefix that all have") {
  File file;
  for (auto& [name, tensor] : file.tensors) name = "module." + (name == "fc.weight" ? "fc.w" : name);
  const WeightNames names{
      .current = [](const std::string& name) { return name == "fc.w" ? "fc.weight" : name; }};
  CHECK(file.read(ExtraTensors::refuse, names).contains("fc.weight"));
  REQUIRE(file.notes.size() == 1);
  CHECK(file.notes[0].find("every name starts with 'module.', which was left off") != std::string::npos);
}

TEST_CASE("torchvision's densenets had a dot more") {
  const auto current = models::build("densenet121").weight_names.current;
  REQUIRE(current);
  const std::string layer = "features.denseblock1.denselayer1.";
  CHECK(current(layer + "norm.1.running_mean") == layer + "norm1.running_mean");
  CHECK(current(layer + "conv.2.weight") == layer + "conv2.weight");
  for (const std::string& name : {layer + "norm1.weight", std::string("features.norm0.weight"),
                                  std::string("features.transition1.norm.weight")})
    CHECK(current(name) == name);
}

TEST_CASE("heads that only training uses may be there") {
  CHECK(models::build("googlenet").weight_names.training_only == std::vector<std::string>{"aux1.", "aux2."});
  CHECK(models::build("inception_v3").weight_names.training_only == std::vector<std::string>{"AuxLogits."});
}

}  // namespace
}  // namespace loupe::test
