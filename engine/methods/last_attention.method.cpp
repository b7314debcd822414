#include "engine/methods/last_attention.h"

#include <algorithm>

#include "engine/run/method.h"

namespace loupe {

Tensor last_attention_heads(Network& net, const Tensor& x) {
  expect_images(net, x);
  const AttentionLayers attention = attention_layers(net.graph(), x.shape());
  if (!attention.missing.empty())
    throw UsageError("last_attention does not suit " + net.name() + ": " + attention.missing);
  const Port pattern{attention.layers.back(), 1};
  const TokenGrid& grid = attention.tokens;
  const int64_t places = grid.height * grid.width, tokens = 1 + places,
                heads = net.graph().node(pattern.node).types[1].shape[1];
  const Tensor map(Dtype::f64, {x.shape()[0], heads, grid.height, grid.width});
  const Purpose purpose{.values = {pattern}};
  in_batches(net, x.shape(), x.shape()[0], purpose, {}, [&](int64_t begin, int64_t end) {
    Execution& pass = net.execution(x.shape().with(0, end - begin), purpose);
    pass.forward(x.slice(begin, end));
    const Tensor a = pass.value(pattern).to(Dtype::f64);
    for (int64_t i = 0; i < (end - begin) * heads; ++i)
      std::copy_n(a.values<const double>().data() + i * tokens * tokens + 1, places,
                  map.values<double>().data() + (begin * heads + i) * places);
  });
  return map.to(net.device().compute_dtype());
}

namespace {

Tensor mean_of_heads(const Tensor& heads) {
  const Tensor mean = Tensor::zeros(Dtype::f64, {heads.shape()[1], heads.shape()[2]});
  const auto to = mean.values<double>();
  for (int64_t i = 0; i < heads.numel(); ++i)
    to[static_cast<size_t>(i % mean.numel())] += heads.item(i) / static_cast<double>(heads.shape()[0]);
  return mean.to(heads.dtype());
}

}  // namespace

extern const Method last_attention_method;
const Method last_attention_method{
    .name = "last_attention",
    .summary =
        "which patches the class token looks at in the last layer, for vision transformers; the same for "
        "every class",
    .source = "Caron et al. 2021, Emerging properties in self-supervised vision transformers",
    .options = {},
    .unsuited = [](const ImageModel& model, const Shape& input,
                   const Options&) -> std::optional<std::string> {
      const AttentionLayers attention = attention_layers(model.graph(), input);
      if (attention.missing.empty()) return std::nullopt;
      return attention.missing;
    },
    .unsuited_target = [](const ImageModel&, const Target& target,
                          const Options&) -> std::optional<std::string> {
      if (!target.is_unit()) return std::nullopt;
      return "it follows attention to the class token, not to " + target.words();
    },
    .run = [](const Question& q, const Options&) -> Explanation {
      const Graph& graph = q.model.graph();
      const Picture picture{.style = Picture::Style::evidence,
                            .grid = patch_squares(graph, attention_layers(graph, q.input.shape()).tokens)};
      const Tensor heads = last_attention_heads(q.model, q.input).row(0);
      Explanation answer{{{"last_attention", mean_of_heads(heads), picture,
                           "Warm where the patches are that the class token looks at in the last layer, in "
                           "the mean of its heads. It is the same map for every class."}},
                         {}};
      answer.numbers.push_back({"last_attention_heads", heads});
      return answer;
    }};

}  // namespace loupe
