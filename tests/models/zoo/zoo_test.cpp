// The zoo: that its pictures are a function of seed and index alone, and that what they say of themselves is
// true.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "kernels/common/error.h"
#include "models/zoo/scenery.h"
#include "models/zoo/species.h"
#include "tests/support/command.h"

namespace loupe::zoo {
namespace {

using test::Folder;
using test::Said;

const auto kClasses = static_cast<int64_t>(labels().size());

uint64_t fnv(uint64_t hash, std::span<const uint8_t> bytes) {
  for (const uint8_t b : bytes) hash = (hash ^ b) * 0x100000001b3;
  return hash;
}

// Of the picture, and of all masks and their names.
uint64_t fingerprint(const Drawing& d) {
  uint64_t hash = fnv(0xcbf29ce484222325, d.image.rgb);
  for (const Object& o : d.objects) {
    hash = fnv(hash, o.mask);
    for (const Part& p : o.parts) {
      hash = fnv(hash, {reinterpret_cast<const uint8_t*>(p.name.data()), p.name.size()});
      hash = fnv(hash, p.mask);
    }
  }
  return hash;
}

// In pixels.
double area(const Mask& mask) { return std::accumulate(mask.begin(), mask.end(), 0.0) / 255; }

}  // namespace

TEST_CASE("a picture depends on seed and index alone: not on threads, and not on what was drawn before") {
  constexpr int64_t kCount = 42;
  std::vector<uint64_t> forward(kCount), scattered(kCount);
  for (int64_t i = 0; i < kCount; ++i) forward[static_cast<size_t>(i)] = fingerprint(draw(7, i));
#pragma omp parallel for num_threads(4) schedule(dynamic)
  for (int64_t i = kCount - 1; i >= 0; --i) scattered[static_cast<size_t>(i)] = fingerprint(draw(7, i));
  CHECK(forward == scattered);
  CHECK(std::set(forward.begin(), forward.end()).size() == kCount);
  CHECK(fingerprint(draw(8, 0)) != forward[0]);
}

TEST_CASE("the same bytes on every machine") {
  uint64_t hash = 0;
  for (int64_t i = 0; i < 2 * kClasses; ++i) hash = scrambled(hash ^ fingerprint(draw(1, i)));
  for (int64_t i = 0; i < kClasses; ++i) hash = scrambled(hash ^ fingerprint(draw(1, i, {.objects = 2})));
  // Changes whenever a picture does, and then weights that were trained on the old ones no longer fit
  // exactly.
  CHECK(hash == 14994574845252031963u);
}

TEST_CASE("asking for masks does not change the picture") {
  for (int64_t i = 0; i < 2 * kClasses; ++i)
    for (const int objects : {1, 2}) {
      const Drawing with = draw(2, i, {.objects = objects}),
                    without = draw(2, i, {.objects = objects, .masks = false});
      CHECK(with.image.rgb == without.image.rgb);
      CHECK(without.objects.size() == static_cast<size_t>(objects));
      CHECK(without.objects[0].mask.empty());
      CHECK(without.objects[0].parts.empty());
    }
}

TEST_CASE("every class can be seen, with each of its parts, and parts lie inside the object") {
  for (int64_t cls = 0; cls < kClasses; ++cls) {
    CAPTURE(labels()[static_cast<size_t>(cls)]);
    std::set<std::string_view> seen;
    double all = 0;
    constexpr int64_t kSamples = 60;
    for (int64_t s = 0; s < kSamples; ++s) {
      const Drawing d = draw(3, cls + s * kClasses);
      CAPTURE(s);
      REQUIRE(d.image.rgb.size() == 3 * kSize * kSize);
      REQUIRE(d.objects.size() == 1);
      const Object& o = d.objects[0];
      CHECK(o.cls == cls);
      CHECK(area(o.mask) > 0.025 * kSize * kSize);
      CHECK(area(o.mask) < 0.75 * kSize * kSize);
      all += area(o.mask);
      std::vector<int> sum(kSize * kSize);
      for (const Part& p : o.parts) {
        CHECK(std::ranges::count(part_names(cls), p.name) == 1);
        seen.insert(p.name);
        for (size_t i = 0; i < sum.size(); ++i) sum[i] += p.mask[i];
      }
      // Each mask is rounded by half at most.
      const auto slack = static_cast<int>(o.parts.size() + 1) / 2 + 1;
      for (size_t i = 0; i < sum.size(); ++i)
        if (sum[i] > o.mask[i] + slack) FAIL_CHECK("parts outside the object at pixel ", i);
    }
    CHECK(all / kSamples > 0.06 * kSize * kSize);
    CHECK(all / kSamples < 0.5 * kSize * kSize);
    for (const std::string_view name : part_names(cls)) CHECK_MESSAGE(seen.contains(name), name);
  }
}

TEST_CASE("another background leaves the object as it is") {
  for (int64_t i = 0; i < 3 * kClasses; ++i) {
    const Drawing here = draw(4, i), there = draw(4, i, {.swap_background = 99});
    CAPTURE(i);
    CHECK(here.background != there.background);
    CHECK(here.objects[0].mask == there.objects[0].mask);
    double changed = 0, outside = 0;
    for (size_t p = 0; p < here.objects[0].mask.size(); ++p)
      for (size_t c = 0; c < 3; ++c) {
        const int difference = std::abs(here.image.rgb[3 * p + c] - there.image.rgb[3 * p + c]);
        if (here.objects[0].mask[p] == 255 && difference > 1) FAIL_CHECK("the object changed at pixel ", p);
        if (here.objects[0].mask[p] == 0) {
          changed += difference;
          ++outside;
        }
      }
    CHECK(changed / outside > 6);
  }
  CHECK(draw(4, 5, {.swap_background = 99}).image.rgb != draw(4, 5, {.swap_background = 98}).image.rgb);
}

TEST_CASE("two objects are of two classes, and side by side") {
  std::set<int64_t> others;
  for (int64_t i = 0; i < 6 * kClasses; ++i) {
    const Drawing d = draw(5, i, {.objects = 2});
    CAPTURE(i);
    REQUIRE(d.objects.size() == 2);
    CHECK(d.objects[0].cls == class_of(i));
    CHECK(d.objects[0].cls != d.objects[1].cls);
    others.insert(d.objects[1].cls);
    double both = 0;
    for (size_t p = 0; p < d.objects[0].mask.size(); ++p)
      both += std::min(d.objects[0].mask[p], d.objects[1].mask[p]) / 255.0;
    for (const Object& o : d.objects) {
      CHECK(area(o.mask) > 0.01 * kSize * kSize);
      CHECK(both < 0.05 * area(o.mask));
    }
  }
  CHECK(static_cast<int64_t>(others.size()) == kClasses);
}

TEST_CASE("classes take turns, and the background says nothing about the class") {
  constexpr int64_t kEach = 240;
  constexpr size_t kKinds = std::size(kBackgrounds);
  std::vector<std::array<double, kKinds>> counts(static_cast<size_t>(kClasses));
  for (int64_t i = 0; i < kEach * kClasses; ++i) {
    const Drawing d = draw(6, i, {.masks = false});
    REQUIRE(d.objects[0].cls == i % kClasses);
    ++counts[static_cast<size_t>(i % kClasses)][static_cast<size_t>(d.background)];
  }
  // Pearson's chi-square against all kinds being equally likely for every class: 14·5 degrees of freedom, of
  // which 1 in 1000 fair draws exceeds 112.3.
  double chi_square = 0;
  constexpr double kExpected = static_cast<double>(kEach) / kKinds;
  for (const auto& row : counts)
    for (const double n : row) chi_square += (n - kExpected) * (n - kExpected) / kExpected;
  REQUIRE(kClasses == 14);
  CHECK(chi_square < 112.3);
  std::set<std::string_view> names;
  for (const Background b : kBackgrounds) names.insert(background_name(b));
  CHECK(names.size() == kKinds);
}

TEST_CASE("an occluder covers no more than it may") {
  constexpr std::string_view kWhole[] = {"whole"};
  int some = 0;
  for (uint64_t i = 0; i < 400; ++i) {
    const Random random = Random(i);
    Canvas canvas({}, true);
    canvas.begin_object(0, kWhole);
    canvas.set_frame(Frame({random("x", 15, 49), random("y", 15, 49)}, 1));
    canvas.paint("whole", circle({0, 0}, random("radius", 8, 24)), {});
    canvas.end_object();
    const double before = area(canvas.objects()[0].mask);
    paint_occluder(canvas, random);
    const Object after = canvas.objects()[0];
    CHECK(area(after.mask) > (1 - kMostCovered - 0.005) * before);
    REQUIRE(after.parts.size() == 1);
    CHECK(after.parts[0].mask == after.mask);
    some += area(after.mask) < 0.99 * before;
  }
  CHECK(some > 40);
  CHECK(some < 200);
}

TEST_CASE("what is painted covers what is beneath; a marking belongs to it") {
  constexpr std::string_view kParts[] = {"left", "right"};
  Canvas canvas({}, true);
  canvas.begin_object(0, kParts);
  const auto square = [](float x0, float x1) { return polygon({{x0, 10}, {x1, 10}, {x1, 20}, {x0, 20}}); };
  const auto areas = [&] {
    const Object o = canvas.objects()[0];
    std::vector<int> a{static_cast<int>(area(o.mask))};
    for (const Part& p : o.parts) a.push_back(static_cast<int>(area(p.mask)));
    return a;
  };
  canvas.paint("left", square(10, 30), {});
  CHECK(areas() == std::vector{200, 200});
  canvas.paint("right", square(20, 40), {});
  CHECK(areas() == std::vector{300, 100, 200});
  canvas.mark(square(10, 15), {});
  CHECK(areas() == std::vector{300, 100, 200});
  canvas.paint("", square(10, 15), {});
  CHECK(areas() == std::vector{300, 50, 200});
  CHECK_THROWS_AS(canvas.paint("middle", square(0, 1), {}), Error);
  canvas.end_object();
  canvas.mark(square(0, 15), {});
  CHECK(areas() == std::vector{250, 0 + 50 - 0, 200});
}

TEST_CASE("distances from shapes") {
  const auto at = [](const Shape& s, Vec2 p) {
    float d;
    s.distances(&p.x, &p.y, 1, &d);
    return static_cast<double>(d);
  };
  const Shape square = polygon({{-1, -1}, {1, -1}, {1, 1}, {-1, 1}});
  CHECK(at(circle({1, 0}, 2), {4, 4}) == doctest::Approx(3));
  CHECK(at(circle({1, 0}, 2), {1, 0.5f}) == doctest::Approx(-1.5));
  CHECK(at(ellipse({0, 0}, {3, 1}, 90), {0, 3}) == doctest::Approx(0));
  CHECK(at(limb({{{0, 0}, 1}, {{4, 0}, 1}}), {2, 3}) == doctest::Approx(2));
  CHECK(at(limb({{{0, 0}, 1}, {{4, 0}, 2}}), {2, 0}) == doctest::Approx(-1.5));
  CHECK(at(square, {0.5f, 0}) == doctest::Approx(-0.5));
  CHECK(at(square, {4, 5}) == doctest::Approx(5));
  CHECK(at(grow(square, 0.5f), {2, 0}) == doctest::Approx(0.5));
  CHECK(at(square | circle({5, 0}, 1), {4, 0}) == doctest::Approx(0));
  CHECK(at(square - circle({1, 0}, 0.5f), {1, 0}) == doctest::Approx(0.5));
  CHECK(at(square & circle({1, 0}, 0.5f), {1, 0}) == doctest::Approx(0));
  CHECK(at(blend(2, {square, circle({2.5f, 0}, 1)}), {1.25f, 0}) == doctest::Approx(-0.25));
  CHECK(at(place(square, {10, 0}, 45, 2), {10, 0}) == doctest::Approx(-2));
  CHECK(at(place(square, {10, 0}, 45, 2), {10, 2 * 1.41421356f}) == doctest::Approx(0));
  const Box box = (square | circle({5, 0}, 1)).extent(Frame({0, 0}, 2, 90));
  CHECK(box.low.x == doctest::Approx(-2));
  CHECK(box.high.y == doctest::Approx(12));
}

TEST_CASE("sines as the C library's") {
  for (float a = -800; a < 800; a += 7.3f) {
    const double radians = static_cast<double>(a) * 3.14159265358979323846 / 180;
    CHECK(std::fabs(static_cast<double>(sine(a)) - std::sin(radians)) < 1e-7);
    CHECK(std::fabs(static_cast<double>(cosine(a)) - std::cos(radians)) < 1e-5);  // a + 90 is rounded
  }
}

TEST_CASE("what there is not") {
  CHECK_THROWS_AS(draw(0, -1), UsageError);
  CHECK_THROWS_AS(draw(0, 0, {.objects = 0}), UsageError);
  CHECK_THROWS_AS(draw(0, 0, {.objects = 3}), UsageError);
  CHECK_THROWS_AS(part_names(-1), UsageError);
  CHECK_THROWS_AS(part_names(kClasses), UsageError);
}

TEST_CASE("zoo render writes what draw() draws, and a line about each") {
  const Folder folder;
  const Said said = test::loupe(
      {"zoo", "render", "--out", folder / "out", "--count", "3", "--seed", "9", "--objects", "2", "--sheet"});
  CAPTURE(said.err);
  REQUIRE(said.status == 0);
  std::istringstream manifest(test::read_text(folder / "out/manifest.jsonl"));
  std::set<std::string> named{"manifest.jsonl", "sheet.png"}, present;
  int64_t index = 0;
  for (std::string line; std::getline(manifest, line); ++index) {
    const auto j = nlohmann::json::parse(line);
    const Drawing d = draw(9, index, {.objects = 2});
    const auto mask = [&](const std::string& name) {
      named.insert(name);
      const Image image = read_image(folder / ("out/" + name));
      Mask m;
      for (size_t i = 0; i < image.rgb.size(); i += 3) m.push_back(image.rgb[i]);
      return m;
    };
    named.insert(j["file"]);
    CHECK(read_image(folder / ("out/" + std::string(j["file"]))).rgb == d.image.rgb);
    CHECK(j["class"] == labels()[static_cast<size_t>(index)]);
    CHECK(j["background"] == background_name(d.background));
    CHECK(j["seed"] == 9);
    CHECK(j["index"] == index);
    REQUIRE(j["objects"].size() == 2);
    for (size_t o = 0; o < 2; ++o) {
      CHECK(j["objects"][o]["class_index"] == d.objects[o].cls);
      CHECK(mask(j["objects"][o]["mask"]) == d.objects[o].mask);
      CHECK(j["objects"][o]["parts"].size() == d.objects[o].parts.size());
      for (const Part& p : d.objects[o].parts) CHECK(mask(j["objects"][o]["parts"][p.name]) == p.mask);
    }
  }
  CHECK(index == 3);
  for (const auto& entry : std::filesystem::directory_iterator(folder / "out"))
    present.insert(entry.path().filename());
  CHECK(present == named);
}

TEST_CASE("zoo render refuses in one line, and leaves nothing behind") {
  const Folder folder;
  const auto refused = [&](std::vector<std::string> words, int status, const std::string& part) {
    words.insert(words.begin(), {"zoo", "render"});
    const Said said = test::loupe(words);
    CAPTURE(said.err);
    CHECK(said.status == status);
    CHECK(said.out.empty());
    CHECK(std::ranges::count(said.err, '\n') == 1);
    CHECK(said.err.find(part) != std::string::npos);
    CHECK(!std::filesystem::exists(folder / "out"));
  };
  const std::string out = folder / "out";
  refused({}, 2, "--out");
  refused({"--out", out, "--count", "0"}, 2, "--count");
  refused({"--out", out, "--count", "-5"}, 2, "--count");
  refused({"--out", out, "--seed", "-1"}, 2, "--seed");
  refused({"--out", out, "--objects", "3"}, 2, "--objects");
  refused({"--out", out, "--cuont", "3"}, 2, "did you mean '--count'");
  refused({"--out", out, "more"}, 2, "'more' is one word too many");
  test::write_text(folder / "file", "");
  refused({"--out", folder / "file"}, 1, "is a file");
  refused({"--out", folder / "file/out"}, 1, "cannot write to the output folder");
}

}  // namespace loupe::zoo
