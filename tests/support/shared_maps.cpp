#include "tests/support/shared_maps.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "models/loupe.h"
#include "tests/support/networks.h"

namespace loupe::test {

namespace {
const std::string kShared = LOUPE_SHARED_DIR;

const SafetensorsFile& file(const std::string& path) {
  static std::map<std::string, SafetensorsFile> files;
  const auto found = files.find(path);
  return found != files.end() ? found->second
                              : files.emplace(path, SafetensorsFile::open(path)).first->second;
}
const SafetensorsFile& goldens(const std::string& photo) {
  return file(kShared + "/golden/methods/" + photo + ".safetensors");
}

// Summed over channels, and where that is 224×224 over blocks of 2×2 as well.
Tensor summed(const Tensor& map) {
  const Shape& s = map.shape();
  const int64_t h = s[s.rank() - 2], w = s[s.rank() - 1];
  const int64_t block = h == 224 ? 2 : 1;
  const Tensor sums = Tensor::zeros(Dtype::f64, {h / block, w / block});
  for (int64_t i = 0; i < map.numel(); ++i) {
    const int64_t y = i / w % h / block, x = i % w / block;
    sums.values<double>()[static_cast<size_t>(y * (w / block) + x)] += map.item(i);
  }
  return sums;
}

double norm(const Tensor& t) {
  double sum = 0;
  for (int64_t i = 0; i < t.numel(); ++i) sum += t.item(i) * t.item(i);
  return std::sqrt(sum);
}
}  // namespace

bool all_photos() {
  const char* asked = std::getenv("LOUPE_PHOTOS");
  return asked && std::string(asked) == "all";
}
std::vector<std::string> photos() {
  std::vector<std::string> names{"jaguar"};
  if (all_photos()) names.insert(names.end(), {"golden_retriever", "gibbon"});
  return names;
}

ImageModel& shared_squeezenet(Device device) {
  static std::map<std::string, ImageModel> models;
  const auto found = models.find(device.str());
  if (found != models.end()) return found->second;
  return models
      .emplace(device.str(),
               loupe::models::load("squeezenet1_1", kShared + "/weights/squeezenet1_1.safetensors", device))
      .first->second;
}

Tensor shared_input(const std::string& photo) {
  const Tensor x = file(kShared + "/golden/squeezenet1_1/" + photo + ".safetensors").tensor("input");
  return x.shape().rank() == 4 ? x : x.reshape({1, x.shape()[0], x.shape()[1], x.shape()[2]});
}

Tensor shared_tensor(const std::string& photo, const std::string& name) {
  return goldens(photo).tensor(name);
}
bool has_shared_tensor(const std::string& photo, const std::string& name) {
  return goldens(photo).contains(name);
}
int64_t shared_class(const std::string& photo) { return std::stoll(goldens(photo).metadata().at("class")); }

Explanation explain_shared(const std::string& photo, Device device, const std::string& method,
                           const std::map<std::string, std::string>& options) {
  ImageModel& model = shared_squeezenet(device);
  const Method& m = find_method(method);
  Options chosen(std::string(m.name), m.options);
  for (const auto& [name, text] : options) chosen.set(name, text);
  const Tensor x = shared_input(photo);
  if (m.fit) m.fit(model, x.shape(), chosen);
  if (const auto why = why_unsuited(m, model, x.shape(), &chosen)) throw UsageError(*why);
  return m.run({.model = model, .input = x, .target = shared_class(photo), .logits = model.logits(x)},
               chosen);
}

const Tensor& map_of(const Explanation& found, const std::string& name) {
  for (const Map& m : found.maps)
    if (m.name == name) return m.values;
  for (const Numbers& n : found.numbers)
    if (n.name == name) return n.values;
  throw Error("the method makes no map '" + name + "'");
}

double shared_distance(const std::string& photo, const std::string& name, const Tensor& map) {
  const Tensor golden = shared_tensor(photo, name);
  if (!has_shared_tensor(photo, name + ".sample")) return relative_l2(map.reshape(golden.shape()), golden);
  double worst = relative_l2(summed(map), golden);
  const Tensor sample = shared_tensor(photo, name + ".sample"), ours(Dtype::f64, sample.shape());
  for (int64_t j = 0; j < sample.numel(); ++j)
    ours.values<double>()[static_cast<size_t>(j)] = map.item(7919 * j % map.numel());
  worst = std::max(worst, relative_l2(ours, sample));
  const double length = shared_tensor(photo, name + ".stats").item(1);
  return std::max(worst, std::abs(norm(map) - length) / length);
}

}  // namespace loupe::test
