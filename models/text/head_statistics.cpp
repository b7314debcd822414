#include "models/text/head_statistics.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "kernels/common/parallel.h"
#include "kernels/matmul/product.h"

namespace loupe {
namespace {

// The model's network with a node of statistics right behind each layer's attention, so that no layer's queries and keys
// outlive it. It has the model's weights.
struct StatisticsNetwork {
  std::vector<NodeId> layers = {};
  Network network;

  StatisticsNetwork(const TextModel& model, int64_t sets)
      : network(model.network.name(), graph_of(model, sets, layers), weights_of(model),
                model.network.device(), model.network.options().kernels) {}

  NodeId node(const char* name) const { return network.graph().find(name); }

  static Graph graph_of(const TextModel& model, int64_t sets, std::vector<NodeId>& layers) {
    const Graph& from = model.network.graph();
    const TextConfig& c = model.config;
    const bool bert = c.family == "bert";
    Graph to;
    std::vector<NodeId> at(static_cast<size_t>(from.size()));
    NodeId earlier = -1, set = -1;
    for (NodeId n = 0; n < from.size(); ++n) {
      const Node& node = from.node(n);
      std::vector<Port> operands;
      for (const Port& p : node.inputs) operands.emplace_back(at[static_cast<size_t>(p.node)], p.output);
      NodeId& here = at[static_cast<size_t>(n)];
      switch (node.kind) {
        case Node::Kind::input:
          here = to.input(node.name, node.shape(), node.types[0].dtype);
          break;
        case Node::Kind::parameter:
          here = to.parameter(node.name, node.shape(), node.role);
          break;
        case Node::Kind::constant:
          here = to.constant(node.name, node.value);
          break;
        case Node::Kind::op:
          here = to.add(node.name, node.op, operands);
          break;
      }
      const auto l = std::ssize(layers);
      if (l == c.layers || n != model.block(l, "attention")) continue;
      if (earlier < 0) {
        const Shape nominal = from.node(from.inputs().at(0)).shape();
        earlier = to.input("statistics.earlier", nominal, Dtype::i32);
        if (sets > 0) set = to.input("statistics.set", nominal, Dtype::i32);
      }
      std::vector<Port> looks{operands.at(0), operands.at(1), earlier};
      if (sets > 0) looks.emplace_back(set);
      if (bert) looks.push_back(operands.back());  // its padding
      layers.push_back(to.add(
          block_node(l, "attention.statistics"),
          attention_statistics(
              {.heads = c.heads, .kv_heads = c.kv_heads, .causal = !bert, .sets = sets, .padding = bert}),
          looks));
    }
    to.set_output(at[static_cast<size_t>(from.output())]);
    return to;
  }

  static std::map<std::string, Tensor> weights_of(const TextModel& model) {
    std::map<std::string, Tensor> all;
    const Graph& graph = model.network.graph();
    for (const NodeId p : graph.parameters())
      all.emplace(graph.node(p).name, model.network.parameter(graph.node(p).name));
    return all;
  }
};

// Mean of a row (L) of statistics over the queries that count.
double mean_of(const float* row, std::span<const int32_t> earlier, Statistic s) {
  double sum = 0;
  int64_t count = 0;
  for (int64_t i = 0; i < std::ssize(earlier); ++i) {
    const bool counts = s == Statistic::previous || s == Statistic::first ? i > 0
                        : s == Statistic::duplicate || s == Statistic::induction
                            ? earlier[static_cast<size_t>(i)] >= 0
                            : true;
    if (!counts) continue;
    sum += static_cast<double>(row[i]);
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : std::nan("");
}

// A mean that passes over what is not there.
struct Mean {
  double sum = 0;
  int64_t count = 0;
  void add(double x) {
    if (!std::isnan(x)) sum += x, ++count;
  }
  double value() const { return count > 0 ? sum / static_cast<double>(count) : 0; }
};

// Means over sequences of all heads' numbers.
class Gathered {
 public:
  Gathered(const TextConfig& c, int64_t sets, int64_t longest)
      : c_(c),
        sets_(sets),
        longest_(longest),
        rows_(static_cast<size_t>(c.layers * c.heads * (kStatistics + sets))),
        profile_(static_cast<size_t>(c.layers * c.heads * (2 * longest - 1))) {}

  // Layer l of image n: statistics (heads, rows, L) and profile (heads, 2L − 1).
  void add(int64_t l, const float* rows, const float* profile, std::span<const int32_t> earlier) {
    const int64_t length = std::ssize(earlier), count = kStatistics + sets_, offsets = 2 * length - 1;
    for (int64_t h = 0; h < c_.heads; ++h) {
      for (int64_t r = 0; r < count; ++r) {
        const auto s = static_cast<Statistic>(r < kStatistics ? r : 0);
        at(l, h, r).add(mean_of(rows + (h * count + r) * length, earlier, s));
      }
      for (int64_t o = 0; o < offsets; ++o)
        profile_at(l, h, o + longest_ - length).add(static_cast<double>(profile[h * offsets + o]));
    }
  }

  void write_to(HeadStatistics& all) {
    const auto scores = [&](int64_t r) {
      HeadStatistics::Scores of(static_cast<size_t>(c_.layers));
      for (int64_t l = 0; l < c_.layers; ++l)
        for (int64_t h = 0; h < c_.heads; ++h) of[static_cast<size_t>(l)].push_back(at(l, h, r).value());
      return of;
    };
    for (int64_t r = 0; r < kStatistics; ++r) all.means[static_cast<size_t>(r)] = scores(r);
    for (int64_t g = 0; g < sets_; ++g) all.sets.push_back(scores(kStatistics + g));
    all.profile.resize(static_cast<size_t>(c_.layers));
    for (int64_t l = 0; l < c_.layers; ++l)
      for (int64_t h = 0; h < c_.heads; ++h) {
        auto& to = all.profile[static_cast<size_t>(l)].emplace_back();
        for (int64_t o = 0; o < 2 * longest_ - 1; ++o) to.push_back(profile_at(l, h, o).value());
      }
  }

 private:
  Mean& at(int64_t l, int64_t h, int64_t r) {
    return rows_[static_cast<size_t>((l * c_.heads + h) * (kStatistics + sets_) + r)];
  }
  Mean& profile_at(int64_t l, int64_t h, int64_t o) {
    return profile_[static_cast<size_t>((l * c_.heads + h) * (2 * longest_ - 1) + o)];
  }
  const TextConfig& c_;
  int64_t sets_, longest_;
  std::vector<Mean> rows_, profile_;
};

Tensor rows_of_numbers(const std::vector<std::vector<int32_t>>& rows) {
  Tensor t(Dtype::i32, {std::ssize(rows), std::ssize(rows[0])});
  auto to = t.values<int32_t>().begin();
  for (const auto& row : rows) to = std::ranges::copy(row, to).out;
  return t;
}

void check_sets(std::span<const Ids> sequences, const StatisticsChoice& choice) {
  if (choice.set_count < 0 || choice.set_count > kMostSets)
    throw UsageError("at most " + std::to_string(kMostSets) + " sets of tokens are told apart, not " +
                     std::to_string(choice.set_count));
  if (choice.set_count == 0) return;
  bool fit = choice.sets.size() == sequences.size();
  for (size_t n = 0; fit && n < sequences.size(); ++n) fit = choice.sets[n].size() == sequences[n].size();
  if (!fit) throw UsageError("each token of each sequence has the number of its set");
}

// Sequences (by number) of one length, in batches; the longest first, which need the most memory.
std::vector<std::vector<size_t>> batches_of(std::span<const Ids> sequences, int64_t most) {
  std::map<size_t, std::vector<size_t>, std::greater<>> by_length;
  for (size_t n = 0; n < sequences.size(); ++n) by_length[sequences[n].size()].push_back(n);
  std::vector<std::vector<size_t>> batches;
  for (const auto& [length, all] : by_length)
    for (size_t n = 0; n < all.size(); n += static_cast<size_t>(most))
      batches.emplace_back(
          all.begin() + static_cast<int64_t>(n),
          all.begin() + static_cast<int64_t>(std::min(all.size(), n + static_cast<size_t>(most))));
  return batches;
}

constexpr int64_t kTokensAtOnce = 2048;  // of a pass

}  // namespace

std::vector<int32_t> earlier_positions(std::span<const int32_t> ids) {
  const auto length = std::ssize(ids);
  std::vector<int32_t> earlier(ids.size(), -1);
  for (int64_t p = 1; p <= length / 2; ++p) {
    const auto shift = static_cast<size_t>(p);
    if (!std::equal(ids.begin() + p, ids.end(), ids.begin())) continue;
    for (size_t i = shift; i < ids.size(); ++i) earlier[i] = static_cast<int32_t>(i - shift);
    return earlier;
  }
  std::map<int32_t, int32_t> last;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (const auto found = last.find(ids[i]); found != last.end()) earlier[i] = found->second;
    last[ids[i]] = static_cast<int32_t>(i);
  }
  return earlier;
}

std::vector<double> losses_of_stream(const TextModel& model, const Tensor& stream,
                                     std::span<const int32_t> ids) {
  constexpr int64_t kRows = 128;
  const Tensor& table =
      model.network.parameter(model.config.tied ? "embedding.tokens.weight" : "logits.weight");
  const int64_t width = table.shape()[1], tokens = table.shape()[0], rows = std::ssize(ids) - 1;
  const auto product_of = [&](int64_t m) {
    return Product{
        .m = m, .n = tokens, .k = width, .a = {.row = width, .col = 1}, .b = {.row = 1, .col = width}};
  };
  const Tensor from = stream.to(Dtype::f32);
  std::vector<float> packed(static_cast<size_t>(cpu::packed_floats(product_of(kRows))));
  cpu::pack(product_of(kRows), table.values<const float>().data(), packed.data());
  std::vector<std::byte> workspace(static_cast<size_t>(cpu::product_workspace(product_of(kRows), true)));
  Tensor logits(Dtype::f32, {kRows + 1, tokens});
  std::vector<double> losses;
  for (int64_t r = 0; r < rows; r += kRows) {
    const int64_t count = std::min(kRows, rows - r);
    cpu::product(product_of(count), from.values<const float>().data() + r * width, packed.data(), true, {},
                 logits.values<float>().data(), workspace);
    const std::vector<double> these =
        next_token_losses(logits, ids.subspan(static_cast<size_t>(r), static_cast<size_t>(count) + 1));
    losses.insert(losses.end(), these.begin(), these.end());
  }
  return losses;
}

HeadStatistics head_statistics(TextModel& model, std::span<const Ids> sequences,
                               const StatisticsChoice& choice,
                               const std::function<void(double part)>& watch) {
  check_sets(sequences, choice);
  model.inputs(sequences, choice.types);  // says what does not fit before anything runs
  const TextConfig& c = model.config;
  StatisticsNetwork made(model, choice.set_count);
  const bool losses = choice.losses && c.family != "bert",
             on_host = model.network.device().backend != Backend::ref;
  const NodeId behind = losses ? made.node(on_host ? "norm" : "logits") : -1;
  Purpose purpose;
  for (const NodeId l : made.layers) purpose.values.insert(purpose.values.end(), {Port{l, 0}, Port{l, 1}});
  if (losses) purpose.values.emplace_back(behind);
  size_t longest = 0;
  for (const Ids& ids : sequences) longest = std::max(longest, ids.size());
  HeadStatistics all;
  all.losses.resize(sequences.size());
  Gathered gathered(c, choice.set_count, static_cast<int64_t>(longest));
  const int64_t most = std::max<int64_t>(1, kTokensAtOnce / static_cast<int64_t>(longest));
  size_t done = 0;
  for (const std::vector<size_t>& batch : batches_of(sequences, most)) {
    std::vector<Ids> these, types, sets;
    std::vector<std::vector<int32_t>> earlier;
    for (const size_t n : batch) {
      these.push_back(sequences[n]);
      earlier.push_back(earlier_positions(sequences[n]));
      if (!choice.types.empty()) types.push_back(choice.types[n]);
      if (choice.set_count > 0) sets.push_back(choice.sets[n]);
    }
    std::map<std::string, Tensor> named{{"statistics.earlier", rows_of_numbers(earlier)}};
    if (choice.set_count > 0) named.emplace("statistics.set", rows_of_numbers(sets));
    const std::vector<Tensor> of_model = model.inputs(these, types);
    for (size_t i = 0; i < of_model.size(); ++i)
      named.emplace(model.network.graph().node(model.network.graph().inputs()[i]).name, of_model[i]);
    std::vector<Tensor> inputs;
    for (const NodeId i : made.network.graph().inputs())
      inputs.push_back(named.at(made.network.graph().node(i).name));
    Execution& run = made.network.execution(shapes_of(inputs), purpose);
    run.forward(inputs);
    for (int64_t l = 0; l < c.layers; ++l) {
      const NodeId node = made.layers[static_cast<size_t>(l)];
      const Tensor rows = run.value({node, 0}).to(Dtype::f32), profile = run.value({node, 1}).to(Dtype::f32);
      for (size_t n = 0; n < batch.size(); ++n) {
        const auto at = static_cast<int64_t>(n);
        gathered.add(l, rows.row(at).values<const float>().data(),
                     profile.row(at).values<const float>().data(), earlier[n]);
      }
    }
    for (size_t n = 0; losses && n < batch.size(); ++n) {
      const Tensor value = run.value(behind).row(static_cast<int64_t>(n));
      all.losses[batch[n]] =
          on_host ? losses_of_stream(model, value, these[n]) : next_token_losses(value, these[n]);
    }
    done += batch.size();
    if (watch) watch(static_cast<double>(done) / static_cast<double>(sequences.size()));
  }
  gathered.write_to(all);
  return all;
}

}  // namespace loupe
