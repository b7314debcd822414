// The same bytes whatever the threads, the batch, the simulator's schedule and the instruction set.
#include <algorithm>

#include "kernels/common/parallel.h"
#include "tests/support/case_checks.h"
#include "tests/support/instruction_sets.h"

namespace loupe::test {

namespace {

// Images of the whole batch; the simulator, a thousand times slower, has fewer.
constexpr int64_t kBatch = 16, kFew = 5;
int64_t whole_batch(Backend backend) { return backend == Backend::sim ? kFew : kBatch; }

// Images [begin, begin + count) of an array of `batch`: dimension 0 counts one or more rows for each.
Stored images(const Stored& s, int64_t batch, int64_t begin, int64_t count) {
  const int64_t rows = s.shape.rank() ? s.shape[0] : 1;
  if (rows % batch)
    throw Error("an array " + s.shape.str() + " of " + std::to_string(batch) +
                " images does not go by images: the case must say so (OpCase::unbatched)");
  return s.rows(begin * (rows / batch), count * (rows / batch));
}

Result images(const Result& r, int64_t batch, int64_t begin, int64_t count) {
  Result part{images(r.value, batch, begin, count)};
  for (const Stored& s : r.more) part.more.push_back(images(s, batch, begin, count));
  if (r.record) part.record = images(*r.record, batch, begin, count);
  return part;
}

Numbers images(const Numbers& v, int64_t batch, int64_t begin, int64_t count) {
  const auto image = static_cast<int64_t>(v.size()) / batch;
  return Numbers(v.begin() + begin * image, v.begin() + (begin + count) * image);
}

Operands images(const CaseChecks& c, const Operands& o, int64_t batch, int64_t begin, int64_t count) {
  Operands part = o;
  for (size_t i = 0; i < o.shapes.size(); ++i) {
    if (!c.batched(i)) continue;
    part.shapes[i] = o.shapes[i].with(0, count);
    part.inputs[i] = images(o.inputs[i], batch, begin, count);
  }
  part.grad_output = images(o.grad_output, batch, begin, count);
  for (Numbers& g : part.more_grad_outputs) g = images(g, batch, begin, count);
  if (o.output) part.output = images(*o.output, batch, begin, count);
  for (Stored& s : part.more_outputs) s = images(s, batch, begin, count);
  if (o.record && !c.suite.mixes_images) part.record = images(*o.record, batch, begin, count);
  return part;
}

struct Setting {
  int threads;
  int64_t batch;
};

// ref's loops are slow and simple: a few pairs do for it. The order of the pairs also mixes the starting
// images.
std::vector<Setting> settings_on(Backend backend) {
  if (backend == Backend::sim) return {{5, 1}, {3, 2}, {2, kFew}};
  std::vector<Setting> settings = {{5, 1}, {3, 7}, {2, kBatch}};
  if (!kSanitized && (backend == Backend::cpu || backend == Backend::cuda))
    for (int threads = 1; threads <= 5; ++threads)
      for (int64_t batch : {1, 2, 7, 16}) settings.push_back({threads, batch});
  return settings;
}

void vary(const Target& t, const Setting& s, size_t k) {
  set_threads(s.threads);
  if (t.backend == Backend::sim) DeviceModule::of(Backend::sim).configure("seed", std::to_string(k + 2));
}

std::string named(const CaseChecks& c, Direction d, const Setting& s) {
  return c.name(d) + " with " + std::to_string(s.threads) + " thread(s)";
}

// A result that depends on all images: the same for any number of threads.
void one_batch(const CaseChecks& c, const Target& t, Direction d, const Operands& o) {
  const Result reference = c.call_on(t, d, o);
  const std::vector<Setting> settings = settings_on(t.backend);
  for (size_t k = 0; k < settings.size(); ++k) {
    vary(t, settings[k], k);
    if (k == 0 || settings[k].threads != settings[k - 1].threads)
      c.expect_same(reference, c.call_on(t, d, o), "repeatability on " + t.name(), named(c, d, settings[k]));
  }
}

// A result that goes by images: the same for any number of threads, and in any batch.
void any_batch(const CaseChecks& c, const Target& t, Direction d, const Operands& all) {
  const Result reference = c.call_on(t, d, all);
  const int64_t whole = whole_batch(t.backend);
  const std::vector<Setting> settings = settings_on(t.backend);
  for (size_t k = 0; k < settings.size(); ++k) {
    vary(t, settings[k], k);
    const int64_t batch = settings[k].batch, begin = static_cast<int64_t>(k * 5) % (whole - batch + 1);
    c.expect_same(images(reference, whole, begin, batch),
                  c.call_on(t, d, images(c, all, whole, begin, batch)), "repeatability on " + t.name(),
                  named(c, d, settings[k]) + ", images " + std::to_string(begin) + "… in a batch of " +
                      std::to_string(batch));
  }
}

}  // namespace

void check_repeatability(const CaseChecks& c, const Target& t) {
  const int before = max_threads();
  const int64_t whole = whole_batch(t.backend);
  const bool by_images = c.batched(0) && !c.suite.mixes_images;
  set_threads(1);
  Operands all, few = c.operands();
  if (c.batched(0)) {
    std::vector<Shape> shapes = c.test.inputs;
    for (size_t i = 0; i < shapes.size(); ++i)
      if (c.batched(i)) shapes[i] = shapes[i].with(0, whole);
    all = c.draw(shapes);
    c.after_forward(t, all);
    few = images(c, all, whole, 0, std::min<int64_t>(c.test.inputs[0][0] + 1, whole));
  }
  if (!by_images) c.after_forward(t, few);
  for (const Direction d : c.steps(t.backend)) {
    set_threads(1);
    if (by_images && (d.is_forward() || c.batched(static_cast<size_t>(d.operand))))
      any_batch(c, t, d, all);
    else
      one_batch(c, t, d, few);
  }
  set_threads(before);
  if (t.backend == Backend::sim) DeviceModule::of(Backend::sim).configure("seed", "1");
}

void check_instruction_sets(const CaseChecks& c) {
  if (!has_both_instruction_sets()) return;
  for (const Target& t : c.targets()) {
    if (t.backend != Backend::cpu) continue;
    Operands o = c.operands();
    c.after_forward(t, o);
    for (const Direction d : c.steps(Backend::cpu)) {
      hwy::GetChosenTarget().Update(HWY_AVX2);
      const Result narrow = c.call_on(t, d, o);
      hwy::GetChosenTarget().Update(HWY_AVX3);
      c.expect_same(narrow, c.call_on(t, d, o), "instruction sets", c.name(d) + ", AVX2 then AVX-512");
    }
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
}

}  // namespace loupe::test
