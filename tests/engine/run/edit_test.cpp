// Edits in the middle of a pass, against doing the same by hand between two halves of the network.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/halves.h"
#include "tests/support/plans.h"

namespace loupe::test {
namespace {

using Kind = Edit::Kind;

// An edit, and what it is to do.
struct Change {
  size_t stage;
  Kind kind;
  Cells cells;
  Tensor numbers;  // of the value's shape, or a scalar
};

Tensor scalar(double v) { return Tensor::from(std::span<const double>(&v, 1), Shape{}); }

// The value after an edit, and what dL/d(value before it) is dL/d(value after it) times, computed here.
void by_hand(const Change& c, const Tensor& x, Tensor& edited, Tensor& slope) {
  const Tensor mask = c.cells.mask(x.shape()), numbers = c.numbers.to(x.dtype());
  edited = x.clone();
  slope = Tensor(x.dtype(), x.shape());
  const auto cells = [&](auto value, auto factor) {
    for (size_t i = 0; i < value.size(); ++i) {
      factor[i] = 1;
      if (!mask.values<uint8_t>()[i]) continue;
      const auto v = numbers.values<typename decltype(value)::value_type>()[numbers.numel() == 1 ? 0 : i];
      if (c.kind == Kind::set) value[i] = v, factor[i] = 0;
      if (c.kind == Kind::add) value[i] += v;
      if (c.kind == Kind::scale) value[i] *= v, factor[i] = v;
    }
  };
  if (x.dtype() == Dtype::f64)
    cells(edited.values<double>(), slope.values<double>());
  else
    cells(edited.values<float>(), slope.values<float>());
}

Tensor product(const Tensor& a, const Tensor& b) {
  Tensor p(a.dtype(), a.shape());
  for (int64_t i = 0; i < a.numel(); ++i) {
    if (a.dtype() == Dtype::f64)
      p.values<double>()[static_cast<size_t>(i)] = a.item(i) * b.item(i);
    else
      p.values<float>()[static_cast<size_t>(i)] =
          static_cast<float>(a.item(i)) * static_cast<float>(b.item(i));
  }
  return p;
}

// Equal numbers: −0 is 0.
bool same_numbers(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() && values_of(a) == values_of(b);
}

// The whole network with an edit, and its two halves.
class Cut {
 public:
  Cut(const Chain& chain, size_t stage, Device device)
      : whole(with_formula_weights(chain.whole(), device)),
        before(with_formula_weights(chain.before(stage), device)),
        after(with_formula_weights(chain.after(stage), device)),
        node(chain.end_of(stage)) {}

  void check(const Change& c, const Tensor& x, const Tensor& seed) {
    const NodeId output = whole.graph().output(), middle = before.graph().output(),
                 end = after.graph().output();
    Execution& e = whole.execution(x.shape(), {.values = {output, node},
                                               .from = output,
                                               .gradients = {0, node},
                                               .edits = {{.at = node, .kind = c.kind}}});
    e.edit(0, c.cells, c.numbers);
    e.forward(x);
    e.backward(seed);

    Tensor edited, slope;
    by_hand(c, run(before, {.values = {middle}}, x, {}).values[0], edited, slope);
    const Result second = run(after, {.values = {end}, .from = end, .gradients = {0}}, edited, seed);
    const Result first =
        run(before, {.from = middle, .gradients = {0}}, x, product(second.gradients[0], slope));
    CHECK(same_numbers(e.value(node), edited));
    CHECK(same_numbers(e.value(output), second.values[0]));
    CHECK(same_numbers(e.gradient(node), second.gradients[0]));
    CHECK(same_numbers(e.gradient(0), first.gradients[0]));
  }

  Network whole, before, after;
  NodeId node;
};

void check_edits(const Chain& chain, size_t stage, const std::vector<std::pair<const char*, Cells>>& places) {
  const Tensor x = random_tensor(chain.input.with(0, 2), 1), other = random_tensor(chain.input.with(0, 2), 2),
               seed = random_tensor({2, 4}, 3);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    CAPTURE(stage);
    Cut cut(chain, stage, device);
    const Tensor taken = run(cut.before, {.values = {cut.before.graph().output()}}, other, {}).values[0];
    for (const auto& [place, cells] : places) {
      CAPTURE(place);
      for (const auto& [what, kind, numbers] : {std::tuple{"zero", Kind::set, scalar(0)},
                                                {"set", Kind::set, scalar(0.75)},
                                                {"take", Kind::set, taken},
                                                {"add", Kind::add, scalar(-0.5)},
                                                {"steer", Kind::add, taken},
                                                {"scale", Kind::scale, scalar(1.5)}}) {
        CAPTURE(what);
        cut.check({stage, kind, cells, numbers}, x, seed);
      }
    }
  }
}

TEST_CASE("edits of maps: everywhere, a channel, a position, an image, what several name together") {
  const Chain chain = maps_chain();
  for (const size_t stage : {size_t{0}, size_t{1}, size_t{2}})
    check_edits(chain, stage,
                {{"everywhere", Cells::everything()},
                 {"channel 16", Cells::channel(16)},
                 {"position", Cells::position(4, 10)},
                 {"image 1", Cells::image(1)},
                 {"channel 3 of image 0 at a position",
                  Cells::channel(3) & Cells::image(0) & Cells::position(0, 7)}});
  check_edits(chain, 3, {{"channel 2", Cells::channel(2)}, {"position", Cells::position(1, 2)}});
  check_edits(chain, 4, {{"feature 339", Cells::channel(339)}, {"image 0", Cells::image(0)}});
}

TEST_CASE("edits of tokens: one of them, a head, a head of a token") {
  const Chain chain = tokens_chain();
  for (const size_t stage : {size_t{0}, size_t{1}, size_t{2}, size_t{3}})
    check_edits(chain, stage,
                {{"token 2", Cells::token(2)},
                 {"head 1", Cells::head(1, 4)},
                 {"head 0 of token 5", Cells::head(0, 4) & Cells::token(5)}});
}

TEST_CASE("an edit of the input is what another input gives") {
  const Chain chain = maps_chain();
  const Tensor x = random_tensor({1, 3, 9, 11}, 1), seed = random_tensor({1, 4}, 3);
  Tensor moved = x.clone();
  for (int64_t i = 99; i < 198; ++i) moved.values<double>()[static_cast<size_t>(i)] *= -2;  // channel 1
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(chain.whole(), device);
    const NodeId output = net.graph().output();
    Execution& e = net.execution(
        x.shape(),
        {.values = {output}, .from = output, .gradients = {0}, .edits = {{.at = 0, .kind = Kind::scale}}});
    e.edit(0, Cells::channel(1), -2.0);
    e.forward(x);
    e.backward(seed);
    const Tensor logits = e.value(output), gradient = e.gradient(0);
    const Result other = run(net, {.values = {output}, .from = output, .gradients = {0}}, moved, seed);
    CHECK(same_numbers(logits, other.values[0]));
    CHECK(same_numbers(gradient, other.gradients[0]));
  }
}

TEST_CASE("any mask and numbers per channel; an edit that says nothing changes nothing") {
  const Chain chain = maps_chain();
  const Tensor x = random_tensor({1, 3, 9, 11}, 1);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(chain.whole(), device);
    const NodeId node = chain.end_of(1), output = net.graph().output();
    const Result plain = run(net, {.values = {node, output}}, x, {});
    Execution& e =
        net.execution(x.shape(), {.values = {node, output}, .edits = {{.at = node, .kind = Kind::add}}});
    e.forward(x);
    CHECK(same_bits(e.value(node), plain.values[0]));
    CHECK(same_bits(e.value(output), plain.values[1]));
    // A mask of positions that all channels share, and a number for each channel.
    const Tensor mask = Tensor::zeros(Dtype::u8, {1, 1, 9, 11}), numbers = random_tensor({1, 17, 1, 1}, 5);
    for (size_t i = 0; i < 99; i += 2) mask.values<uint8_t>()[i] = 1;
    e.edit(0, mask, numbers);
    e.forward(x);
    const Tensor edited = e.value(node);
    for (int64_t c = 0; c < 17; ++c)
      for (int64_t i = 0; i < 99; ++i) {
        const double before = plain.values[0].item(c * 99 + i), step = i % 2 == 0 ? numbers.item(c) : 0;
        const double wanted =
            device == Device::ref() ? before + step : static_cast<float>(before) + static_cast<float>(step);
        CHECK(edited.item(c * 99 + i) == wanted);
      }
  }
}

TEST_CASE("several edits of one purpose; again() runs the steps from the first that changed") {
  const Chain chain = maps_chain();
  const Tensor x = random_tensor({2, 3, 9, 11}, 1), seed = random_tensor({2, 4}, 3);
  const NodeId early = chain.end_of(1), late = chain.end_of(3);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(chain.whole(), device);
    const NodeId output = net.graph().output();
    const Purpose purpose{.values = {output},
                          .from = output,
                          .gradients = {0},
                          .edits = {{.at = late, .kind = Kind::add},
                                    {.at = early, .kind = Kind::set},
                                    {.at = late, .kind = Kind::scale}}};
    Execution& e = net.execution(x.shape(), purpose);
    const int all = e.plan().forward_steps();
    // The same from the beginning, in an execution that has run nothing yet.
    const auto afresh = [&](const std::function<void(Execution&)>& edits) {
      Network other = with_formula_weights(chain.whole(), device);
      Execution& f = other.execution(x.shape(), purpose);
      edits(f);
      f.forward(x);
      const Tensor value = f.value(output);
      f.backward(seed);
      return std::pair(value, f.gradient(0));
    };
    const auto check = [&](const std::function<void(Execution&)>& edits) {
      const Tensor value = e.value(output);
      e.backward(seed);
      const auto [wanted, gradient] = afresh(edits);
      CHECK(same_bits(value, wanted));
      CHECK(same_bits(e.gradient(0), gradient));
    };
    const auto on_early = [](Execution& f) { f.edit(1, Cells::channel(16), 0.25); };
    const auto on_late = [](Execution& f) {
      f.edit(0, Cells::channel(2), -1.0);
      f.edit(2, Cells::position(0, 1), 3.0);
    };
    on_early(e);
    e.forward(x);
    CHECK(e.steps_run() == all);
    check(on_early);
    on_late(e);
    e.again();
    CHECK(e.steps_run() == all - e.plan().edits()[0].step);
    CHECK(e.steps_run() < all - e.plan().edits()[1].step);
    check([&](Execution& f) { on_early(f), on_late(f); });
    e.undo(1);
    e.again();
    CHECK(e.steps_run() == all - e.plan().edits()[1].step);
    check(on_late);
    e.edit(2, Cells::everything(), 0.5);
    e.again();
    CHECK(e.steps_run() == all - e.plan().edits()[2].step);
    check([&](Execution& f) { on_late(f), f.edit(2, Cells::everything(), 0.5); });
    e.undo(0);
    e.undo(2);
    e.again();
    check([](Execution&) {});
    e.again();  // nothing changed
    CHECK(e.steps_run() == 0);
  }
}

TEST_CASE("edits that do not fit are refused in one line") {
  const Chain chain = maps_chain();
  Network net = with_formula_weights(chain.whole(), Device::cpu());
  const Tensor x = random_tensor({1, 3, 9, 11}, 1);
  Execution& e =
      net.execution(x.shape(), {.values = {net.graph().output()}, .edits = {{.at = chain.end_of(1)}}});
  const auto refusal = [&](const Cells& cells, const Tensor& numbers) {
    return usage_error([&] { e.edit(0, cells, numbers); });
  };
  CHECK(refusal(Cells::channel(17), scalar(0)) ==
        "an edit of [17, 18) on axis 1 lies outside (1, 17, 9, 11)");
  CHECK(refusal(Cells::position(-1, 0), scalar(0)) ==
        "an edit of [-1, 0) on axis 2 lies outside (1, 17, 9, 11)");
  CHECK(refusal({{{4, 0, 1}}}, scalar(0)) == "an edit of [0, 1) on axis 4 lies outside (1, 17, 9, 11)");
  CHECK(refusal(Cells::channel(1), Tensor::zeros(Dtype::f32, {17})) ==
        "an edit of (1, 17, 9, 11) takes numbers of that shape, with 1 where one serves all, not (17)");
}

}  // namespace
}  // namespace loupe::test
