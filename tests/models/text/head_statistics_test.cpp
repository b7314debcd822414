// Statistics of heads against the patterns that the model hands out, for any batch; and where tokens stood before.
#include "models/text/head_statistics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <utility>

#include "tests/support/text_models.h"

namespace loupe::test {

TEST_CASE("where tokens stood before") {
  using Places = std::vector<int32_t>;
  CHECK(earlier_positions(Ids{5, 6, 7}) == Places{-1, -1, -1});
  CHECK(earlier_positions(Ids{5, 6, 5, 6}) == Places{-1, -1, 0, 1});
  CHECK(earlier_positions(Ids{5, 5, 6, 5, 5, 6}) ==
        Places{-1, -1, -1, 0, 1, 2});  // the period, not the last place
  CHECK(earlier_positions(Ids{5, 6, 5, 7, 5}) == Places{-1, -1, 0, -1, 2});
  CHECK(earlier_positions(Ids{5, 6, 7, 5, 6}) == Places{-1, -1, -1, 0, 1});  // no period within half
  CHECK(earlier_positions(Ids{4, 4, 4}) == Places{-1, 0, 1});
  CHECK(earlier_positions(Ids{1}) == Places{-1});
}

TEST_CASE("statistics are those of the patterns") {
  const std::vector<Ids> sequences{{3, 9, 4, 3, 9, 4}, {1, 2, 28}, {7, 0, 7, 7, 20, 7}};
  for (const Device device : {Device::ref(), Device::cpu()})
    for (const std::string name : {"llama", "gpt2", "bert"}) {
      TextModel model = load_text(kTextFixtures + name, device);
      const TextConfig& c = model.config;
      CAPTURE(name);
      StatisticsChoice choice{.sets = {{0, 1, 0, 1, 0, 1}, {0, 0, 1}, {1, 1, 1, 0, 0, 0}}, .set_count = 2};
      const HeadStatistics all = head_statistics(model, sequences, choice);
      double worst = 0;
      const auto compare = [&](double got, double wanted) {
        worst = std::max(worst, std::abs(got - wanted));
      };
      // The same by hand, from one sequence's pattern at a time.
      for (int64_t l = 0; l < c.layers; ++l)
        for (int64_t h = 0; h < c.heads; ++h) {
          double previous = 0, induction = 0, entropy = 0, set = 0, offset = 0;
          int64_t with_earlier = 0;
          for (size_t n = 0; n < sequences.size(); ++n) {
            const auto inputs = model.inputs(std::vector<Ids>{sequences[n]});
            const Port port{model.block(l, "attention"), 1};
            Execution& run = model.network.execution(shapes_of(inputs), {.values = {port}});
            run.forward(inputs);
            const Tensor p = run.value(port).row(0).row(h);
            const auto length = std::ssize(sequences[n]);
            const auto earlier = earlier_positions(sequences[n]);
            double mine = 0, count = 0;
            for (int64_t i = 0; i < length; ++i) {
              const auto share = 1.0 / static_cast<double>(length);
              for (int64_t j = 0; j < length; ++j) {
                const double mass = p.item(i * length + j);
                if (mass > 0) entropy -= share * mass * std::log(mass) / 3;
                if (choice.sets[n][static_cast<size_t>(j)] == 1) set += share * mass / 3;
              }
              if (i > 0) previous += p.item(i * length + i - 1) / static_cast<double>(length - 1) / 3;
              if (const int64_t e = earlier[static_cast<size_t>(i)]; e >= 0)
                mine += e + 1 < length ? p.item(i * length + e + 1) : 0, ++count;
              if (i >= 2) offset += p.item(i * length + i - 2) / static_cast<double>(length - 2) / 3;
            }
            if (count > 0) induction += mine / count, ++with_earlier;
          }
          const auto at = [&](const HeadStatistics::Scores& s) {
            return s[static_cast<size_t>(l)][static_cast<size_t>(h)];
          };
          compare(at(all.of(Statistic::previous)), previous);
          compare(at(all.of(Statistic::induction)), induction / static_cast<double>(with_earlier));
          compare(at(all.of(Statistic::entropy)), entropy);
          compare(at(all.sets[1]), set);
          compare(at(all.sets[0]) + at(all.sets[1]), 1);
          compare(all.profile[static_cast<size_t>(l)][static_cast<size_t>(h)][2 + 5], offset);
        }
      CHECK(worst < 2e-6);  // float32 patterns of a few tokens
      if (name == "bert") {
        CHECK(all.losses == std::vector<std::vector<double>>(3));
        continue;
      }
      for (size_t n = 0; n < sequences.size(); ++n) {
        const auto inputs = model.inputs(std::vector<Ids>{sequences[n]});
        Execution& run = model.network.execution(shapes_of(inputs), {.values = {model.node("logits")}});
        run.forward(inputs);
        const auto wanted = next_token_losses(run.value(model.node("logits")).row(0), sequences[n]);
        REQUIRE(all.losses[n].size() == wanted.size());
        for (size_t i = 0; i < wanted.size(); ++i)
          CHECK(all.losses[n][i] == doctest::Approx(wanted[i]).epsilon(1e-5));
        // A sequence by itself has the bits that it has among others.
        CHECK(head_statistics(model, std::vector<Ids>{sequences[n]}).losses[0] == all.losses[n]);
      }
    }
}

TEST_CASE("losses of more tokens than are multiplied at once") {
  std::vector<float> table;
  for (int64_t i = 0; i < 40 * 16; ++i) table.push_back(static_cast<float>(i * 37 % 19 - 9) / 9);
  const std::vector<float> ones(16, 1.0f);
  TextModel model =
      text_model("made", attention_only(0, 40, 400, 16, 1),
                 {{"embedding.tokens.weight", Tensor::from(std::span(std::as_const(table)), {40, 16})},
                  {"logits.weight", Tensor::from(std::span(std::as_const(table)), {40, 16})},
                  {"norm.weight", Tensor::from(std::span(ones), {16})}},
                 Device::cpu());
  Ids ids;
  for (int32_t i = 0; i < 300; ++i) ids.push_back(i * 7 % 40);
  const auto inputs = model.inputs(std::vector<Ids>{ids});
  Execution& run =
      model.network.execution(shapes_of(inputs), {.values = {model.node("logits"), model.node("norm")}});
  run.forward(inputs);
  const auto wanted = next_token_losses(run.value(model.node("logits")).row(0), ids),
             got = losses_of_stream(model, run.value(model.node("norm")).row(0), ids);
  REQUIRE(got.size() == 299);
  for (size_t i = 0; i < got.size(); ++i) CHECK(got[i] == doctest::Approx(wanted[i]).epsilon(1e-6));
}

TEST_CASE("sets that do not fit are one line") {
  TextModel model = load_text(kTextFixtures + "llama", Device::cpu());
  const std::vector<Ids> sequences{{3, 9}};
  CHECK_THROWS_WITH_AS(head_statistics(model, sequences, {.set_count = 9}),
                       doctest::Contains("at most 8 sets"), UsageError);
  CHECK_THROWS_WITH_AS(head_statistics(model, sequences, {.sets = {{0}}, .set_count = 1}),
                       doctest::Contains("each token"), UsageError);
  CHECK_THROWS_WITH_AS(head_statistics(model, std::vector<Ids>{{3, 29}}), doctest::Contains("token 29"),
                       UsageError);
}

}  // namespace loupe::test
