// Zip archives made byte by byte, for the tests of their reader: true ones, and some that lie.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace loupe {

template <typename T>
std::string little(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

struct ZipPart {
  std::string name = {}, data = {};
  uint16_t method = 0;
  // What the directory says instead of the truth, if not negative.
  int64_t size = -1, packed = -1, header = -1;
};

inline std::string zip_bytes(const std::vector<ZipPart>& parts, const std::string& comment = "") {
  std::string bytes, directory;
  const auto or_truth = [](int64_t said, size_t truth) {
    return little(static_cast<uint32_t>(said >= 0 ? said : static_cast<int64_t>(truth)));
  };
  for (const ZipPart& p : parts) {
    const std::string size = or_truth(p.size, p.data.size()), packed = or_truth(p.packed, p.data.size());
    const std::string middle = little(p.method) + std::string(8, '\0') + packed + size +
                               little(static_cast<uint16_t>(p.name.size())) + std::string(2, '\0');
    directory += "PK\1\2" + std::string(4, '\0') + std::string(2, '\0') + middle + std::string(10, '\0') +
                 or_truth(p.header, bytes.size()) + p.name;
    bytes += "PK\3\4" + std::string(4, '\0') + middle + p.name + p.data;
  }
  const auto count = little(static_cast<uint16_t>(parts.size()));
  return bytes + directory + "PK\5\6" + std::string(4, '\0') + count + count +
         little(static_cast<uint32_t>(directory.size())) + little(static_cast<uint32_t>(bytes.size())) +
         little(static_cast<uint16_t>(comment.size())) + comment;
}

}  // namespace loupe
