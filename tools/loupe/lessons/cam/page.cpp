// cam.html.
#include <algorithm>

#include "engine/image/preprocess.h"
#include "tools/loupe/lessons/cam/study.h"
#include "tools/loupe/page/html.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

using json = nlohmann::ordered_json;

constexpr size_t kClasses = 5;

constexpr const char* kBody = R"(
<section class=controls aria-label="What to study"><p><label>class <select id=class></select></label><button id=all>all channels</button
><button id=few>the strongest six alone</button><button id=without>without them</button><button id=reset>its own weights</button></p>
<p class=small><span id=whose></span> <span id=wrong class=wrong-line role=status></span></p></section>
<section><h2>1. The score is a weighted sum of means</h2><p id=maps></p><p><b>score = Σ<sub>k</sub> w<sub>k</sub> · mean(A<sub>k</sub>) + b</b></p>
<p>The strongest channels of this class. Change a weight, or leave a channel out:</p>
<div class=scroll><table class=facts id=channels></table></div></section>
<section><h2>2. The two sums change places</h2><p>A mean is a sum over places, so Σ<sub>k</sub> w<sub>k</sub> · mean(A<sub>k</sub>) = mean over
places of Σ<sub>k</sub> w<sub>k</sub> A<sub>k</sub>. What stands behind that mean is the class’s map, CAM: the evidence at each place, red for
the class, blue against it. Point at a place:</p>
<div class=maps><figure><figcaption>the picture</figcaption><img class=shot id=shot alt="The picture"></figure
><figure><figcaption>Σ w<sub>k</sub> A<sub>k</sub></figcaption><canvas class=map id=cam role=img aria-label="The class activation map"></canvas></figure
><figure><figcaption>over the picture</figcaption><div class=over><img id=under alt=""><canvas id=over></canvas></div></figure></div>
<p id=place></p></section>
<section><h2>3. Nothing is left over</h2><div class=scroll><table class=facts id=sums></table></div><p>This holds for a head of global average
pooling and one linear layer. It says what the map adds up to, not why the network made these maps; and a place of the map sees more of the
picture than its own square.</p></section>)";

std::vector<double> by_channel(const std::vector<Share>& shares, double Share::*number) {
  std::vector<double> values(shares.size());
  for (const Share& s : shares) values[static_cast<size_t>(s.channel)] = s.*number;
  return values;
}

json example(const CamLesson& l, const Verdict& cls) {
  json e{{"class", cls.index},
         {"label", valid_utf8(cls.label)},
         {"weight", by_channel(l.shares, &Share::weight)},
         {"bias", l.bias}};
  std::vector<double> map;
  for (int64_t i = 0; i < l.map.numel(); ++i) map.push_back(l.map.item(i));
  e["engine"] = {{"mean", by_channel(l.shares, &Share::mean)},
                 {"product", by_channel(l.shares, &Share::product)},
                 {"cam", map},
                 {"weighted_means", l.of_channels},
                 {"mean_of_cam", l.of_map},
                 {"score", l.score}};
  return e;
}

}  // namespace

LessonPage cam_page(ImageModel& network, const Subject& subject, const Verdict& asked) {
  LessonPage page{
      .name = "cam",
      .title = "CAM, step by step",
      .lead = "Why the mean of a class activation map and a bias are the class's score: " + subject.name +
              ", seen by " + network.name() + ". Change the weights: everything follows.",
      .body = kBody,
      .data = {{"device", network.device().str()},
               {"tolerance", network.device() == Device::ref() ? 1e-12 : 1e-5}},
      .scripts = {"cam.js", "cam_page.js"}};
  std::vector<Verdict> classes{asked};
  for (const Verdict& v : subject.ranking)
    if (classes.size() < kClasses && v.index != asked.index) classes.push_back(v);
  json& data = page.data;
  for (const Verdict& cls : classes) {
    const CamLesson l = study_cam(network, subject, cls);
    data["examples"].push_back(example(l, cls));
    if (data.contains("maps")) continue;
    const Shape& s = l.maps.shape();
    data["layer"] = l.maps_of;
    data["height"] = s[2], data["width"] = s[3];
    const int64_t places = s[2] * s[3];
    for (int64_t k = 0; k < s[1]; ++k) {
      std::vector<double> map;
      for (int64_t i = 0; i < places; ++i) map.push_back(l.maps.item(k * places + i));
      data["maps"].push_back(map);
    }
  }
  data["picture"] = data_url(encode_png(to_image(subject.x, network.preprocessing)));
  return page;
}

}  // namespace loupe
