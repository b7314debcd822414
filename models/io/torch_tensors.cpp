#include "models/io/torch_tensors.h"

#include <algorithm>
#include <array>
#include <set>

#include "kernels/common/error.h"
#include "models/io/safetensors_header.h"

namespace loupe::torch_format {

using pickle::Kind;
using pickle::kNone;
using pickle::Pickle;
using pickle::Ref;
using pickle::Value;
using safetensors::in_quotes;

namespace {

struct Type {
  std::string_view storage, dtype;  // of the module torch
  std::string_view name;            // safetensors'
  uint64_t bytes;
};
constexpr Type kTypes[] = {
    {"FloatStorage", "float32", "F32", 4},
    {"HalfStorage", "float16", "F16", 2},
    {"BFloat16Storage", "bfloat16", "BF16", 2},
    {"DoubleStorage", "float64", "F64", 8},
    {"LongStorage", "int64", "I64", 8},
    {"IntStorage", "int32", "I32", 4},
    {"ShortStorage", "int16", "I16", 2},
    {"CharStorage", "int8", "I8", 1},
    {"ByteStorage", "uint8", "U8", 1},
    {"BoolStorage", "bool", "BOOL", 1},
    {"ComplexFloatStorage", "complex64", "C64", 8},
    {"ComplexDoubleStorage", "complex128", "C128", 16},
    {"QInt8Storage", "qint8", "QInt8", 1},
    {"QUInt8Storage", "quint8", "QUInt8", 1},
    {"QInt32Storage", "qint32", "QInt32", 4},
    {"", "uint16", "U16", 2},
    {"", "uint32", "U32", 4},
    {"", "uint64", "U64", 8},
    {"", "float8_e4m3fn", "F8_E4M3", 1},
    {"", "float8_e5m2", "F8_E5M2", 1},
    {"UntypedStorage", "", "", 1},
};

// "torch.FloatStorage" → "FloatStorage"; old files say torch.cuda.FloatStorage, new ones
// torch.storage.UntypedStorage.
std::string_view of_torch(const Value& global) {
  if (global.kind != Kind::global || !global.text.starts_with("torch.")) return {};
  return global.text.substr(global.text.rfind('.') + 1);
}

const Type* find_type(std::string_view name, std::string_view Type::*column) {
  const auto* found = std::ranges::find(kTypes, name, column);
  return name.empty() || found == std::end(kTypes) ? nullptr : found;
}

// Reads the arguments of torch's tensor builders.
class Builders {
 public:
  Builders(const Pickle& pickle, const std::string& file) : p_(pickle), file_(file) {}

  /// Looks through torch.nn.Parameter and the like to the tensor in it; nothing for another value.
  std::optional<TensorRef> tensor(Ref ref, const std::string& name) const {
    Ref callee = kNone, arguments = kNone;
    const auto look_at = [&](Ref call) {
      const bool is_call = p_[call].kind == Kind::call;
      callee = is_call ? p_[call].callee : kNone;
      arguments = is_call ? p_[call].arguments : kNone;
    };
    look_at(ref);
    for (int depth = 0; depth < 8; ++depth) {
      const Value& a = p_[arguments];
      if (a.kind != Kind::tuple || p_[callee].kind != Kind::global) return std::nullopt;
      const std::string_view builder = p_[callee].text;
      if (builder == "torch._utils._rebuild_tensor_v2" || builder == "torch._utils._rebuild_tensor" ||
          builder == "torch._utils._rebuild_tensor_v3")
        return rebuilt(a, builder, name);
      if (a.items.empty()) return std::nullopt;
      if (builder == "torch._utils._rebuild_parameter" ||
          builder == "torch._utils._rebuild_parameter_with_state" ||
          builder == "torch.nn.parameter.Parameter" || builder == "torch.nn.parameter.Buffer") {
        look_at(a.items[0]);
      } else if (builder == "torch._tensor._rebuild_from_type_v2" && a.items.size() >= 3) {
        callee = a.items[0];  // (function, type, its arguments, state)
        arguments = a.items[2];
      } else {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

 private:
  [[noreturn]] void fail(const std::string& name, const std::string& what) const {
    throw Error(file_ + ": tensor " + in_quotes(name) + ": " + what);
  }

  // (storage, offset, size, stride, requires_grad, hooks, [dtype,] metadata)
  TensorRef rebuilt(const Value& a, std::string_view builder, const std::string& name) const {
    const bool typed = builder.ends_with("_v3");
    if (a.items.size() < (typed ? 7 : 4)) fail(name, "its description lacks something");
    const std::optional<StorageRef> storage = storage_at(p_, a.items[0], file_);
    if (!storage) fail(name, "it has no storage");
    TensorRef t{.info = {}, .element_bytes = storage->element_bytes, .strides = {}, .storage = *storage};
    t.info.dtype = storage->dtype;
    if (typed) {
      const Type* type = find_type(of_torch(p_[a.items[6]]), &Type::dtype);
      if (!type) fail(name, "it has a type that Loupe does not know, " + in_quotes(p_[a.items[6]].text));
      t.info.dtype = type->name;
      t.element_bytes = type->bytes;
    }
    const Value& last = p_[a.items.back()];  // flags of the view
    if (last.kind == Kind::dict && last.items.size() < 100)
      for (const Ref item : last.items)
        if (p_[item].kind == Kind::boolean && p_[item].integer)
          fail(name, "it is a conjugated or negated view; save it again as its clone().resolve_neg()");
    place(t, p_[a.items[1]], sizes(a.items[2], name), sizes(a.items[3], name), name);
    return t;
  }

  // A tuple of whole numbers, or torch.Size of one.
  std::vector<uint64_t> sizes(Ref ref, const std::string& name) const {
    const Value* v = &p_[ref];
    if (v->kind == Kind::call && p_.is_global(v->callee, "torch.Size") && p_[v->arguments].items.size() == 1)
      v = &p_[p_[v->arguments].items[0]];
    if (v->kind != Kind::tuple && v->kind != Kind::list) fail(name, "its shape is not one");
    if (v->items.size() > Shape::kMaxRank)
      fail(name, "it has " + std::to_string(v->items.size()) + " dimensions; Loupe reads up to " +
                     std::to_string(Shape::kMaxRank));
    std::vector<uint64_t> numbers;
    for (const Ref item : v->items) {
      constexpr int64_t kMost = int64_t{1} << 60;
      if (p_[item].kind != Kind::integer || p_[item].integer < 0 || p_[item].integer > kMost)
        fail(name, "its shape has a size that cannot be");
      numbers.push_back(static_cast<uint64_t>(p_[item].integer));
    }
    return numbers;
  }

  // Shape, strides and bytes, checked against what the storage is said to hold.
  void place(TensorRef& t, const Value& offset, const std::vector<uint64_t>& size,
             const std::vector<uint64_t>& strides, const std::string& name) const {
    constexpr uint64_t kMostRepeated = 1 << 24;  // elements of an expanded view beyond those of its storage
    if (offset.kind != Kind::integer || offset.integer < 0) fail(name, "its offset cannot be");
    if (strides.size() != size.size()) fail(name, "it has not as many strides as dimensions");
    try {
      t.info.shape = Shape(std::vector<int64_t>(size.begin(), size.end()));
    } catch (const Error& error) {
      fail(name, error.what());
    }
    t.strides = strides;
    const uint64_t there = t.storage.elements * t.storage.element_bytes / t.element_bytes;
    const auto first = static_cast<uint64_t>(offset.integer),
               count = static_cast<uint64_t>(t.info.shape.numel());
    uint64_t last = first;
    bool overflow = false;
    for (size_t i = 0; i < size.size() && count > 0; ++i) {
      uint64_t step = 0;
      overflow |= __builtin_mul_overflow(size[i] - 1, strides[i], &step);
      overflow |= __builtin_add_overflow(last, step, &last);
    }
    if (overflow || (count > 0 ? last >= there : first > there) || count > there + kMostRepeated)
      fail(name, "its shape " + t.info.shape.str() + " from element " + std::to_string(first) +
                     " on reaches beyond its storage of " + std::to_string(there));
    const uint64_t begin = t.storage.first * t.storage.element_bytes;
    t.begin = begin + first * t.element_bytes;
    t.end = count > 0 ? begin + (last + 1) * t.element_bytes : t.begin;
  }

  const Pickle& p_;
  const std::string& file_;
};

// Goes through a pickle's values, depth first; a value that contains itself is not entered again.
class Walk {
 public:
  Walk(const Pickle& pickle, const std::string& file) : p_(pickle), file_(file), builders_(pickle, file) {}

  using Found = std::vector<std::pair<std::string, TensorRef>>;

  // The state dict may be wrapped, a few times at most.
  Found search(Ref root, int depth = 0) {
    constexpr std::array kWrappers = {"state_dict", "model_state_dict", "model", "net", "ema"};
    if (depth < 4 && (p_[root].kind == Kind::dict || p_[root].kind == Kind::call))
      for (const char* key : kWrappers) {
        count_steps(p_[root].items.size());
        const Ref inner = p_.find(p_[root], key);
        if (inner == kNone || builders_.tensor(inner, key)) continue;
        Found found = search(inner, depth + 1);
        if (!found.empty()) return found;
      }
    return tensors_of(root);
  }

 private:
  struct Child {
    std::string key;
    Ref ref;
  };
  struct Level {
    Ref ref;
    std::vector<Child> children;
    size_t next = 0, path = 0;  // the length of the path to them
  };

  Found tensors_of(Ref root) {
    constexpr size_t kDeepest = 100, kLongestPath = 500, kMostTensors = 500'000;
    Found found;
    std::vector<Level> levels;
    std::string path;
    if (auto tensor = builders_.tensor(root, "tensor")) return {{"tensor", std::move(*tensor)}};
    levels.push_back({root, children(root)});
    while (!levels.empty()) {
      Level& level = levels.back();
      path.resize(level.path);
      if (level.next == level.children.size()) {
        levels.pop_back();
        continue;
      }
      const Child& child = level.children[level.next++];
      path += child.key;
      if (path.size() > kLongestPath) throw Error(file_ + ": a name in it is longer than 500 bytes");
      if (auto tensor = builders_.tensor(child.ref, path)) {
        if (found.size() == kMostTensors) throw Error(file_ + ": it names more than 500000 tensors");
        found.emplace_back(path, std::move(*tensor));
      } else if (std::ranges::count(levels, child.ref, &Level::ref) == 0) {
        std::vector<Child> below = children(child.ref);
        if (below.empty()) continue;
        if (levels.size() == kDeepest)
          throw Error(file_ + ": what it holds is nested more than 100 deep; is this a network?");
        path += '.';
        levels.push_back({child.ref, std::move(below), 0, path.size()});
      }
    }
    return found;
  }

  // What may hold tensors below a value.
  std::vector<Child> children(Ref ref) {
    const Value& v = p_[ref];
    std::vector<Child> all;
    count_steps(v.items.size());
    if (v.kind == Kind::dict) {
      add_items(all, v);
    } else if (v.kind == Kind::list || v.kind == Kind::tuple) {
      for (size_t i = 0; i < v.items.size(); ++i) add(all, std::to_string(i), v.items[i]);
    } else if (v.kind == Kind::call) {
      const Value& state = p_[v.state];
      count_steps(state.items.size());
      const Ref parameters = p_.find(state, "_parameters"), modules = p_.find(state, "_modules");
      if (parameters != kNone && modules != kNone) {  // of a torch.nn.Module
        add_items(all, p_[parameters]);
        add_buffers(all, state);
        add_items(all, p_[modules]);
      } else {
        add_items(all, v.items.empty() && state.kind == Kind::dict ? state : v);
      }
    }
    return all;
  }
  void add_items(std::vector<Child>& all, const Value& mapping) {
    if (mapping.kind != Kind::dict && mapping.kind != Kind::call) return;
    count_steps(mapping.items.size());
    for (size_t i = 0; i + 1 < mapping.items.size(); i += 2) {
      const Value& key = p_[mapping.items[i]];
      if (key.kind == Kind::text)
        add(all, key.text, mapping.items[i + 1]);
      else if (key.kind == Kind::integer)
        add(all, std::to_string(key.integer), mapping.items[i + 1]);
    }
  }
  // state_dict() leaves out buffers that were registered with persistent=False.
  void add_buffers(std::vector<Child>& all, const Value& state) {
    std::vector<Child> buffers;
    add_items(buffers, p_[p_.find(state, "_buffers")]);
    std::set<std::string_view> left_out;
    for (const Ref name : elements(p_.find(state, "_non_persistent_buffers_set")).items)
      left_out.insert(p_[name].text);
    for (Child& buffer : buffers)
      if (!left_out.contains(buffer.key)) all.push_back(std::move(buffer));
  }
  // A set is a call of `set` with a list of its elements in protocols before 4.
  const Value& elements(Ref ref) {
    const Value& set = p_[ref];
    const std::vector<Ref>& arguments = p_[set.arguments].items;
    const Value& all = set.kind == Kind::call && arguments.size() == 1 ? p_[arguments[0]] : set;
    count_steps(all.items.size());
    return all;
  }
  void add(std::vector<Child>& all, std::string_view key, Ref ref) {
    const Kind kind = p_[ref].kind;
    const bool may_hold =
        kind == Kind::call || kind == Kind::dict || kind == Kind::list || kind == Kind::tuple;
    if (may_hold) all.push_back({std::string(key.substr(0, 501)), ref});
  }

  // Values that contain each other can make any number of paths.
  void count_steps(size_t count) {
    constexpr size_t kMostSteps = 50'000'000;
    steps_ += count + 1;
    if (steps_ > kMostSteps) throw Error(file_ + ": it holds more values than a network has");
  }

  const Pickle& p_;
  const std::string& file_;
  Builders builders_;
  size_t steps_ = 0;
};

}  // namespace

// ("storage", type, key, device, elements[, None or (key of the part, first element, elements)])
std::optional<StorageRef> storage_at(const Pickle& p, Ref ref, const std::string& file) {
  const Value& v = p[ref];
  if (v.kind != Kind::persistent) return std::nullopt;
  const Value& id = p[v.arguments];
  if (id.kind == Kind::text)
    throw Error(file +
                ": it was saved with protocol 0, which torch.load does not read either; save it again");
  if (id.kind != Kind::tuple || id.items.size() < 5 || p[id.items[0]].text != "storage") return std::nullopt;
  const auto count = [&](Ref at) {
    const Value& n = p[at];
    if (n.kind != Kind::integer || n.integer < 0 || n.integer > int64_t{1} << 56)
      throw Error(file + ": a storage of it has a size that cannot be");
    return static_cast<uint64_t>(n.integer);
  };
  const Type* type = find_type(of_torch(p[id.items[1]]), &Type::storage);
  constexpr size_t kLongestKey = 100;
  if (p[id.items[2]].kind != Kind::text || p[id.items[2]].text.size() > kLongestKey)
    throw Error(file + ": a storage of it has no key");
  if (!type)
    throw Error(file + ": it has a storage of a type that Loupe does not know, " +
                in_quotes(p[id.items[1]].text));
  StorageRef s{.key = std::string(p[id.items[2]].text), .dtype = type->name, .element_bytes = type->bytes};
  s.elements = count(id.items[4]);
  if (id.items.size() > 5 && p[id.items[5]].kind == Kind::tuple) {
    const Value& part = p[id.items[5]];
    if (part.items.size() != 3) throw Error(file + ": a part of a storage is not described");
    s.first = count(part.items[1]);
    s.elements = count(part.items[2]);
  }
  return s;
}

std::vector<std::pair<std::string, TensorRef>> find_tensors(const Pickle& pickle, const std::string& file) {
  return Walk(pickle, file).search(pickle.root());
}

}  // namespace loupe::torch_format
