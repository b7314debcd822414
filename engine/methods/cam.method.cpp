// Class activation map. Where a network ends with a global average over maps and one linear layer, the score
// is a sum over places, so each place has its share:
//
//     score_c = bias_c + Σ_k W[c,k]·mean(A_k) = bias_c + mean over places of (Σ_k W[c,k]·A_k)
//
// SqueezeNet averages one map a class: its share is that map, shown before its ReLU so that evidence against
// is seen too.
#include "engine/methods/cam.h"
#include "engine/run/method.h"
#include "kernels/reduce/reduce.h"

namespace loupe {

namespace {
bool averages_whole_map(const Graph& graph, const Node& n) {
  const Shape& out = n.shape();
  if (n.op->kind().name == "reduce") return is_mean_over_maps(*n.op);
  if (n.inputs.size() != 1 || out.rank() != 4 || out[2] != 1 || out[3] != 1) return false;
  if (n.op->kind().name == "adaptive_avg_pool2d") return true;
  if (n.op->kind().name != "avg_pool2d") return false;
  const Shape& in = graph.node(n.inputs[0].node).shape();
  const auto window = n.op->window();
  return window && window->kernel == Pair(in[2], in[3]) && window->padding == Pair(0);
}

// The first node at or before n that computes something: dropout and reshapes stand aside.
NodeId behind_views(const Graph& graph, NodeId n) {
  while (graph.node(n).op) {
    const std::string_view kind = graph.node(n).op->kind().name;
    if (kind != "dropout" && kind != "flatten" && kind != "reshape") break;
    n = graph.node(n).inputs[0].node;
  }
  return n;
}
}  // namespace

CamHead cam_head(const Graph& graph) {
  const auto kind = [&](NodeId n) {
    return graph.node(n).op ? graph.node(n).op->kind().name : std::string_view("input");
  };
  CamHead head;
  NodeId n = behind_views(graph, graph.output());
  if (kind(n) == "linear") {
    head.linear = n;
    n = behind_views(graph, graph.node(n).inputs[0].node);
  }
  if (!graph.node(n).op || !averages_whole_map(graph, graph.node(n))) {
    head.missing = "the head must be global average pooling" +
                   std::string(head.linear ? " and one linear layer" : "") + ", but the scores come from '" +
                   graph.node(n).name + "' (" + std::string(kind(n)) + ")";
    return head;
  }
  head.maps = behind_views(graph, graph.node(n).inputs[0].node);
  if (!head.linear && kind(head.maps) == "relu") head.maps = graph.node(head.maps).inputs[0].node;
  return head;
}

Tensor cam(Network& net, const Tensor& x, const CamOptions& options) {
  expect_images(net, x);
  const CamHead head = cam_head(net.graph());
  if (!head.missing.empty()) throw UsageError("cam does not suit " + net.name() + ": " + head.missing);
  const NodeId scores = net.graph().output();
  const Shape one = net.graph().shapes(x.shape())[static_cast<size_t>(head.maps)];
  const int64_t count = x.shape()[0], channels = one[1], places = one[2] * one[3];
  Tensor weight;
  if (head.linear) weight = net.parameter(net.graph().node(net.graph().parameters(*head.linear).at(0)).name);

  Tensor sums = Tensor::zeros(Dtype::f64, {count, one[2], one[3]});
  const Purpose purpose{.values = {head.maps, scores}};
  in_batches(net, x.shape(), count, purpose, {}, [&](int64_t begin, int64_t end) {
    Execution& pass = net.execution(x.shape().with(0, end - begin), purpose);
    pass.forward(x.slice(begin, end));
    const Tensor results = pass.value(scores);
    const Tensor maps = pass.value(head.maps).to(Dtype::f64);
    for (int64_t n = begin; n < end; ++n) {
      const double* a = maps.values<double>().data() + (n - begin) * channels * places;
      double* to = sums.values<double>().data() + n * places;
      const auto add = [&](int64_t k, double w) {
        for (int64_t p = 0; p < places; ++p) to[p] += w * a[k * places + p];
      };
      for (const auto& [cls, factor] : options.target.weights(results.slice(n - begin, n - begin + 1), n)) {
        if (!head.linear) add(cls, factor);
        for (int64_t k = 0; head.linear && k < channels; ++k)
          add(k, factor * weight.item(cls * channels + k));
      }
    }
  });
  return sums.to(net.device().compute_dtype());
}

extern const Method cam_method;
const Method cam_method{
    .name = "cam",
    .summary = "each place's share of the score, for networks that end with global average pooling",
    .source =
        "Zhou, Khosla, Lapedriza, Oliva & Torralba 2016, Learning deep features for discriminative "
        "localization",
    .options = {},
    .unsuited = [](const ImageModel& net, const Shape& input, const Options&) -> std::optional<std::string> {
      const CamHead head = cam_head(net.graph());
      if (!head.missing.empty()) return head.missing;
      const Shape maps = net.graph().shapes(input)[static_cast<size_t>(head.maps)];
      if (maps[2] * maps[3] > 1) return std::nullopt;
      return "the last maps, '" + net.graph().node(head.maps).name +
             "', have one place alone for inputs of " + Pair(input[2], input[3]).str() + " pixels";
    },
    .unsuited_target = [](const ImageModel&, const Target& target,
                          const Options&) -> std::optional<std::string> {
      if (target.is_class() || target.is_sum()) return std::nullopt;
      return "the linear layer has weights for a class, or for a difference of classes, and none for " +
             target.words();
    },
    .run = [](const Question& q, const Options&) -> Explanation {
      const Graph& graph = q.model.graph();
      return {{{"cam",
                cam(q.model, q.input, {.target = q.target}).row(0),
                {.style = Picture::Style::evidence, .grid = receptive_centres(graph, cam_head(graph).maps)},
                "Warm where the last maps hold evidence for the class; the mean over all places makes up the "
                "score."}},
              {}};
    }};

}  // namespace loupe
