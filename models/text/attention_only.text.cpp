// Transformers of attention alone, of 0, 1, 2 … layers (Elhage et al. 2021, "A mathematical framework for transformer
// circuits"): the smallest networks in which induction heads appear, at two layers.
//
// Positions are learned and added to what queries and keys see, after the norm, and to no value (Press, Smith & Lewis
// 2021, "Shortformer", section 4.1): so the residual stream holds tokens alone, and a head's OV circuit is a map from
// tokens to tokens. Norms are RMSNorms without a bias, whose weights fold into the products behind them exactly.
#include "kernels/elementwise/binary.h"
#include "kernels/position_embedding/position_embedding.h"
#include "models/text/family.h"
#include "models/text/layers.h"

namespace loupe {
namespace {

TextConfig config(const TextSource& source, std::vector<std::string>&) {
  throw Error(source.name() +
              " holds no attention-only model: those are safetensors files that Loupe writes");
}

Graph graph(const TextConfig& c) {
  TextBuilder net(c);
  NodeId places = -1;
  if (c.layers > 0)
    places = net.add("embedding.positions", position_embedding({.count = c.positions, .width = c.width}),
                     {net.ids()});
  NodeId x = net.tokens();
  for (int64_t l = 0; l < c.layers; ++l) {
    const NodeId y = net.rms_norm(block_node(l, "attention.norm"), x);
    const NodeId placed = net.add(block_node(l, "attention.placed"), add(), {y, places});
    x = net.add(block_node(l, "output"), add(),
                {x, net.attention(l, net.heads(l, placed, y, false), true, false)});
  }
  net.head(net.rms_norm("norm", x));
  return std::move(net.graph);
}

}  // namespace

extern const TextFamily attention_only_text;
const TextFamily attention_only_text{
    .name = "attention_only",
    .source = "Elhage et al. 2021, \"A mathematical framework for transformer circuits\"",
    .architectures = {},
    .names = {},
    .config = config,
    .graph = graph,
};

}  // namespace loupe
