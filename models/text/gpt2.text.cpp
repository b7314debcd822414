// GPT-2: learned positions, a norm before each part, biases everywhere.
#include "kernels/elementwise/binary.h"
#include "kernels/position_embedding/position_embedding.h"
#include "models/text/family.h"
#include "models/text/layers.h"

namespace loupe {
namespace {

TextConfig config(const TextSource& source, std::vector<std::string>&) {
  TextConfig c;
  c.layers = source.size("block_count", "n_layer");
  c.width = source.size("embedding_length", "n_embd");
  c.heads = c.kv_heads = source.size("attention.head_count", "n_head");
  c.head_width = c.width / c.heads;
  c.hidden = source.size("feed_forward_length", "n_inner", 4 * c.width);
  const bool gguf = source.kind() == TextSource::Kind::gguf;
  c.vocabulary = source.size("vocab_size", "vocab_size", gguf ? source.shape("token_embd.weight")[0] : 50257);
  c.positions = source.size("context_length", "n_positions", source.size("", "n_ctx", 1024));
  c.eps = source.number("attention.layer_norm_epsilon", "layer_norm_epsilon").value_or(1e-5);
  c.activation = activation_name(source.text("", "activation_function").value_or("gelu_new"), source.name());
  c.tied = gguf ? !source.contains("output.weight") : source.flag("", "tie_word_embeddings").value_or(true);
  return c;
}

Graph graph(const TextConfig& c) {
  TextBuilder net(c);
  const NodeId rows = net.tokens();
  const NodeId places = net.add("embedding.positions",
                                position_embedding({.count = c.positions, .width = c.width}), {net.ids()});
  NodeId x = net.add("embedding.sum", add(), {rows, places});
  for (int64_t l = 0; l < c.layers; ++l) {
    const auto named = [&](const char* part) { return block_node(l, part); };
    NodeId y = net.layer_norm(named("attention.norm"), named("attention.norm"), x);
    y = net.attention(l, net.heads(l, y, y, true), true, true);
    x = net.add(named("middle"), add(), {x, y});
    y = net.layer_norm(named("mlp.norm"), named("mlp.norm"), x);
    y = net.activation(l, net.linear(named("mlp.up"), y, c.hidden, true));
    x = net.add(named("output"), add(), {x, net.linear(named("mlp.output"), y, c.width, true)});
  }
  net.head(net.layer_norm("norm", "norm", x));
  return std::move(net.graph);
}

}  // namespace

extern const TextFamily gpt2_text;
const TextFamily gpt2_text{
    .name = "gpt2",
    .source = "Radford et al. 2019, \"Language models are unsupervised multitask learners\"",
    .architectures = {"gpt2"},
    .names =
        {
            {"embedding.tokens", "token_embd", "wte"},
            {"embedding.positions", "position_embd", "wpe"},
            {"blocks.*.attention.norm", "blk.*.attn_norm", "h.*.ln_1"},
            {"blocks.*.attention.query", "blk.*.attn_qkv", "h.*.attn.c_attn", 0, true},
            {"blocks.*.attention.key", "blk.*.attn_qkv", "h.*.attn.c_attn", 1, true},
            {"blocks.*.attention.value", "blk.*.attn_qkv", "h.*.attn.c_attn", 2, true},
            {"blocks.*.attention.output", "blk.*.attn_output", "h.*.attn.c_proj", -1, true},
            {"blocks.*.mlp.norm", "blk.*.ffn_norm", "h.*.ln_2"},
            {"blocks.*.mlp.up", "blk.*.ffn_up", "h.*.mlp.c_fc", -1, true},
            {"blocks.*.mlp.output", "blk.*.ffn_down", "h.*.mlp.c_proj", -1, true},
            {"norm", "output_norm", "ln_f"},
            {"logits", "output", "lm_head"},
        },
    .prefixes = {"transformer."},
    .ignored = {".attn.bias", ".attn.masked_bias", "lm_head.weight"},
    .config = config,
    .graph = graph,
};

}  // namespace loupe
