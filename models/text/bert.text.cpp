// BERT: every token sees every other one, learned positions and segments, and a norm after each part. Its result is
// the last block's output (N, L, width); heads for classes and masked words are not read.
#include "kernels/elementwise/binary.h"
#include "kernels/embedding/embedding.h"
#include "kernels/position_embedding/position_embedding.h"
#include "models/text/family.h"
#include "models/text/layers.h"

namespace loupe {

extern const TextFamily bert_text;

namespace {

constexpr int64_t kHeads = 12;  // of config.json that does not say, as transformers has it

int64_t count_layers(const TextSource& source) {
  int64_t layers = 0;
  while (layers < 1000 &&
         !find_stored(source, bert_text, block_node(layers, "attention.query.weight")).empty())
    ++layers;
  return layers;
}

// Sizes are those of the tensors: a folder's config.json may be that of a pooling layer.
TextConfig config(const TextSource& source, std::vector<std::string>& notes) {
  const auto size = [&](const char* parameter, int axis) {
    const std::string name = find_stored(source, bert_text, parameter);
    if (name.empty()) throw Error(source.name() + " has no tensor for " + parameter + " of a BERT");
    const Shape shape = source.shape(name);
    if (axis >= shape.rank()) throw Error(source.name() + ": tensor '" + name + "' is " + shape.str());
    return shape[axis];
  };
  TextConfig c;
  c.vocabulary = size("embedding.tokens.weight", 0);
  c.width = size("embedding.tokens.weight", 1);
  c.positions = size("embedding.positions.weight", 0);
  c.types = size("embedding.types.weight", 0);
  c.layers = count_layers(source);
  if (c.layers == 0) throw Error(source.name() + " has no layers of a BERT");
  c.hidden = size("blocks.0.mlp.up.weight", 0);
  if (!source.integer("attention.head_count", "num_attention_heads"))
    notes.push_back("nothing says how many heads it has: 12 are taken, as transformers does");
  c.heads = c.kv_heads = source.size("attention.head_count", "num_attention_heads", kHeads);
  c.head_width = c.width / c.heads;
  c.eps = source.number("attention.layer_norm_epsilon", "layer_norm_eps").value_or(1e-12);
  c.activation = activation_name(source.text("", "hidden_act").value_or("gelu"), source.name());
  const std::string places = source.text("", "position_embedding_type").value_or("absolute");
  if (places != "absolute")
    throw Error(source.name() + " has positions of the kind '" + places + "', Loupe reads absolute");
  return c;
}

Graph graph(const TextConfig& c) {
  TextBuilder net(c);
  const Shape tokens = net.graph.node(net.ids()).shape();
  const NodeId types = net.graph.input("types", tokens, Dtype::i32);
  const NodeId padding = net.graph.input("padding", tokens, Dtype::u8);
  NodeId x = net.tokens();
  const NodeId kinds = net.add("embedding.types", embedding({.count = c.types, .width = c.width}), {types});
  const NodeId places = net.add("embedding.positions",
                                position_embedding({.count = c.positions, .width = c.width}), {net.ids()});
  x = net.add("embedding.places", add(), {x, places});
  x = net.add("embedding.sum", add(), {x, kinds});
  x = net.layer_norm("embedding.norm", "embedding.norm", x);
  for (int64_t l = 0; l < c.layers; ++l) {
    const auto named = [&](const char* part) { return block_node(l, part); };
    NodeId y = net.attention(l, net.heads(l, x, x, true), false, true, padding);
    y = net.add(named("attention.sum"), add(), {x, y});
    x = net.layer_norm(named("middle"), named("attention.norm"), y);
    y = net.activation(l, net.linear(named("mlp.up"), x, c.hidden, true));
    y = net.linear(named("mlp.output"), y, c.width, true);
    x = net.layer_norm(named("output"), named("mlp.norm"), net.add(named("mlp.sum"), add(), {x, y}));
  }
  net.graph.set_output(x);
  return std::move(net.graph);
}

}  // namespace

const TextFamily bert_text{
    .name = "bert",
    .source = "Devlin et al. 2018, \"BERT: pre-training of deep bidirectional transformers\"",
    .architectures = {"bert"},
    .names =
        {
            {"embedding.tokens", "token_embd", "embeddings.word_embeddings"},
            {"embedding.positions", "position_embd", "embeddings.position_embeddings"},
            {"embedding.types", "token_types", "embeddings.token_type_embeddings"},
            {"embedding.norm", "token_embd_norm", "embeddings.LayerNorm"},
            {"blocks.*.attention.query", "blk.*.attn_q", "encoder.layer.*.attention.self.query"},
            {"blocks.*.attention.key", "blk.*.attn_k", "encoder.layer.*.attention.self.key"},
            {"blocks.*.attention.value", "blk.*.attn_v", "encoder.layer.*.attention.self.value"},
            {"blocks.*.attention.output", "blk.*.attn_output", "encoder.layer.*.attention.output.dense"},
            {"blocks.*.attention.norm", "blk.*.attn_output_norm",
             "encoder.layer.*.attention.output.LayerNorm"},
            {"blocks.*.mlp.up", "blk.*.ffn_up", "encoder.layer.*.intermediate.dense"},
            {"blocks.*.mlp.output", "blk.*.ffn_down", "encoder.layer.*.output.dense"},
            {"blocks.*.mlp.norm", "blk.*.layer_output_norm", "encoder.layer.*.output.LayerNorm"},
        },
    .prefixes = {"bert."},
    .ignored = {"position_ids", "pooler.", "cls."},
    .config = config,
    .graph = graph,
};

}  // namespace loupe
