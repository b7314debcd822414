// Statistics of attention on the CPU: a task is a head of an image. Sixteen queries meet the keys in tiles of 48, as in
// attention itself, twice: once for the softmax's sum, and once for what hangs on the pattern.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_statistics/attention_statistics.cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set

#include <vector>

#include "kernels/attention/tiles-inl.h"
#include "kernels/attention_statistics/attention_statistics.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

constexpr auto index_of(Statistic s) { return static_cast<int64_t>(s); }

// Sixteen queries of a head: their statistics so far, a row of sixteen lanes each.
struct Found {
  float rows[kStatistics + kMostSets][kBlock] = {};
  float* of(Statistic s) { return rows[index_of(s)]; }
};

// −p·log p, and 0 of what is masked.
HWY_INLINE Block information(const Block& p, const Block& score, const Block& log_sum) {
  Block r;
  const D d;
  for (int i = 0; i < kVectors; ++i)
    r.v[i] =
        hn::IfThenZeroElse(hn::Eq(p.v[i], hn::Zero(d)), hn::Mul(p.v[i], hn::Sub(log_sum.v[i], score.v[i])));
  return r;
}
HWY_INLINE Block distance(const Block& place, float key) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::Abs(hn::Sub(place.v[i], hn::Set(D(), key)));
  return r;
}

// What a task knows of its head.
struct StatisticsTask {
  const Scene& scene;
  const int32_t *earlier, *set;  // of the image
  int64_t sets, length;
  const float* counted;  // of the lanes: 1 of queries that count in the profile, else 0
};

// Takes in a tile of scores, keys `first` …, by the queries' log sums.
void take(const StatisticsTask& t, float* tile, int64_t first, int64_t count, const Block& log_sum,
          Found& found, float* profile) {
  float places[kBlock];
  for (int64_t l = 0; l < kBlock; ++l) places[l] = static_cast<float>(t.scene.lane + l);
  const Block place = load(places), counted = load(t.counted);
  Block entropy = load(found.of(Statistic::entropy)), far = load(found.of(Statistic::distance));
  for (int64_t r = 0; r < count; ++r) {
    const int64_t j = first + r;
    const Block score = load(tile + r * kBlock), p = exponential(subtract(score, log_sum));
    entropy = add(entropy, information(p, score, log_sum));
    far = fma(p, distance(place, static_cast<float>(j)), far);
    // The lanes' offsets lane + l − j follow each other.
    float* at = profile + t.scene.lane - j + t.length - 1;
    store(fma(p, counted, load(at)), at);
    if (const int64_t g = t.set ? t.set[j] : -1; g >= 0 && g < t.sets) {
      float* mass = found.rows[kStatistics + g];
      store(add(load(mass), p), mass);
    }
    store(p, tile + r * kBlock);
  }
  store(entropy, found.of(Statistic::entropy));
  store(far, found.of(Statistic::distance));
  const auto look_up = [&](Statistic s, int64_t l, int64_t j) {
    if (j >= first && j < first + count) found.of(s)[l] = tile[(j - first) * kBlock + l];
  };
  for (int64_t l = 0; l < t.scene.lanes; ++l) {
    const int64_t e = t.earlier[t.scene.lane + l];
    look_up(Statistic::previous, l, t.scene.lane + l - 1);
    look_up(Statistic::first, l, 0);
    if (e < 0) continue;
    look_up(Statistic::duplicate, l, e);
    look_up(Statistic::induction, l, e + 1);
  }
}

// The profile has sixteen floats more than offsets, which lanes beyond the last query write.
void StatisticsOfHead(const AttentionSizes& a, const AttentionOperands<float>& o, const StatisticsArrays& s,
                      int64_t n, int64_t h, const cpu::Scratch& scratch, float* rows, float* profile) {
  const Rows q = cpu::rows_of(o.q, n, h, a.queries, a.heads, a.width);
  const Rows k = cpu::rows_of(o.k, n, h / a.group(), a.keys, a.kv_heads, a.width);
  float *queries = scratch.panel[0], *tile = scratch.tile[0];
  for (int64_t first = 0; first < a.queries; first += kBlock) {
    const Scene scene(a, o, n, h, true, first);
    const int64_t end = cpu::keys_end(a, first);
    const auto for_tiles = [&](const auto& body) {
      for (int64_t j = 0; j < end; j += kRows) {
        const int64_t count = std::min(kRows, end - j);
        products(k.part(j, count), a.width, queries, tile);
        finish_scores(scene, j, count, tile);
        body(j, count);
      }
    };
    pack(q.part(scene.lane, scene.lanes), a.width, queries);
    Running running;
    for_tiles([&](int64_t, int64_t count) { running.take(tile, count); });
    float max[kBlock], sum[kBlock], counted[kBlock] = {};
    store(running.max, max);
    store(running.sum, sum);
    Found found;
    float* logs = found.of(Statistic::log_sum);
    for (int64_t l = 0; l < kBlock; ++l)
      logs[l] = sum[l] == 0 ? 0.0f : static_cast<float>(double{max[l]} + std::log(double{sum[l]}));
    for (int64_t l = 0; l < scene.lanes; ++l)
      counted[l] = !scene.padding || scene.padding[first + l] ? 1.0f : 0.0f;
    const StatisticsTask task{
        scene, s.earlier + n * a.keys, s.set ? s.set + n * a.keys : nullptr, s.sets, a.queries, counted};
    const Block log_sum = load(logs);
    for_tiles([&](int64_t j, int64_t count) { take(task, tile, j, count, log_sum, found, profile); });
    for (int64_t r = 0; rows && r < s.rows(); ++r)
      std::copy_n(found.rows[r], scene.lanes, rows + r * a.queries + first);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(StatisticsOfHead);

int64_t attention_statistics_workspace(const AttentionSizes& a) { return kPieces * Scratch::floats(a.width); }

void attention_statistics(const AttentionSizes& a, const AttentionOperands<float>& o,
                          const StatisticsArrays& s, float* rows, float* profile, float* workspace) {
  const auto run = HWY_DYNAMIC_DISPATCH(StatisticsOfHead);
  const int64_t length = a.queries, offsets = 2 * length - 1;
  for_each_task(a.n * a.heads, a.width, workspace, [&](int64_t task, const Scratch& scratch) {
    const int64_t n = task / a.heads;
    std::vector<float> sums(static_cast<size_t>(offsets + kBlock));
    run(a, o, s, n, task % a.heads, scratch, rows ? rows + task * s.rows() * length : nullptr, sums.data());
    if (!profile) return;
    const uint8_t* padding = o.padding ? o.padding + n * length : nullptr;
    std::vector<int64_t> counted(static_cast<size_t>(length + 1));  // queries that count, before each
    for (int64_t i = 0; i < length; ++i)
      counted[static_cast<size_t>(i + 1)] = counted[static_cast<size_t>(i)] + (!padding || padding[i]);
    for (int64_t at = 0; at < offsets; ++at) {
      const int64_t offset = at - (length - 1), begin = std::max<int64_t>(offset, 0),
                    end = std::min(length, length + offset);
      const int64_t count = counted[static_cast<size_t>(end)] - counted[static_cast<size_t>(begin)];
      profile[task * offsets + at] =
          count > 0 ? sums[static_cast<size_t>(at)] / static_cast<float>(count) : 0.0f;
    }
  });
}

}  // namespace loupe::cpu
#endif
