#include "models/io/gguf.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/file/mapped_file.h"
#include "kernels/common/error.h"
#include "kernels/common/parallel.h"
#include "models/io/safetensors_header.h"

namespace loupe {

using safetensors::in_quotes;

namespace {

// Types of values, as the file numbers them.
enum : uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kText, kList, kU64, kI64, kF64, kTypes };
constexpr uint64_t kBytes[kTypes] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
constexpr const char* kMagic = "GGUF";

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

bool is_whole(uint32_t type) { return type <= kI32 || type == kU64 || type == kI64; }

// A whole number; nothing where it needs 64 bits without a sign.
std::optional<int64_t> whole(uint32_t type, const std::byte* at) {
  switch (type) {
    case kU8:
      return load<uint8_t>(at);
    case kI8:
      return load<int8_t>(at);
    case kU16:
      return load<uint16_t>(at);
    case kI16:
      return load<int16_t>(at);
    case kU32:
      return load<uint32_t>(at);
    case kI32:
      return load<int32_t>(at);
    case kI64:
      return load<int64_t>(at);
    default:
      const auto value = load<uint64_t>(at);
      if (std::in_range<int64_t>(value)) return static_cast<int64_t>(value);
      return std::nullopt;
  }
}

double real(uint32_t type, const std::byte* at) {
  if (type == kF32) return static_cast<double>(load<float>(at));
  if (type == kF64) return load<double>(at);
  if (type == kU64) return static_cast<double>(load<uint64_t>(at));
  return static_cast<double>(*whole(type, at));
}

}  // namespace

// Walks through the file once. Whatever a count says, no more is kept than there are bytes.
class GgufReader {
 public:
  GgufReader(std::span<const std::byte> bytes, GgufFile& file) : rest_(bytes), all_(bytes), file_(file) {}

  void read() {
    what_ = "its head";
    take(4);
    const auto version = number<uint32_t>();
    if (version == 0x02000000 || version == 0x03000000)
      fail("it is big-endian, and Loupe reads little-endian ones");
    if (version != 2 && version != 3)
      fail("it is of version " + std::to_string(version) + "; Loupe reads versions 2 and 3");
    const auto tensors = number<uint64_t>(), keys = number<uint64_t>();
    // The least that one takes: an empty name, a type, and a byte or a place.
    if (keys > rest_.size() / 13 || tensors > rest_.size() / 24)
      fail("it says that there are " + std::to_string(keys) + " keys and " + std::to_string(tensors) +
           " tensors, which do not fit its " + std::to_string(all_.size()) +
           " bytes; it is truncated or damaged");
    for (uint64_t i = 0; i < keys; ++i) key();
    std::vector<Placed> placed;
    for (uint64_t i = 0; i < tensors; ++i) placed.push_back(tensor());
    place(std::move(placed));
  }

 private:
  struct Placed {
    std::string name;
    GgufFile::Entry entry;
    uint64_t offset, bytes;
  };

  [[noreturn]] void fail(const std::string& message) const { throw Error(file_.file_ + ": " + message); }

  std::span<const std::byte> take(uint64_t count) {
    if (count > rest_.size())
      fail("it ends within " + what_ + ", after " + std::to_string(all_.size()) +
           " bytes; it is truncated or damaged");
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  template <typename T>
  T number() {
    return load<T>(take(sizeof(T)).data());
  }
  std::string_view text() {
    const auto bytes = take(number<uint64_t>());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  void key() {
    what_ = "a key's name";
    const std::string name(text());
    what_ = "the value of " + in_quotes(name);
    const auto type = number<uint32_t>();
    if (!file_.values_.emplace(name, value(type, name)).second)
      fail("the key " + in_quotes(name) + " occurs twice");
    file_.keys_.push_back(name);
  }

  GgufFile::Value value(uint32_t type, const std::string& key) {
    if (type >= kTypes) fail("the key " + in_quotes(key) + " is of the unknown type " + std::to_string(type));
    if (type == kText) return text();
    if (type == kList) return list(key);
    const std::byte* at = take(kBytes[type]).data();
    if (type == kBool) return load<uint8_t>(at) != 0;
    if (is_whole(type))
      if (const auto number = whole(type, at)) return *number;
    return real(type, at);
  }

  GgufFile::List list(const std::string& key) {
    const auto type = number<uint32_t>();
    const auto count = number<uint64_t>();
    if (type >= kTypes || type == kList)
      fail("the key " + in_quotes(key) + " is an array of " + (type == kList ? "arrays" : "an unknown type") +
           ", which Loupe does not read");
    const auto begin = rest_;
    if (type == kText) {
      for (uint64_t i = 0; i < count; ++i) text();
    } else {
      if (count > rest_.size() / kBytes[type]) take(rest_.size() + 1);
      take(count * kBytes[type]);
    }
    return {type, count, begin.first(begin.size() - rest_.size())};
  }

  Placed tensor() {
    what_ = "a tensor's name";
    const std::string name(text()), called = "tensor " + in_quotes(name);
    what_ = called;
    const auto rank = number<uint32_t>();
    if (rank > 4) fail(called + " has " + std::to_string(rank) + " dimensions, and 4 are the most");
    std::vector<int64_t> dims(rank);
    for (uint32_t d = 0; d < rank; ++d) {
      const auto size = number<uint64_t>();
      if (size > uint64_t{1} << 60) fail(called + ": the size " + std::to_string(size) + " is too large");
      dims[rank - 1 - d] = static_cast<int64_t>(size);
    }
    const auto id = number<uint32_t>();
    const auto offset = number<uint64_t>();
    const gguf::BlockType* type = gguf::find_block_type(id);
    Shape shape;
    try {
      shape = Shape(dims);
    } catch (const Error& error) {
      fail(called + ": " + error.what());
    }
    // A type that is not known takes no bytes that could be checked, and is no obstacle until it is read.
    uint64_t bytes = 0;
    if (type && type->numbers > 0) {
      const int64_t row = rank > 0 ? dims.back() : 1;
      if (row % type->numbers)
        fail(called + " of type " + std::string(type->name) + " has rows of " + std::to_string(row) +
             " numbers, which are no whole blocks of " + std::to_string(type->numbers));
      bytes = static_cast<uint64_t>(shape.numel() / type->numbers) * static_cast<uint64_t>(type->bytes);
    }
    const std::string type_name = type ? std::string(type->name) : "number " + std::to_string(id);
    return {name, {{type_name, shape}, type, {}}, offset, bytes};
  }

  void place(std::vector<Placed> tensors) {
    const int64_t alignment = file_.integer("general.alignment").value_or(32);
    if (alignment < 1 || alignment > 1 << 20 || (alignment & (alignment - 1)))
      fail("general.alignment is " + std::to_string(alignment) + ", which is no power of two");
    what_ = "the space before its data";
    if (!tensors.empty()) {
      const uint64_t step = static_cast<uint64_t>(alignment), head = all_.size() - rest_.size();
      take((step - head % step) % step);
    }
    std::ranges::stable_sort(tensors, {}, [](const Placed& t) { return std::pair(t.offset, t.bytes); });
    uint64_t covered = 0;
    for (Placed& t : tensors) {
      const std::string called = "tensor " + in_quotes(t.name);
      if (t.offset > rest_.size() || t.bytes > rest_.size() - t.offset)
        fail(called + " reaches beyond the file, which has " + std::to_string(rest_.size()) +
             " bytes of data; it is truncated or damaged");
      if (t.offset < covered) fail(called + " lies over the one before it");
      covered = t.offset + t.bytes;
      t.entry.data = rest_.subspan(t.offset, t.bytes);
      if (!file_.entries_.emplace(t.name, std::move(t.entry)).second) fail(called + " occurs twice");
      file_.names_.push_back(std::move(t.name));
    }
  }

  std::span<const std::byte> rest_;
  const std::span<const std::byte> all_;
  GgufFile& file_;
  std::string what_;  // that is being read
};

GgufFile GgufFile::open(const std::string& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  return parse(file->bytes(), path, file);
}

bool GgufFile::starts(std::span<const std::byte> bytes) {
  return bytes.size() >= 4 && std::memcmp(bytes.data(), kMagic, 4) == 0;
}

GgufFile GgufFile::parse(std::span<const std::byte> bytes, const std::string& name,
                         std::shared_ptr<const void> owner) {
  GgufFile file;
  file.file_ = "'" + name + "'";
  file.owner_ = std::move(owner);
  if (!starts(bytes)) throw Error(file.file_ + " is no GGUF file");
  GgufReader(bytes, file).read();
  return file;
}

const GgufFile::Entry& GgufFile::entry(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end())
    throw Error(file_ + " has no tensor " + in_quotes(name) + " among its " + std::to_string(names_.size()));
  return found->second;
}

Tensor GgufFile::tensor(std::string_view name) const {
  const auto& [info, type, data] = entry(name);
  const std::string what = file_ + ": tensor " + in_quotes(name);
  if (!type || type->numbers == 0)
    throw Error(what + " is of type " + info.dtype +
                "; Loupe reads F32, F16, BF16, F64, whole numbers, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K "
                "and Q6_K");
  if (!type->read) return stored_tensor(info, data, owner_, what);
  Tensor t(Dtype::f32, info.shape);
  float* to = t.values<float>().data();
  constexpr int64_t kChunk = 1024;  // blocks
  const int64_t count = t.numel() / type->numbers;
  parallel_for(ceil_div(count, kChunk), [&, from = data.data(), type = type](int64_t chunk) {
    for (int64_t i = chunk * kChunk, end = std::min(count, i + kChunk); i < end; ++i)
      type->read(from + i * type->bytes, to + i * type->numbers);
  });
  return t;
}

const GgufFile::Value* GgufFile::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

void GgufFile::fail_key(std::string_view key, const char* wanted) const {
  throw Error(file_ + ": the key " + in_quotes(key) + " is not " + wanted);
}

std::optional<std::string> GgufFile::text(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return std::nullopt;
  if (const auto* text = std::get_if<std::string_view>(value)) return std::string(*text);
  fail_key(key, "a text");
}

std::optional<int64_t> GgufFile::integer(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return std::nullopt;
  if (const auto* number = std::get_if<int64_t>(value)) return *number;
  fail_key(key, "a whole number");
}

std::optional<double> GgufFile::number(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return std::nullopt;
  if (const auto* number = std::get_if<int64_t>(value)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<double>(value)) return *number;
  fail_key(key, "a number");
}

std::optional<bool> GgufFile::flag(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return std::nullopt;
  if (const bool* flag = std::get_if<bool>(value)) return *flag;
  fail_key(key, "true or false");
}

const GgufFile::List* GgufFile::find_list(std::string_view key, const char* wanted) const {
  const Value* value = find(key);
  if (!value) return nullptr;
  if (const auto* list = std::get_if<List>(value)) return list;
  fail_key(key, wanted);
}

std::vector<std::string> GgufFile::texts(std::string_view key) const {
  std::vector<std::string> all;
  const List* list = find_list(key, "an array of texts");
  if (!list) return all;
  if (list->type != kText) fail_key(key, "an array of texts");
  const std::byte* at = list->data.data();  // lengths were checked as the file was read
  for (uint64_t i = 0; i < list->count; ++i) {
    const auto length = load<uint64_t>(at);
    all.emplace_back(reinterpret_cast<const char*>(at) + sizeof length, length);
    at += sizeof length + length;
  }
  return all;
}

std::vector<int64_t> GgufFile::integers(std::string_view key) const {
  std::vector<int64_t> all;
  const List* list = find_list(key, "an array of whole numbers");
  if (!list) return all;
  if (!is_whole(list->type)) fail_key(key, "an array of whole numbers");
  for (uint64_t i = 0; i < list->count; ++i) {
    const auto value = whole(list->type, list->data.data() + i * kBytes[list->type]);
    if (!value) fail_key(key, "an array of whole numbers that 64 bits hold");
    all.push_back(*value);
  }
  return all;
}

std::vector<double> GgufFile::numbers(std::string_view key) const {
  std::vector<double> all;
  const List* list = find_list(key, "an array of numbers");
  if (!list) return all;
  if (!is_whole(list->type) && list->type != kF32 && list->type != kF64) fail_key(key, "an array of numbers");
  for (uint64_t i = 0; i < list->count; ++i)
    all.push_back(real(list->type, list->data.data() + i * kBytes[list->type]));
  return all;
}

}  // namespace loupe
