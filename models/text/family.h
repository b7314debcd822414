// TextFamily: one way to build a transformer of tokens, and the names that files have for its tensors. A new one is a
// file models/text/<name>.text.cpp that defines `extern const TextFamily <name>_text`; the build lists it in
// all_text_families().
#pragma once
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "models/text/config.h"
#include "models/text/source.h"

namespace loupe {

/// A node's parameters in files, without ".weight" and ".bias". A * stands for the number of a layer.
struct StoredName {
  std::string ours, gguf, folder;
  int third = -1;           // queries, keys and values lie in one tensor: which of the three
  bool transposed = false;  // in folders weights are (inputs, outputs): GPT-2's Conv1D
};

struct TextFamily {
  std::string_view name;    // "llama"
  std::string_view source;  // the paper
  /// general.architecture of GGUF, and model_type of config.json.
  std::vector<std::string_view> architectures;
  std::vector<StoredName> names;
  /// What folders may have before their tensors' names: "transformer.".
  std::vector<std::string_view> prefixes = {};
  /// Tensors that do not belong to the network, as parts of their names: "rotary_emb.inv_freq".
  std::vector<std::string_view> ignored = {};
  /// What a GGUF file or folder says. `notes` takes what was assumed. Throws Error, one line that starts with
  /// source.name().
  std::function<TextConfig(const TextSource&, std::vector<std::string>& notes)> config;
  std::function<Graph(const TextConfig&)> graph;
};

/// Every family, in alphabetical order. (Generated from the names of the files *.text.cpp.)
std::span<const TextFamily* const> all_text_families();
/// Throws UsageError with near names.
const TextFamily& find_text_family(const std::string& name);
/// The family that reads this file. Throws Error that names its architecture where there is none.
const TextFamily& text_family_of(const TextSource& source);

/// The name that the file has for a parameter of ours ("embedding.tokens.weight"); empty where it has none.
std::string find_stored(const TextSource& source, const TextFamily& family, const std::string& parameter);

/// Every parameter of the graph from a file: by its stored name, cut and transposed where the file has it otherwise.
/// Throws Error, one line, for a tensor that is missing, misshapen or of a type that is not read, and for one that the
/// network has no place for.
std::map<std::string, Tensor> read_text_weights(const TextSource& source, const TextFamily& family,
                                                const Graph& graph);

}  // namespace loupe
