// Plans and their execution: memory, folding and fusion, backward passes from and to anywhere, the tape.
#include "engine/run/plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

#include "engine/run/network.h"
#include "kernels/add/add.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/dropout/dropout.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/max_unpool2d/max_unpool2d.h"
#include "kernels/relu/relu.h"
#include "kernels/softmax/softmax.h"
#include "models/io/formula.h"
#include "models/models.h"
#include "tests/support/networks.h"

namespace loupe {
namespace {

// Those that are here. Whole networks are slow in the simulator, so that it gets one of them.
std::vector<Backend> backends(const std::string& network = "") {
  std::vector<Backend> list;
  for (const Device d : test::devices())
    if (d != Device::sim() || network.empty() || network == "squeezenet1_1") list.push_back(d.backend);
  return list;
}

constexpr int kForever = std::numeric_limits<int>::max();

Tensor random_tensor(const Shape& shape, unsigned seed) {
  std::mt19937 engine(seed);
  Tensor t(Dtype::f64, shape);
  for (double& v : t.values<double>()) v = static_cast<double>(engine() % 20001) / 10000.0 - 1.0;
  return t;
}

Network with_formula_weights(Graph graph, Backend backend) {
  std::map<std::string, Tensor> weights;
  for (const ParameterSpec& p : graph.parameters())
    weights.emplace(p.name, formula_weight(p.name, p.shape, p.role));
  return Network("net", std::move(graph), std::move(weights), {backend});
}

constexpr int64_t kSize = 32;  // of images for whole networks

Network small(const std::string& name, Backend backend) {
  return models::load(name, "formula", {backend}, {.classes = 10, .height = kSize, .width = kSize});
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::equal(a.raw(), a.raw() + a.bytes(), b.raw());
}

/// ‖a − b‖ / ‖b‖
double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double difference = 0, size = 0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    difference += (a.item(i) - b.item(i)) * (a.item(i) - b.item(i));
    size += b.item(i) * b.item(i);
  }
  return std::sqrt(difference / size);
}

struct Result {
  std::vector<Tensor> values, gradients, records;
};

Result run(Network& net, const Plan& plan, const std::vector<Tensor>& inputs, const Tensor& seed) {
  Execution e(net, std::make_shared<const Plan>(plan));
  e.forward(inputs);
  Result r;
  for (NodeId n : plan.purpose().records) r.records.push_back(e.record(n));
  if (plan.purpose().from) e.backward(seed);
  for (NodeId n : plan.purpose().values) r.values.push_back(e.value(n));
  for (NodeId n : plan.purpose().gradients) r.gradients.push_back(e.gradient(n));
  return r;
}

Result run(Network& net, const Purpose& purpose, const Tensor& x, const Tensor& seed) {
  return run(net, Plan(net.graph(), x.shape()[0], net.device().backend, purpose), {x}, seed);
}

// ---- memory

std::vector<ValueId> reads(const PlanStep& s) {
  std::vector<ValueId> all = s.inputs;
  all.push_back(s.grad_output);
  if (s.direction != Direction::forward) all.insert(all.end(), {s.output, s.saved});
  std::erase(all, -1);
  return all;
}

std::vector<ValueId> writes(const PlanStep& s) {
  std::vector<ValueId> all = {s.workspace};
  if (s.direction == Direction::forward)
    all.insert(all.end(), {s.output, s.saved});
  else
    all.push_back(s.grad);
  std::erase(all, -1);
  return all;
}

// Replays a plan's reads and writes on its addresses: whatever a step reads is still there, and so is what is
// handed back.
class Replay {
 public:
  explicit Replay(const Plan& plan) : plan_(plan) {
    for (const PlanStep& s : plan.steps())
      for (ValueId v : writes(s)) written_.insert(v);
    for (NodeId n : plan.graph().inputs())
      if (plan.value_of(n) >= 0) write(plan.value_of(n));
    for (int i = 0; i < static_cast<int>(plan.steps().size()); ++i) {
      if (i == plan.forward_steps()) between();
      step(plan.steps()[static_cast<size_t>(i)]);
    }
    if (plan.forward_steps() == static_cast<int>(plan.steps().size())) between();
    handed_back();
    for (NodeId n : plan.purpose().gradients) CHECK(holds(plan.gradient_of(n)));
  }

 private:
  struct Content {
    int64_t begin, end;
    ValueId value;
  };

  void between() {
    handed_back();
    if (plan_.seed() >= 0) write(plan_.seed());
  }
  void handed_back() {
    for (NodeId n : plan_.purpose().values) CHECK(holds(plan_.value_of(n)));
    for (NodeId n : plan_.purpose().records)
      if (plan_.record_of(n) >= 0) CHECK(holds(plan_.record_of(n)));
  }
  void step(const PlanStep& s) {
    INFO("step for node " << plan_.graph().node(s.node).name << ", " << direction_name(s.direction));
    for (ValueId v : reads(s)) CHECK(holds(v));
    for (ValueId v : writes(s))
      for (ValueId other :
           reads(s)) {  // only an in-place op may write where it reads, and only over its first operand
        const bool in_place =
            s.op->in_place() && other == (s.direction == Direction::forward ? s.inputs[0] : s.grad_output);
        if (!in_place) CHECK_FALSE(overlap(v, other));
      }
    for (ValueId v : writes(s))
      for (ValueId other : writes(s))
        if (v != other) CHECK_FALSE(overlap(v, other));
    for (ValueId v : writes(s)) write(v);
  }
  Content place(ValueId v) const {
    const PlanValue& value = plan_.value(v);
    const int64_t offset = plan_.block(value.block).offset;
    return {offset, offset + array_bytes(value.dtype, value.shape, value.layout), v};
  }
  bool overlap(ValueId a, ValueId b) const {
    return place(a).begin < place(b).end && place(b).begin < place(a).end;
  }
  void write(ValueId v) {
    const Content c = place(v);
    CHECK(c.begin % 64 == 0);
    CHECK(c.end <= plan_.arena_bytes());
    CHECK(c.end - c.begin <= plan_.block(plan_.value(v).block).bytes);
    std::erase_if(contents_, [&](const Content& old) { return old.begin < c.end && c.begin < old.end; });
    contents_.push_back(c);
  }
  // A view is never written: what it shows is what its block holds.
  bool holds(ValueId v) const {
    const Content c = place(v);
    return std::ranges::any_of(contents_, [&](const Content& old) {
      if (old.value == v) return true;
      const bool view = !written_.contains(v) && plan_.value(old.value).block == plan_.value(v).block;
      return view && old.begin == c.begin && old.end >= c.end;
    });
  }

  const Plan& plan_;
  std::set<ValueId> written_;
  std::vector<Content> contents_;
};

const char* const kNetworks[] = {"squeezenet1_1", "resnet18",     "googlenet",
                                 "densenet121",   "mobilenet_v2", "vgg11_bn"};

TEST_CASE("blocks that live at the same time never overlap, and nothing is read after it was overwritten") {
  for (const char* name : kNetworks)
    for (const Backend backend : kBackends)  // a plan needs no device
      for (const Rule& rule : {gradient_rule(), guided_backprop_rule(), deconvnet_rule()}) {
        CAPTURE(name);
        CAPTURE(backend_name(backend));
        CAPTURE(rule.name);
        const Model model = models::build(name, {.classes = 10, .height = 64, .width = 64});
        const Graph& graph = model.graph;
        const NodeId trunk = graph.find(model.trunk), middle = graph.size() / 2;
        const Plan plan(graph, 2, backend,
                        {.values = {graph.output(), trunk, middle},
                         .from = graph.output(),
                         .gradients = {0, trunk},
                         .records = {1, 2, 3},
                         .rule = rule});
        for (size_t i = 0; i < plan.steps().size(); ++i) {  // lifetimes cover every use
          const PlanStep& s = plan.steps()[i];
          for (const std::vector<ValueId>& used : {reads(s), writes(s)})
            for (ValueId v : used) {
              const PlanBlock& b = plan.block(plan.value(v).block);
              CHECK(b.first <= static_cast<int>(i));
              CHECK(b.last >= static_cast<int>(i));
            }
        }
        std::set<int> ids;
        for (const PlanStep& s : plan.steps())
          for (const std::vector<ValueId>& used : {reads(s), writes(s)})
            for (ValueId v : used) ids.insert(plan.value(v).block);
        for (int a : ids)
          for (int b : ids) {
            const PlanBlock &p = plan.block(a), &q = plan.block(b);
            if (a < b && p.first <= q.last && q.first <= p.last)
              CHECK((p.offset + p.bytes <= q.offset || q.offset + q.bytes <= p.offset));
          }
        Replay{plan};
      }
}

TEST_CASE("sharing memory changes no bit") {
  for (const char* name : {"squeezenet1_1", "resnet18", "densenet121", "mobilenet_v2"})
    for (const Backend backend : backends(name)) {
      Network net = small(name, backend);
      for (const Rule& rule : {gradient_rule(), guided_backprop_rule(), deconvnet_rule()}) {
        if (backend == Backend::sim && rule.name != gradient_rule().name) continue;  // slow
        CAPTURE(name);
        CAPTURE(backend_name(backend));
        CAPTURE(rule.name);
        const Graph& graph = net.graph();
        const NodeId trunk = graph.find(net.trunk), middle = graph.size() / 2;
        const Purpose purpose{.values = {graph.output(), trunk, middle, 0},
                              .from = graph.output(),
                              .gradients = {0, middle, trunk},
                              .rule = rule};
        PlanOptions apart = PlanOptions::for_backend(backend);
        apart.share_memory = false;
        const Tensor x = formula_input({1, 3, kSize, kSize}),
                     seed = seed_channels({1, 10}, std::vector<int64_t>{3});
        const Plan shared_plan(graph, 1, backend, purpose), apart_plan(graph, 1, backend, purpose, apart);
        CHECK(shared_plan.arena_bytes() < apart_plan.arena_bytes() / 2);
        const Result a = run(net, shared_plan, {x}, seed), b = run(net, apart_plan, {x}, seed);
        for (size_t i = 0; i < a.values.size(); ++i) CHECK(same_bits(a.values[i], b.values[i]));
        for (size_t i = 0; i < a.gradients.size(); ++i) CHECK(same_bits(a.gradients[i], b.gradients[i]));
        CHECK(distance(a.values[3], x) == 0);
      }
    }
}

TEST_CASE(
    "SqueezeNet's arena is hardly larger than what must be alive at once, and its tape is bits and "
    "switches") {
  const Graph graph = models::build("squeezenet1_1").graph;
  const Plan forward(graph, 1, Backend::cpu, {.values = {graph.output()}});
  const Plan gradient(graph, 1, Backend::cpu,
                      {.values = {graph.output()}, .from = graph.output(), .gradients = {0}});
  const auto must_live = [](const Plan& plan) {
    int64_t most = 0;
    for (int i = 0; i < static_cast<int>(plan.steps().size()); ++i) {
      std::set<int> alive;
      for (const PlanStep& s : plan.steps())
        for (const std::vector<ValueId>& used : {reads(s), writes(s)})
          for (ValueId v : used) {
            const PlanBlock& b = plan.block(plan.value(v).block);
            if (b.first <= i && i <= b.last) alive.insert(plan.value(v).block);
          }
      int64_t bytes = 0;
      for (int id : alive) bytes += plan.block(id).bytes;
      most = std::max(most, bytes);
    }
    return most;
  };
  MESSAGE("forward: arena " << forward.arena_bytes() << " of at least " << must_live(forward)
                            << " bytes; gradient: " << gradient.arena_bytes() << " of at least "
                            << must_live(gradient) << ", tape " << gradient.tape_bytes());
  CHECK(static_cast<double>(forward.arena_bytes()) <= 1.05 * static_cast<double>(must_live(forward)));
  CHECK(static_cast<double>(gradient.arena_bytes()) <= 1.05 * static_cast<double>(must_live(gradient)));
  CHECK(forward.arena_bytes() < 8 << 20);
  CHECK(forward.tape_bytes() == 0);
  int64_t tape = 0;  // one bit an element of a ReLU, one byte an output of a pool; blocked
  for (NodeId n = 0; n < graph.size(); ++n)
    if (graph.node(n).op)
      if (const auto saved = graph.node(n).op->saved(graph.input_shapes(n)))
        tape += array_bytes(saved->dtype, saved->shape, Layout::blocked);
  CHECK(gradient.tape_bytes() == tape);
}

// ---- folding and fusion

TEST_CASE("a folded batch norm changes nothing but rounding") {
  for (const char* name : {"resnet18", "googlenet", "densenet121", "mobilenet_v2"}) {
    CAPTURE(name);
    Network net = small(name, Backend::ref);
    const Purpose purpose{.values = {net.graph().output()}, .from = net.graph().output(), .gradients = {0}};
    const Plan plain(net.graph(), 1, Backend::ref, purpose,
                     {.fold_batch_norm = false, .fuse_activation = false});
    const Plan folded(net.graph(), 1, Backend::ref, purpose,
                      {.fold_batch_norm = true, .fuse_activation = false});
    CHECK(folded.forward_steps() < plain.forward_steps());
    CHECK(std::ranges::any_of(folded.steps(),
                              [](const PlanStep& p) { return p.parameters.batch_norm.has_value(); }));
    const Tensor x = formula_input({1, 3, kSize, kSize}),
                 seed = seed_channels({1, 10}, std::vector<int64_t>{7});
    const Result a = run(net, plain, {x}, seed), b = run(net, folded, {x}, seed);
    CHECK(distance(b.values[0], a.values[0]) <= 1e-12);
    CHECK(distance(b.gradients[0], a.gradients[0]) <= 1e-12);
  }
}

TEST_CASE("a fused activation changes no bit, nor its mask") {
  for (const char* name : {"squeezenet1_1", "resnet18", "mobilenet_v2"})
    for (const Backend backend : backends(name)) {
      if (backend == Backend::ref) continue;  // it fuses nothing
      CAPTURE(name);
      CAPTURE(backend_name(backend));
      Network net = small(name, backend);
      Purpose purpose{.values = {net.graph().output()}, .from = net.graph().output(), .gradients = {0}};
      for (NodeId n = 0; n < net.graph().size(); ++n)
        if (net.graph().node(n).op && net.graph().node(n).op->activation()) purpose.records.push_back(n);
      const Plan fused(net.graph(), 2, backend, purpose, {.fuse_activation = true});
      const Plan plain(net.graph(), 2, backend, purpose, {.fuse_activation = false});
      CHECK(plain.forward_steps() == fused.forward_steps() + static_cast<int>(purpose.records.size()));
      const Tensor x = formula_input({2, 3, kSize, kSize}),
                   seed = seed_channels({2, 10}, std::vector<int64_t>{7, 1});
      const Result a = run(net, plain, {x}, seed), b = run(net, fused, {x}, seed);
      CHECK(same_bits(a.values[0], b.values[0]));
      CHECK(same_bits(a.gradients[0], b.gradients[0]));
      for (size_t i = 0; i < a.records.size(); ++i) CHECK(same_bits(a.records[i], b.records[i]));
    }
}

TEST_CASE("a node that is asked for is not fused away") {
  const Graph graph = models::build("resnet18", {.height = kSize, .width = kSize}).graph;
  const NodeId conv = graph.find("layer1.0.conv1"), norm = graph.find("layer1.0.bn1"),
               relu = graph.find("layer1.0.relu");
  const Plan plain(graph, 1, Backend::cpu, {.values = {graph.output()}});
  CHECK(plain.value_of(conv) < 0);
  CHECK(plain.value_of(norm) < 0);
  CHECK(plain.value_of(relu) >= 0);
  const Plan asked(graph, 1, Backend::cpu, {.values = {conv, norm}});
  CHECK(asked.value_of(conv) >= 0);
  CHECK(asked.value_of(norm) >= 0);
  CHECK(asked.value_of(relu) < 0);  // nobody needs it

  Network net = small("resnet18", Backend::cpu);
  Network oracle = small("resnet18", Backend::ref);
  const Tensor x = formula_input({1, 3, kSize, kSize});
  const Result ours = run(net, {.values = {conv, norm, relu}}, x, {}),
               theirs = run(oracle, {.values = {conv, norm, relu}}, x, {});
  for (size_t i = 0; i < 3; ++i) CHECK(distance(ours.values[i], theirs.values[i]) < 1e-6);
}

// ---- backward passes

/// A network with everything that joins and branches: a shared ReLU input, a residual sum, one value added to
/// itself, views.
Graph branching() {
  Graph g;
  const NodeId x = g.input("input", {1, 3, 9, 11});
  const NodeId a = g.add("conv1", conv2d({.out_channels = 5, .kernel = 3, .padding = 1}), {x});
  const NodeId r = g.add("relu", relu(), {a});
  const NodeId d = g.add("dropout", dropout(0.5), {r});
  const NodeId b = g.add("conv2", conv2d({.out_channels = 5, .kernel = 3, .padding = 1}), {d});
  const NodeId sum = g.add("add", add(), {b, r});
  const NodeId twice = g.add("twice", add(), {sum, sum});
  const NodeId three = g.add("three", add(), {twice, r});
  const NodeId n = g.add("bn", batch_norm(), {three});
  const NodeId p = g.add("pool", max_pool2d({.kernel = 3, .stride = 2, .padding = 1}), {n});
  const NodeId f = g.add("flatten", flatten(), {p});
  const NodeId l = g.add("fc", linear({.out_features = 4}), {f});
  g.add("softmax", softmax(), {l});
  return g;
}

// d⟨seed, value⟩/d(input[i]) by a central difference, in double.
double difference_quotient(Network& net, NodeId from, const Tensor& x, const Tensor& seed, int64_t i) {
  constexpr double kStep = 1e-6;
  const auto score = [&](double shift) {
    Tensor moved = x.clone();
    moved.values<double>()[static_cast<size_t>(i)] += shift;
    const Tensor y = run(net, {.values = {from}}, moved, {}).values[0];
    double sum = 0;
    for (int64_t k = 0; k < y.numel(); ++k) sum += y.item(k) * seed.item(k);
    return sum;
  };
  return (score(kStep) - score(-kStep)) / (2 * kStep);
}

TEST_CASE("backward from every node, channel and position is what finite differences say") {
  Network net = with_formula_weights(branching(), Backend::ref);
  std::vector<Network> others;
  for (const Backend b : backends())
    if (b != Backend::ref) others.push_back(with_formula_weights(branching(), b));
  const Tensor x = random_tensor({1, 3, 9, 11}, 1);
  for (NodeId from = 1; from < net.graph().size(); ++from) {
    const Node& node = net.graph().node(from);
    CAPTURE(node.name);
    std::vector<Tensor> seeds;
    seeds.push_back(random_tensor(node.shape, 2));
    seeds.push_back(seed_channels(node.shape, std::vector<int64_t>{2}));
    if (node.shape.rank() == 4) seeds.push_back(seed_position(node.shape, 1, 3, 2));
    int signals = 0;  // a seed may fall on cells that a ReLU closes
    for (const Tensor& seed : seeds) {
      const Purpose purpose{.from = from, .gradients = {0}};
      const Tensor gradient = run(net, purpose, x, seed).gradients[0];
      double norm = 0;
      for (int64_t i = 0; i < gradient.numel(); ++i) norm += gradient.item(i) * gradient.item(i);
      norm = std::sqrt(norm);
      signals += norm > 0;
      // The quotient's error: rounding 1e-16·|score|/1e-6, and softmax's curvature 1e-12.
      for (int64_t i = 0; i < x.numel(); i += 13)
        CHECK(std::abs(gradient.item(i) - difference_quotient(net, from, x, seed, i)) <=
              1e-7 * std::max(1.0, norm));
      for (Network& other : others) {
        CAPTURE(other.device().str());
        const Tensor in_float = run(other, purpose, x, seed).gradients[0];
        for (int64_t i = 0; i < gradient.numel(); ++i)
          CHECK(std::abs(in_float.item(i) - gradient.item(i)) <= 1e-5 * norm);
      }
    }
    CHECK(signals >= 2);
  }
}

TEST_CASE("the gradient to an inner node, handed on from there, is the gradient to the input") {
  for (const auto& [name, inner] : {std::pair{"resnet18", "layer2"},
                                    {"squeezenet1_1", "features.6"},
                                    {"densenet121", "features.transition1"}})
    for (const Backend backend : backends(name)) {
      CAPTURE(name);
      CAPTURE(backend_name(backend));
      Network net = small(name, backend);
      const NodeId node = net.graph().find(inner), output = net.graph().output();
      const Tensor x = formula_input({2, 3, kSize, kSize}),
                   seed = seed_channels({2, 10}, std::vector<int64_t>{4, 9});
      const Result whole = run(net, {.from = output, .gradients = {0, node}}, x, seed);
      const Tensor rest = run(net, {.from = node, .gradients = {0}}, x, whole.gradients[1]).gradients[0];
      CHECK(same_bits(rest, whole.gradients[0]));
      CHECK(whole.gradients[1].shape() == net.graph().node(node).shape.with(0, 2));
    }
}

TEST_CASE("a seed at the node whose gradient is asked for comes back as it is") {
  Network net = with_formula_weights(branching(), Backend::ref);
  const NodeId n = net.graph().find("three");
  const Tensor seed = random_tensor(net.graph().node(n).shape, 5);
  CHECK(same_bits(run(net, {.from = n, .gradients = {n}}, random_tensor({1, 3, 9, 11}, 1), seed).gradients[0],
                  seed));
}

// ---- the tape

TEST_CASE("with another image's masks and switches the gradient is that image's") {
  // Convolutions, ReLUs, pools and sums: once masks and switches are fixed, the gradient depends on nothing
  // else.
  for (const char* name : {"squeezenet1_1", "resnet18", "mobilenet_v2"})
    for (const Backend backend : backends(name)) {
      CAPTURE(name);
      CAPTURE(backend_name(backend));
      Network net = small(name, backend);
      const NodeId output = net.graph().output();
      const Purpose purpose{.values = {output}, .from = output, .gradients = {0}};
      const Tensor one = formula_input({1, 3, kSize, kSize}), other = random_tensor({1, 3, kSize, kSize}, 7);
      const Tensor seed = seed_channels({1, 10}, std::vector<int64_t>{3});

      Execution& e = net.execution(1, purpose);
      e.forward(one);
      std::map<NodeId, Tensor> tape;
      for (NodeId n : e.recorded()) tape.emplace(n, e.record(n));
      CHECK(tape.size() > 10);
      e.backward(seed);
      const Tensor wanted = e.gradient(0);

      e.forward(other);
      int64_t differing = 0;
      for (const auto& [n, record] : tape) differing += !same_bits(record, e.record(n));
      CHECK(differing > 5);
      e.backward(seed);
      CHECK(distance(e.gradient(0), wanted) > 0.1);

      e.forward(other);
      for (const auto& [n, record] : tape) {
        CAPTURE(net.graph().node(n).name);
        e.set_record(n, record);
        CHECK(same_bits(e.record(n), record));
      }
      e.backward(seed);
      CHECK(same_bits(e.gradient(0), wanted));

      if (backend != Backend::ref) {  // and ref's tape makes float32 as good as float32 can be
        Network oracle = small(name, Backend::ref);
        Execution& truth = oracle.execution(1, purpose);
        truth.forward(one);
        e.forward(one);
        for (NodeId n : e.recorded()) e.set_record(n, truth.record(n));
        truth.backward(seed);
        e.backward(seed);
        CHECK(distance(e.gradient(0), truth.gradient(0)) < 1e-5);
      }
    }
}

TEST_CASE(
    "records: masks of zeros and ones, switches inside the window, kept after backward where asked for") {
  for (const Backend backend : backends()) {
    Network net = with_formula_weights(branching(), backend);
    const NodeId relu = net.graph().find("relu"), pool = net.graph().find("pool"),
                 conv = net.graph().find("conv1");
    Execution& e = net.execution(1, {.values = {relu}, .from = pool, .gradients = {0}, .records = {relu}});
    e.forward(random_tensor({1, 3, 9, 11}, 1));
    const Tensor mask = e.record(relu), value = e.value(relu), switches = e.record(pool);
    for (int64_t i = 0; i < mask.numel(); ++i) CHECK(mask.item(i) == (value.item(i) > 0 ? 1 : 0));
    for (int64_t i = 0; i < switches.numel(); ++i) CHECK(switches.item(i) < 9);
    CHECK_THROWS_AS(e.record(conv), UsageError);
    CHECK_THROWS_AS(e.set_record(relu, switches), UsageError);
    e.backward(random_tensor(net.graph().node(pool).shape, 3));
    CHECK(same_bits(e.record(relu), mask));
    CHECK_THROWS_WITH_AS(e.record(pool), doctest::Contains("uses up the tape"), Error);
    CHECK_THROWS_WITH_AS(e.set_record(relu, mask), doctest::Contains("uses up the tape"), Error);
  }
}

TEST_CASE("values that are asked for survive in-place ops and views") {
  for (const Backend backend : backends()) {
    Graph g;
    NodeId x = g.input("input", {1, 18, 4, 4});
    x = g.add("dropout", dropout(0.5), {x});
    x = g.add("relu", relu(), {x});
    x = g.add("add", add(), {x, x});
    x = g.add("relu_1", relu(), {x});
    x = g.add("flatten", flatten(), {x});
    Network net = with_formula_weights(std::move(g), backend);
    const Tensor in = random_tensor({2, 18, 4, 4}, 9);
    const Result r = run(net, {.values = {0, 1, 2, 3, 4, 5}}, in, {});
    for (int64_t i = 0; i < in.numel(); ++i) {
      const double v =
          backend == Backend::ref ? in.item(i) : static_cast<double>(static_cast<float>(in.item(i)));
      const double wanted[] = {
          v, v, std::max(v, 0.0), 2 * std::max(v, 0.0), 2 * std::max(v, 0.0), 2 * std::max(v, 0.0)};
      for (size_t k = 0; k < 6; ++k) CHECK(r.values[k].item(i) == wanted[k]);
    }
  }
}

TEST_CASE("two inputs: unpooling by switches that the user gives") {
  for (const Backend backend : backends()) {
    Graph g;
    const NodeId maps = g.input("maps", {1, 2, 2, 2}),
                 switches = g.input("switches", {1, 2, 2, 2}, Dtype::u8);
    const NodeId scaled = g.add("twice", add(), {maps, maps});
    g.add("unpool", max_unpool2d({.kernel = 2, .output = 4}), {scaled, switches});
    Network net = with_formula_weights(std::move(g), backend);
    const Tensor x = Tensor::from(std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 2, 2});
    const Tensor s = Tensor::from(std::vector<uint8_t>{0, 1, 2, 3, 3, 2, 1, 0}, {1, 2, 2, 2});
    const std::vector<double> wanted = {2, 0, 0, 4, 0, 0,  0,  0, 0, 0,  0,  0, 6, 0, 0, 8,  //
                                        0, 0, 0, 0, 0, 10, 12, 0, 0, 14, 16, 0, 0, 0, 0, 0};
    const NodeId output = net.graph().output();
    const Plan plan(net.graph(), 1, backend,
                    {.values = {output, switches}, .from = output, .gradients = {maps}});
    const Tensor seed = random_tensor({1, 2, 4, 4}, 4);
    const Result r = run(net, plan, {x, s}, seed);
    int64_t at = 0;
    for (int64_t i = 0; i < 32; ++i) {
      CHECK(r.values[0].item(i) == wanted[static_cast<size_t>(i)]);
      if (wanted[static_cast<size_t>(i)] == 0) continue;
      const double g2 =
          2 * seed.item(i);  // the order of the inputs is the row-major order of their places here
      const int64_t order[] = {0, 1, 2, 3, 4, 5, 6, 7};
      CHECK(r.gradients[0].item(order[at]) ==
            (backend == Backend::ref ? g2 : static_cast<double>(static_cast<float>(g2))));
      ++at;
    }
    CHECK(at == 8);
    CHECK(same_bits(r.values[1], s));
    CHECK_THROWS_WITH_AS(run(net, plan, {x}, seed), doctest::Contains("takes 2 input(s), got 1"), UsageError);
    CHECK_THROWS_WITH_AS(run(net, plan, {x, s.reshape({1, 8})}, seed),
                         doctest::Contains("input 'switches' takes a tensor"), UsageError);
  }
}

// ---- batches, memory, and executions

TEST_CASE("an image's results do not depend on its batch, and batches obey memory_limit") {
  for (const Backend backend : backends()) {
    Network net = small("squeezenet1_1", backend);
    const NodeId output = net.graph().output();
    const Purpose purpose{.values = {output}, .from = output, .gradients = {0}};
    const Tensor x = formula_input({7, 3, kSize, kSize});
    const std::vector<int64_t> classes = {0, 1, 2, 3, 4, 5, 6};
    const Result all = run(net, purpose, x, seed_channels({7, 10}, classes));
    for (int64_t n = 0; n < 7; ++n) {
      const Result one =
          run(net, purpose, x.slice(n, n + 1), seed_channels({1, 10}, std::vector<int64_t>{n}));
      CHECK(same_bits(one.values[0].row(0), all.values[0].row(n)));
      CHECK(same_bits(one.gradients[0].row(0), all.gradients[0].row(n)));
    }
    const auto bytes = [&](int64_t batch) {
      return Plan(net.graph(), batch, backend, purpose).arena_bytes();
    };
    CHECK(net.batch_for(7, purpose) == 7);
    net.memory_limit = bytes(7);
    CHECK(net.batch_for(7, purpose) == 7);
    net.memory_limit = bytes(4);
    CHECK(net.batch_for(7, purpose) == 4);
    CHECK(net.batch_for(3, purpose) == 3);
    net.memory_limit = bytes(1);
    CHECK(net.batch_for(7, purpose) == 1);
    net.memory_limit = bytes(1) - 1;
    CHECK_THROWS_WITH_AS(net.batch_for(7, purpose), doctest::Contains("one image of this pass needs"), Error);
  }
}

TEST_CASE("values are those of the last forward pass, or an error") {
  Network net = with_formula_weights(branching(), Backend::cpu);
  const NodeId output = net.graph().output(), relu = net.graph().find("relu");
  const Purpose backward{.values = {output}, .from = output, .gradients = {0}};
  const Tensor x = random_tensor({1, 3, 9, 11}, 1), seed = seed_channels({1, 4}, std::vector<int64_t>{0});
  Execution& e = net.execution(1, backward);
  CHECK(&e == &net.execution(1, backward));
  CHECK_THROWS_WITH_AS(e.value(output), doctest::Contains("run forward() first"), Error);
  CHECK_THROWS_AS(e.backward(seed), Error);
  e.forward(x);
  CHECK_THROWS_WITH_AS(e.gradient(0), doctest::Contains("run backward() first"), Error);
  CHECK_THROWS_WITH_AS(e.value(relu), doctest::Contains("does not keep the value of 'relu'"), UsageError);
  CHECK_THROWS_WITH_AS(e.gradient(relu), doctest::Contains("does not keep the gradient of 'relu'"),
                       UsageError);
  CHECK_THROWS_WITH_AS(e.backward(seed.reshape({4, 1})),
                       doctest::Contains("the backward pass from 'softmax'"), UsageError);
  e.backward(seed);
  const Tensor first = e.gradient(0);
  CHECK_THROWS_WITH_AS(e.backward(seed), doctest::Contains("uses up the tape"), Error);
  e.forward(x);
  e.backward(seed);
  CHECK(same_bits(e.gradient(0), first));

  Execution& other = net.execution(1, {.values = {relu}});
  other.forward(x);
  CHECK_THROWS_WITH_AS(e.value(output), doctest::Contains("another one of the same network ran"), Error);
  CHECK_THROWS_WITH_AS(e.gradient(0), doctest::Contains("another one of the same network ran"), Error);
  CHECK_THROWS_AS(other.backward(seed), UsageError);
  CHECK_THROWS_AS(e.forward(random_tensor({2, 3, 9, 11}, 1)), UsageError);

  Network moved = std::move(net);  // its executions stayed behind
  CHECK(moved.execution(1, backward).plan().batch() == 1);
  moved.execution(1, backward).forward(x);
  CHECK(moved.execution(1, backward).value(output).numel() == 4);
}

TEST_CASE("purposes that make no sense are refused") {
  const Graph g = branching();
  const NodeId pool = g.find("pool"), fc = g.find("fc"), conv = g.find("conv1");
  const auto plan = [&](const Purpose& p, int64_t batch = 1) { Plan(g, batch, Backend::ref, p); };
  CHECK_THROWS_WITH_AS(plan({.gradients = {0}}), doctest::Contains("needs a node to start from"), UsageError);
  CHECK_THROWS_WITH_AS(plan({.from = pool, .gradients = {fc}}),
                       doctest::Contains("layer 'fc' does not lead to 'pool'"), UsageError);
  CHECK_THROWS_WITH_AS(plan({.values = {fc}, .from = conv, .gradients = {pool}}),
                       doctest::Contains("does not lead to"), UsageError);
  CHECK_THROWS_AS(plan({.values = {fc}}, 0), UsageError);
}

TEST_CASE("a network names the parameter that is missing or misshapen") {
  std::map<std::string, Tensor> weights;
  for (const ParameterSpec& p : branching().parameters())
    weights.emplace(p.name, formula_weight(p.name, p.shape, p.role));
  auto missing = weights;
  missing.erase("conv2.bias");
  CHECK_THROWS_WITH_AS(Network("net", branching(), missing, Device::ref()),
                       doctest::Contains("'conv2.bias' (5)"), Error);
  auto misshapen = weights;
  misshapen["fc.weight"] = Tensor::zeros(Dtype::f32, {4, 3});
  CHECK_THROWS_WITH_AS(Network("net", branching(), misshapen, Device::ref()),
                       doctest::Contains("'fc.weight' has shape (4, 3)"), Error);
}

}  // namespace
}  // namespace loupe
