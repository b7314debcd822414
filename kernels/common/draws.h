// Draws: random numbers by name. What is drawn is a function of the name, the index and the seed alone: the
// same on every backend, in whatever batches and by however many threads it is asked for.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace loupe {

/// FNV-1a, 64 bits (Fowler, Noll & Vo), of a name.
uint64_t fnv1a64(std::string_view text);

/// The stream of a name:  u(i) = (splitmix64(fnv1a64(name) + i) >> 11) / 2^53.
class Draws {
 public:
  /// `noise`: "hash", the stream as it stands, which tests/oracle draws too; or a whole number, a seed of other
  /// streams. Throws UsageError for anything else, naming `option`.
  explicit Draws(const std::string& noise = "hash", std::string_view option = "noise");

  /// In [0, 1).
  double uniform(std::string_view name, int64_t i) const;
  /// u(first), u(first + 1), …
  void uniforms(std::string_view name, std::span<double> to, int64_t first = 0) const;
  /// Of mean 0 and deviation 1: √(−2 ln(1 − u(i of name.u1)))·cos(2π u(i of name.u2)) (Box & Muller 1958).
  void normals(std::string_view name, std::span<double> to, int64_t first = 0) const;

 private:
  uint64_t key(std::string_view name) const;
  uint64_t seed_ = 0;  // 0: hash
};

}  // namespace loupe
