#include "kernels/common/draws.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <numbers>

#include "kernels/common/array.h"
#include "kernels/common/error.h"
#include "kernels/common/parallel.h"
#include "kernels/common/random.h"

namespace loupe {

namespace {
constexpr int64_t kChunk = 1 << 13;

double number(uint64_t key, int64_t i) {
  const auto bits = static_cast<int64_t>(scrambled(key + static_cast<uint64_t>(i)) >> 11);
  return static_cast<double>(bits) * 0x1p-53;
}

template <typename F>
void fill(std::span<double> to, const F& f) {
  const auto count = static_cast<int64_t>(to.size());
  parallel_for(ceil_div(count, kChunk), [&](int64_t chunk) {
    for (int64_t i = chunk * kChunk, end = std::min(count, i + kChunk); i < end; ++i)
      to[static_cast<size_t>(i)] = f(i);
  });
}
}  // namespace

uint64_t fnv1a64(std::string_view text) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

Draws::Draws(const std::string& noise, std::string_view option) {
  if (noise == "hash") return;
  uint64_t seed = 0;
  const auto [end, error] = std::from_chars(noise.data(), noise.data() + noise.size(), seed);
  if (error != std::errc() || end != noise.data() + noise.size())
    throw UsageError(std::string(option) + " is `hash` or a whole number, not '" + noise + "'");
  seed_ = scrambled(seed) | 1;
}

uint64_t Draws::key(std::string_view name) const {
  const uint64_t own = fnv1a64(name);
  return seed_ == 0 ? own : scrambled(own ^ seed_);
}

double Draws::uniform(std::string_view name, int64_t i) const { return number(key(name), i); }

void Draws::uniforms(std::string_view name, std::span<double> to, int64_t first) const {
  fill(to, [k = key(name), first](int64_t i) { return number(k, first + i); });
}

namespace {
// √(−2 ln v)·cos(2πt), of v in (0, 1] and t in [0, 1), to a few units of the last place: plain loops over polynomials,
// which compilers turn into vectors, and which add and multiply in one order, so that the bits are the same on every
// instruction set.
constexpr int64_t kTogether = 256;

// ln v = e ln 2 + 2 artanh((m − 1)/(m + 1)), v = m·2^e, m in [√½, √2): the series in the square of at most 0.172.
double logarithm(double e, double m) {
  const double s = (m - 1) / (m + 1), z = s * s;
  double sum = 1.0 / 23;
  for (int k = 21; k >= 1; k -= 2) sum = sum * z + 1.0 / k;
  return e * std::numbers::ln2 + 2 * s * sum;
}

// cos(2πt) = sin(2π(¼ − |r|)), r = t less the nearest whole number; Taylor's series up to π/2.
double cosine(double t) {
  const double r = t > 0.5 ? 1 - t : t, x = 2 * std::numbers::pi * (0.25 - r), z = x * x;
  double sum = 1;
  for (int k = 22; k >= 2; k -= 2) sum = 1 - sum * z / (k * (k + 1));
  return x * sum;
}

void box_muller(uint64_t k1, uint64_t k2, int64_t first, std::span<double> to) {
  double e[kTogether], m[kTogether], t[kTogether];
  const auto count = static_cast<int64_t>(to.size());
  for (int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<uint64_t>(1 - number(k1, first + i));  // exact: u is a multiple of 2^−53
    const uint64_t mantissa = bits & ((uint64_t{1} << 52) - 1);
    const bool high = mantissa > 0x6A09E667F3BCD;  // above √2
    e[i] = static_cast<double>(static_cast<int64_t>(bits >> 52) - 1023 + (high ? 1 : 0));
    m[i] = std::bit_cast<double>(mantissa | (high ? uint64_t{1022} : uint64_t{1023}) << 52);
    t[i] = number(k2, first + i);
  }
  for (int64_t i = 0; i < count; ++i)
    to[static_cast<size_t>(i)] = std::sqrt(-2 * logarithm(e[i], m[i])) * cosine(t[i]);
}
}  // namespace

void Draws::normals(std::string_view name, std::span<double> to, int64_t first) const {
  const std::string text(name);
  const uint64_t k1 = key(text + ".u1"), k2 = key(text + ".u2");
  const auto count = static_cast<int64_t>(to.size());
  parallel_for(ceil_div(count, kTogether), [&](int64_t chunk) {
    const int64_t begin = chunk * kTogether, size = std::min(kTogether, count - begin);
    box_muller(k1, k2, first + begin, to.subspan(static_cast<size_t>(begin), static_cast<size_t>(size)));
  });
}

}  // namespace loupe
