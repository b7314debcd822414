#include "models/io/pickle.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <unordered_map>

#include "kernels/common/error.h"
#include "models/io/pickle_cursor.h"
#include "models/io/pickle_text.h"

namespace loupe::pickle {

namespace {
constexpr size_t kMostValues = 2'000'000;  // also of the stack and the memo; large networks have some 10'000
constexpr size_t kLongestName = 1000;      // of a module or a class
constexpr Ref kFalse = 1, kTrue = 2, kEmptyTuple = 3;
}  // namespace

// Executes a pickle's opcodes on a stack of values. Each of the functions that take an opcode returns whether
// it was one of theirs.
class Machine : private Cursor {
 public:
  Machine(Pickle& pickle, std::span<const std::byte> bytes, const std::string& file)
      : Cursor(bytes, file), p_(pickle) {
    for (const Kind kind : {Kind::none, Kind::boolean, Kind::boolean, Kind::tuple}) add({.kind = kind});
    p_.values_[kTrue].integer = 1;
  }

  void run() {
    for (;;) {
      opcode_at_ = at_;
      const auto opcode = number<unsigned char>();
      if (opcode == '.') break;
      if (!constant(opcode) && !text(opcode) && !container(opcode) && !object(opcode) && !memory(opcode))
        fail("it has the opcode " + std::to_string(opcode) + ", which " +
             (opcode == 0x97 || opcode == 0x98   ? "needs data from outside the file"
              : opcode >= 0x82 && opcode <= 0x84 ? "needs a registry of extensions"
                                                 : "no pickle has"));
      if (stack_.size() > kMostValues) fail("its stack holds more than 2 million values");
    }
    p_.root_ = pop();
    p_.length_ = at_;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(file_ + ": its pickle cannot be read: at its byte " + std::to_string(opcode_at_) + " " +
                what);
  }

  // ---- values
  Ref add(Value value) {
    if (p_.values_.size() >= kMostValues) fail("it has more than 2 million values");
    p_.values_.push_back(std::move(value));
    return static_cast<Ref>(p_.values_.size() - 1);
  }
  void push(Ref ref) { stack_.push_back(ref); }
  bool push(Value value) {
    push(add(std::move(value)));
    return true;
  }
  bool push_text(std::string text) {
    return push({.kind = Kind::text, .text = p_.texts_.emplace_back(std::move(text))});
  }
  bool push_integer(std::string_view little_endian) {
    if (little_endian.size() > 8) return push({.kind = Kind::big_integer, .text = little_endian});
    const bool negative = !little_endian.empty() && (little_endian.back() & 0x80) != 0;
    int64_t value = negative ? -1 : 0;
    std::memcpy(&value, little_endian.data(), little_endian.size());
    return push({.kind = Kind::integer, .integer = value});
  }
  bool push_decimal(std::string_view digits) {
    if (digits.ends_with('L')) digits.remove_suffix(1);
    int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc::result_out_of_range) return push({.kind = Kind::big_integer, .text = digits});
    if (error != std::errc() || end != digits.data() + digits.size()) fail("a number is not one");
    return push({.kind = Kind::integer, .integer = value});
  }
  bool push_global(std::string_view module, std::string_view name) {
    if (module.size() > kLongestName || name.size() > kLongestName) fail("a class has a name too long");
    std::string full = std::string(module) + "." + std::string(name);
    const auto known = globals_.find(full);
    if (known != globals_.end()) return push(known->second), true;
    const std::string& kept = p_.texts_.emplace_back(std::move(full));
    push({.kind = Kind::global, .text = kept});
    globals_.emplace(kept, stack_.back());
    return true;
  }
  bool push_call(Ref callee, Ref arguments) {
    return push({.kind = Kind::call, .callee = callee, .arguments = arguments});
  }

  // ---- the stack
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  Ref pop() {
    const Ref value = top_ref();
    stack_.pop_back();
    return value;
  }
  Ref top_ref() const {
    if (stack_.size() <= floor()) fail("it takes a value from an empty stack");
    return stack_.back();
  }
  Value& top() { return p_.values_[top_ref()]; }
  std::string_view pop_text() {
    const Value& value = p_.values_[pop()];
    if (value.kind != Kind::text) fail("a name is not a text");
    return value.text;
  }
  std::vector<Ref> pop_to_mark() {
    if (marks_.empty()) fail("it goes back to a mark that is not there");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<Ref> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }
  Ref tuple(std::vector<Ref> items) {
    return items.empty() ? kEmptyTuple : add({.kind = Kind::tuple, .items = std::move(items)});
  }
  Ref pop_tuple(size_t count) {
    std::vector<Ref> items(count);
    while (count-- > 0) items[count] = pop();
    return tuple(std::move(items));
  }

  bool append(const std::vector<Ref>& items) {
    Value& to = top();
    if (to.kind != Kind::list && to.kind != Kind::set && to.kind != Kind::call)
      fail("it appends to what is not a list");
    for (const Ref item : items) {
      if (to.kind == Kind::call) to.items.push_back(kNone);
      to.items.push_back(item);
    }
    return true;
  }
  bool set_items(const std::vector<Ref>& items) {
    if (items.size() % 2) fail("a dictionary has a key without a value");
    Value& to = top();
    if (to.kind != Kind::dict && to.kind != Kind::call) fail("it sets items of what is not a dictionary");
    to.items.insert(to.items.end(), items.begin(), items.end());
    return true;
  }

  // ---- opcodes, under the names of pickletools
  bool constant(unsigned char opcode) {
    switch (opcode) {
      case 'N':
        return push(kNone), true;  // NONE
      case 0x88:
        return push(kTrue), true;  // NEWTRUE
      case 0x89:
        return push(kFalse), true;  // NEWFALSE
      case 'K':
        return push_integer(zero_extended(take(1)));  // BININT1
      case 'M':
        return push_integer(zero_extended(take(2)));  // BININT2
      case 'J':
        return push_integer(take(4));  // BININT
      case 0x8a:
        return push_integer(take(number<uint8_t>()));  // LONG1
      case 0x8b:
        return push_integer(take(number<uint32_t>()));  // LONG4
      case 'L':
        return push_decimal(line());  // LONG
      case 'I': {                     // INT
        const std::string_view digits = line();
        if (digits == "00" || digits == "01") return push(digits == "01" ? kTrue : kFalse), true;
        return push_decimal(digits);
      }
      case 'G':  // BINFLOAT, big-endian
        return push(
            {.kind = Kind::real, .real = std::bit_cast<double>(__builtin_bswap64(number<uint64_t>()))});
      case 'F': {  // FLOAT
        const std::string_view digits = line();
        double value = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error == std::errc::invalid_argument || end != digits.data() + digits.size())
          fail("a number is not one");
        return push({.kind = Kind::real, .real = value});
      }
      default:
        return false;
    }
  }

  std::string_view zero_extended(std::string_view bytes) {
    std::memset(extended_, 0, sizeof extended_);
    std::memcpy(extended_, bytes.data(), bytes.size());
    return {extended_, bytes.size() + 1};
  }

  bool text(unsigned char opcode) {
    const auto in_place = [&](Kind kind, uint64_t length) {
      return push({.kind = kind, .text = take(length)});
    };
    switch (opcode) {
      case 'X':
        return in_place(Kind::text, number<uint32_t>());  // BINUNICODE
      case 0x8c:
        return in_place(Kind::text, number<uint8_t>());  // SHORT_BINUNICODE
      case 0x8d:
        return in_place(Kind::text, number<uint64_t>());  // BINUNICODE8
      case 'T':
        return in_place(Kind::text, number<uint32_t>());  // BINSTRING, of Python 2
      case 'U':
        return in_place(Kind::text, number<uint8_t>());  // SHORT_BINSTRING
      case 'B':
        return in_place(Kind::bytes, number<uint32_t>());  // BINBYTES
      case 'C':
        return in_place(Kind::bytes, number<uint8_t>());  // SHORT_BINBYTES
      case 0x8e:
        return in_place(Kind::bytes, number<uint64_t>());  // BINBYTES8
      case 0x96:
        return in_place(Kind::bytes, number<uint64_t>());  // BYTEARRAY8
      case 'V':
        return push_text(from_raw_unicode_escape(line()));  // UNICODE
      case 'S':
        return push_text(from_quoted(line()));  // STRING
      default:
        return false;
    }
  }

  bool container(unsigned char opcode) {
    switch (opcode) {
      case ')':
        return push(kEmptyTuple), true;  // EMPTY_TUPLE
      case ']':
        return push({.kind = Kind::list});  // EMPTY_LIST
      case '}':
        return push({.kind = Kind::dict});  // EMPTY_DICT
      case 0x8f:
        return push({.kind = Kind::set});  // EMPTY_SET
      case 't':
        return push(tuple(pop_to_mark())), true;  // TUPLE
      case 'l':
        return push({.kind = Kind::list, .items = pop_to_mark()});  // LIST
      case 0x91:
        return push({.kind = Kind::set, .items = pop_to_mark()});  // FROZENSET
      case 'd': {                                                  // DICT
        const std::vector<Ref> items = pop_to_mark();
        push({.kind = Kind::dict});
        return set_items(items);
      }
      case 0x85:
      case 0x86:
      case 0x87:  // TUPLE1 TUPLE2 TUPLE3
        return push(pop_tuple(opcode - size_t{0x84})), true;
      case 'a':
        return append({pop()});  // APPEND
      case 'e':
      case 0x90:
        return append(pop_to_mark());  // APPENDS, ADDITEMS
      case 'u':
        return set_items(pop_to_mark());  // SETITEMS
      case 's': {                         // SETITEM
        const Ref value = pop(), key = pop();
        return set_items({key, value});
      }
      default:
        return false;
    }
  }

  bool object(unsigned char opcode) {
    switch (opcode) {
      case 'c': {  // GLOBAL
        const std::string_view module = line();
        return push_global(module, line());
      }
      case 0x93: {  // STACK_GLOBAL
        const std::string_view name = pop_text();
        return push_global(pop_text(), name);
      }
      case 'i': {  // INST
        const std::string_view module = line();
        push_global(module, line());
        const Ref type = pop();
        return push_call(type, tuple(pop_to_mark()));
      }
      case 'o': {  // OBJ
        std::vector<Ref> items = pop_to_mark();
        if (items.empty()) fail("an object has no class");
        const Ref type = items.front();
        items.erase(items.begin());
        return push_call(type, tuple(std::move(items)));
      }
      case 'R':
      case 0x81: {  // REDUCE, NEWOBJ
        const Ref arguments = pop();
        return push_call(pop(), arguments);
      }
      case 0x92: {  // NEWOBJ_EX, whose keywords nothing here needs
        pop();
        const Ref arguments = pop();
        return push_call(pop(), arguments);
      }
      case 'b': {  // BUILD
        const Ref state = pop();
        if (top().kind != Kind::call) fail("it sets the state of what is not an object");
        top().state = state;
        return true;
      }
      case 'P': {  // PERSID
        const Ref id = add({.kind = Kind::text, .text = line()});
        return push({.kind = Kind::persistent, .arguments = id});
      }
      case 'Q':
        return push({.kind = Kind::persistent, .arguments = pop()});  // BINPERSID
      default:
        return false;
    }
  }

  bool memory(unsigned char opcode) {
    switch (opcode) {
      case 0x80:  // PROTO
        if (const auto protocol = number<uint8_t>(); protocol > 5)
          fail("it says protocol " + std::to_string(protocol) + "; the newest is 5");
        return true;
      case 0x95:
        return number<uint64_t>(), true;  // FRAME, a hint for reading ahead
      case '(':
        return marks_.push_back(stack_.size()), check_marks();  // MARK
      case '1':
        return pop_to_mark(), true;  // POP_MARK
      case '2':
        return push(top_ref()), true;  // DUP
      case '0':                        // POP, of a mark too
        if (stack_.size() > floor()) return stack_.pop_back(), true;
        return pop_to_mark(), true;
      case 'q':
        return put(number<uint8_t>());  // BINPUT
      case 'r':
        return put(number<uint32_t>());  // LONG_BINPUT
      case 0x94:
        return put(memo_size_);  // MEMOIZE
      case 'p':
        return put(memo_number(line()));  // PUT
      case 'h':
        return get(number<uint8_t>());  // BINGET
      case 'j':
        return get(number<uint32_t>());  // LONG_BINGET
      case 'g':
        return get(memo_number(line()));  // GET
      default:
        return false;
    }
  }
  bool check_marks() const {
    if (marks_.size() > kMostValues) fail("it has more than 2 million marks");
    return true;
  }
  uint64_t memo_number(std::string_view digits) const {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) fail("a number of its memo is not one");
    return value;
  }
  bool put(uint64_t index) {
    const Ref value = top_ref();
    if (index >= kMostValues) fail("it remembers value " + std::to_string(index) + "; 2 million are allowed");
    if (index >= memo_.size()) memo_.resize(index + 1, kNotThere);
    memo_size_ += memo_[index] == kNotThere;
    memo_[index] = value;
    return true;
  }
  bool get(uint64_t index) {
    if (index >= memo_.size() || memo_[index] == kNotThere)
      fail("it recalls value " + std::to_string(index) + ", which it did not remember");
    push(memo_[index]);
    return true;
  }

  static constexpr Ref kNotThere = ~Ref{0};
  Pickle& p_;
  size_t opcode_at_ = 0;
  std::vector<Ref> stack_, memo_;
  std::vector<size_t> marks_;  // heights of the stack
  size_t memo_size_ = 0;
  std::unordered_map<std::string_view, Ref> globals_;
  char extended_[4] = {};
};

Pickle::Pickle(std::span<const std::byte> bytes, const std::string& file) {
  Machine(*this, bytes, file).run();
}

Ref Pickle::find(const Value& in, std::string_view key) const {
  for (size_t i = in.items.size(); i >= 2; i -= 2)
    if (const Value& k = values_[in.items[i - 2]]; k.kind == Kind::text && k.text == key)
      return in.items[i - 1];
  return kNone;
}

}  // namespace loupe::pickle
