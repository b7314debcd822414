// The search of every channel of SqueezeNet over the 100 photographs, equal to brute force.
// ctest: LABELS slow
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "engine/image/preprocess.h"
#include "engine/neurons/search.h"
#include "models/models.h"

namespace loupe::test {
namespace {

constexpr int64_t kTop = 9;

}  // namespace

TEST_CASE("every channel's list is what sorting all of its maxima gives") {
  ImageModel model =
      models::load("squeezenet1_1", LOUPE_SHARED_DIR "/weights/squeezenet1_1.safetensors", Device::cpu());
  Network& net = model.network;
  const std::vector<NodeId> layers = filter_layers(net.graph());
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(LOUPE_SHARED_DIR "/photos/imagenet_samples"))
    if (entry.path().extension() == ".JPEG") names.push_back(entry.path().string());
  std::ranges::sort(names);
  REQUIRE(names.size() == 100);
  std::vector<LayerHits> all;  // of each channel a hit a picture
  for (const NodeId n : layers)
    all.push_back({net.graph().node(n).name,
                   std::vector<std::vector<Hit>>(static_cast<size_t>(net.graph().node(n).shape()[1]))});
  UnitSearch search(net, layers, kTop);
  Purpose purpose;
  for (const NodeId n : layers) purpose.values.emplace_back(n);
  std::vector<Tensor> pictures;
  for (const std::string& name : names) {
    pictures.push_back(preprocess(read_image(name), model.preprocessing));
    Execution& pass = net.execution(pictures.back().shape(), purpose);
    pass.forward(pictures.back());
    for (size_t l = 0; l < layers.size(); ++l) {
      const Tensor maps = pass.value(layers[l]).row(0);
      const int64_t width = maps.shape()[2];
      for (int64_t c = 0; c < maps.shape()[0]; ++c) {
        const auto map = maps.row(c).values<const float>();
        const int64_t place = std::ranges::max_element(map) - map.begin();
        all[l].channels[static_cast<size_t>(c)].push_back({.score = map[static_cast<size_t>(place)],
                                                           .image = name,
                                                           .y = static_cast<int32_t>(place / width),
                                                           .x = static_cast<int32_t>(place % width)});
      }
    }
  }
  for (size_t i = 0; i < names.size(); i += 16) {
    const size_t count = std::min<size_t>(16, names.size() - i);
    search.add(stack_rows({pictures.begin() + static_cast<std::ptrdiff_t>(i),
                           pictures.begin() + static_cast<std::ptrdiff_t>(i + count)}),
               std::span(names).subspan(i, count));
  }
  int64_t channels = 0, wrong = 0;
  for (size_t l = 0; l < layers.size(); ++l)
    for (size_t c = 0; c < all[l].channels.size(); ++c, ++channels) {
      std::vector<Hit>& expected = all[l].channels[c];
      std::ranges::stable_sort(expected, [](const Hit& a, const Hit& b) { return a.score > b.score; });
      expected.resize(kTop);
      std::vector<Hit> found = search.found()[l].channels[c];
      for (Hit& h : found) h.crop = {};
      wrong += found != expected;
    }
  CHECK(channels == 3944);
  CHECK(wrong == 0);
}

}  // namespace loupe::test
