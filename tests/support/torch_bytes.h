// Files of torch.save made byte by byte, for the tests of their reader.
#pragma once
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/common/error.h"
#include "models/io/torch_file.h"
#include "tests/support/torch_zip.h"

namespace loupe {

inline std::string file_content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

// ---- pickles
namespace pickled {
inline std::string text(const std::string& s) { return "X" + little(static_cast<uint32_t>(s.size())) + s; }
inline std::string number(int32_t n) { return "J" + little(n); }
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string numbers(const std::vector<int32_t>& all) {
  std::string s = "(";
  for (const int32_t n : all) s += number(n);
  return s + "t";
}
// A float tensor of the storage "0", which it says has `elements`.
inline std::string tensor(const std::vector<int32_t>& size, const std::vector<int32_t>& stride,
                          int32_t offset, int32_t elements, const std::string& key = "0") {
  return global("torch._utils", "_rebuild_tensor_v2") + "((" + text("storage") +
         global("torch", "FloatStorage") + text(key) + text("cpu") + number(elements) + "tQ" +
         number(offset) + numbers(size) + numbers(stride) + "\x89" + global("collections", "OrderedDict") +
         ")RtR";
}
inline std::string dict(const std::string& items) { return "}(" + items + "u"; }
inline std::string whole(const std::string& body) { return "\x80\x02" + body + "."; }
}  // namespace pickled

// An archive with this pickle and the floats 0, 1, 2 … as its storage "0".
inline std::string archive(const std::string& pickle, size_t floats = 6) {
  std::string data;
  for (size_t i = 0; i < floats; ++i) data += little(static_cast<float>(i));
  return zip_bytes({{"archive/data.pkl", pickle}, {"archive/data/0", data}});
}

inline TorchFile parse_torch(const std::string& bytes) {
  const auto owner = std::make_shared<const std::string>(bytes);
  return TorchFile::parse(std::as_bytes(std::span(*owner)), "file.pth", owner);
}

// The error of reading `bytes` and every tensor of it, which must be one line that names the file.
inline std::string torch_error(const std::string& bytes) {
  try {
    const TorchFile file = parse_torch(bytes);
    for (const std::string& name : file.names()) file.tensor(name);
  } catch (const Error& error) {
    const std::string line = error.what();
    CHECK_MESSAGE(line.starts_with("'file.pth'"), line);
    CHECK(line.find('\n') == line.npos);
    CHECK(line.size() < 400);
    return line;
  }
  return "(no error)";
}

}  // namespace loupe
