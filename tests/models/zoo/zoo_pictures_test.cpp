// The zoo's pictures as networks take them, and what a network's test on them counts.
// ctest: LABELS big
#include "models/zoo/pictures.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/image/preprocess.h"
#include "models/models.h"
#include "tests/support/command.h"

namespace loupe::zoo {
namespace {

using nlohmann::json;
using test::loupe;
using test::Said;

const auto kClasses = std::ssize(labels());

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

Said zoo_test(const std::vector<std::string>& more) {
  std::vector<std::string> words{"zoo", "test"};
  words.insert(words.end(), more.begin(), more.end());
  return loupe(words);
}

}  // namespace

TEST_CASE("a picture in a batch is what preprocess() makes of it, to the bit") {
  const Preprocessing how = models::build("zoo").preprocessing;
  const Batch b = batch(11, 20, 15, how);
  REQUIRE(b.input.shape() == Shape{15, 3, kSize, kSize});
  REQUIRE(b.classes.size() == 15);
  for (int64_t i = 0; i < 15; ++i) {
    const Drawing drawing = draw(11, 20 + i);
    CHECK(b.classes[static_cast<size_t>(i)] == drawing.objects[0].cls);
    CHECK(same_bits(b.input.row(i), preprocess(drawing.image, how).row(0)));
  }
}

TEST_CASE("batches are balanced, and follow on from one another") {
  const Preprocessing how = models::build("zoo").preprocessing;
  const Batch all = batch(3, 5, 3 * kClasses, how), later = batch(3, 5 + kClasses, kClasses, how);
  for (int64_t c = 0; c < kClasses; ++c) CHECK(std::ranges::count(all.classes, c) == 3);
  for (int64_t i = 0; i < kClasses; ++i) {
    CHECK(all.classes[static_cast<size_t>(kClasses + i)] == later.classes[static_cast<size_t>(i)]);
    CHECK(same_bits(all.input.row(kClasses + i), later.input.row(i)));
  }
}

TEST_CASE("the sets that training draws from are all different, and none that a person would type") {
  std::set<uint64_t> sets;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const uint64_t set = training_set(seed);
    CHECK(set >= uint64_t{1} << 62);
    sets.insert(set);
  }
  CHECK(sets.size() == 2000);
  // --seed of `loupe zoo` and of its test ends at 2⁶³ − 1, so that these can be drawn on purpose only.
  CHECK(!same_bits(batch(training_set(1), 0, 1, {}).input, batch(1, 0, 1, {}).input));
}

TEST_CASE("a test counts what the network says, whatever the batch, and the JSON is consistent") {
  constexpr int64_t kCount = 33;
  ImageModel network = models::load("zoo", "formula", Device::cpu());
  const Verdicts v = zoo::test(network, 9, kCount, {}, [](double) {});
  REQUIRE(v.said.size() == kCount);
  int64_t right = 0;
  std::vector<std::vector<int64_t>> called(labels().size(), std::vector<int64_t>(labels().size()));
  for (int64_t i = 0; i < kCount; ++i) {
    const Tensor x = preprocess(draw(9, i).image, network.preprocessing);
    const int64_t said = Target(top1).classes(network.logits(x))[0];
    CHECK(v.said[static_cast<size_t>(i)] == said);
    ++called[static_cast<size_t>(class_of(i))][static_cast<size_t>(said)];
    right += said == class_of(i);
  }
  CHECK(v.called == called);
  CHECK(v.right() == right);

  const std::vector<std::string> words{"--weights", "formula", "--device", "cpu",   "--seed",
                                       "9",         "--count", "33",       "--json"};
  const Said said = zoo_test(words);
  REQUIRE_MESSAGE(said.status == 0, said.err);
  const json test = json::parse(said.out);
  CHECK(test["network"] == "zoo");
  CHECK(test["count"] == kCount);
  CHECK(test["seed"] == 9);
  const double accuracy = static_cast<double>(right) / kCount;
  CHECK(test["accuracy"].get<double>() == doctest::Approx(accuracy));
  CHECK(test["standard_error"].get<double>() ==
        doctest::Approx(std::sqrt(accuracy * (1 - accuracy) / kCount)));
  const Verdicts swapped = zoo::test(network, 9, kCount, {.swap_background = 10}, [](double) {});
  CHECK(test["swapped_accuracy"].get<double>() == doctest::Approx(swapped.accuracy()));
  int64_t same = 0;
  for (size_t i = 0; i < kCount; ++i) same += v.said[i] == swapped.said[i];
  CHECK(test["same_answer"].get<double>() == doctest::Approx(static_cast<double>(same) / kCount));
  REQUIRE(std::ssize(test["classes"]) == kClasses);
  for (size_t c = 0; c < labels().size(); ++c) {
    const json& row = test["classes"][labels()[c]];
    int64_t all = called[c][c];
    for (const auto& [other, n] : row["taken_for"].items()) all += n.get<int64_t>();
    CHECK(all == kCount / kClasses + (static_cast<int64_t>(c) < kCount % kClasses));
    CHECK(row["accuracy"].get<double>() ==
          doctest::Approx(static_cast<double>(called[c][c]) / static_cast<double>(all)));
  }
  // The same with another number of threads.
  std::vector<std::string> threads = words;
  threads.insert(threads.end(), {"--threads", "1"});
  CHECK(zoo_test(threads).out == said.out);
}

TEST_CASE("tests that make no sense are refused in one line") {
  const auto refused = [](int status, const std::vector<std::string>& words,
                          const std::vector<std::string>& parts) {
    const Said said = zoo_test(words);
    CAPTURE(said.err);
    CHECK(said.status == status);
    CHECK(said.out.empty());
    CHECK(std::ranges::count(said.err, '\n') == 1);
    for (const std::string& part : parts) CHECK_MESSAGE(said.err.find(part) != std::string::npos, part);
  };
  for (const char* count : {"0", "-1", "-9223372036854775809", "1.5", "all", ""})
    refused(2, {"--weights", "formula", "--count", count}, {"--count"});
  refused(2, {"--weights", "formula", "--seed", "-1"}, {"--seed"});
  refused(2, {"--weights", "formula", "--threads", "0"}, {"--threads"});
  refused(2, {"--weights", "formula", "--device", "gpu"}, {"gpu"});
  refused(2, {"--network", "zooo"}, {"'zooo'", "'zoo'"});
  refused(2, {"--network", "alexnet"}, {"--weights", "alexnet"});
  refused(1, {"--weights", "none.safetensors"}, {"none.safetensors"});

  // A network of other classes, or one whose layers do not fit the zoo's size.
  ImageModel classes = models::load("zoo", "formula", Device::cpu(), {.classes = 13});
  CHECK_THROWS_WITH_AS(zoo::test(classes, 1, 14, {}, [](double) {}), doctest::Contains("13 classes"),
                       UsageError);
  ImageModel size = models::load("zoo_fc", "formula", Device::cpu(), {.height = 80, .width = 80});
  CHECK_THROWS_WITH_AS(zoo::test(size, 1, 14, {}, [](double) {}),
                       doctest::Contains("64×64 pixels: node 'classifier.0'"), UsageError);
  ImageModel network = models::load("zoo", "formula", Device::cpu());
  for (const int64_t count : {0, -5})
    CHECK_THROWS_WITH_AS(zoo::test(network, 1, count, {}, [](double) {}), doctest::Contains("at least one"),
                         UsageError);
}

}  // namespace loupe::zoo
