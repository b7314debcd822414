// Eigen-CAM: no gradient and no class, the first principal component of the maps alone.
#include "engine/methods/eigen_cam.h"

#include "engine/methods/principal_axis.h"

namespace loupe {

Tensor eigen_cam(ImageModel& model, const Tensor& x, const EigenCamOptions& options) {
  expect_images(model, x);
  const CamLayer layer = cam_layer(model, "eigen_cam", options.layer, x.shape());
  return cam_of_maps(model, x, layer, [&](int64_t, const CamMaps& a, std::span<double> to) {
    std::vector<double> matrix, sums;
    const std::vector<double> middle = options.centred ? means(a) : std::vector<double>(a.channels(), 0.0);
    for (int64_t p = 0; p < a.places(); ++p) {
      double sum = 0;
      for (int64_t k = 0; k < a.channels(); ++k) {
        matrix.push_back(a(k, p) - middle[static_cast<size_t>(k)]);
        sum += a(k, p);
      }
      sums.push_back(sum);
    }
    const std::vector<double> map = project_on_first_axis(matrix, a.places(), a.channels());
    double along = 0;
    for (size_t p = 0; p < map.size(); ++p) along += map[p] * sums[p];
    for (size_t p = 0; p < map.size(); ++p) to[p] = along < 0 ? -map[p] : map[p];
  });
}

namespace {
bool yes(const std::string& text) {
  if (text != "yes" && text != "no")
    throw UsageError("--eigen_cam.centred takes yes or no, not '" + text + "'");
  return text == "yes";
}
}  // namespace

extern const Method eigen_cam_method;
const Method eigen_cam_method = cam_layer_method(
    {.name = "eigen_cam",
     .summary = "a layer's maps along the direction in which they are strongest, whatever the class",
     .source = "Muhammad & Yeasin 2020, Eigen-CAM: class activation map using principal components",
     .caption =
         "Warm where the maps are strongest along their first principal axis, for whatever class, at layer",
     .run = [](ImageModel& model, const Tensor& x, const CamLayerOptions& at, const Options& o) -> CamResult {
       return {eigen_cam(model, x, {.layer = at.layer, .centred = yes(o.text("centred"))})};
     },
     .options = {{"centred", std::string("no"),
                  "yes: take each map's mean off it first, as pytorch-grad-cam does; the paper does not"}}});

}  // namespace loupe
