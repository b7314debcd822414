// Segmentation from saliency: mixtures of colours, least cuts, and GrabCut, whose energy never rises.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/image/alpha.h"
#include "engine/segment/colour_mixture.h"
#include "engine/segment/grab_cut.h"
#include "engine/segment/min_cut.h"
#include "engine/segment/threshold.h"
#include "kernels/common/draws.h"
#include "kernels/common/error.h"
#include "models/zoo/zoo.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

// Numbers one after the other.
class Random {
 public:
  explicit Random(std::string name) : name_(std::move(name)) {}
  int below(int n) { return static_cast<int>(draws_.uniform(name_, next_++) * n); }

 private:
  Draws draws_;
  std::string name_;
  int64_t next_ = 0;
};

std::vector<Colour> colours_of(const Image& image) {
  std::vector<Colour> colours;
  for (size_t i = 0; i + 2 < image.rgb.size(); i += 3)
    colours.push_back({static_cast<double>(image.rgb[i]), static_cast<double>(image.rgb[i + 1]),
                       static_cast<double>(image.rgb[i + 2])});
  return colours;
}

double total_cost(const ColourMixture& m, const std::vector<Colour>& colours, const std::vector<int>& of) {
  double sum = 0;
  for (size_t i = 0; i < colours.size(); ++i) sum += m.cost(of[i], colours[i]);
  return sum;
}

TEST_CASE("a mixture's components lie where the colours are") {
  std::vector<Colour> colours;
  Random random("clusters");
  const Colour middles[] = {{20, 30, 200}, {220, 210, 40}, {120, 20, 90}};
  for (int i = 0; i < 300; ++i) {
    Colour c = middles[i % 3];
    for (double& v : c) v += random.below(9) - 4;
    colours.push_back(c);
  }
  const ColourMixture mixture(colours, 3);
  REQUIRE(mixture.count() == 3);
  for (int i = 3; i < 300; ++i)
    CHECK(mixture.nearest(colours[static_cast<size_t>(i)]) ==
          mixture.nearest(colours[static_cast<size_t>(i % 3)]));
  CHECK(mixture.nearest(middles[0]) != mixture.nearest(middles[1]));
  CHECK(mixture.nearest(middles[0]) != mixture.nearest(middles[2]));
  CHECK(mixture.nearest(middles[1]) != mixture.nearest(middles[2]));
}

// −log of weight and density, by hand: 4 colours on a line of variance v, of 8 in all.
TEST_CASE("a component's cost is its weight and its Gaussian") {
  std::vector<Colour> colours;
  for (const double r : {90.0, 96.0, 104.0, 110.0}) colours.push_back({r, 50, 50});
  for (int i = 0; i < 4; ++i) colours.push_back({10, 200, 10});
  const ColourMixture mixture(colours, 2);
  REQUIRE(mixture.count() == 2);
  const double variance = (100 + 16 + 16 + 100) / 4.0;
  const int k = mixture.nearest({100, 50, 50});
  const auto cost = [&](double dr, double dg) {
    return std::log(2.0) +
           0.5 * (std::log(variance) + dr * dr / variance + dg * dg / ColourMixture::kLeastVariance);
  };
  CHECK(mixture.cost(k, {100, 50, 50}) == doctest::Approx(cost(0, 0)).epsilon(1e-12));
  CHECK(mixture.cost(k, {115, 53, 50}) == doctest::Approx(cost(15, 3)).epsilon(1e-12));
  CHECK(mixture.cost(1 - k, {10, 200, 10}) == doctest::Approx(std::log(2.0)).epsilon(1e-12));
}

TEST_CASE(
    "what a mixture learns costs the least: neither other assignments' mixtures nor earlier ones do better") {
  for (int64_t index = 0; index < 6; ++index) {
    CAPTURE(index);
    const std::vector<Colour> colours = colours_of(zoo::draw(7, index).image);
    ColourMixture mixture(colours, 5);
    double before = std::numeric_limits<double>::infinity();
    for (int round = 0; round < 8; ++round) {
      std::vector<int> of;
      for (const Colour& c : colours) of.push_back(mixture.nearest(c));
      const double assigned = total_cost(mixture, colours, of);
      CHECK(assigned <= before * (1 + 1e-12));
      std::vector<int> others = of;
      for (size_t i = 0; i < others.size(); i += 17) others[i] = (others[i] + 1) % mixture.count();
      ColourMixture other = mixture;
      other.learn(colours, others);
      mixture.learn(colours, of);
      before = total_cost(mixture, colours, of);
      CHECK(before <= assigned * (1 + 1e-12));
      CHECK(before <= total_cost(other, colours, of) * (1 + 1e-12));
    }
  }
}

TEST_CASE("a mixture of few colours has few components, and one of one colour a cost") {
  const std::vector<Colour> one(10, {3, 4, 5}), two{{0, 0, 0}, {0, 0, 0}, {255, 255, 255}};
  CHECK(ColourMixture(one, 5).count() == 1);
  CHECK(ColourMixture(one, 5).cost(0, {3, 4, 5}) == 0);
  CHECK(ColourMixture(two, 5).count() == 2);
  ColourMixture emptied(two, 5);
  emptied.learn(two, std::vector<int>{0, 0, 0});
  CHECK(std::isinf(emptied.cost(1, {0, 0, 0})));
  CHECK(emptied.nearest({255, 255, 255}) == 0);
  CHECK(usage_error([] { ColourMixture({}, 5); }) == "a mixture of colours needs at least one colour");
}

TEST_CASE("a least cut is the least of all labellings") {
  constexpr int kNodes = 9;
  Random random("graphs");
  for (int trial = 0; trial < 200; ++trial) {
    CutGraph g;
    for (int n = 0; n < kNodes; ++n) {
      g.to_source.push_back(random.below(3) ? random.below(20) : 0);
      g.to_sink.push_back(random.below(3) ? random.below(20) : 0);
    }
    for (int a = 0; a < kNodes; ++a)
      for (int b = a + 1; b < kNodes; ++b)
        if (random.below(3) == 0) g.edges.push_back({a, b, random.below(12)});
    const auto cost = [&](const std::vector<uint8_t>& side) {
      int64_t sum = 0;
      for (size_t n = 0; n < kNodes; ++n) sum += side[n] ? g.to_sink[n] : g.to_source[n];
      for (const CutGraph::Edge& e : g.edges)
        if (side[static_cast<size_t>(e.a)] != side[static_cast<size_t>(e.b)]) sum += e.capacity;
      return sum;
    };
    int64_t least = std::numeric_limits<int64_t>::max();
    size_t fewest = kNodes;
    for (int bits = 0; bits < 1 << kNodes; ++bits) {
      std::vector<uint8_t> side;
      for (int n = 0; n < kNodes; ++n) side.push_back(bits >> n & 1);
      const int64_t c = cost(side);
      const auto ones = static_cast<size_t>(std::ranges::count(side, 1));
      if (c < least) fewest = kNodes + 1;
      least = std::min(least, c);
      if (c == least) fewest = std::min(fewest, ones);
    }
    const std::vector<uint8_t> found = min_cut(g);
    REQUIRE(found.size() == kNodes);
    CHECK(cost(found) == least);
    CHECK(static_cast<size_t>(std::ranges::count(found, 1)) == fewest);  // the smallest source side
  }
}

Plane plane(int64_t height, int64_t width, std::vector<double> values) {
  return {height, width, std::move(values)};
}

TEST_CASE("seeds are the quantiles of a map") {
  std::vector<double> values;
  for (int i = 0; i < 100; ++i) values.push_back((i * 37) % 100);
  const std::vector<Seed> seeds = saliency_seeds(plane(10, 10, values), 0.95, 0.30);
  for (size_t i = 0; i < 100; ++i)
    CHECK(seeds[i] == (values[i] >= 94   ? Seed::foreground
                       : values[i] <= 29 ? Seed::background
                                         : Seed::unknown));
  // Of a map that is mostly 0 all of that is background.
  std::vector<double> sparse(100, 0.0);
  for (size_t i = 0; i < 8; ++i) sparse[i * 3] = 1 + static_cast<double>(i);
  const std::vector<Seed> few = saliency_seeds(plane(10, 10, sparse), 0.95, 0.30);
  CHECK(std::ranges::count(few, Seed::background) == 92);
  CHECK(std::ranges::count(few, Seed::foreground) == 6);
  CHECK(usage_error([] {
          saliency_seeds(plane(1, 3, {2, 2, 2}));
        }) == "the map is too flat for seeds: its 30 % and 95 % quantiles are the same, 2.000000");
  CHECK(usage_error([&] {
          saliency_seeds(plane(10, 10, values), 0.3, 0.3);
        }).starts_with("quantiles of seeds"));
}

// A disc that is a little brighter than a noisy ground; a third of each is seeds, some of them wrong.
struct Disc {
  Image image{48, 40, {}};
  Region truth{40, 48, {}};
  std::vector<Seed> seeds = {};
  explicit Disc(int wrong) {
    Random random("disc");
    for (int y = 0; y < 40; ++y)
      for (int x = 0; x < 48; ++x) {
        const bool in = (x - 20) * (x - 20) + (y - 22) * (y - 22) < 150;
        for (const int c : in ? std::vector{150, 90, 60} : std::vector{100, 110, 80})
          image.rgb.push_back(static_cast<uint8_t>(c + random.below(31) - 15));
        truth.inside.push_back(in);
        const bool seed = random.below(3) == 0, right = random.below(100) >= wrong;
        seeds.push_back(!seed ? Seed::unknown : in == right ? Seed::foreground : Seed::background);
      }
  }
};

TEST_CASE(
    "GrabCut finds a disc in noise, and from seeds of which some are wrong where they may change sides") {
  const Disc clean(0), dirty(10);
  CHECK(iou(grab_cut(clean.image, clean.seeds, {.keep_seeds = true}).mask, clean.truth) > 0.98);
  CHECK(iou(grab_cut(dirty.image, dirty.seeds).mask, dirty.truth) > 0.95);
  const GrabCutResult kept = grab_cut(dirty.image, dirty.seeds, {.keep_seeds = true, .largest = false});
  for (size_t i = 0; i < dirty.seeds.size(); ++i)
    if (dirty.seeds[i] != Seed::unknown) CHECK(kept.mask.inside[i] == (dirty.seeds[i] == Seed::foreground));
}

TEST_CASE("GrabCut's energy never rises, in none of a round's parts, and the same comes out again") {
  for (const int64_t index : {0, 3, 6, 9, 12})
    for (const bool keep : {false, true}) {
      CAPTURE(index);
      CAPTURE(keep);
      const zoo::Drawing drawing = zoo::draw(11, index);
      Plane map{zoo::kSize, zoo::kSize, {}};
      Random random("map");
      for (const uint8_t cover : drawing.objects[0].mask)
        map.values.push_back(cover / 255.0 + random.below(1000) / 700.0);
      const std::vector<Seed> seeds = saliency_seeds(map);
      const GrabCutOptions options{.rounds = 30, .keep_seeds = keep, .largest = false};
      const GrabCutResult r = grab_cut(drawing.image, seeds, options);
      double energy = r.first;
      CHECK(energy > 0);
      for (const GrabCutRound& round : r.rounds) {
        CHECK(round.assigned <= energy);
        CHECK(round.learned <= round.assigned);
        CHECK(round.cut <= round.learned);
        energy = round.cut;
      }
      REQUIRE(!r.rounds.empty());
      CHECK(energy < r.first);
      const GrabCutResult again = grab_cut(drawing.image, seeds, options);
      CHECK(again.mask.inside == r.mask.inside);
      CHECK(again.first == r.first);
    }
}

// Of two pixels, by hand: both mixtures have one colour each, and the border costs γ·exp(−1/2).
TEST_CASE("GrabCut's energy by hand") {
  const Image image{2, 1, {100, 100, 100, 130, 100, 100}};
  const std::vector<Seed> seeds{Seed::foreground, Seed::background};
  const GrabCutResult r = grab_cut(image, seeds, {.gamma = 8, .keep_seeds = true});
  CHECK(r.first == doctest::Approx(8 * std::exp(-0.5)).epsilon(1e-4));
  CHECK(r.settled);
  CHECK(r.mask.inside == std::vector<uint8_t>{1, 0});
  // Where neither must stay and the border is dear, one of them changes sides: (30²/2 > 8·e^(−1/2), so not yet).
  CHECK(grab_cut(image, seeds, {.gamma = 8}).mask.count() == 1);
  CHECK(grab_cut(image, seeds, {.gamma = 1000}).mask.count() != 1);
}

TEST_CASE("the largest part, and overlap") {
  const Region two{3,
                   5,
                   {1, 1, 0, 0, 1,  //
                    0, 0, 1, 0, 1,  //
                    0, 0, 0, 0, 1}};
  CHECK(largest_part(two).inside == std::vector<uint8_t>{1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0});
  CHECK(largest_part(Region{1, 2, {0, 0}}).count() == 0);
  const Region a{1, 4, {1, 1, 0, 0}}, b{1, 4, {0, 1, 1, 0}}, none{1, 4, {0, 0, 0, 0}};
  CHECK(iou(a, b) == doctest::Approx(1.0 / 3));
  CHECK(iou(a, none) == 0);
  CHECK(iou(none, none) == 1);
}

TEST_CASE("overlap by threshold, against counting") {
  Random random("thresholds");
  Plane map{9, 7, {}};
  Region object{9, 7, {}};
  for (int i = 0; i < 63; ++i) {
    map.values.push_back(random.below(5000) / 100.0 - 20);
    object.inside.push_back(random.below(2) == 1);
  }
  const auto [low, high] = std::ranges::minmax(map.values);
  const std::vector<double> ious = iou_by_threshold(map, object);
  REQUIRE(ious.size() == kThresholds);
  for (int t = 0; t < kThresholds; ++t) {
    Region cut{9, 7, {}};
    for (const double v : map.values) cut.inside.push_back((v - low) / (high - low) * kThresholds >= t);
    CHECK(ious[static_cast<size_t>(t)] == doctest::Approx(t == kThresholds ? 0 : iou(cut, object)));
  }
}

TEST_CASE("a picture with transparency keeps its colours") {
  const Image image{2, 2, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
  const std::vector<uint8_t> png = encode_png(image, std::vector<uint8_t>{255, 0, 128, 7});
  CHECK(decode_image(png).rgb == image.rgb);
  CHECK(png.at(25) == 6);  // IHDR's colour type: RGB and alpha
  CHECK_THROWS_AS(encode_png(image, std::vector<uint8_t>{255}), Error);
}

TEST_CASE("GrabCut: what does not fit") {
  const Disc disc(0);
  CHECK(usage_error([&] { grab_cut(disc.image, {Seed::foreground}); }) ==
        "1 seeds do not fit a picture of 48×40 pixels");
  CHECK(usage_error([&] { grab_cut(disc.image, std::vector<Seed>(48 * 40, Seed::background)); }) ==
        "there are no seeds of the foreground");
  CHECK(
      usage_error([&] { grab_cut(disc.image, disc.seeds, {.components = 0}); }).starts_with("GrabCut takes"));
}

}  // namespace
}  // namespace loupe::test
