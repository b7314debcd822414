// The compact file of an index.
#include <algorithm>
#include <bit>
#include <cstring>
#include <map>

#include "engine/file/file.h"
#include "engine/neurons/index.h"
#include "kernels/common/draws.h"
#include "kernels/common/error.h"

namespace loupe {

namespace {

constexpr char kMagic[8] = {'L', 'O', 'U', 'P', 'E', 'I', 'D', 'X'};
constexpr uint64_t kVersion = 1;
constexpr size_t kHeader = 32;  // magic, version, length, digest
static_assert(std::endian::native == std::endian::little, "index files are little-endian");

uint64_t digest(std::span<const uint8_t> bytes) {
  return fnv1a64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

class Writer {
 public:
  template <typename T>
  void number(T v) {
    const auto* p = reinterpret_cast<const uint8_t*>(&v);
    bytes.insert(bytes.end(), p, p + sizeof v);
  }
  void count(size_t n) { number(static_cast<uint64_t>(n)); }
  void text(const std::string& s) {
    count(s.size());
    bytes.insert(bytes.end(), s.begin(), s.end());
  }
  std::vector<uint8_t> bytes = {};
};

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : rest_(bytes) {}

  template <typename T>
  T number() {
    T v;
    std::memcpy(&v, take(sizeof v), sizeof v);
    return v;
  }
  // Of things that take at least so many bytes each, so that no damaged number asks for much memory.
  size_t count(size_t each) {
    const auto n = number<uint64_t>();
    if (n > rest_.size() / each) throw Error("it is cut short");
    return static_cast<size_t>(n);
  }
  int64_t size() {
    const auto n = number<int64_t>();
    if (n < 0) throw Error("it holds a negative count");
    return n;
  }
  std::string text() {
    const size_t n = count(1);
    return {reinterpret_cast<const char*>(take(n)), n};
  }
  bool at_end() const { return rest_.empty(); }

 private:
  const uint8_t* take(size_t n) {
    if (n > rest_.size()) throw Error("it is cut short");
    const uint8_t* p = rest_.data();
    rest_ = rest_.subspan(n);
    return p;
  }
  std::span<const uint8_t> rest_;
};

using Names = std::map<std::string, uint32_t>;  // each name once, in their order

Names names_of(const HitIndex& index) {
  Names names;
  for (const LayerHits& l : index.layers)
    for (const std::vector<Hit>& hits : l.channels)
      for (const Hit& h : hits) names[h.image];
  uint32_t next = 0;
  for (auto& [name, id] : names) id = next++;
  return names;
}

void check_order(const std::vector<Hit>& hits, int64_t top) {
  if (std::ssize(hits) > top) throw Error("a list in it is too long");
  for (size_t i = 0; i < hits.size(); ++i) {
    const Hit& h = hits[i];
    if (!(h.score == h.score) || h.y < 0 || h.x < 0 || h.crop[0] < 0 || h.crop[1] < 0 ||
        h.crop[2] <= h.crop[0] || h.crop[3] <= h.crop[1])
      throw Error("a hit in it is none");
    if (i > 0 && !ranks_before(hits[i - 1], h)) throw Error("a list in it is out of order");
  }
}

std::vector<Hit> read_hits(Reader& in, const std::vector<std::string>& names, int64_t top) {
  std::vector<Hit> hits(in.count(36));
  for (Hit& h : hits) {
    h.score = in.number<double>();
    const auto name = in.number<uint32_t>();
    if (name >= names.size()) throw Error("a hit in it names no picture");
    h.image = names[name];
    h.y = in.number<int32_t>();
    h.x = in.number<int32_t>();
    for (int32_t& edge : h.crop) edge = in.number<int32_t>();
  }
  check_order(hits, top);
  return hits;
}

HitIndex read_payload(Reader& in) {
  HitIndex index;
  for (size_t n = in.count(16); n > 0; --n) {
    std::string name = in.text();
    index.settings.emplace_back(std::move(name), in.text());
  }
  index.top = in.size();
  index.next = in.size();
  index.total = in.size();
  index.pictures = in.size();
  if (index.next > index.total || index.pictures > index.next)
    throw Error("its counts contradict each other");
  for (size_t n = in.count(24); n > 0; --n) {
    HitIndex::Part p{.source = in.number<uint64_t>(), .shard = in.size(), .shards = in.size()};
    if (p.shard < 1 || p.shard > p.shards) throw Error("it is of a shard that does not exist");
    index.parts.push_back(p);
  }
  for (size_t n = in.count(16); n > 0; --n) {
    std::string image = in.text();
    index.skipped.push_back({std::move(image), in.text()});
  }
  std::vector<std::string> names(in.count(8));
  for (std::string& name : names) name = in.text();
  index.layers.resize(in.count(16));
  for (LayerHits& l : index.layers) {
    l.layer = in.text();
    l.channels.resize(in.count(8));
    for (std::vector<Hit>& hits : l.channels) hits = read_hits(in, names, index.top);
  }
  if (!in.at_end()) throw Error("something stands behind its end");
  return index;
}

}  // namespace

std::vector<uint8_t> encode_index(const HitIndex& index) {
  Writer out;
  out.count(index.settings.size());
  for (const auto& [name, value] : index.settings) out.text(name), out.text(value);
  for (const int64_t n : {index.top, index.next, index.total, index.pictures}) out.number(n);
  out.count(index.parts.size());
  for (const HitIndex::Part& p : index.parts) out.number(p.source), out.number(p.shard), out.number(p.shards);
  out.count(index.skipped.size());
  for (const HitIndex::Skipped& s : index.skipped) out.text(s.image), out.text(s.why);
  const Names names = names_of(index);
  out.count(names.size());
  for (const auto& [name, id] : names) out.text(name);
  out.count(index.layers.size());
  for (const LayerHits& l : index.layers) {
    out.text(l.layer);
    out.count(l.channels.size());
    for (const std::vector<Hit>& hits : l.channels) {
      out.count(hits.size());
      for (const Hit& h : hits) {
        out.number(h.score);
        out.number(names.at(h.image));
        out.number(h.y);
        out.number(h.x);
        for (const int32_t edge : h.crop) out.number(edge);
      }
    }
  }
  Writer file;
  file.bytes.assign(kMagic, kMagic + sizeof kMagic);
  file.number(kVersion);
  file.count(out.bytes.size());
  file.number(digest(out.bytes));
  file.bytes.insert(file.bytes.end(), out.bytes.begin(), out.bytes.end());
  return std::move(file.bytes);
}

HitIndex decode_index(std::span<const uint8_t> bytes) {
  if (bytes.size() < kHeader || !std::equal(kMagic, kMagic + sizeof kMagic, bytes.begin()))
    throw Error("it is no index of `loupe search`");
  Reader header(bytes.subspan(sizeof kMagic, kHeader - sizeof kMagic));
  if (const auto version = header.number<uint64_t>(); version != kVersion)
    throw Error("it is of version " + std::to_string(version) + ", which this Loupe does not know");
  const auto length = header.number<uint64_t>();
  const std::span<const uint8_t> payload = bytes.subspan(kHeader);
  if (length != payload.size())
    throw Error(length > payload.size() ? "it is cut short" : "something stands behind its end");
  if (header.number<uint64_t>() != digest(payload)) throw Error("it is damaged: its digest does not fit");
  Reader in(payload);
  return read_payload(in);
}

HitIndex read_index(const std::filesystem::path& path) {
  try {
    return decode_index(read_file(path));
  } catch (const Error& e) {
    throw Error("cannot read '" + path.string() + "': " + e.what());
  }
}

}  // namespace loupe
