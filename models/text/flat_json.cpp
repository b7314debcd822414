#include "models/text/flat_json.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "kernels/common/error.h"
#include "models/io/safetensors_header.h"

namespace loupe {
namespace {

constexpr size_t kDeepest = 16;  // objects within objects that are read

// Receives the text piece by piece, so that nothing is nested as deep as a stranger likes.
class Reader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Reader(const std::string& file) : file_(file) {}
  std::map<std::string, JsonScalar, std::less<>> values;

  bool start_object(size_t) override {
    ++objects_;
    if (lists_ == 0 && objects_ > kDeepest) throw Error(file_ + ": its objects are nested too deep");
    if (lists_ == 0) ends_.push_back(path_.size());
    return true;
  }
  bool end_object() override {
    --objects_;
    if (lists_ > 0) return true;
    path_.resize(ends_.back());
    ends_.pop_back();
    return true;
  }
  bool start_array(size_t) override {
    if (objects_ == 0) throw Error(file_ + " is a list instead of an object");
    ++lists_;
    return true;
  }
  bool end_array() override {
    --lists_;
    return true;
  }
  bool key(std::string& text) override {
    if (lists_ > 0) return true;
    path_.resize(ends_.back());
    if (!path_.empty()) path_ += '.';
    path_ += text;
    return true;
  }
  bool null() override { return true; }
  bool boolean(bool value) override { return keep(value); }
  bool number_integer(int64_t value) override { return keep(value); }
  bool number_unsigned(uint64_t value) override {
    return std::in_range<int64_t>(value) ? keep(static_cast<int64_t>(value))
                                         : keep(static_cast<double>(value));
  }
  bool number_float(double value, const std::string&) override { return keep(value); }
  bool string(std::string& value) override { return keep(value); }
  bool binary(nlohmann::json::binary_t&) override { return true; }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    throw Error(file_ + " is not valid JSON, at its byte " + std::to_string(position));
  }

 private:
  bool keep(JsonScalar value) {
    if (objects_ == 0) throw Error(file_ + " is no JSON object");
    if (lists_ == 0) values[path_] = std::move(value);
    return true;
  }
  const std::string& file_;
  std::string path_;
  std::vector<size_t> ends_;  // length of the path that each open object stands at
  size_t objects_ = 0, lists_ = 0;
};

}  // namespace

std::map<std::string, JsonScalar, std::less<>> flat_json(std::string_view json, const std::string& file) {
  // The JSON library takes a zero byte for the end of its input.
  if (json.find('\0') != json.npos) throw Error(file + " is not valid JSON: it contains a zero byte");
  Reader reader(file);
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  return std::move(reader.values);
}

}  // namespace loupe
