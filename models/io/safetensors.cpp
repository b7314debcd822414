#include "models/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/file/atomic_file.h"
#include "engine/file/mapped_file.h"
#include "kernels/common/error.h"
#include "models/io/safetensors_header.h"

namespace loupe {

using safetensors::in_quotes;

namespace {

constexpr uint64_t kLongestHeader = 100'000'000;  // the format's own limit

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  return parse(file->bytes(), path, file);
}

SafetensorsFile SafetensorsFile::parse(std::span<const std::byte> bytes, const std::string& name,
                                       std::shared_ptr<const void> owner) {
  SafetensorsFile file;
  file.file_ = "'" + name + "'";
  file.owner_ = std::move(owner);
  uint64_t length = 0;
  if (bytes.size() < sizeof(length))
    throw Error(file.file_ + " has only " + std::to_string(bytes.size()) +
                " bytes; is this a safetensors file?");
  std::memcpy(&length, bytes.data(), sizeof(length));
  const auto rest = bytes.subspan(sizeof(length));
  // Nearly every file of another format fails here.
  if (length > kLongestHeader)
    throw Error(file.file_ + ": its header would be " + std::to_string(length) +
                " bytes long, and 100000000 is the " + "longest allowed; is this a safetensors file?");
  if (length > rest.size())
    throw Error(file.file_ + ": its header is " + std::to_string(length) + " bytes long, but only " +
                std::to_string(rest.size()) +
                " bytes follow; the file is truncated or not a safetensors file");
  const std::string_view json(reinterpret_cast<const char*>(rest.data()), length);
  const auto data = rest.subspan(length);
  safetensors::Header header = safetensors::parse_header(json, data.size(), file.file_);
  file.metadata_ = std::move(header.metadata);
  for (const safetensors::HeaderEntry& t : header.tensors) {
    file.names_.push_back(t.name);
    file.entries_[t.name] = {{t.dtype, t.shape}, data.subspan(t.begin, t.end - t.begin)};
  }
  return file;
}

const SafetensorsFile::Entry& SafetensorsFile::entry(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end())
    throw Error(file_ + " has no tensor " + in_quotes(name) + " among its " + std::to_string(names_.size()));
  return found->second;
}

Tensor SafetensorsFile::tensor(std::string_view name) const {
  const auto& [info, data] = entry(name);
  return stored_tensor(info, data, owner_, file_ + ": tensor " + in_quotes(name));
}

namespace {

// What stands in a file for a tensor.
struct Written {
  std::string name;
  std::string_view type;
  int64_t width;  // of a value, in bytes
  Shape shape;
  std::span<const std::byte> bytes;
};

void write(const std::string& path, std::vector<Written> tensors,
           const std::map<std::string, std::string>& metadata) {
  std::ranges::stable_sort(tensors, std::greater{}, &Written::width);
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t end = 0;
  for (const Written& t : tensors) {
    if (t.name == "__metadata__" || header.contains(t.name))
      throw Error("cannot write '" + path + "': two things are called " + in_quotes(t.name));
    const int64_t begin = end;
    end += std::ssize(t.bytes);
    header[t.name] = {{"dtype", t.type}, {"shape", t.shape.dims()}, {"data_offsets", {begin, end}}};
  }
  std::string json;
  try {
    json = header.dump();
  } catch (const nlohmann::json::exception&) {
    throw Error("cannot write '" + path + "': a tensor's name or the metadata is not valid UTF-8");
  }
  json.resize(static_cast<size_t>(round_up(std::ssize(json), 8)), ' ');
  const uint64_t length = json.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(json);
  for (const Written& t : tensors) file.write(t.bytes);
  file.commit();
}

Written as_it_is(const std::string& name, const Tensor& t) {
  const Dtype d = t.dtype();
  const auto* type = d == Dtype::f64 ? "F64" : d == Dtype::f32 ? "F32" : d == Dtype::i32 ? "I32" : "U8";
  return {name, type, dtype_bytes(d), t.shape(), {t.raw(), static_cast<size_t>(t.bytes())}};
}

// Round to nearest, ties to even; infinity where x is beyond the largest. From double at once: rounding to
// float in between could make a tie of what was none.
uint16_t to_f16(double x) {
  const auto sign = static_cast<uint16_t>(std::bit_cast<uint64_t>(x) >> 48 & 0x8000);
  const auto with_sign = [&](uint64_t bits) { return static_cast<uint16_t>(sign | bits); };
  const double magnitude = std::fabs(x);
  const auto m = std::bit_cast<uint64_t>(magnitude);
  if (std::isnan(x)) return with_sign(0x7e00);
  if (magnitude >= 65520) return with_sign(0x7c00);
  // Below 2⁻¹⁴ f16 is a multiple of 2⁻²⁴: adding 2²⁸ leaves just that in the low bits, rounded by the
  // addition.
  if (magnitude < 0x1p-14)
    return with_sign(std::bit_cast<uint64_t>(magnitude + 0x1p28) - std::bit_cast<uint64_t>(0x1p28));
  // The exponent's bias goes from 1023 to 15, and 42 bits of the mantissa are rounded away.
  const uint64_t odd = m >> 42 & 1;
  return with_sign((m - (uint64_t{1008} << 52) + 0x1ffffffffff + odd) >> 42);
}

}  // namespace

void write_safetensors(const std::string& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<Written> written;
  for (const auto& [name, t] : tensors) written.push_back(as_it_is(name, t));
  write(path, std::move(written), metadata);
}

void write_safetensors_f16(const std::string& path, const NamedTensors& tensors,
                           const std::map<std::string, std::string>& metadata) {
  std::vector<Written> written;
  std::vector<std::vector<uint16_t>> halves;
  for (const auto& [name, t] : tensors) {
    if (t.dtype() != Dtype::f32 && t.dtype() != Dtype::f64) {
      written.push_back(as_it_is(name, t));
      continue;
    }
    std::vector<uint16_t>& half = halves.emplace_back(static_cast<size_t>(t.numel()));
    for (size_t i = 0; i < half.size(); ++i) {
      const double x = t.item(static_cast<int64_t>(i));
      half[i] = to_f16(x);
      if (std::isfinite(x) && (half[i] & 0x7fff) == 0x7c00)
        throw Error("cannot write '" + path + "': the tensor " + in_quotes(name) + " holds " +
                    std::to_string(x) + ", which is too large for f16");
    }
    written.push_back({name, "F16", 2, t.shape(), std::as_bytes(std::span(half))});
  }
  write(path, std::move(written), metadata);
}

}  // namespace loupe
