// Python's pickles, protocols 0 to 5 (https://github.com/python/cpython/blob/main/Lib/pickletools.py), read as
// data. A pickle is a program for a machine with a stack; its opcodes that import and call are only noted
// down here: `global` is a name, `call` a callee with its arguments, and nothing is ever executed. Who reads a
// Pickle decides which calls it understands.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loupe::pickle {

/// Index of a value; values share and contain each other, in cycles too.
using Ref = uint32_t;
constexpr Ref kNone = 0;

enum class Kind : uint8_t {
  none,
  boolean,      // integer
  integer,      // integer
  big_integer,  // more than 64 bits. text: its bytes, or its decimal digits in protocols 0 and 1
  real,         // real
  text,         // text
  bytes,        // text
  tuple,        // items
  list,         // items
  set,          // items
  dict,         // items: key, value, key, value …
  global,       // text: "module.name"
  call,  // callee(arguments); state: what BUILD gave it; items: key, value …, of those that were appended
         // the key is kNone
  persistent,  // arguments: the id of something outside the pickle
};

struct Value {
  Kind kind = Kind::none;
  Ref callee = kNone, arguments = kNone, state = kNone;
  int64_t integer = 0;
  double real = 0;
  std::string_view text = {};  // in the pickle's bytes, or in the Pickle
  std::vector<Ref> items = {};
};

class Pickle {
 public:
  /// Reads one pickle from the start of `bytes`, which must outlive it. Nothing in it makes the reader
  /// recurse; the memory grows with the length that was read, up to 2 million values. Throws Error, one line
  /// that starts with `file`, for what is no pickle, cut short, or inconsistent.
  Pickle(std::span<const std::byte> bytes, const std::string& file);

  const Value& operator[](Ref ref) const { return values_[ref]; }
  Ref root() const { return root_; }
  size_t count() const { return values_.size(); }
  /// Bytes up to and with its end.
  size_t length() const { return length_; }

  /// The value of a text key among the `items` of a dict or call, the last where it comes again; else kNone.
  Ref find(const Value& in, std::string_view key) const;
  bool is_global(Ref ref, std::string_view name) const {
    return values_[ref].kind == Kind::global && values_[ref].text == name;
  }

 private:
  friend class Machine;
  std::vector<Value> values_;
  std::deque<std::string> texts_;  // those that do not stand in the bytes as they are
  Ref root_ = kNone;
  size_t length_ = 0;
};

}  // namespace loupe::pickle
