#include "models/io/safetensors_header.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <tuple>

#include "kernels/common/error.h"

namespace loupe::safetensors {
namespace {

constexpr Type kTypes[] = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"U16", 2}, {"I16", 2}, {"F16", 2},
    {"BF16", 2}, {"U32", 4}, {"I32", 4}, {"F32", 4},     {"U64", 8},     {"I64", 8}, {"F64", 8},
};

// Receives the header's JSON piece by piece, so that nothing is ever nested deeper than the format allows:
// the text of a document tree would be parsed, and freed, by recursion as deep as a stranger likes.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const std::string& file) : file_(file) {}

  Header take() && { return std::move(header_); }

  bool start_object(size_t) override {
    switch (place_) {
      case Place::outside:
        place_ = Place::top;
        return true;
      case Place::top:
        if (key_ == "__metadata__") {
          place_ = Place::metadata;
        } else {
          place_ = Place::tensor;
          dtype_.clear();
          shape_.reset();
          offsets_.reset();
        }
        return true;
      default:
        return unexpected("an object");
    }
  }
  bool end_object() override {
    if (place_ == Place::tensor) finish_tensor();
    place_ = place_ == Place::top ? Place::outside : Place::top;
    return true;
  }
  bool start_array(size_t) override {
    if (place_ != Place::tensor || (field_ != "shape" && field_ != "data_offsets"))
      return unexpected("an array");
    place_ = Place::numbers;
    numbers_.clear();
    return true;
  }
  bool end_array() override {
    place_ = Place::tensor;
    if (field_ == "shape") {
      shape_ = numbers_;
    } else {
      if (numbers_.size() != 2)
        fail("data_offsets has " + std::to_string(numbers_.size()) + " numbers instead of 2");
      offsets_ = {numbers_[0], numbers_[1]};
    }
    return true;
  }
  bool key(std::string& text) override {
    if (place_ == Place::top) {
      key_ = text;
      if (!seen_.insert(text).second) fail("the name occurs twice");
    } else {
      field_ = text;
      const bool known =
          place_ == Place::metadata || text == "dtype" || text == "shape" || text == "data_offsets";
      if (!known) fail("unknown field " + in_quotes(text));
      const bool again = place_ == Place::metadata ? header_.metadata.contains(text)
                         : text == "dtype"         ? !dtype_.empty()
                         : text == "shape"         ? shape_.has_value()
                                                   : offsets_.has_value();
      if (again) fail("the field " + in_quotes(text) + " occurs twice");
    }
    return true;
  }
  bool string(std::string& text) override {
    if (place_ == Place::metadata) {
      header_.metadata[field_] = text;
      return true;
    }
    if (place_ != Place::tensor || field_ != "dtype") return unexpected("a text");
    if (text.empty()) fail("its dtype is empty");
    dtype_ = text;
    return true;
  }
  bool number_unsigned(uint64_t value) override {
    if (place_ != Place::numbers) return unexpected("a number");
    numbers_.push_back(value);
    return true;
  }
  bool number_integer(int64_t value) override {
    if (place_ != Place::numbers) return unexpected("a number");
    fail(field_ + " has the negative number " + std::to_string(value));
  }
  bool number_float(double, const std::string& text) override {
    if (place_ != Place::numbers) return unexpected("a number");
    fail(field_ + " has " + in_quotes(text) + ", which is not a whole number of 64 bits");
  }
  bool null() override { return unexpected("a null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool binary(nlohmann::json::binary_t&) override { return unexpected("binary data"); }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    throw Error(file_ + ": the header is not valid JSON, at its byte " + std::to_string(position));
  }

 private:
  enum class Place { outside, top, metadata, tensor, numbers };

  // Throws for the tensor (or the metadata) that is being read.
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(file_ + ": " + (key_ == "__metadata__" ? "metadata" : "tensor " + in_quotes(key_)) + ": " +
                what);
  }
  bool unexpected(const char* what) const {
    switch (place_) {
      case Place::outside:
        throw Error(file_ + ": the header is " + what + " instead of an object of tensors");
      case Place::top:
        fail(std::string("its value is ") + what + " instead of an object");
      case Place::metadata:
        fail(in_quotes(field_) + " is " + what + " instead of a text");
      default:
        fail(field_ + (place_ == Place::numbers ? " contains " : " is ") + what);
    }
  }

  void finish_tensor() {
    if (dtype_.empty() || !shape_ || !offsets_)
      fail(std::string("it has no ") + (dtype_.empty() ? "dtype" : !shape_ ? "shape" : "data_offsets"));
    std::vector<int64_t> dims;
    for (const uint64_t d : *shape_) {
      if (d > uint64_t{1} << 60) fail("the size " + std::to_string(d) + " in its shape is too large");
      dims.push_back(static_cast<int64_t>(d));
    }
    try {
      const Type* type = find_type(dtype_);
      header_.tensors.push_back(
          {key_, dtype_, type ? type->bytes : 0, Shape(dims), (*offsets_)[0], (*offsets_)[1]});
    } catch (const Error& error) {
      fail(error.what());
    }
  }

  const std::string& file_;
  Header header_;
  std::set<std::string> seen_;
  Place place_ = Place::outside;
  std::string key_, field_;  // the tensor's name, and its field or the key of the metadata
  std::vector<uint64_t> numbers_;
  // Of the tensor that is being read.
  std::string dtype_;
  std::optional<std::vector<uint64_t>> shape_;
  std::optional<std::array<uint64_t, 2>> offsets_;
};

void check_data(const std::vector<HeaderEntry>& tensors, uint64_t data_bytes, const std::string& file) {
  uint64_t covered = 0;
  const HeaderEntry* last = nullptr;
  for (const HeaderEntry& t : tensors) {
    const auto fail = [&](const std::string& what) {
      throw Error(file + ": tensor " + in_quotes(t.name) + ": " + what);
    };
    const std::string range = "data_offsets [" + std::to_string(t.begin) + ", " + std::to_string(t.end) + "]";
    if (t.end < t.begin) fail(range + " end before they begin");
    if (t.end > data_bytes)
      fail(range + " reach beyond the file, which has " + std::to_string(data_bytes) + " bytes of data");
    const uint64_t wanted = static_cast<uint64_t>(t.shape.numel()) * t.element_bytes;  // at most 2^63
    if (t.element_bytes > 0 && t.end - t.begin != wanted)
      fail(range + " hold " + std::to_string(t.end - t.begin) + " bytes, but the shape " + t.shape.str() +
           " of " + t.dtype + " takes " + std::to_string(wanted));
    if (t.begin < covered) fail(range + " overlap those of tensor " + in_quotes(last->name));
    if (t.begin > covered)
      fail(range + " leave a hole of " + std::to_string(t.begin - covered) + " bytes before them");
    covered = t.end;
    last = &t;
  }
  if (covered != data_bytes)
    throw Error(file + ": " + std::to_string(data_bytes - covered) + " bytes of data belong to no tensor");
}

}  // namespace

const Type* find_type(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const Type& t) { return t.name == name; });
  return found == std::end(kTypes) ? nullptr : found;
}

Header parse_header(std::string_view json, uint64_t data_bytes, const std::string& file) {
  if (!json.starts_with('{'))
    throw Error(file + ": the header does not start with '{'; is this a safetensors file?");
  // The JSON library takes a zero byte for the end of its input.
  if (json.find('\0') != json.npos)
    throw Error(file + ": the header is not valid JSON: it contains a zero byte");
  HeaderReader reader(file);
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  Header header = std::move(reader).take();
  // An empty tensor comes before the one that begins at the same byte.
  std::sort(header.tensors.begin(), header.tensors.end(), [](const HeaderEntry& a, const HeaderEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  check_data(header.tensors, data_bytes, file);
  return header;
}

std::string in_quotes(std::string_view name) {
  constexpr size_t kLongest = 120;
  const bool cut = name.size() > kLongest;
  if (cut) {
    name = name.substr(0, kLongest);
    while (!name.empty() && (static_cast<unsigned char>(name.back()) & 0xC0) == 0x80) name.remove_suffix(1);
    if (!name.empty() && static_cast<unsigned char>(name.back()) >= 0xC0) name.remove_suffix(1);
  }
  std::string text = "'";
  for (const char c : name) text += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  return text + (cut ? "…'" : "'");
}

}  // namespace loupe::safetensors
