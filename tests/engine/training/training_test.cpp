// Training: gradients of a whole small network, the optimisers' loop, going on bit for bit, and what stops
// it.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/training/telemetry.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/dropout/dropout.h"
#include "models/io/checkpoint.h"
#include "models/io/safetensors.h"
#include "tests/support/command.h"
#include "tests/support/training.h"

namespace loupe::test {
namespace {

TEST_CASE("every parameter's gradient of a whole network agrees with finite differences") {
  const auto weights = initial_weights(small_graph(), 3);
  const Batch batch = small_batch(0);
  Pass pass(Device::ref(), weights);
  pass.loss(batch);
  const auto gradients = pass.gradients;
  size_t learned = 0, compared = 0, kinks = 0;
  const Graph graph = small_graph();
  for (NodeId p : graph.parameters()) learned += is_learned(graph.node(p).role);
  CHECK(gradients.size() == learned);
  for (const auto& [name, gradient] : gradients) {
    for (int64_t i = 0; i < gradient.numel(); i += std::max<int64_t>(1, gradient.numel() / 12)) {
      CAPTURE(name);
      CAPTURE(i);
      const auto loss_at = [&](double step) {
        Tensor moved = weights.at(name).to(Dtype::f64).clone();
        moved.values<double>()[static_cast<size_t>(i)] += step;
        pass.network.set_parameter(name, moved);
        pass.network.parameters_changed();
        return pass.loss(batch);
      };
      // Two steps: where a ReLU or a pool switches in between, they disagree, and neither is a derivative.
      const double h = 1e-5;
      const double wide = (loss_at(h) - loss_at(-h)) / (2 * h);
      const double narrow = (loss_at(h / 8) - loss_at(-h / 8)) / (h / 4);
      loss_at(0);
      ++compared;
      // The difference quotient's own error: h² of the third derivative, and rounding over h.
      const double bound = 1e-7 * (1 + std::abs(narrow));
      if (std::abs(wide - narrow) > bound) {
        ++kinks;
        continue;
      }
      CHECK(gradient.item(i) == doctest::Approx(narrow).epsilon(0).scale(1).epsilon(bound));
    }
  }
  MESSAGE(compared << " derivatives compared, " << kinks << " of them at a kink");
  CHECK(kinks * 20 < compared);
}

TEST_CASE("gradients on the cpu agree with the reference") { check_gradients(Device::cpu()); }

TEST_CASE("a network learns, with either optimizer, and reports how") {
  for (const auto optimizer : {TrainingSettings::Optimizer::sgd, TrainingSettings::Optimizer::adamw}) {
    CAPTURE(optimizer_name(optimizer));
    Trainer trainer = trainer_on(Device::cpu(), settings_of(optimizer));
    double first = 0, last = 0;
    for (int64_t step = 0; step < 40; ++step) {
      const StepReport r = trainer.step(small_batch(step, 32));
      if (step < 5) first += r.loss / 5;
      if (step >= 35) last += r.loss / 5;
      CHECK(r.step == step);
      CHECK(r.gradient_norm > 0);
      CHECK(r.parameter_norm > 0);
      CHECK(r.accuracy >= 0);
      REQUIRE(r.update_ratios.size() == 5);  // three convolutions, two linear layers
      REQUIRE(r.dead_relus.size() == 4);
      for (const auto& [name, ratio] : r.update_ratios) CHECK((ratio > 0 && ratio < 1));
      for (const auto& [name, share] : r.dead_relus) CHECK((share >= 0 && share < 1));
      const auto line = nlohmann::json::parse(telemetry_line(r));
      CHECK(line["step"] == step);
      CHECK(line["loss"].get<double>() == doctest::Approx(r.loss).epsilon(1e-4));
      CHECK(line["update_ratio"].contains("conv1"));
      CHECK(line["dead_relu"].contains("relu4"));
    }
    CHECK(last < first / 2);
  }
}

TEST_CASE("the reported update ratio and norms are those of the parameters") {
  Trainer trainer = trainer_on(Device::cpu(), settings_of(TrainingSettings::Optimizer::adamw));
  const auto before = trainer.parameters();
  const StepReport r = trainer.step(small_batch(0, 8));
  const auto after = trainer.parameters();
  double change = 0, size = 0, all = 0;
  const Graph graph = small_graph();
  for (NodeId p : graph.parameters())
    for (int64_t i = 0; i < graph.node(p).shape().numel(); ++i) {
      const Node& spec = graph.node(p);
      const double now = after.at(spec.name).item(i);
      if (is_learned(spec.role)) all += now * now;
      if (spec.name != "conv2.weight") continue;
      change += std::pow(now - before.at(spec.name).item(i), 2);
      size += now * now;
    }
  CHECK(r.parameter_norm == doctest::Approx(std::sqrt(all)).epsilon(1e-9));
  CHECK(r.update_ratios[1].name == "conv2");
  CHECK(r.update_ratios[1].value == doctest::Approx(std::sqrt(change / size)).epsilon(1e-9));
}

TEST_CASE("200 steps are the same bits as 100, a checkpoint, and 100 more") {
  const Folder folder;
  for (const auto optimizer : {TrainingSettings::Optimizer::sgd, TrainingSettings::Optimizer::adamw}) {
    TrainingSettings settings = settings_of(optimizer);
    settings.steps = 200;
    Trainer whole = trainer_on(Device::cpu(), settings), half = trainer_on(Device::cpu(), settings);
    for (int64_t step = 0; step < 200; ++step) whole.step(small_batch(step));
    for (int64_t step = 0; step < 100; ++step) half.step(small_batch(step));
    const std::string file = folder / "checkpoint.safetensors";
    write_checkpoint(file, {half.state(), {{"note", "half way"}}});
    const Checkpoint read = read_checkpoint(file);
    CHECK(read.settings == std::map<std::string, std::string>{{"note", "half way"}});
    check_same(read.state, half.state());
    Trainer rest = trainer_on(Device::cpu(), settings);
    rest.restore(read.state);
    for (int64_t step = 100; step < 200; ++step) rest.step(small_batch(step));
    check_same(whole.state(), rest.state());
  }
}

TEST_CASE("a loss or gradient that is not finite stops before the parameters change") {
  Trainer trainer = trainer_on(Device::cpu(), settings_of(TrainingSettings::Optimizer::adamw));
  trainer.step(small_batch(0));
  const TrainingState good = trainer.state();
  Batch bad = small_batch(1);
  bad.input.values<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(trainer.step(bad), doctest::Contains("the loss of step 1 is"), Diverged);
  check_same(trainer.state(), good);
  CHECK_NOTHROW(trainer.step(small_batch(1)));
}

TEST_CASE("a state of another network changes nothing") {
  Trainer trainer = trainer_on(Device::cpu(), settings_of(TrainingSettings::Optimizer::adamw));
  const TrainingState start = trainer.state();
  trainer.step(small_batch(0));
  const TrainingState now = trainer.state();
  TrainingState lacking = start, misshapen = start;
  lacking.tensors.erase("second_moment/fc.bias");
  misshapen.tensors["fc.weight"] = Tensor::zeros(Dtype::f32, {4, 8});
  CHECK_THROWS_WITH_AS(trainer.restore(lacking), doctest::Contains("second_moment/fc.bias"), Error);
  CHECK_THROWS_WITH_AS(trainer.restore(misshapen), doctest::Contains("fc.weight"), Error);
  check_same(trainer.state(), now);
}

TEST_CASE("a damaged or foreign checkpoint is refused") {
  const Folder folder;
  const std::string file = folder / "c.safetensors";
  Trainer trainer = trainer_on(Device::cpu(), settings_of(TrainingSettings::Optimizer::adamw));
  write_checkpoint(file, {trainer.state(), {}});
  const std::string good = read_text(file);
  for (const size_t at : {good.size() - 1, good.size() / 2, good.size() - 4000}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    write_text(file, bad);
    CHECK_THROWS_WITH_AS(read_checkpoint(file), doctest::Contains("damaged"), Error);
  }
  write_text(file, good.substr(0, good.size() - 10));
  CHECK_THROWS_WITH_AS(read_checkpoint(file), doctest::Contains(file.c_str()), Error);
  write_safetensors(file, {{"a", Tensor::zeros(Dtype::f32, {3})}});
  CHECK_THROWS_WITH_AS(read_checkpoint(file), doctest::Contains("is not a checkpoint"), Error);
  write_text(file, "");
  CHECK_THROWS_AS(read_checkpoint(file), Error);
}

TEST_CASE("telemetry keeps the lines before the step from which training goes on") {
  const Folder folder;
  const std::string file = folder / "t.jsonl";
  StepReport r;
  {
    Telemetry t(file, 0);
    for (r.step = 0; r.step < 5; ++r.step) t.write(r);
  }
  write_text(file, read_text(file) + "{\"step\":5,\"lo");  // as a full disk leaves it
  Telemetry t(file, 3);
  r.step = 3;
  t.write(r);
  std::istringstream lines(read_text(file));
  int64_t expected = 0;
  for (std::string line; std::getline(lines, line);) CHECK(nlohmann::json::parse(line)["step"] == expected++);
  CHECK(expected == 4);
}

TEST_CASE("batches come in order from the background, and so do their errors") {
  {
    Batches batches([](int64_t step) { return small_batch(step); }, 3);
    for (int64_t step = 3; step < 9; ++step) {
      const Batch got = batches.next(), wanted = small_batch(step);
      CHECK(got.classes == wanted.classes);
      CHECK(std::memcmp(got.input.raw(), wanted.input.raw(), static_cast<size_t>(got.input.bytes())) == 0);
    }
  }
  Batches failing([](int64_t step) { return step < 2 ? small_batch(step) : throw Error("no more"); }, 0);
  CHECK_NOTHROW(failing.next());
  CHECK_NOTHROW(failing.next());
  CHECK_THROWS_WITH_AS(failing.next(), "no more", Error);
  CHECK_THROWS_WITH_AS(failing.next(), "no more", Error);
}

TEST_CASE("targets are distributions; what cannot be trained is refused") {
  const std::vector<int64_t> classes{2, 0};
  const Tensor t = smoothed_targets(classes, 4, 0.2);
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t c = 0; c < 4; ++c)
      CHECK(t.item(n * 4 + c) == doctest::Approx(c == classes[static_cast<size_t>(n)] ? 0.85 : 0.05));
  CHECK_THROWS_AS(smoothed_targets(classes, 2, 0.1), UsageError);
  CHECK_THROWS_AS(smoothed_targets(classes, 4, 1), UsageError);
  Graph g;
  NodeId x = g.input("input", {1, 3, 4, 4});
  x = g.add("drop", dropout(0.5), {x});
  CHECK_THROWS_WITH_AS(classification_graph(g, 0.1), doctest::Contains("'drop'"), UsageError);
  Graph maps;
  maps.add("conv", conv2d({.out_channels = 2, .kernel = 1}), {maps.input("input", {1, 3, 4, 4})});
  CHECK_THROWS_WITH_AS(classification_graph(maps, 0.1), doctest::Contains("(1, 2, 4, 4)"), UsageError);
}

}  // namespace
}  // namespace loupe::test
