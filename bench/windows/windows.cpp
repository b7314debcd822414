// What incremental occlusion saves: whole passes against windows (engine/plan/windows.h), formula weights, one image
// of 224×224, a square of 32 pixels.
//
//   build/release/bin/windows_gain [--rounds N] [network…]
//
// Both are timed in turns, and the medians of their times for a place compared with what the counted
// multiplications allow. Of whole passes a round takes a few places, since all cost the same. The first places'
// scores are compared first, bit by bit.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/run/windows.h"
#include "models/io/formula.h"
#include "models/models.h"

namespace {

using namespace loupe;
using Clock = std::chrono::steady_clock;

constexpr int64_t kSide = 224, kSquare = 32;

std::vector<Rect> squares(int64_t stride) {
  std::vector<Rect> all;
  for (int64_t y = 0; y + kSquare <= kSide; y += stride)
    for (int64_t x = 0; x + kSquare <= kSide; x += stride) all.push_back({y, x, kSquare, kSquare});
  return all;
}

Tensor with_square(const Tensor& x, const Rect& r) {
  const Tensor y = x.clone();
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t row = r.y; row < r.y + r.h; ++row)
      std::fill_n(y.values<float>().data() + (c * kSide + row) * kSide + r.x, r.w, 0.0f);
  return y;
}

double median(std::vector<double> v) {
  std::ranges::sort(v);
  return v[v.size() / 2];
}

template <typename F>
double seconds(const F& f) {
  const auto start = Clock::now();
  f();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool compare(const std::string& name, int64_t stride, int rounds) {
  ImageModel model = models::load(name, "formula", Device::cpu());
  Network& net = model.network;
  const Tensor x = formula_input({1, 3, kSide, kSide});
  const std::vector<Rect> all = squares(stride);
  const Target target = settled(net, x, top1);
  const auto few = std::min<int64_t>(16, std::ssize(all));
  const auto row = [&](int64_t begin, int64_t end) {
    std::vector<Tensor> rows;
    for (int64_t i = begin; i < end; ++i) rows.push_back(with_square(x, all[static_cast<size_t>(i)]));
    return stack_rows(rows);
  };
  RowScores whole;
  WindowScores windows;
  const auto run_whole = [&] { whole = forward_scores(net, x.shape(), few, row, target.repeated(few)); };
  const auto run_windows = [&] {
    windows = window_scores(
        net, x, all,
        [](int64_t) {
          return Tensor::zeros(Dtype::f32, {3, kSquare, kSquare});
        },
        target);
  };
  run_whole();
  run_windows();
  const bool same = std::equal(whole.scores.begin(), whole.scores.end(), windows.scores.begin());
  std::vector<double> a, b;
  for (int i = 0; i < rounds; ++i) {
    a.push_back(seconds(run_whole) / static_cast<double>(few));
    b.push_back(seconds(run_windows) / static_cast<double>(all.size()));
  }
  const double gain = median(a) / median(b), allowed = 1 / windows.part;
  std::printf("%-18s %2ld/%-2ld %6zu %10.2f %10.2f %6.2f %9.3f %8.2f %6.0f %%  %s\n", name.c_str(),
              static_cast<long>(kSquare), static_cast<long>(stride), all.size(), median(a) * 1e3,
              median(b) * 1e3, gain, windows.part, allowed, 100 * gain / allowed,
              same ? "same bits" : "OTHER BITS");
  std::fflush(stdout);
  return same;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> names;
  int rounds = 3;
  for (int i = 1; i < argc; ++i)
    if (std::string(argv[i]) == "--rounds" && i + 1 < argc)
      rounds = std::atoi(argv[++i]);
    else
      names.emplace_back(argv[i]);
  if (names.empty()) names = {"squeezenet1_1", "resnet18", "resnet50", "vgg16"};
  std::printf("network            square places   whole ms  window ms   gain  multipl.  allowed  of that\n");
  bool good = true;
  for (const std::string& name : names)
    for (const int64_t stride : {int64_t{16}, int64_t{8}}) good &= compare(name, stride, rounds);
  return good ? 0 : 1;
}
