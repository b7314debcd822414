// Metrics of where a map is large, against figures computed by hand, and against what must hold for any map.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/exam/energy.h"
#include "engine/exam/iou.h"
#include "engine/exam/maxima.h"
#include "engine/exam/parts.h"
#include "engine/exam/pointing.h"
#include "engine/exam/two_objects.h"
#include "tests/support/planes.h"

namespace loupe::test {

using doctest::Approx;

TEST_CASE("distance: Euclidean, to the nearest pixel, up to a limit") {
  const Region r = region({"....", "....", "...#"});
  CHECK(distance(r, 2, 3, 0) == 0);
  CHECK(distance(r, 2, 1, 2) == 2);
  CHECK(std::isinf(distance(r, 2, 1, 1.99)));
  CHECK(distance(r, 1, 2, 4) == Approx(std::sqrt(2)));
  CHECK(distance(r, 0, 0, 4) == Approx(std::sqrt(13)));
  CHECK(std::isinf(distance(r, 0, 0, 3)));
  CHECK(std::isinf(distance(region({"..", ".."}), 0, 0, 100)));
}

TEST_CASE("pointing: the maximum is on the object, or near enough") {
  const Region object = region({"....", ".##.", "...."});
  const auto at = [&](int64_t place, double tolerance) {
    Plane p = plane_of(3, 4, std::vector<double>(12, -1.0));
    p.values[static_cast<size_t>(place)] = 0.5;
    return pointing(p, object, tolerance);
  };
  CHECK(at(5, 0) == 1);
  CHECK(at(6, 0) == 1);
  CHECK(at(7, 0) == 0);
  CHECK(at(7, 1) == 1);
  CHECK(at(11, 1) == 0);  // diagonal: √2 away
  CHECK(at(11, 1.5) == 1);
}

TEST_CASE("pointing: where several pixels are the maximum, each has its share") {
  const Region object = region({"#...", "....", "...."});
  CHECK(pointing(plane_of(3, 4, std::vector<double>(12, 7.0)), object, 0) == Approx(1.0 / 12));
  CHECK(pointing(plane_of(3, 4, std::vector<double>(12, 0.0)), object, 1) == Approx(3.0 / 12));
  CHECK(pointing(plane_of(3, 4, {2, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1}), object, 0) == 0.5);
  CHECK(pointing(plane_of(region({"...#", "....", "...."})), object, 0) == 0);
}

TEST_CASE("energy: the share of positive values") {
  const Region object = region({"##", ".."});
  CHECK(energy(plane_of(2, 2, {3, -9, 1, 0}), object) == 0.75);
  CHECK(energy(plane_of(2, 2, {0, 0, 5, 1}), object) == 0);
  CHECK(energy(plane_of(2, 2, {1, 0, 0, 0}), object) == 1);
  CHECK(energy(plane_of(2, 2, {2, 2, 2, 2}), object) == 0.5);
  // A map that says nothing scores as an even one does.
  CHECK(energy(plane_of(2, 2, {0, 0, 0, 0}), object) == 0.5);
  CHECK(energy(plane_of(2, 2, {-1, -2, -3, -4}), object) == 0.5);
}

TEST_CASE("IoU: by hand") {
  const Region object = region({"##..", "...."});
  CHECK(best_iou(plane_of(2, 4, {9, 8, 7, 0, 0, 0, 0, 0}), object) == 1);
  CHECK(best_iou(plane_of(2, 4, {7, 9, 8, 0, 0, 0, 0, 0}), object) == Approx(2.0 / 3));
  CHECK(best_iou(plane_of(2, 4, {1, 9, 1, 1, 1, 1, 1, 1}), object) == 0.5);   // one pixel of two
  CHECK(best_iou(plane_of(2, 4, {5, 5, 5, 5, 5, 5, 5, 5}), object) == 0.25);  // all or nothing
  CHECK(best_iou(plane_of(2, 4, {5, 5, 5, 5, 0, 0, 0, 0}), object) == 0.5);
  CHECK(best_iou(plane_of(2, 4, {5, 5, 5, 5, 0, 0, 0, 0}), region({"....", "...."})) == 0);
}

TEST_CASE("IoU: no threshold does better") {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Plane map = tied_noise(5, 6, seed);
    const Region object = random_region(5, 6, seed + 1000);
    double best = 0;
    for (const double threshold : map.values) {
      int64_t both = 0, either = 0;
      for (size_t i = 0; i < map.values.size(); ++i) {
        both += map.values[i] >= threshold && object.inside[i];
        either += map.values[i] >= threshold || object.inside[i];
      }
      best = std::max(best, static_cast<double>(both) / static_cast<double>(either));
    }
    CHECK(best_iou(map, object) == best);
  }
}

TEST_CASE("parts: any of them, and which") {
  const std::vector<NamedRegion> parts{{"beak", region({"#...", "....", "...."})},
                                       {"legs", region({"....", "....", "..##"})}};
  const auto at = [&](int64_t place, double tolerance) {
    Plane p = plane_of(3, 4, std::vector<double>(12, 0.0));
    p.values[static_cast<size_t>(place)] = 1;
    return part_hits(p, parts, tolerance);
  };
  CHECK(at(0, 0).any == 1);
  CHECK(at(0, 0).each == std::vector<double>{1, 0});
  CHECK(at(11, 0).each == std::vector<double>{0, 1});
  CHECK(at(1, 0).any == 0);
  CHECK(at(1, 1).each == std::vector<double>{1, 0});
  for (uint64_t seed = 0; seed < 20; ++seed) {  // any part is what is in their union
    const std::vector<NamedRegion> some{{"a", random_region(5, 6, seed)},
                                        {"b", random_region(5, 6, seed + 99)}};
    Region all = some[0].region;
    for (size_t i = 0; i < all.inside.size(); ++i) all.inside[i] |= some[1].region.inside[i];
    const Plane map = tied_noise(5, 6, seed + 7);
    CHECK(part_hits(map, some, 1).any == pointing(map, all, 1));
    CHECK(part_hits(map, some, 1).each[1] == pointing(map, some[1].region, 1));
  }
}

TEST_CASE("two objects: the nearer one counts, if it is near enough") {
  const Region own = region({"#......"}), other = region({"....#.."});
  const auto at = [&](int64_t place, double tolerance) {
    Plane p = plane_of(1, 7, std::vector<double>(7, 0.0));
    p.values[static_cast<size_t>(place)] = 1;
    const Sides s = sides(p, own, other, tolerance);
    return std::pair(s.own, s.other);
  };
  using Pair2 = std::pair<double, double>;
  CHECK(at(0, 0) == Pair2{1, 0});
  CHECK(at(4, 0) == Pair2{0, 1});
  CHECK(at(1, 0) == Pair2{0, 0});
  CHECK(at(1, 3) == Pair2{1, 0});
  CHECK(at(2, 3) == Pair2{0, 0});  // in the middle
  CHECK(at(6, 1) == Pair2{0, 0});  // near neither
  CHECK(at(6, 2) == Pair2{0, 1});
  for (uint64_t seed = 0; seed < 20; ++seed) {  // to the other it is the other way round
    const Region a = random_region(5, 6, seed), b = random_region(5, 6, seed + 50);
    const Plane map = tied_noise(5, 6, seed);
    CHECK(sides(map, a, b, 2).own == sides(map, b, a, 2).other);
    CHECK(sides(map, a, b, 2).own + sides(map, a, b, 2).other <= 1);
    CHECK(sides(map, a, a, 2).own == 0);
  }
}

TEST_CASE("where: what must hold for any map") {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Plane map = tied_noise(6, 7, seed);
    const Region object = random_region(6, 7, seed + 500);
    for (const double tolerance : {0.0, 1.0, 2.0}) {
      // Scale and monotone changes do not matter to what looks at order alone.
      const Plane bent = each(map, [](double v) { return std::exp(v) - 5; });
      CHECK(pointing(bent, object, tolerance) == pointing(map, object, tolerance));
      CHECK(best_iou(bent, object) == best_iou(map, object));
      // A map that prefers no place hits as often as chance does.
      const Plane even = each(map, [](double) { return 2.0; });
      CHECK(pointing(even, object, tolerance) == Approx(share(dilated(object, tolerance))));
      CHECK(energy(even, object) == Approx(share(object)));
      CHECK(best_iou(even, object) == Approx(share(object)));
    }
    CHECK(energy(each(map, [](double v) { return 3 * v; }), object) == Approx(energy(map, object)));
    if (object.count() == 0) continue;
    CHECK(pointing(plane_of(object), object, 0) == 1);
    CHECK(energy(plane_of(object), object) == 1);
    CHECK(best_iou(plane_of(object), object) == 1);
  }
}

}  // namespace loupe::test
