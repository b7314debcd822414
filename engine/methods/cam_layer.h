// Class activation maps of a layer: what grad_cam, layer_cam, score_cam and their kin share. A layer of maps
// (N, K, h, w) has K maps over h·w places. A transformer's layer of tokens (N, 1 + h·w, D) has D: the k-th numbers
// of the patches' tokens, over the grid of patches, without the class token.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/run/image_model.h"
#include "engine/run/method.h"
#include "engine/run/passes.h"

namespace loupe {

/// What every CAM of a layer takes.
struct CamLayerOptions {
  Target target = top1;
  std::string layer = {};  // a layer or module with maps or tokens; empty: the model's trunk
  Probe probe = {};        // of methods that go back
  Progress progress = {};  // of methods that take many passes
};

/// A layer that has places.
struct CamLayer {
  NodeId node = -1;
  int64_t channels = 0, height = 0, width = 0;
  int64_t first = 0, channel_step = 0,
          place_step = 0;         // among an image's numbers: that of channel k, place p
  int64_t numbers = 0;            // of an image, all of them
  std::optional<Grid> grid = {};  // where the places lie on the input

  int64_t places() const { return height * width; }
  int64_t at(int64_t k, int64_t p) const { return first + k * channel_step + p * place_step; }
};

/// The layer of that name, for inputs of that shape. Throws UsageError, which names the method and the layers that
/// work, where there is no such layer or it has no places.
CamLayer cam_layer(const ImageModel& model, std::string_view method, const std::string& layer,
                   const Shape& input);

/// One image's maps of a layer, or the gradients of its score with respect to them.
struct CamMaps {
  const CamLayer& layer;
  const double* numbers;  // of the whole layer

  int64_t channels() const { return layer.channels; }
  int64_t places() const { return layer.places(); }
  double operator()(int64_t k, int64_t p) const { return numbers[layer.at(k, p)]; }
};

/// Adds Σ_k weights[k]·maps_k to `to`, place by place.
void add_weighted(const CamMaps& maps, std::span<const double> weights, std::span<double> to);
/// The mean of each map over places.
std::vector<double> means(const CamMaps& maps);
/// a / b, and 0 where b is.
inline double safe_ratio(double a, double b) { return b == 0 ? 0 : a / b; }

/// Writes one image's map, which begins as zeros, of its maps and their gradients.
using GradientFormula =
    std::function<void(const CamMaps& maps, const CamMaps& gradients, std::span<double> to)>;
/// One pass forward and back: the formula's map of each image, (N, h, w), in the device's type.
Tensor cam_of_gradients(ImageModel& model, const Tensor& x, std::string_view method,
                        const CamLayerOptions& options, const GradientFormula& formula);

/// Writes image n's map, which begins as zeros, of its maps.
using MapsFormula = std::function<void(int64_t n, const CamMaps& maps, std::span<double> to)>;
/// One pass forward: likewise.
Tensor cam_of_maps(ImageModel& model, const Tensor& x, const CamLayer& layer, const MapsFormula& formula);

/// A map of each image, (N, h, w), and what went into it, of each image a row.
struct CamResult {
  Tensor map;
  std::vector<Numbers> numbers = {};
};

/// What a method of this kind says of itself; the rest is common to all of them.
struct CamMethod {
  std::string_view name, summary, source;
  std::string caption;  // ends with the layer's name and a full stop
  Picture::Style style = Picture::Style::evidence;
  std::function<CamResult(ImageModel&, const Tensor& x, const CamLayerOptions&, const Options&)> run;
  std::vector<OptionSpec> options = {};  // beside `layer`
  bool costly = false;
};
Method cam_layer_method(CamMethod method);

}  // namespace loupe
