// Llama: a norm before each part, rotary positions, queries that share keys, and a gated MLP. SmolLM2 is one.
#include "kernels/elementwise/binary.h"
#include "kernels/rotary/rotary.h"
#include "models/text/family.h"
#include "models/text/layers.h"

namespace loupe {
namespace {

void refuse_scaled_rotary(const TextSource& source) {
  const std::string type = source.text("rope.scaling.type", "rope_parameters.rope_type").value_or("none");
  if ((type != "none" && type != "default") || !source.below("rope_scaling").empty())
    throw Error(source.name() + " scales its rotary positions, which Loupe does not");
}

TextConfig config(const TextSource& source, std::vector<std::string>&) {
  refuse_scaled_rotary(source);
  const bool gguf = source.kind() == TextSource::Kind::gguf;
  TextConfig c;
  c.layers = source.size("block_count", "num_hidden_layers");
  c.width = source.size("embedding_length", "hidden_size");
  c.heads = source.size("attention.head_count", "num_attention_heads");
  c.kv_heads = source.size("attention.head_count_kv", "num_key_value_heads", c.heads);
  c.head_width = source.size("attention.key_length", "head_dim", c.width / c.heads);
  c.hidden = source.size("feed_forward_length", "intermediate_size");
  const std::string table = gguf ? "token_embd.weight" : "model.embed_tokens.weight";
  c.vocabulary = source.size("vocab_size", "vocab_size", gguf ? source.shape(table)[0] : 32000);
  c.positions = source.size("context_length", "max_position_embeddings", 2048);
  c.eps = source.number("attention.layer_norm_rms_epsilon", "rms_norm_eps").value_or(1e-6);
  c.rotary_base = source.number("rope.freq_base", "rope_theta")
                      .value_or(source.number("", "rope_parameters.rope_theta").value_or(10000));
  c.rotary_width = source.size("rope.dimension_count", "", c.head_width);
  c.rotary_interleaved = gguf;  // whose rows of queries and keys are permuted for that
  c.activation = activation_name(source.text("", "hidden_act").value_or("silu"), source.name());
  c.tied = gguf ? !source.contains("output.weight") : source.flag("", "tie_word_embeddings").value_or(false);
  return c;
}

Graph graph(const TextConfig& c) {
  TextBuilder net(c);
  const OpPtr turn = rotary({.width = c.head_width,
                             .base = c.rotary_base,
                             .interleaved = c.rotary_interleaved,
                             .turned = c.rotary_width});
  NodeId x = net.tokens();
  for (int64_t l = 0; l < c.layers; ++l) {
    const auto named = [&](const char* part) { return block_node(l, part); };
    NodeId y = net.rms_norm(named("attention.norm"), x);
    auto [query, key, value] = net.heads(l, y, y, false);
    query = net.add(named("attention.query.turned"), turn, {query});
    key = net.add(named("attention.key.turned"), turn, {key});
    x = net.add(named("middle"), add(), {x, net.attention(l, {query, key, value}, true, false)});
    y = net.rms_norm(named("mlp.norm"), x);
    const NodeId gate = net.activation(l, net.linear(named("mlp.gate"), y, c.hidden, false));
    const NodeId up = net.linear(named("mlp.up"), y, c.hidden, false);
    y = net.add(named("mlp.product"), mul(), {gate, up});
    x = net.add(named("output"), add(), {x, net.linear(named("mlp.output"), y, c.width, false)});
  }
  net.head(net.rms_norm("norm", x));
  return std::move(net.graph);
}

}  // namespace

extern const TextFamily llama_text;
const TextFamily llama_text{
    .name = "llama",
    .source = "Touvron et al. 2023, \"Llama 2: open foundation and fine-tuned chat models\"",
    .architectures = {"llama"},
    .names =
        {
            {"embedding.tokens", "token_embd", "model.embed_tokens"},
            {"blocks.*.attention.norm", "blk.*.attn_norm", "model.layers.*.input_layernorm"},
            {"blocks.*.attention.query", "blk.*.attn_q", "model.layers.*.self_attn.q_proj"},
            {"blocks.*.attention.key", "blk.*.attn_k", "model.layers.*.self_attn.k_proj"},
            {"blocks.*.attention.value", "blk.*.attn_v", "model.layers.*.self_attn.v_proj"},
            {"blocks.*.attention.output", "blk.*.attn_output", "model.layers.*.self_attn.o_proj"},
            {"blocks.*.mlp.norm", "blk.*.ffn_norm", "model.layers.*.post_attention_layernorm"},
            {"blocks.*.mlp.gate", "blk.*.ffn_gate", "model.layers.*.mlp.gate_proj"},
            {"blocks.*.mlp.up", "blk.*.ffn_up", "model.layers.*.mlp.up_proj"},
            {"blocks.*.mlp.output", "blk.*.ffn_down", "model.layers.*.mlp.down_proj"},
            {"norm", "output_norm", "model.norm"},
            {"logits", "output", "lm_head"},
        },
    .ignored = {"rotary_emb.inv_freq"},
    .config = config,
    .graph = graph,
};

}  // namespace loupe
