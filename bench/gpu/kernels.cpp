// gpu_kernels: every kernel of a device, timed by the device's events; one line of JSON each.
//
//   build/release/bin/gpu_kernels [--device cuda|sim] [--quick] [--filter TEXT]   --info: the device alone
//
//   us         median of the groups of launches; operands change between launches so that no cache keeps them
//   bytes      every operand once, and every result once; flops: two for each multiply-accumulate
//   floor_us   the larger of bytes over the peak bandwidth and flops over the peak of float32, as the device's
//              clocks and widths say, so no kernel can be faster; of_floor is floor_us/us
//   library_us the same by cuDNN or cuBLAS; ratio is library_us/us: above 1 our kernel is the faster one
//
// A library that is missing, or a kernel that fails, is a line too: {"error": …}. Exit status 3 without a
// device.
#include <algorithm>
#include <cstdio>
#include <list>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "bench/gpu/cases.h"
#include "bench/gpu/timer.h"
#include "kernels/common/error.h"
#include "kernels/common/ladder.h"

namespace loupe::bench {
namespace {

using Json = nlohmann::ordered_json;

struct Settings {
  Backend backend = Backend::cuda;
  bool quick = false;
  std::string filter;
  Json device;  // what the module says about itself
};

// Device memory with something in it.
class Memory {
 public:
  Memory(const DeviceModule& module, int64_t bytes) : module_(module), bytes_(bytes) {
    data_ = std::shared_ptr<void>(module.allocate(std::max<int64_t>(bytes, 1)),
                                  [&module](void* p) { module.release(p); });
  }
  void* data() const { return data_.get(); }
  int64_t bytes() const { return bytes_; }
  void zero() const { fill(std::vector<std::byte>(4 << 20)); }
  /// Uniform in [-1, 1): the values do not matter, but zeros would take less power and so run faster.
  void random() const {
    static const std::vector<std::byte> pattern = [] {
      std::vector<float> numbers(1 << 20);
      std::mt19937 engine(1);
      for (float& x : numbers) x = static_cast<float>(engine() % 20001) / 10000 - 1;
      const auto* bytes = reinterpret_cast<const std::byte*>(numbers.data());
      return std::vector<std::byte>(bytes, bytes + numbers.size() * sizeof(float));
    }();
    fill(pattern);
  }

 private:
  void fill(const std::vector<std::byte>& pattern) const {
    const auto length = static_cast<int64_t>(pattern.size());
    for (int64_t at = 0; at < bytes_; at += length)
      module_.upload(static_cast<std::byte*>(data()) + at, pattern.data(), std::min(length, bytes_ - at));
  }
  const DeviceModule& module_;
  int64_t bytes_;
  std::shared_ptr<void> data_;
};

// A kernel of a case, as it is to be timed.
struct Subject {
  const KernelCase& test;
  Direction direction;
  const Rung* rung = nullptr;  // in the place of the op's own kernel
  KernelOptions options = {};
};

// All operands of a case, the op's parameters after the given ones.
std::vector<Type> operands_of(const KernelCase& c) {
  std::vector<Type> all;
  for (size_t i = 0; i < c.inputs.size(); ++i)
    all.push_back({i < c.types.size() ? c.types[i] : Dtype::f32, c.inputs[i]});
  for (const ParameterSpec& p : c.op->parameters(c.inputs)) all.push_back({Dtype::f32, p.shape});
  return all;
}

std::vector<Shape> shapes_of(const std::vector<Type>& types) {
  std::vector<Shape> shapes;
  for (const Type& t : types) shapes.push_back(t.shape);
  return shapes;
}

Kernel kernel_of(const Rung& rung, Direction d) {
  return d.is_forward() ? rung.forward : d == Direction::vjp_input ? rung.vjp_input : nullptr;
}

// One set of operands on the device, and the call of a kernel over it.
class TimedCall {
 public:
  TimedCall(const DeviceModule& module, Backend backend, const Subject& s)
      : module_(module), op_(*s.test.op), types_(operands_of(s.test)), shapes_(shapes_of(types_)) {
    call_ = op_.prepare(backend, s.direction, shapes_, s.options);
    if (s.rung) {
      call_.packing.clear();
      call_.run = [&op = op_, kernel = kernel_of(*s.rung, s.direction)](const Arguments& a) {
        kernel(op, a);
      };
    }
    a_.direction = s.direction;
    a_.queue = {&module, nullptr};
    read_operands();
    const auto record = op_.record(shapes_);
    if (record) a_.record = {nullptr, record->dtype, record->shape};
    for (const Type& t : op_.infer(types_)) outputs_.push_back({nullptr, t.dtype, t.shape});
    if (s.direction.is_forward()) {
      if (record) a_.record.data = result(a_.record);
      for (Array& y : outputs_) y.data = result(y);
    } else {
      vjp(s.direction, record.has_value());
    }
    a_.outputs = outputs_;
    a_.output = outputs_[0];
    a_.workspace = {static_cast<std::byte*>(memory(call_.workspace).data()),
                    static_cast<size_t>(call_.workspace)};
  }
  TimedCall(TimedCall&&) = delete;

  void operator()() const { call_.run(a_); }
  int64_t bytes() const { return bytes_; }

 private:
  void read_operands() {
    const uint32_t read = a_.direction.is_forward() ? ~0u : op_.needs(a_.direction).operands;
    for (size_t i = 0; i < types_.size(); ++i) {
      Array a{nullptr, types_[i].dtype, types_[i].shape};
      const auto packing =
          std::ranges::find(call_.packing, static_cast<int>(i), [](const Packing& p) { return p.operand; });
      if (packing != call_.packing.end()) {
        const Memory& m = memory(packing->floats * dtype_bytes(Dtype::f32));
        m.random();
        bytes_ += m.bytes();
        a.data = m.data();
      } else if (read >> i & 1) {
        a.data = operand(a);
      }
      inputs_.push_back(a);
    }
    a_.inputs = inputs_;
  }

  void vjp(Direction d, bool record) {
    const Needs needs = op_.needs(d);
    if (record && needs.record) a_.record.data = read_record(a_.record);
    for (Array& y : outputs_) {
      grad_outputs_.push_back(y);
      if (y.dtype == Dtype::f32) grad_outputs_.back().data = operand(y);
      if (needs.output) y.data = operand(y);
    }
    a_.grad_outputs = grad_outputs_;
    a_.grad_output = grad_outputs_[0];
    a_.grad = {nullptr, Dtype::f32, shapes_[static_cast<size_t>(d.operand)]};
    a_.grad.data = result(a_.grad);
    if (op_.kind().name == "concat") bytes_ = 2 * a_.grad.bytes();  // it reads its own part of dL/dy
  }

  const Memory& memory(int64_t bytes) { return memory_.emplace_back(module_, bytes); }
  void* operand(const Array& a) {
    const Memory& m = memory(a.bytes());
    a.dtype == Dtype::f32 ? m.random()
                          : m.zero();  // switch 0 is a cell of every window, index 0 in every table
    bytes_ += m.bytes();
    return m.data();
  }
  // Masks: random bits. Switches: cell 0. Numbers: positive ones would do, any do for the time.
  void* read_record(const Array& a) {
    const Memory& m = memory(a.bytes());
    a.dtype == Dtype::u8 ? m.zero() : m.random();
    bytes_ += m.bytes();
    return m.data();
  }
  void* result(const Array& a) {
    const Memory& m = memory(a.bytes());
    bytes_ += m.bytes();
    return m.data();
  }

  const DeviceModule& module_;
  const Op& op_;
  std::vector<Type> types_;
  std::vector<Shape> shapes_;
  Call call_;
  std::list<Memory> memory_;
  std::vector<Array> inputs_, outputs_, grad_outputs_;
  Arguments a_;
  int64_t bytes_ = 0;
};

struct Timed {
  double us;
  int64_t bytes;
};

Timed time(const Settings& s, const DeviceModule& module, const Subject& subject) {
  std::list<TimedCall> calls;
  calls.emplace_back(module, s.backend, subject);
  const int64_t bytes = calls.front().bytes();
  // More sets of operands until together they are larger than any cache.
  if (s.backend == Backend::cuda)
    while (bytes * static_cast<int64_t>(calls.size()) < (int64_t{256} << 20) && calls.size() < 64)
      calls.emplace_back(module, s.backend, subject);
  auto next = calls.begin();
  const auto launch = [&] {
    (*next)();
    if (++next == calls.end()) next = calls.begin();
  };
  return {time_us(module, launch, static_cast<int>(calls.size()), s.quick ? 3 : 7, s.backend == Backend::sim),
          bytes};
}

// Who else computes it.
struct Library {
  const char *name, *option, *library, *own;  // of the module; none where a call says it (KernelOptions)
};
const Library* library_of(const OpKind& kind) {
  static constexpr Library cudnn{"cuDNN", nullptr, nullptr, nullptr},
      cublas{"cuBLAS", "linear", "cublas", "own"};
  if (kind.name == "conv2d" || kind.name == "conv_transpose2d") return &cudnn;
  return kind.name == "linear" ? &cublas : nullptr;
}

Json title(const KernelCase& c, Direction d) {
  return {{"kernel", c.op->kind().name},
          {"direction", c.op->kind().direction_name(d)},
          {"case", c.name},
          {"shape", c.inputs[0].str()}};
}

Json measure(const Settings& s, const DeviceModule& module, const Subject& subject) {
  const Timed timed = time(s, module, subject);
  const Op& op = *subject.test.op;
  const bool counts = op.kind().direction_name(subject.direction) != "vjp_bias";  // which adds alone
  const double flops = counts ? 2.0 * static_cast<double>(op.macs(shapes_of(operands_of(subject.test)))) : 0;
  const auto bytes = static_cast<double>(timed.bytes);
  Json row{{"us", timed.us}, {"bytes", timed.bytes}, {"gb_per_s", 1e-3 * bytes / timed.us}};
  if (flops > 0) {
    row["flops"] = flops;
    row["tflops"] = 1e-6 * flops / timed.us;
  }
  if (s.device.contains("peak_gb_per_s") && s.device["peak_gb_per_s"].get<double>() > 0) {
    const double moving = 1e-3 * bytes / s.device["peak_gb_per_s"].get<double>(),
                 computing = 1e-6 * flops / s.device["peak_fp32_tflops"].get<double>();
    row["floor_us"] = std::max(moving, computing);
    row["of_floor"] = std::max(moving, computing) / timed.us;
  }
  return row;
}

Json measure_op(const Settings& s, const DeviceModule& module, const KernelCase& c, Direction d) {
  Json row = title(c, d);
  row["algorithm"] = c.op->prepare(s.backend, d, shapes_of(operands_of(c)), {}).describe;
  const Library* library = s.backend == Backend::cuda ? library_of(c.op->kind()) : nullptr;
  const auto choose = [&](const char* value) {
    if (library && library->option) module.configure(library->option, value);
  };
  choose(library ? library->own : nullptr);
  row.update(measure(s, module, {c, d}));
  if (!library || d == Direction::vjp_bias) return row;  // neither library has one of its own
  row["library"] = library->name;
  try {
    choose(library->library);
    const double us = time(s, module, {c, d, nullptr, {.library_convolution = true}}).us;
    row["library_us"] = us;
    row["ratio"] = us / row["us"].get<double>();
  } catch (const std::exception& e) {
    row["library_error"] = e.what();
  }
  choose(library->own);
  return row;
}

Json measure_rung(const Settings& s, const DeviceModule& module, const KernelCase& c, Direction d,
                  const Rung& rung) {
  Json row = title(c, d);
  row["rung"] = rung.name;
  row.update(measure(s, module, {c, d, &rung}));
  return row;
}

void print(const Json& row) {
  std::puts(row.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

int run(Settings s, bool info) {
  const DeviceModule* module = nullptr;
  try {
    module = &DeviceModule::of(s.backend);
  } catch (const Error& e) {
    std::fprintf(stderr, "gpu_kernels: %s\n", e.what());
    return 3;
  }
  s.device = Json::parse(module->query("device"));
  s.device["description"] = module->describe();
  if (s.backend == Backend::cuda) s.device["libraries"] = Json::parse(module->query("libraries"));
  print({{"device", s.device}});
  if (info) return 0;

  const auto attempt = [&](const KernelCase& c, Direction d, const auto& measured) {
    try {
      print(measured());
    } catch (const std::exception& e) {
      Json row = title(c, d);
      row["error"] = e.what();
      print(row);
    }
  };
  std::set<std::string_view> timed;
  const bool gpu = s.backend == Backend::cuda;
  for (const KernelCase& c : kernel_cases(gpu ? (s.quick ? 8 : 32) : 1, gpu ? 1 : 16)) {
    const OpKind& kind = c.op->kind();
    timed.insert(kind.name);
    const int operands = kind.variadic ? 1 : static_cast<int>(operands_of(c).size());
    for (Direction d = Direction::forward; d.operand < operands; ++d.operand) {
      if (!kind.has(s.backend, d)) continue;
      const std::string name = std::string(kind.name) + " " + kind.direction_name(d) + " " + c.name;
      if (name.find(s.filter) == std::string::npos) continue;
      attempt(c, d, [&] { return measure_op(s, *module, c, d); });
      for (const Ladder* ladder : all_ladders())
        for (const Rung& rung : ladder->rungs)
          if (c.ladder && ladder->op == kind.name && kernel_of(rung, d))
            attempt(c, d, [&] { return measure_rung(s, *module, c, d, rung); });
    }
  }
  for (const OpKind* kind : all_ops())
    if (!timed.contains(kind->name))
      print({{"kernel", kind->name}, {"error", "bench/gpu/cases.cpp has no case"}});
  return 0;
}

}  // namespace
}  // namespace loupe::bench

int main(int argc, char** argv) {
  using namespace loupe;
  bench::Settings s;
  bool info = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i], next = i + 1 < argc ? argv[i + 1] : "";
    if (word == "--quick")
      s.quick = true;
    else if (word == "--info")
      info = true;
    else if (word == "--filter" && ++i < argc)
      s.filter = next;
    else if (word == "--device" && ++i < argc && (next == "cuda" || next == "sim"))
      s.backend = next == "cuda" ? Backend::cuda : Backend::sim;
    else {
      std::fprintf(stderr, "usage: gpu_kernels [--device cuda|sim] [--quick] [--filter TEXT] [--info]\n");
      return 2;
    }
  }
  try {
    return bench::run(s, info);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gpu_kernels: %s\n", e.what());
    return 1;
  }
}
