// eigen_cam --eigen_cam.centred yes, by a name of its own, to be compared with the other on one page.
#include "engine/methods/eigen_cam.h"

namespace loupe {

extern const Method eigen_cam_centred_method;
const Method eigen_cam_centred_method = cam_layer_method(
    {.name = "eigen_cam_centred",
     .summary = "eigen_cam of maps less their means, as pytorch-grad-cam has it",
     .source = "Muhammad & Yeasin 2020, Eigen-CAM, as in the library pytorch-grad-cam",
     .caption =
         "Warm where the maps vary most along their first principal axis, for whatever class, at layer",
     .run = [](ImageModel& model, const Tensor& x, const CamLayerOptions& at, const Options&) -> CamResult {
       return {eigen_cam(model, x, {.layer = at.layer, .centred = true})};
     }});

}  // namespace loupe
