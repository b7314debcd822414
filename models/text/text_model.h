// TextModel: a transformer of tokens with its weights on a device, ready to run. Its nodes: nodes.h.
//
//     TextModel model = load_text("smollm2-135m.gguf", Device::cpu());
//     Purpose purpose{.values = {model.node("logits"), {model.node("blocks.3.attention"), 1}}};
//     const auto inputs = model.inputs({{504, 3575, 282}});
//     Execution& run = model.network.execution(shapes_of(inputs), purpose);
//     run.forward(inputs);
//     Tensor logits = run.value(model.node("logits"));   // (1, 3, 49152)
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/run/network.h"
#include "models/text/config.h"
#include "models/text/nodes.h"

namespace loupe {

class Tokenizer;  // engine/text/tokenizer.h

using Ids = std::vector<int32_t>;  // of a sequence of tokens

struct TextModel {
  Network network;
  TextConfig config;
  std::shared_ptr<const Tokenizer> tokenizer = nullptr;  // null: tokens are known by their ids alone
  std::vector<std::string> notes = {};                   // what was assumed of the file

  /// A node by its name. Throws UsageError with near names.
  NodeId node(const std::string& name) const { return network.graph().find(name); }
  /// "blocks.<layer>.<part>". Throws UsageError, one line, for a layer that is not there.
  NodeId block(int64_t layer, std::string_view part) const;
  /// Throws UsageError, one line, for a head that is not there.
  void expect_head(int64_t layer, int64_t head) const;

  /// What the network takes of these sequences, in the order of graph().inputs(): ids (N, L), L the length of the
  /// longest; shorter ones are filled up with token 0 behind their end, which no token before it sees. BERT also takes
  /// `types`, like the sequences (empty: all 0), and the padding mask, 0 behind a sequence's end. Throws UsageError,
  /// one line, for no token at all, more tokens than the model has positions, and ids outside its vocabulary.
  std::vector<Tensor> inputs(std::span<const Ids> sequences, std::span<const Ids> types = {}) const;
  std::vector<Tensor> inputs(const std::vector<Ids>& sequences) const { return inputs(std::span(sequences)); }
};

/// Their shapes, for Network::execution().
std::vector<Shape> shapes_of(std::span<const Tensor> inputs);

/// A model from a .gguf file, a Hugging Face folder, or a safetensors file that write_text_model() made. Throws Error,
/// one line that names the file, for one that is damaged, and for an architecture that is not read.
TextModel load_text(const std::filesystem::path& path, Device device, const KernelOptions& kernels = {});

/// The models that the program carries: models/text/weights/<name>.safetensors, "induction2".
std::vector<std::string> built_in_texts();
/// A model by the name of one that the program carries, else as load_text() of a path; a file of that name goes before.
TextModel load_text_named(const std::string& name, Device device, const KernelOptions& kernels = {});

/// The graph of a config. Throws UsageError for a family that does not exist, and Error for sizes that make no model.
Graph text_graph(const TextConfig& config);
/// A model of these parameters, by their names in the graph.
TextModel text_model(const std::string& name, const TextConfig& config,
                     std::map<std::string, Tensor> parameters, Device device,
                     const KernelOptions& kernels = {});
/// An attention-only model's config; positions and vocabulary as given.
TextConfig attention_only(int64_t layers, int64_t vocabulary, int64_t positions, int64_t width = 64,
                          int64_t heads = 4);

/// −log p(token l + 1 | tokens ≤ l) of one sequence, l = 0 … count − 2, from its logits (L, vocabulary) with L ≥ count
/// = ids.size(); in double.
std::vector<double> next_token_losses(const Tensor& logits, std::span<const int32_t> ids);
/// The id of the largest logit of each row (L, vocabulary); the first of equals.
Ids largest_logits(const Tensor& logits);

}  // namespace loupe
