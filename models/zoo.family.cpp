// The networks of the zoo: small enough to be trained on two cores, with the trunk that lectures draw: five
// convolutions and two pools from (3, 64, 64) to an encoding volume (256, 13, 13). `zoo` averages each map of
// the volume, so that its class activation maps are exact; `zoo_fc` reads all of it with a hidden layer, as
// networks did before, and can be turned into the other by replacing that head (Zhou et al. 2016).
#include "models/zoo/zoo.h"

#include "models/catalog/builder.h"

namespace loupe {
namespace {

NodeId trunk(Builder& net) {
  std::vector<OpPtr> ops;
  const auto block = [&](int64_t channels, Pair padding) {
    for (const OpPtr& op :
         {conv2d({.out_channels = channels, .kernel = 3, .padding = padding, .bias = false}), batch_norm(),
          relu()})
      ops.push_back(op);
  };
  const OpPtr pool = max_pool2d({.kernel = 3, .stride = 2});
  block(32, 0);  // 62×62
  ops.push_back(pool);
  block(64, 0);  // 28×28
  ops.push_back(pool);
  block(96, 1);  // 13×13
  block(128, 1);
  block(256, 1);
  return net.sequential("features", net.input(), ops);
}

Model finished(Builder&& net) {
  Model model = std::move(net).model("features");
  const int64_t size = model.graph.node(0).shape()[2];
  model.preprocessing = {
      .resize = size, .crop = size, .mean = {0.5f, 0.5f, 0.5f}, .std = {0.25f, 0.25f, 0.25f}};
  model.labels = zoo::labels();
  return model;
}

Model zoo_network(const ModelOptions& options) {
  Builder net(options);
  const NodeId volume = trunk(net);
  net.chain("", volume,
            {{"avgpool", global_avg_pool2d()},
             {"flatten", flatten()},
             {"fc", linear({.out_features = options.classes})}});
  return finished(std::move(net));
}

Model zoo_fc_network(const ModelOptions& options) {
  Builder net(options);
  const NodeId volume = net.add("flatten", flatten(), trunk(net));
  net.sequential("classifier", volume,
                 {linear({.out_features = 32}), relu(), linear({.out_features = options.classes})});
  return finished(std::move(net));
}

const ModelOptions kStandard{.classes = 14, .height = zoo::kSize, .width = zoo::kSize};

}  // namespace

extern const Family zoo_family;
const Family zoo_family{
    "Zoo",
    "Loupe's own; the heads are those of Zhou et al. 2016, \"Learning deep features for discriminative "
    "localization\"",
    {{"zoo", zoo_network, kStandard}, {"zoo_fc", zoo_fc_network, kStandard}}};

}  // namespace loupe
