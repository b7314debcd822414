#include "tools/loupe/identity.h"

#include <cstdio>

#include "engine/run/recall.h"

namespace loupe {
namespace {

std::string weights_digest(const Network& net) {
  Recall::Key key{};
  for (const NodeId n : net.graph().parameters()) {
    const Tensor& t = net.parameter(net.graph().node(n).name);
    Recall::add(key, {t.raw(), static_cast<size_t>(t.bytes())});
  }
  char text[40];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(key[0]));
  return text;
}

std::string words_of(const Preprocessing& how, Orientation orientation) {
  std::string text = how.stretched() ? "stretched to " + Pair(how.stretch[0], how.stretch[1]).str()
                                     : "resized to " + std::to_string(how.resize);
  text += std::string(how.bicubic ? ", bicubic" : "") + ", crop " + std::to_string(how.crop) + ", " +
          std::to_string(how.channels) + " channels, mean";
  const auto add = [&](float v) {
    char number[32];
    std::snprintf(number, sizeof number, " %.9g", static_cast<double>(v));
    text += number;
  };
  for (const float v : how.mean) add(v);
  text += ", deviation";
  for (const float v : how.std) add(v);
  return text + (orientation == Orientation::ignore ? ", as stored" : "");
}

}  // namespace

std::vector<std::pair<std::string, std::string>> identity_of(const ImageModel& network,
                                                             Orientation orientation) {
  return {{"model", network.name()},
          {"weights", weights_digest(network)},
          {"input", words_of(network.preprocessing, orientation)},
          {"device", network.device().str()}};
}

}  // namespace loupe
