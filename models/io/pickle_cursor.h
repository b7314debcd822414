// A place in a pickle's bytes that moves on with what is read there; never beyond their end.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "kernels/common/error.h"

namespace loupe::pickle {

class Cursor {
 public:
  /// Errors start with `file`. Both must outlive the cursor.
  Cursor(std::span<const std::byte> bytes, const std::string& file)
      : text_(reinterpret_cast<const char*>(bytes.data()), bytes.size()), file_(file) {}

  size_t at() const { return at_; }
  std::string_view take(uint64_t count) {
    if (count > text_.size() - at_)
      throw Error(file_ + ": its pickle is cut short: " + std::to_string(count) +
                  " bytes should follow byte " + std::to_string(at_) + ", but the file has " +
                  std::to_string(text_.size() - at_) + " more");
    at_ += count;
    return text_.substr(at_ - count, count);
  }
  /// Little-endian.
  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  /// Without its end.
  std::string_view line() {
    const size_t end = text_.find('\n', at_);
    if (end == text_.npos)
      throw Error(file_ + ": its pickle is cut short: a line begins at byte " + std::to_string(at_) +
                  " and does not end");
    const size_t begin = at_;
    at_ = end + 1;
    return text_.substr(begin, end - begin);
  }

 protected:
  std::string_view text_;
  const std::string& file_;
  size_t at_ = 0;
};

}  // namespace loupe::pickle
