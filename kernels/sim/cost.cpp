#include "kernels/sim/cost.h"

#include <algorithm>
#include <bit>

namespace loupe::sim {

namespace {

constexpr uint64_t kBankBytes = 4, kBanks = 32;

// Does each lane that asks want what its partner, `distance` away, wants? One without a partner agrees.
bool pairs_agree(const Request& r, unsigned distance) {
  for (unsigned lane = 0; lane < 32; ++lane) {
    const unsigned other = lane ^ distance;
    if ((r.asking >> lane & 1) && (r.asking >> other & 1) && r.address[lane] != r.address[other])
      return false;
  }
  return true;
}

// Values without repetitions, in an array that needs no allocation.
template <size_t N>
class Few {
 public:
  void add(uint64_t value) { values_[count_++] = value; }
  std::span<const uint64_t> distinct() {
    const auto begin = values_.begin(), end = begin + static_cast<ptrdiff_t>(count_);
    std::sort(begin, end);
    count_ = static_cast<size_t>(std::unique(begin, end) - begin);
    return {values_.data(), count_};
  }

 private:
  std::array<uint64_t, N> values_;
  size_t count_ = 0;
};

}  // namespace

Cost sectors_of(const Request& r, uint64_t bytes) {
  Few<64> sectors;
  Few<32> starts;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (!(r.asking >> lane & 1)) continue;
    const uint64_t a = r.address[lane];
    sectors.add(a / kSectorBytes);
    sectors.add((a + bytes - 1) / kSectorBytes);
    starts.add(a);
  }
  const uint64_t different = starts.distinct().size() * bytes;
  return {sectors.distinct().size(), (different + kSectorBytes - 1) / kSectorBytes};
}

unsigned lanes_at_once(const Request& r, uint64_t bytes, bool write) {
  if (bytes <= kBankBytes) return 32;
  const auto plain = static_cast<unsigned>(kBanks * kBankBytes / bytes);
  return !write && (pairs_agree(r, 1) || pairs_agree(r, 2)) ? 2 * plain : plain;
}

Cost wavefronts_of(const Request& r, uint64_t bytes, bool write) {
  const unsigned at_once = lanes_at_once(r, bytes, write);
  Cost cost;
  for (unsigned first = 0; first < 32; first += at_once) {
    Few<64> words;  // of 16 lanes with 16 bytes, or fewer
    for (unsigned lane = first; lane < first + at_once; ++lane) {
      if (!(r.asking >> lane & 1)) continue;
      const uint64_t a = r.address[lane];
      for (uint64_t w = a / kBankBytes; w <= (a + bytes - 1) / kBankBytes; ++w) words.add(w);
    }
    std::array<uint64_t, kBanks> load{};
    for (const uint64_t w : words.distinct()) ++load[w % kBanks];
    const uint64_t turns = *std::ranges::max_element(load);
    cost.taken += turns;
    cost.ideal += turns > 0;
  }
  return cost;
}

}  // namespace loupe::sim
