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

namespace {
CamHead suited_head(const Network& net) {
  CamHead head = cam_head(net.graph());
  if (!head.missing.empty()) throw UsageError("cam does not suit " + net.name() + ": " + head.missing);
  return head;
}

using Channel = std::function<Tensor(int64_t image, int64_t k)>;

// Of images first … first + N − 1 of the job, whose scores are (N, classes). `maps` (N, K, h, w), or where classes have
// maps of their own, `channel`, which reads one.
Tensor class_maps(const Network& net, const CamHead& head, const Shape& shape, const Tensor& maps,
                  const Channel& channel, const Tensor& scores, const Target& target, int64_t first) {
  if (target.node(net.graph()) != net.graph().output())
    throw UsageError("cam explains the network's scores, not the value of a layer");
  if (!target.is_class() && !target.is_sum())
    throw UsageError("cam explains a class, or a weighted sum of classes, and not " + target.words());
  const int64_t count = shape[0], channels = shape[1], places = shape[2] * shape[3];
  const int64_t classes = scores.numel() / count;
  const Tensor sums = Tensor::zeros(Dtype::f64, {count, shape[2], shape[3]});
  const Tensor seed = target.seed(scores, first);  // what each score counts for
  Tensor weight;
  if (head.linear)
    weight = net.parameter(net.graph().node(net.graph().parameters(*head.linear).at(0)).name).to(Dtype::f32);
  with_float_type(net.device().compute_dtype(), [&]<typename T>(T) {
    for (int64_t n = 0; n < count; ++n)
      for (int64_t c = 0; c < classes; ++c) {
        const double factor = seed.item(n * classes + c);
        if (factor == 0) continue;
        double* to = sums.row(n).values<double>().data();
        const auto add = [&](const T* map, double w) {
          for (int64_t p = 0; p < places; ++p) to[p] += w * static_cast<double>(map[p]);
        };
        if (!head.linear) {
          add(channel(n, c).template values<const T>().data(), factor);
          continue;
        }
        const T* a = maps.values<const T>().data() + n * channels * places;
        const float* row = weight.values<const float>().data() + c * channels;
        for (int64_t k = 0; k < channels; ++k) add(a + k * places, factor * static_cast<double>(row[k]));
      }
  });
  return sums.to(net.device().compute_dtype());
}

Tensor of_pass(const Network& net, const CamHead& head, const Execution& pass, const Target& target,
               int64_t first) {
  return class_maps(
      net, head, pass.plan().shape(head.maps), head.linear ? pass.value(head.maps) : Tensor(),
      [&](int64_t n, int64_t k) { return pass.channel(head.maps, n, k); }, pass.value(net.graph().output()),
      target, first);
}
}  // namespace

Tensor cam_of(const Network& net, const Execution& pass, const CamOptions& options) {
  return of_pass(net, suited_head(net), pass, options.target, 0);
}

Tensor cam_of(const Network& net, const Tensor& maps, const Tensor& scores, const CamOptions& options) {
  const CamHead head = suited_head(net);
  return class_maps(
      net, head, maps.shape(), maps, [&](int64_t n, int64_t k) { return maps.row(n).row(k); }, scores,
      options.target, 0);
}

Tensor cam(Network& net, const Tensor& x, const CamOptions& options) {
  expect_images(net, x);
  const CamHead head = suited_head(net);
  const NodeId scores = net.graph().output();
  const Shape one = net.graph().shapes(x.shape())[static_cast<size_t>(head.maps)];
  const Tensor all(net.device().compute_dtype(), {x.shape()[0], one[2], one[3]});
  const Purpose purpose{.values = {head.maps, scores}};
  in_batches(net, x.shape(), x.shape()[0], purpose, {}, [&](int64_t begin, int64_t end) {
    Execution& pass = net.execution(x.shape().with(0, end - begin), purpose);
    pass.forward(x.slice(begin, end));
    copy_rows(of_pass(net, head, pass, options.target, begin), all, begin);
  });
  return all;
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
      const NodeId maps = cam_head(graph).maps;
      const auto have = q.values.find(maps);
      const Tensor map = have != q.values.end()
                             ? cam_of(q.model, have->second, q.logits, {.target = q.target})
                             : cam(q.model, q.input, {.target = q.target});
      return {{{"cam",
                map.row(0),
                {.style = Picture::Style::evidence, .grid = receptive_centres(graph, maps)},
                "Warm where the last maps hold evidence for the class; the mean over all places makes up the "
                "score."}},
              {}};
    },
    .reads = [](const ImageModel& net, const Options&) -> std::vector<NodeId> {
      return {cam_head(net.graph()).maps};
    }};

}  // namespace loupe
