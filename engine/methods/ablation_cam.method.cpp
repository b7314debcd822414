// Ablation-CAM: no gradient; a map counts as much as the score falls when it is taken away. Taking away is an edit of the
// layer, so a pass that has run once goes on from there.
#include "engine/methods/ablation_cam.h"

namespace loupe {

namespace {
// Row r is all of channel first + r; rows from `count` on are left as they are.
Tensor channel_mask(const CamLayer& layer, const Shape& values, int64_t first, int64_t count) {
  const Tensor mask = Tensor::zeros(Dtype::u8, values);
  for (int64_t r = 0; r < count; ++r)
    for (int64_t p = 0; p < layer.places(); ++p)
      mask.values<uint8_t>()[static_cast<size_t>(r * layer.numbers + layer.at(first + r, p))] = 1;
  return mask;
}

Tensor copies(const Tensor& one, int64_t count) {
  const Tensor batch(one.dtype(), one.shape().with(0, count));
  for (int64_t r = 0; r < count; ++r) copy_rows(one, batch, r);
  return batch;
}
}  // namespace

AblationCamResult ablation_cam(ImageModel& model, const Tensor& x, const CamLayerOptions& options) {
  Network& net = model.network;
  expect_images(net, x);
  const CamLayer layer = cam_layer(model, "ablation_cam", options.layer, x.shape());
  const NodeId result = options.target.node(net.graph());
  const int64_t count = x.shape()[0], channels = layer.channels;
  const Purpose purpose{.values = {result, layer.node},
                        .edits = {{.at = layer.node, .kind = Edit::Kind::set}}};
  const Tensor sums = Tensor::zeros(Dtype::f64, {count, layer.height, layer.width}),
               weight(Dtype::f64, {count, channels});
  for (int64_t n = 0; n < count; ++n) {
    Execution* pass = nullptr;  // one for all batches of channels: a last one of fewer leaves rows alone
    int64_t rows = 0;
    double whole = 0;
    Target target = options.target;
    Tensor maps;
    const auto begin_pass = [&](int64_t batch) {
      rows = batch;
      pass = &net.execution(x.shape().with(0, rows), purpose);
      pass->undo(0);
      pass->forward(copies(x.slice(n, n + 1), rows));
      const Tensor as_it_is = pass->value(result).slice(0, 1);
      if (target.is_class()) target = Target(options.target.classes(as_it_is, n)[0]).of(result);
      whole = target.scores(as_it_is)[0];
      maps = pass->value(layer.node).slice(0, 1).to(Dtype::f64).clone();
    };
    const auto progress = [&](double part) {
      if (options.progress) options.progress((static_cast<double>(n) + part) / static_cast<double>(count));
    };
    double* weights = weight.row(n).values<double>().data();
    in_batches(net, x.shape(), channels, purpose, progress, [&](int64_t begin, int64_t end) {
      if (!pass) begin_pass(end - begin);
      const Shape values = pass->plan().shape(layer.node);
      pass->edit(0, channel_mask(layer, values, begin, end - begin), Tensor::zeros(Dtype::f32, Shape{}));
      pass->again();
      const std::vector<double> scores = target.scores(pass->value(result));
      for (int64_t k = begin; k < end; ++k)
        weights[k] = safe_ratio(whole - scores[static_cast<size_t>(k - begin)], whole);
    });
    add_weighted({layer, maps.values<const double>().data()}, weight.row(n).values<const double>(),
                 sums.row(n).values<double>());
  }
  const Dtype type = net.device().compute_dtype();
  return {sums.to(type), weight.to(type)};
}

extern const Method ablation_cam_method;
const Method ablation_cam_method = cam_layer_method(
    {.name = "ablation_cam",
     .summary = "a layer's maps weighted by what the score loses without each: no gradient",
     .source = "Desai & Ramaswamy 2020, Ablation-CAM: visual explanations for deep convolutional network via "
               "gradient-free localization",
     .caption = "Warm where maps are active without which the score falls, at layer",
     .run = [](ImageModel& model, const Tensor& x, const CamLayerOptions& at, const Options&) -> CamResult {
       const AblationCamResult r = ablation_cam(model, x, at);
       return {r.map, {{"ablation_cam.weight", r.weight}}};
     }});

}  // namespace loupe
