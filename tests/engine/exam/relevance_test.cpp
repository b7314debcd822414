// What a method says about each pixel, as one number.
#include <doctest/doctest.h>

#include "engine/exam/relevance.h"
#include "tests/support/pictures.h"
#include "tests/support/planes.h"

namespace loupe::test {

using Style = Picture::Style;

TEST_CASE("relevance: each style makes one number a pixel of its channels") {
  const Tensor map = tensor({1, -5, 2, 0, 3, 0, -4, 0, -1, 1, 1, 0}, {3, 2, 2});  // (1,3,-1) (-5,0,1) …
  const auto of = [&](Style style) { return relevance({"m", map, {.style = style}, ""}, 2, 2).values; };
  CHECK(of(Style::magnitude) == std::vector<double>{3, 5, 4, 0});
  CHECK(of(Style::reconstruction) == std::vector<double>{3, 5, 4, 0});
  CHECK(of(Style::contribution) == std::vector<double>{3, -4, -1, 0});
  CHECK(of(Style::evidence) == std::vector<double>{3, 0, 0, 0});
  const Map from_least{"m", map, {.style = Style::evidence, .from_least = true}, ""};
  CHECK(relevance(from_least, 2, 2).values == std::vector<double>{7, 0, 3, 4});
}

TEST_CASE("relevance: a grid says where the cells of a coarse map lie") {
  const Tensor map = tensor({0, 0, 0, 8}, {2, 2});
  const Map evidence{"m", map, {.style = Style::evidence, .grid = Grid{1, 1, 4, 4}}, ""};
  const Plane p = relevance(evidence, 7, 7);
  CHECK(p.at(5, 5) == 8);
  CHECK(p.at(6, 6) == 8);  // beyond the last cell its value holds
  CHECK(p.at(1, 1) == 0);
  CHECK(p.at(3, 5) == 4);  // half way between cells of 0 and 8
  CHECK(p.at(5, 1) == 0);
  // Without one, cells divide the picture evenly.
  const Plane even = relevance({"m", map, {.style = Style::evidence}, ""}, 6, 6);
  CHECK(even.at(4, 4) == 8);
  CHECK(even.at(1, 1) == 0);
}

TEST_CASE("relevance: the map to score is the first that is not a level") {
  const Tensor one = tensor({1}, {1, 1});
  const Map level{"level", one, {.style = Style::level}, ""},
      share_map{"share", one, {.style = Style::contribution}, ""},
      second{"second", one, {.style = Style::evidence}, ""};
  CHECK(scored_map({{level, share_map, second}, {}})->name == "share");
  CHECK(scored_map({{level}, {}}) == nullptr);
  CHECK(scored_map({}) == nullptr);
}

TEST_CASE("relevance: a value that is not finite is an error that names the map") {
  for (const double bad : {double{NAN}, double{INFINITY}, -double{INFINITY}}) {
    const Map map{"cam", tensor({1, bad, 0, 0}, {2, 2}), {.style = Style::evidence}, ""};
    CHECK(contains(error_of([&] { relevance(map, 2, 2); }), "'cam'"));
  }
}

}  // namespace loupe::test
