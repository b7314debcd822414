// HitIndex: which pictures excite each channel most. What `loupe search` finds, and later commands look up.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace loupe {

/// A picture in a channel's list.
struct Hit {
  double score = 0;        // the channel's largest activation in the picture
  std::string image = {};  // the picture's name
  int32_t y = 0, x = 0;    // where that is, the first such place in row-major order
  std::array<int32_t, 4>
      crop{};  // what the place sees of the input: rows [crop[0], crop[2]), columns [crop[1], crop[3])
  friend bool operator==(const Hit&, const Hit&) = default;
};

/// The order of every list: the larger score first; of equal ones the name that comes first, byte by byte.
bool ranks_before(const Hit& a, const Hit& b);

struct LayerHits {
  std::string layer;
  std::vector<std::vector<Hit>> channels = {};  // each at most `top` hits, best first, a picture at most once
  friend bool operator==(const LayerHits&, const LayerHits&) = default;
};

/// Puts the hit where it belongs, if that is among the first `top`.
void insert(std::vector<Hit>& hits, Hit hit, int64_t top);
/// Whether a picture of that score and name would come in.
bool comes_in(const std::vector<Hit>& hits, double score, const std::string& image, int64_t top);

struct HitIndex {
  struct Part {
    uint64_t source = 0;  // digest of the list of pictures
    int64_t shard = 1, shards = 1;
    friend auto operator<=>(const Part&, const Part&) = default;
  };
  struct Skipped {
    std::string image, why;
    friend auto operator<=>(const Skipped&, const Skipped&) = default;
  };

  /// What hits depend on besides the pictures, name and value: "model", "weights" …
  std::vector<std::pair<std::string, std::string>> settings = {};
  int64_t top = 9;
  std::vector<Part> parts = {};  // of which lists of pictures this is; more than one after a merge
  int64_t next = 0, total = 0;   // pictures of the list that were looked at, and that there are
  int64_t pictures = 0;          // that could be read
  std::vector<Skipped> skipped = {};
  std::vector<LayerHits> layers = {};

  bool finished() const { return next == total; }
  friend bool operator==(const HitIndex&, const HitIndex&) = default;
};

/// What one search of both's pictures finds, whatever the order. Shards that are then complete are one part. `a` and
/// `b`: how errors call them. Throws UsageError, one line, where the two are of different networks, layers or settings,
/// are not finished, both hold the same part, or know a picture differently.
HitIndex merge(const HitIndex& x, const HitIndex& y, const std::string& a, const std::string& b);

/// A compact file: little-endian, "LOUPEIDX", the version, the length and a digest of what follows. The same index gives
/// the same bytes.
std::vector<uint8_t> encode_index(const HitIndex& index);
/// Throws Error, one line that names no file, for whatever encode_index() did not write.
HitIndex decode_index(std::span<const uint8_t> bytes);
/// The same of a file. Throws Error naming it.
HitIndex read_index(const std::filesystem::path& path);

}  // namespace loupe
