// The JSON header of a safetensors file: parsed and checked against the bytes that follow it.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/common/shape.h"

namespace loupe::safetensors {

/// A type that the format knows, whether or not Loupe computes with it.
struct Type {
  std::string_view name;
  uint64_t bytes;
};
/// nullptr for an unknown name.
const Type* find_type(std::string_view name);

struct HeaderEntry {
  std::string name, dtype;
  uint64_t element_bytes;  // 0: a type that is not known here, and no obstacle until it is read
  Shape shape;
  uint64_t begin, end;  // bytes, from the end of the header
};

struct Header {
  std::vector<HeaderEntry> tensors;  // by offset; together they cover the data exactly
  std::map<std::string, std::string> metadata;
};

/// `json` is the header's text, `data_bytes` what follows it. Throws Error, one line that starts with the
/// file's name. Memory and stack are bounded by the length of `json`, however deep its brackets go.
Header parse_header(std::string_view json, uint64_t data_bytes, const std::string& file);

/// A name from a file, fit for one line of an error: quoted, control characters replaced, long ones cut.
std::string in_quotes(std::string_view name);

}  // namespace loupe::safetensors
