#include "models/text/family.h"

#include <algorithm>
#include <set>

#include "kernels/common/error.h"
#include "kernels/common/parallel.h"
#include "kernels/common/suggest.h"
#include "models/io/safetensors_header.h"

namespace loupe {

using safetensors::in_quotes;

namespace {

constexpr std::string_view kBlocks = "blocks.";

// A stored name of a parameter: the row of the family's table, and the name in the file's words.
struct Found {
  const StoredName* row = nullptr;
  std::string name;
};

std::string with_layer(std::string_view pattern, std::string_view layer) {
  const size_t star = pattern.find('*');
  if (star == pattern.npos) return std::string(pattern);
  return std::string(pattern.substr(0, star)) + std::string(layer) + std::string(pattern.substr(star + 1));
}

Found stored_name(const TextFamily& family, const std::string& parameter, bool gguf) {
  const size_t dot = parameter.rfind('.');
  std::string_view node = std::string_view(parameter).substr(0, dot), layer;
  std::string pattern(node);
  if (node.starts_with(kBlocks)) {
    const size_t end = node.find('.', kBlocks.size());
    layer = node.substr(kBlocks.size(), end - kBlocks.size());
    pattern = std::string(kBlocks) + "*" + std::string(node.substr(end));
  }
  const auto row = std::ranges::find(family.names, pattern, &StoredName::ours);
  if (row == family.names.end()) throw Error("there is no stored name of " + parameter);
  return {&*row, with_layer(gguf ? row->gguf : row->folder, layer) + parameter.substr(dot)};
}

// (rows, columns) → (columns, rows), of the columns from `begin` on.
Tensor transposed_columns(const Tensor& stored, int64_t begin, int64_t count) {
  const Tensor from = stored.to(Dtype::f32);
  const int64_t rows = from.shape()[0], columns = from.shape()[1];
  Tensor to(Dtype::f32, {count, rows});
  const float* x = from.values<float>().data();
  float* y = to.values<float>().data();
  parallel_for(count, [=](int64_t c) {
    for (int64_t r = 0; r < rows; ++r) y[c * rows + r] = x[r * columns + begin + c];
  });
  return to;
}

Shape reversed(const Shape& s) { return {s[1], s[0]}; }

class Reader {
 public:
  Reader(const TextSource& source, const TextFamily& family) : source_(source), family_(family) {}

  std::map<std::string, Tensor> read(const Graph& graph) {
    std::map<std::string, Tensor> parameters;
    for (const NodeId id : graph.parameters()) {
      const Node& node = graph.node(id);
      parameters[node.name] = tensor(node.name, node.shape());
    }
    for (const std::string& name : source_.names())
      if (!used_.contains(name) && !is_ignored(name))
        throw Error(source_.name() + " has the tensor " + in_quotes(name) + ", for which Loupe's " +
                    std::string(family_.name) + " has no place");
    return parameters;
  }

 private:
  Tensor tensor(const std::string& parameter, const Shape& wanted) {
    if (source_.kind() == TextSource::Kind::own) return checked(parameter, wanted);
    const bool gguf = source_.kind() == TextSource::Kind::gguf;
    const Found found = stored_name(family_, parameter, gguf);
    const std::string name = find_stored(source_, family_, parameter);
    const int third = found.row->third;
    const bool turned = found.row->transposed && !gguf && wanted.rank() == 2;
    Shape stored = wanted;
    if (third >= 0) stored = stored.with(0, 3 * stored[0]);
    const Tensor t = checked(name.empty() ? found.name : name, turned ? reversed(stored) : stored);
    const int64_t begin = third < 0 ? 0 : third * wanted[0];
    if (turned) return transposed_columns(t, begin, wanted[0]);
    return third < 0 ? t : t.slice(begin, begin + wanted[0]).clone();
  }

  Tensor checked(const std::string& name, const Shape& wanted) {
    const Shape shape = source_.shape(name);
    if (shape != wanted)
      throw Error(source_.name() + ": tensor " + in_quotes(name) + " is " + shape.str() + " and should be " +
                  wanted.str());
    Tensor t = source_.tensor(name);
    if (t.dtype() != Dtype::f32 && t.dtype() != Dtype::f64)
      throw Error(source_.name() + ": tensor " + in_quotes(name) +
                  " holds whole numbers, and weights are floats");
    used_.insert(name);
    return t;
  }

  bool is_ignored(const std::string& name) const {
    return std::ranges::any_of(family_.ignored,
                               [&](std::string_view part) { return name.find(part) != name.npos; });
  }

  const TextSource& source_;
  const TextFamily& family_;
  std::set<std::string, std::less<>> used_;
};

std::string known_architectures() {
  std::string all;
  for (const TextFamily* family : all_text_families())
    for (const std::string_view name : family->architectures)
      all += (all.empty() ? "" : ", ") + std::string(name);
  return all;
}

}  // namespace

std::string find_stored(const TextSource& source, const TextFamily& family, const std::string& parameter) {
  const bool gguf = source.kind() == TextSource::Kind::gguf;
  const std::string name = stored_name(family, parameter, gguf).name;
  if (source.contains(name)) return name;
  if (!gguf)
    for (const std::string_view prefix : family.prefixes)
      if (const std::string longer = std::string(prefix) + name; source.contains(longer)) return longer;
  return {};
}

const TextFamily& find_text_family(const std::string& name) {
  std::vector<std::string> names;
  for (const TextFamily* family : all_text_families()) {
    if (family->name == name) return *family;
    names.emplace_back(family->name);
  }
  throw UsageError("there is no family of text models '" + name + "'" + did_you_mean(name, names));
}

const TextFamily& text_family_of(const TextSource& source) {
  if (source.kind() == TextSource::Kind::own) return find_text_family(source.text("", "family").value_or(""));
  const std::string architecture = source.architecture();
  for (const TextFamily* family : all_text_families())
    if (std::ranges::count(family->architectures, architecture) > 0) return *family;
  if (architecture.empty() && source.kind() == TextSource::Kind::folder)  // then the tensors' names tell
    for (const TextFamily* family : all_text_families())
      if (!family->names.empty() && !find_stored(source, *family, "blocks.0.attention.query.weight").empty())
        return *family;
  throw Error(source.name() +
              (architecture.empty() ? " does not say of what architecture it is"
                                    : " is of the architecture " + in_quotes(architecture)) +
              "; Loupe reads " + known_architectures());
}

std::map<std::string, Tensor> read_text_weights(const TextSource& source, const TextFamily& family,
                                                const Graph& graph) {
  return Reader(source, family).read(graph);
}

}  // namespace loupe
