// Vision Transformer: the picture is cut into square patches, each becomes a token, and layers of attention
// let every token look at all others. A token that belongs to no patch, the class token, goes along with
// them and is what the head reads. The table of positions has a row for each patch, so a network takes
// pictures of one size.
#include "kernels/attention/attention.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/expand/expand.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/reshape/reshape.h"
#include "kernels/slice/slice.h"
#include "kernels/transpose/transpose.h"
#include "models/catalog/builder.h"

namespace loupe {
namespace {

using Role = ParameterSpec::Role;

struct Vit {
  std::string name;
  int64_t patch;
  int layers;
  int64_t heads, width, hidden;  // of a token; of the layer in the middle of an MLP
};

OpPtr norm() { return layer_norm({.eps = 1e-6}); }

// torch.nn.MultiheadAttention: one product makes queries, keys and values, side by side.
NodeId self_attention(Builder& net, const std::string& module, NodeId x, const Vit& v) {
  const auto named = [&](const char* name) { return module + "." + name; };
  const NodeId weight = net.parameter(named("in_proj_weight"), {3 * v.width, v.width}, Role::weight);
  const NodeId bias = net.parameter(named("in_proj_bias"), {3 * v.width}, Role::bias);
  x = net.add(named("in_proj"), linear({.out_features = 3 * v.width}), {x, weight, bias});
  const auto third = [&](const char* name, int64_t i) {
    return net.add(named(name), slice({.axis = 2, .begin = i * v.width, .end = (i + 1) * v.width}), x);
  };
  const NodeId query = third("query", 0), key = third("key", 1), value = third("value", 2);
  x = net.add(named("attention"), attention({.heads = v.heads, .pattern = true}), {query, key, value});
  return net.add(named("out_proj"), linear({.out_features = v.width}), x);
}

NodeId encoder_layer(Builder& net, const std::string& module, NodeId x, const Vit& v) {
  NodeId y = net.add(module + ".ln_1", norm(), x);
  y = self_attention(net, module + ".self_attention", y, v);
  y = net.add(module + ".dropout", dropout(0), y);
  x = net.add(module + ".add", add(), {y, x});
  y = net.add(module + ".ln_2", norm(), x);
  y = net.sequential(module + ".mlp", y,
                     {
                         linear({.out_features = v.hidden}),
                         gelu(),
                         dropout(0),
                         linear({.out_features = v.width}),
                         dropout(0),
                     });
  return net.add(module + ".add_1", add(), {x, y});
}

// The patches as tokens (N, 1 + patches, width), the class token before them, each with its place added.
NodeId tokens(Builder& net, const Vit& v) {
  const NodeId class_token = net.parameter("class_token", {1, 1, v.width}, Role::table);
  NodeId x =
      net.chain("", net.input(),
                {
                    {"conv_proj", conv2d({.out_channels = v.width, .kernel = v.patch, .stride = v.patch})},
                    {"reshape", reshape({0, 0, -1})},
                    {"permute", transpose({0, 2, 1})},
                });
  x = net.add("cat", concat(), {net.add("expand", expand(), {class_token, x}), x});
  const NodeId places = net.parameter("encoder.pos_embedding", net.shape(x), Role::table);
  x = net.add("encoder.add", add(), {x, places});
  return net.add("encoder.dropout", dropout(0), x);
}

Model vit(const Vit& v, const ModelOptions& options) {
  if (options.height % v.patch || options.width % v.patch)
    throw UsageError(v.name + " cuts pictures into patches of " + std::to_string(v.patch) +
                     " pixels, which do not fill " + std::to_string(options.height) + "x" +
                     std::to_string(options.width));
  Builder net(options);
  NodeId x = tokens(net, v);
  const auto layer = [](int i) { return "encoder.layers.encoder_layer_" + std::to_string(i); };
  for (int i = 0; i < v.layers; ++i) x = encoder_layer(net, layer(i), x, v);
  net.chain("", x,
            {
                {"encoder.ln", norm()},
                {"getitem", slice({.axis = 1, .begin = 0, .end = 1})},
                {"flatten", flatten()},
                {"heads.head", linear({.out_features = options.classes})},
            });
  return std::move(net).model(layer(v.layers - 1) + ".ln_1");
}

const std::vector<Vit> kTable{
    {"vit_b_16", 16, 12, 12, 768, 3072},  {"vit_b_32", 32, 12, 12, 768, 3072},
    {"vit_l_16", 16, 24, 16, 1024, 4096}, {"vit_l_32", 32, 24, 16, 1024, 4096},
    {"vit_h_14", 14, 32, 16, 1280, 5120},
};

}  // namespace

extern const Family vit_family;
const Family vit_family{
    "ViT",
    "Dosovitskiy et al. 2020, \"An image is worth 16x16 words: transformers for image recognition at scale\"",
    architectures(kTable, vit)};

}  // namespace loupe
