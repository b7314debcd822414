#include "kernels/common/draws.h"

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

void Draws::normals(std::string_view name, std::span<double> to, int64_t first) const {
  const std::string text(name);
  fill(to, [k1 = key(text + ".u1"), k2 = key(text + ".u2"), first](int64_t i) {
    return std::sqrt(-2 * std::log1p(-number(k1, first + i))) *
           std::cos(2 * std::numbers::pi * number(k2, first + i));
  });
}

}  // namespace loupe
