// What `loupe train induction` learns from, how it scores, and the model that the program carries.
#include <doctest/doctest.h>

#include <algorithm>

#include "models/text/induction_data.h"
#include "models/text/induction_scores.h"
#include "models/text/sentences.h"

namespace loupe::test {
namespace {

TEST_CASE("sequences: repeats repeat, targets are the next tokens, and what is held out stays the same") {
  const InductionData data(zoo_sentences(1, 20'000), 32, 8, 4), other(zoo_sentences(1, 20'000), 32, 8, 5);
  const Batch b = data.batch(7);
  REQUIRE(b.input.shape() == Shape{8, 32});
  REQUIRE(b.classes.size() == 8 * 32);
  int64_t repeats = 0;
  for (int64_t n = 0; n < 8; ++n) {
    const auto ids = b.input.row(n).values<const int32_t>();
    for (size_t l = 0; l + 1 < 32; ++l) CHECK(b.classes[static_cast<size_t>(n) * 32 + l] == ids[l + 1]);
    for (size_t period = 8; period <= 16; ++period)
      if (std::equal(ids.begin() + static_cast<ptrdiff_t>(period), ids.end(), ids.begin())) {
        ++repeats;
        break;
      }
  }
  CHECK(repeats == 6);
  const Batch again = data.batch(7);
  CHECK(again.classes == b.classes);
  CHECK(data.batch(8).classes != b.classes);
  CHECK(other.batch(7).classes != b.classes);
  CHECK(data.held_out(6) == other.held_out(6));
  for (const Ids& ids : InductionData::repeats(3, 32))
    CHECK(std::equal(ids.begin() + 16, ids.end(), ids.begin()));
}

TEST_CASE("the criterion takes a head and a gain; scores survive their file") {
  InductionScores s{
      .step = 50, .first = 5, .second = 4.5, .heads = {{.layer = 1, .head = 2, .prefix_matching = 0.5}}};
  CHECK(!has_induction(s));
  s.second = 3;
  CHECK(has_induction(s));
  s.heads[0].prefix_matching = 0.39;
  CHECK(!has_induction(s));
  CHECK(!has_induction({.first = 5, .second = 1}));  // no head
  s.heads[0].prefix_matching = 0.75;
  s.patterns = {0, 255, 17};
  const InductionScores back = parse_scores(scores_line(s));
  CHECK(back.patterns == s.patterns);
  CHECK(back.best()->name() == "L1H2");
  InductionScores later = s;
  later.step = 100;
  CHECK(formed_at({s, later}) == 50);
  later.second = 5;
  CHECK(!formed_at({s, later}));
  CHECK(late_and_early(64) == std::pair<int64_t, int64_t>{62, 6});
}

TEST_CASE("the model that the program carries has induction heads") {
  const auto names = built_in_texts();
  if (std::ranges::count(names, "induction2") == 0) {
    MESSAGE("left out: this build carries no induction2");
    return;
  }
  TextModel model = load_text_named("induction2", Device::cpu());
  CHECK(model.config.layers == 2);
  const InductionData data(zoo_sentences(1, 400'000), model.config.positions, 32, 1);
  const InductionScores s = induction_scores(model, data, 0);
  CHECK(has_induction(s));
  CHECK(s.best()->layer == 1);
  CHECK(s.best()->copying > 0.9);
  double previous = 0;  // what the induction head reads is written by a head of the layer before
  for (const HeadScores& h : s.heads)
    if (h.layer == 0) previous = std::max(previous, h.previous_token);
  CHECK(previous > 0.4);
  CHECK(s.in_context < -2);
  CHECK_THROWS_AS(load_text_named("induction9", Device::cpu()), Error);
}

}  // namespace
}  // namespace loupe::test
