// Files of safetensors made byte by byte, for the tests of their reader and writer.
#pragma once
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "kernels/common/error.h"
#include "models/io/safetensors.h"

namespace fs = std::filesystem;

namespace loupe {

// A folder for one test case, empty before and gone after.
struct Scratch {
  fs::path folder = fs::temp_directory_path() / ("loupe_safetensors_" + std::to_string(::getpid()));
  Scratch() {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  ~Scratch() { fs::remove_all(folder); }
  std::string file(const std::string& name) const { return (folder / name).string(); }
  std::ptrdiff_t count() const {
    return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
  }
};

inline std::string little_endian(uint64_t value) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &value, 8);
  return bytes;
}

inline std::string file_bytes(const std::string& json, const std::string& data = {}) {
  return little_endian(json.size()) + json + data;
}

inline SafetensorsFile parse(const std::string& bytes) {
  const auto owner = std::make_shared<const std::string>(bytes);
  return SafetensorsFile::parse(std::as_bytes(std::span(*owner)), "file.safetensors", owner);
}

// The error of reading `bytes`, which must be one line that names the file.
inline std::string error_of(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const Error& error) {
    const std::string text = error.what();
    CHECK(text.starts_with("'file.safetensors'"));
    CHECK(text.find('\n') == text.npos);
    CHECK(text.size() < 400);
    return text;
  }
  return "(no error)";
}

inline bool mentions(const std::string& text, const std::string& part) {
  INFO(text);
  INFO(part);
  return text.find(part) != text.npos;
}

inline std::string tensor_json(const std::string& dtype, const std::string& shape,
                               const std::string& offsets) {
  return R"({"t":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

inline Tensor f32(std::vector<float> values, Shape shape) {
  return Tensor::from(std::span<const float>(values), shape);
}

}  // namespace loupe
