#include "models/io/zip.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/common/error.h"
#include "models/io/safetensors_header.h"

namespace loupe {
namespace {

using safetensors::in_quotes;

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                   kLocator64 = 0x07064b50;
constexpr uint64_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20;
constexpr uint32_t kIn64 = 0xFFFFFFFF;  // a number that stands in a field of 64 bits elsewhere

// Little-endian numbers at places in the file, each checked.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  [[noreturn]] void fail(const std::string& what) const { throw Error(file_ + ": its zip archive " + what); }
  std::span<const std::byte> part(uint64_t at, uint64_t count) const {
    if (at > bytes_.size() || count > bytes_.size() - at)
      fail("is cut short: " + std::to_string(count) + " bytes should stand at byte " + std::to_string(at) +
           " of a file of " + std::to_string(bytes_.size()));
    return bytes_.subspan(at, count);
  }
  template <typename T>
  T number(uint64_t at) const {
    T value;
    std::memcpy(&value, part(at, sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string text(uint64_t at, uint64_t count) const {
    const auto bytes = part(at, count);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  uint64_t size() const { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
  const std::string& file_;
};

struct Directory {
  uint64_t entries, bytes, begin;
};

// The record at the end, behind which only a comment may stand.
uint64_t find_end(const Reader& in) {
  constexpr uint64_t kLongestComment = 65535;
  for (uint64_t comment = 0; comment <= kLongestComment && comment + kEndBytes <= in.size(); ++comment) {
    const uint64_t at = in.size() - kEndBytes - comment;
    if (in.number<uint32_t>(at) == kEnd && in.number<uint16_t>(at + 20) == comment) return at;
  }
  in.fail("has no directory at its end: the file is cut short, or not all of it was downloaded");
}

Directory find_directory(const Reader& in) {
  const uint64_t end = find_end(in);
  Directory d{in.number<uint16_t>(end + 10), in.number<uint32_t>(end + 12), in.number<uint32_t>(end + 16)};
  uint64_t behind = end;
  if (end >= kLocatorBytes && in.number<uint32_t>(end - kLocatorBytes) == kLocator64) {
    behind = in.number<uint64_t>(end - kLocatorBytes + 8);
    if (behind > end - kLocatorBytes || in.number<uint32_t>(behind) != kEnd64)
      in.fail("names byte " + std::to_string(behind) + " for its 64-bit directory, which is not there");
    in.part(behind, kEnd64Bytes);
    d = {in.number<uint64_t>(behind + 32), in.number<uint64_t>(behind + 40),
         in.number<uint64_t>(behind + 48)};
  }
  if (d.begin > behind || d.bytes > behind - d.begin || d.entries > d.bytes / kCentralBytes)
    in.fail("has a directory of " + std::to_string(d.entries) + " entries in " + std::to_string(d.bytes) +
            " bytes at byte " + std::to_string(d.begin) + ", which cannot be");
  return d;
}

struct Place {
  std::string name;
  uint64_t begin, data, end;  // in the file: its header, its data, and behind them
  bool stored;
};

struct Sizes {
  uint64_t size, packed, header;
};

// Fields that are too small stand in the extra field number 1, in this order, those that are needed.
Sizes sizes64(const Reader& in, Sizes s, uint64_t extra, uint64_t length, const std::string& name) {
  uint64_t* wanted[] = {&s.size, &s.packed, &s.header};
  if (std::ranges::none_of(wanted, [](const uint64_t* w) { return *w == kIn64; })) return s;
  const uint64_t end = extra + length;
  while (extra + 4 <= end) {
    const uint64_t next = extra + 4 + in.number<uint16_t>(extra + 2);
    if (in.number<uint16_t>(extra) == 1 && next <= end) {
      uint64_t at = extra + 4;
      for (uint64_t* w : wanted) {
        if (*w != kIn64) continue;
        if (at + 8 > next) in.fail("lacks a 64-bit size of its entry " + in_quotes(name));
        *w = in.number<uint64_t>(at);
        at += 8;
      }
      return s;
    }
    extra = next;
  }
  in.fail("lacks the 64-bit sizes of its entry " + in_quotes(name));
}

Place place(const Reader& in, uint64_t at, uint64_t directory, uint64_t& next) {
  if (in.number<uint32_t>(at) != kCentral)
    in.fail("has no entry of its directory at byte " + std::to_string(at));
  const auto flags = in.number<uint16_t>(at + 8), method = in.number<uint16_t>(at + 10);
  const uint64_t name_bytes = in.number<uint16_t>(at + 28), extra = in.number<uint16_t>(at + 30);
  next = at + kCentralBytes + name_bytes + extra + in.number<uint16_t>(at + 32);
  std::string name = in.text(at + kCentralBytes, name_bytes);
  const Sizes s =
      sizes64(in, {in.number<uint32_t>(at + 24), in.number<uint32_t>(at + 20), in.number<uint32_t>(at + 42)},
              at + kCentralBytes + name_bytes, extra, name);
  const bool stored = method == 0 && (flags & 1) == 0;
  if (s.header >= directory || in.number<uint32_t>(s.header) != kLocal)
    in.fail("names byte " + std::to_string(s.header) + " for its entry " + in_quotes(name) +
            ", which does not begin there");
  const uint64_t data =
      s.header + kLocalBytes + in.number<uint16_t>(s.header + 26) + in.number<uint16_t>(s.header + 28);
  if (data > directory || s.packed > directory - data)
    in.fail("has " + std::to_string(s.packed) + " bytes in its entry " + in_quotes(name) +
            ", more than the file holds");
  if (stored && s.size != s.packed)
    in.fail("says of its entry " + in_quotes(name) + " that it has " + std::to_string(s.size) +
            " bytes, but stores " + std::to_string(s.packed));
  return {std::move(name), s.header, data, data + s.packed, stored};
}

}  // namespace

ZipFile::ZipFile(std::span<const std::byte> bytes, const std::string& file) : file_(file) {
  const Reader in(bytes, file);
  const Directory directory = find_directory(in);
  std::vector<Place> places;
  uint64_t at = directory.begin;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    if (at > directory.begin + directory.bytes) in.fail("has a directory that is shorter than its entries");
    places.push_back(place(in, at, directory.begin, at));
  }
  std::ranges::sort(places, {}, &Place::begin);
  for (size_t i = 0; i < places.size(); ++i) {
    const Place& p = places[i];
    if (i > 0 && p.begin < places[i - 1].end)
      in.fail("has entries that overlap: " + in_quotes(places[i - 1].name) + " and " + in_quotes(p.name));
    const auto data = p.stored ? bytes.subspan(p.data, p.end - p.data) : bytes.first(0);
    if (!entries_.emplace(p.name, Entry{data, p.stored}).second)
      in.fail("has two entries " + in_quotes(p.name));
  }
}

std::span<const std::byte> ZipFile::read(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw Error(file_ + ": its zip archive lacks the entry " + in_quotes(name));
  if (!found->second.stored)
    throw Error(file_ + ": its entry " + in_quotes(name) +
                " is compressed or encrypted, which torch.save does not do; save it again with torch.save");
  return found->second.data;
}

}  // namespace loupe
