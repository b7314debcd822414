#include "models/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/file/atomic_file.h"
#include "engine/file/mapped_file.h"
#include "kernels/common/error.h"
#include "kernels/common/parallel.h"
#include "models/io/safetensors_header.h"

namespace loupe {

using safetensors::in_quotes;

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian, and tensors are views of files");

namespace {

constexpr uint64_t kLongestHeader = 100'000'000;  // the format's own limit

// Types whose bytes in a file are already a Tensor's.
std::optional<Dtype> same_in_memory(std::string_view type) {
  if (type == "F32") return Dtype::f32;
  if (type == "F64") return Dtype::f64;
  if (type == "I32") return Dtype::i32;
  if (type == "U8" || type == "BOOL") return Dtype::u8;
  return std::nullopt;
}

float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// The 15 bits below the sign, shifted to float's place, make the value times 2^-112 (subnormals too,
// exactly). Infinity and NaN have every exponent bit set, which the product does not: they get it directly.
float from_f16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t magnitude = static_cast<uint32_t>(bits & 0x7FFF) << 13;
  const bool finite = (bits & 0x7C00) != 0x7C00;
  const uint32_t value =
      finite ? std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f) : magnitude | 0x7F800000;
  return std::bit_cast<float>(value | sign);
}

// `data` may be unaligned.
template <typename From, typename To, typename Convert>
void convert_each(std::span<const std::byte> data, std::span<To> to, const Convert& one) {
  constexpr int64_t kChunk = 1 << 16;
  const auto count = static_cast<int64_t>(to.size());
  parallel_for(ceil_div(count, kChunk), [&](int64_t chunk) {
    for (int64_t i = chunk * kChunk, end = std::min(count, i + kChunk); i < end; ++i) {
      From value;
      std::memcpy(&value, data.data() + i * static_cast<int64_t>(sizeof(From)), sizeof(From));
      to[static_cast<size_t>(i)] = one(value);
    }
  });
}

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
    file.entries_[t.name] = {{std::string(t.type->name), t.shape}, data.subspan(t.begin, t.end - t.begin)};
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
  if (const std::optional<Dtype> dtype = same_in_memory(info.dtype)) {
    const bool aligned =
        reinterpret_cast<uintptr_t>(data.data()) % static_cast<size_t>(dtype_bytes(*dtype)) == 0;
    if (aligned) {
      auto* start = const_cast<std::byte*>(data.data());
      return Tensor(*dtype, info.shape, Storage::borrow(start, std::ssize(data), owner_));
    }
    Tensor copy(*dtype, info.shape);
    if (!data.empty()) std::memcpy(copy.raw(), data.data(), data.size());
    return copy;
  }
  if (info.dtype == "F16" || info.dtype == "BF16") {
    Tensor t(Dtype::f32, info.shape);
    convert_each<uint16_t>(data, t.values<float>(), info.dtype == "F16" ? from_f16 : from_bf16);
    return t;
  }
  if (info.dtype == "I64") {
    Tensor t(Dtype::i32, info.shape);
    size_t at = 0;
    for (int32_t& to : t.values<int32_t>()) {
      int64_t value;
      std::memcpy(&value, data.data() + at, sizeof(value));
      at += sizeof(value);
      if (value != static_cast<int32_t>(value))
        throw Error(file_ + ": tensor " + in_quotes(name) + ": the value " + std::to_string(value) +
                    " does not fit 32 bits");
      to = static_cast<int32_t>(value);
    }
    return t;
  }
  throw Error(file_ + ": tensor " + in_quotes(name) + " is of type " + info.dtype +
              "; Loupe reads F32, F64, F16, BF16, I32, I64, U8 and BOOL");
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
