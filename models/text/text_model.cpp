#include "models/text/text_model.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"
#include "models/catalog/built_in.h"
#include "models/io/safetensors.h"
#include "models/text/check.h"
#include "models/text/family.h"
#include "models/text/read_tokenizer.h"
#include "models/text/source.h"
#include "models/text/text_file.h"

namespace loupe {

NodeId TextModel::block(int64_t layer, std::string_view part) const {
  if (layer < 0 || layer >= config.layers)
    throw UsageError("there is no layer " + std::to_string(layer) + ": " + network.name() + " has " +
                     std::to_string(config.layers));
  return node(block_node(layer, part));
}

void TextModel::expect_head(int64_t layer, int64_t head) const {
  if (layer < 0 || layer >= config.layers || head < 0 || head >= config.heads)
    throw UsageError("there is no head L" + std::to_string(layer) + "H" + std::to_string(head) + ": " +
                     network.name() + " has " + std::to_string(config.layers) + " layers of " +
                     std::to_string(config.heads) + " heads");
}

namespace {

void check_ids(const Ids& ids, int64_t limit, const char* what, const char* whose) {
  for (size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || ids[i] >= limit)
      throw UsageError(std::string(what) + " " + std::to_string(ids[i]) + " (number " + std::to_string(i) +
                       ") is not one of the " + std::to_string(limit) + " of " + whose);
}

// Rows of numbers, filled up with zeros.
Tensor filled_up(std::span<const Ids> rows, int64_t length) {
  Tensor t = Tensor::zeros(Dtype::i32, {std::ssize(rows), length});
  for (size_t n = 0; n < rows.size(); ++n)
    std::ranges::copy(rows[n], t.values<int32_t>().begin() + static_cast<int64_t>(n) * length);
  return t;
}

Tensor padding_mask(std::span<const Ids> rows, int64_t length) {
  Tensor t = Tensor::zeros(Dtype::u8, {std::ssize(rows), length});
  for (size_t n = 0; n < rows.size(); ++n)
    std::fill_n(t.values<uint8_t>().begin() + static_cast<int64_t>(n) * length, rows[n].size(), uint8_t{1});
  return t;
}

}  // namespace

std::vector<Tensor> TextModel::inputs(std::span<const Ids> sequences, std::span<const Ids> types) const {
  if (sequences.empty()) throw UsageError("there is no sequence of tokens");
  int64_t length = 0;
  for (const Ids& ids : sequences) {
    if (ids.empty()) throw UsageError("a sequence has no token");
    check_ids(ids, config.vocabulary, "token", "the vocabulary");
    length = std::max(length, std::ssize(ids));
  }
  if (length > config.positions)
    throw UsageError(network.name() + " takes at most " + std::to_string(config.positions) +
                     " tokens at a time, got " + std::to_string(length));
  std::vector<Tensor> all{filled_up(sequences, length)};
  if (config.types == 0) {
    if (!types.empty()) throw UsageError(network.name() + " has no types of tokens");
    return all;
  }
  if (!types.empty() && types.size() != sequences.size())
    throw UsageError("types of tokens are given for each sequence");
  for (size_t n = 0; n < types.size(); ++n) {
    if (types[n].size() != sequences[n].size()) throw UsageError("each token has a type");
    check_ids(types[n], config.types, "type", "types of tokens");
  }
  all.push_back(types.empty() ? Tensor::zeros(Dtype::i32, all[0].shape()) : filled_up(types, length));
  all.push_back(padding_mask(sequences, length));
  return all;
}

std::vector<Shape> shapes_of(std::span<const Tensor> inputs) {
  std::vector<Shape> shapes;
  for (const Tensor& t : inputs) shapes.push_back(t.shape());
  return shapes;
}

Graph text_graph(const TextConfig& config) {
  const TextFamily& family = find_text_family(config.family);
  check_text_config(config, "a " + config.family);
  return family.graph(config);
}

TextModel text_model(const std::string& name, const TextConfig& config,
                     std::map<std::string, Tensor> parameters, Device device, const KernelOptions& kernels) {
  return {Network(name, text_graph(config), std::move(parameters), device, kernels), config};
}

namespace {

TextModel model_of(const TextSource& source, const std::string& name, Device device,
                   const KernelOptions& kernels) {
  const TextFamily& family = text_family_of(source);
  std::vector<std::string> notes;
  TextConfig config = source.kind() == TextSource::Kind::own ? text_config(source.settings(), source.name())
                                                             : family.config(source, notes);
  config.family = family.name;
  check_text_config(config, source.name());
  const Graph graph = family.graph(config);
  TextModel model = text_model(name, config, read_text_weights(source, family, graph), device, kernels);
  model.notes = std::move(notes);
  return model;
}

}  // namespace

TextModel load_text(const std::filesystem::path& path, Device device, const KernelOptions& kernels) {
  const TextSource source = TextSource::open(path);
  TextModel model = model_of(source, path.filename().string(), device, kernels);
  std::string note;
  model.tokenizer = tokenizer_of(source, path, note);
  if (!note.empty()) model.notes.push_back(note);
  return model;
}

std::vector<std::string> built_in_texts() {
  std::vector<std::string> all;
  for (const BuiltIn& b : all_built_in_texts()) all.emplace_back(b.model);
  return all;
}

TextModel load_text_named(const std::string& name, Device device, const KernelOptions& kernels) {
  const auto all = all_built_in_texts();
  const auto found = std::ranges::find(all, name, &BuiltIn::model);
  std::error_code error;
  if (found == all.end() || std::filesystem::exists(name, error)) return load_text(name, device, kernels);
  static const auto program = std::make_shared<int>();  // its bytes outlive what is made of them
  const std::string file = "the built-in model " + name;
  return model_of(TextSource::own(SafetensorsFile::parse(found->bytes, file, program), file), name, device,
                  kernels);
}

TextConfig attention_only(int64_t layers, int64_t vocabulary, int64_t positions, int64_t width,
                          int64_t heads) {
  TextConfig c;
  c.family = "attention_only";
  c.layers = layers;
  c.width = width;
  c.heads = c.kv_heads = heads;
  c.head_width = heads > 0 ? width / heads : 0;
  c.vocabulary = vocabulary;
  c.positions = positions;
  c.tied = false;
  check_text_config(c, "an attention-only model");
  return c;
}

namespace {

void expect_rows(const Tensor& logits, size_t rows) {
  if (logits.shape().rank() != 2 || logits.shape()[0] < static_cast<int64_t>(rows))
    throw UsageError("expected logits (tokens, vocabulary), got " + logits.shape().str());
}

template <typename T>
double loss_of(std::span<const T> row, int64_t token) {
  const double most = static_cast<double>(*std::ranges::max_element(row));
  double sum = 0;
  for (const T x : row) sum += std::exp(static_cast<double>(x) - most);
  return most + std::log(sum) - static_cast<double>(row[static_cast<size_t>(token)]);
}

// body(values, width) with the logits in their type.
template <typename Body>
void with_logits(const Tensor& logits, const Body& body) {
  with_float_type(logits.dtype(), [&](auto t) {
    using T = decltype(t);
    body(std::span<const T>(logits.values<T>()), static_cast<size_t>(logits.shape()[1]));
  });
}

}  // namespace

std::vector<double> next_token_losses(const Tensor& logits, std::span<const int32_t> ids) {
  expect_rows(logits, ids.size());
  check_ids({ids.begin(), ids.end()}, logits.shape()[1], "token", "the vocabulary");
  std::vector<double> losses(ids.empty() ? 0 : ids.size() - 1);
  with_logits(logits, [&](auto values, size_t width) {
    parallel_for(std::ssize(losses), [&](int64_t l) {
      const auto at = static_cast<size_t>(l);
      losses[at] = loss_of(values.subspan(at * width, width), ids[at + 1]);
    });
  });
  return losses;
}

Ids largest_logits(const Tensor& logits) {
  expect_rows(logits, 0);
  Ids best(static_cast<size_t>(logits.shape()[0]));
  with_logits(logits, [&](auto values, size_t width) {
    for (size_t l = 0; l < best.size(); ++l) {
      const auto row = values.subspan(l * width, width);
      best[l] = static_cast<int32_t>(std::ranges::max_element(row) - row.begin());
    }
  });
  return best;
}

}  // namespace loupe
