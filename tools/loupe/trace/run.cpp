#include <algorithm>
#include <fstream>
#include <map>
#include <memory>

#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/linear/linear.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/softmax/softmax.h"
#include "tools/loupe/text.h"
#include "tools/loupe/trace/trace.h"

namespace loupe {
namespace {

// An op with its input, made from what the user typed.
struct Subject {
  OpPtr op;
  Shape input;
};

struct Reading {
  std::string shape;  // "n,c,h,w,k,r,s"
  size_t least;       // how many of them must be given
  Subject (*make)(const TraceRequest&);
};

const std::map<std::string, Reading>& readings() {
  static const std::map<std::string, Reading> table{
      {"conv2d",
       {"n,c,h,w,k,r,s", 7,
        [](const TraceRequest& t) {
          const auto& s = t.shape;
          return Subject{loupe::conv2d({.out_channels = s[4],
                                        .kernel = {s[5], s[6]},
                                        .stride = t.stride ? t.stride : 1,
                                        .padding = t.padding,
                                        .groups = t.groups}),
                         {s[0], s[1], s[2], s[3]}};
        }}},
      {"linear",
       {"n,in,out", 3,
        [](const TraceRequest& t) {
          return Subject{loupe::linear({.out_features = t.shape[2]}), {t.shape[0], t.shape[1]}};
        }}},
      {"max_pool2d",
       {"n,c,h,w,r,s", 6,
        [](const TraceRequest& t) {
          const auto& s = t.shape;
          return Subject{loupe::max_pool2d({.kernel = {s[4], s[5]},
                                            .stride = t.stride ? std::optional<Pair>(t.stride) : std::nullopt,
                                            .padding = t.padding}),
                         {s[0], s[1], s[2], s[3]}};
        }}},
      {"relu",
       {"n,c,h,w", 4,
        [](const TraceRequest& t) {
          return Subject{loupe::relu(), {t.shape[0], t.shape[1], t.shape[2], t.shape[3]}};
        }}},
      {"softmax",
       {"n,c", 2,
        [](const TraceRequest& t) {
          return Subject{loupe::softmax(), {t.shape[0], t.shape[1]}};
        }}},
  };
  return table;
}

const Reading& reading_of(const std::string& op) {
  const auto found = readings().find(op);
  if (found == readings().end())
    throw UsageError("trace does not know the op '" + op + "'; it takes " + join(traceable_ops()));
  return found->second;
}

// Device memory for one array, with values in it.
class DeviceArray {
 public:
  DeviceArray(const DeviceModule& module, Dtype dtype, const Shape& shape)
      : module_(&module), bytes_(array_bytes(dtype, shape, Layout::planar)) {
    array = {module.allocate(bytes_), dtype, shape, Layout::planar};
  }
  ~DeviceArray() { module_->release(array.data); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  void fill(std::span<const float> values) { module_->upload(array.data, values.data(), bytes_); }
  Array array;

 private:
  const DeviceModule* module_;
  int64_t bytes_;
};

// Values without meaning, all different: a trace counts accesses, and no kernel here chooses them by value.
std::vector<float> values_for(int64_t n, uint32_t seed) {
  std::vector<float> values(static_cast<size_t>(n));
  for (float& v : values) {
    seed = seed * 1664525u + 1013904223u;
    v = static_cast<float>(static_cast<int32_t>(seed)) * 0x1p-31f;
  }
  return values;
}

// The source line, from the folder that the command runs in or from where Loupe was built.
std::string source_line(const std::string& file, int line) {
  for (const std::string& root : {std::string(), std::string(LOUPE_SOURCE_DIR "/")}) {
    std::ifstream in(root + file);
    std::string text;
    for (int i = 0; i < line && std::getline(in, text); ++i) {
    }
    if (!in) continue;
    const size_t begin = text.find_first_not_of(" \t");
    return begin == std::string::npos ? "" : text.substr(begin);
  }
  return {};
}

TracedLaunch launch_from(const nlohmann::json& j) {
  TracedLaunch launch{j.at("kernel"), j.at("grid"), j.at("block"), {}};
  for (const nlohmann::json& l : j.at("lines")) {
    TracedLine line;
    line.file = l.at("file");
    line.line = l.at("line");
    line.source = source_line(line.file, line.line);
    line.shared = l.at("space") == "shared";
    line.write = l.at("write");
    line.bytes_each = l.at("bytes_each");
    line.requests = l.at("requests");
    line.lanes = l.at("lanes");
    line.bytes = l.at("bytes");
    line.cost = l.at(line.shared ? "wavefronts" : "sectors");
    line.ideal = l.at("ideal");
    line.example = l.at("example").get<std::vector<int64_t>>();
    line.lanes_at_once = l.value("lanes_at_once", 32);
    launch.lines.push_back(line);
  }
  launch.read_bytes = j.at("global").at("read_bytes");
  launch.written_bytes = j.at("global").at("written_bytes");
  launch.distinct_bytes = j.at("global").at("unique_read_bytes").get<int64_t>() +
                          j.at("global").at("unique_written_bytes").get<int64_t>();
  launch.l1_cycles = j.at("global").at("l1_cycles");
  launch.wavefronts = j.at("shared").at("wavefronts");
  launch.ideal_wavefronts = j.at("shared").at("ideal_wavefronts");
  return launch;
}

Kernel kernel_for(const TraceRequest& request, const Op& op) {
  const Ladder* ladder = ladder_of(request.op);
  if (!ladder) throw UsageError("there is no ladder of " + request.op);
  const auto count = static_cast<int>(ladder->rungs.size());
  if (*request.rung < 1 || *request.rung > count)
    throw UsageError("--rung " + std::to_string(*request.rung) + ": the ladder of " + request.op +
                     " has rungs 1 to " + std::to_string(count));
  const Rung& rung = ladder->rungs[static_cast<size_t>(*request.rung - 1)];
  const Kernel kernel = request.direction == Direction::forward     ? rung.forward
                        : request.direction == Direction::vjp_input ? rung.vjp_input
                                                                    : nullptr;
  if (!kernel)
    throw UsageError("rung " + std::string(rung.name) + " has no " +
                     op.kind().direction_name(request.direction));
  return kernel;
}

}  // namespace

std::string shape_of_op(const std::string& op) { return reading_of(op).shape; }

std::vector<std::string> traceable_ops() {
  std::vector<std::string> names;
  for (const auto& [name, reading] : readings()) names.push_back(name);
  return names;
}

const Ladder* ladder_of(const std::string& op) {
  for (const Ladder* ladder : all_ladders())
    if (ladder->op == op) return ladder;
  return nullptr;
}

int64_t Trace::bytes() const {
  int64_t sum = 0;
  for (const TracedLaunch& l : launches) sum += l.read_bytes + l.written_bytes;
  return sum;
}
int64_t Trace::wavefronts() const {
  int64_t sum = 0;
  for (const TracedLaunch& l : launches) sum += l.wavefronts;
  return sum;
}
int64_t Trace::ideal_wavefronts() const {
  int64_t sum = 0;
  for (const TracedLaunch& l : launches) sum += l.ideal_wavefronts;
  return sum;
}

Trace run_trace(const TraceRequest& request) {
  const Reading& reading = reading_of(request.op);
  if (request.shape.size() != reading.least)
    throw UsageError("--shape of " + request.op + " is " + reading.shape + ": " +
                     std::to_string(reading.least) + " numbers, not " + std::to_string(request.shape.size()));
  for (const int64_t size : request.shape)
    if (size < 1 || size > (1 << 20))
      throw UsageError("--shape: sizes are 1 to 1048576, not " + std::to_string(size));
  const Subject subject = reading.make(request);
  const Op& op = *subject.op;
  std::vector<Shape> shapes{subject.input};
  for (const ParameterSpec& p : op.parameters(shapes)) shapes.push_back(p.shape);
  const Shape output = op.shape(shapes);
  const Direction direction = request.direction;
  const bool forward = direction.is_forward();
  if (direction.operand >= std::ssize(shapes))
    throw UsageError(request.op + " has no " + op.kind().direction_name(direction));
  const Kernel kernel = request.rung ? kernel_for(request, op) : nullptr;
  const Needs needs = op.needs(direction);
  const DeviceModule& sim = DeviceModule::of(Backend::sim);

  std::vector<std::unique_ptr<DeviceArray>> owned;
  uint32_t seed = 1;
  const auto array = [&](Dtype dtype, const Shape& shape, bool fill) {
    owned.push_back(std::make_unique<DeviceArray>(sim, dtype, shape));
    if (fill) owned.back()->fill(values_for(shape.numel(), seed++));
    return owned.back()->array;
  };
  Trace trace;
  Arguments a;
  a.queue.module = &sim;
  const Array x = array(Dtype::f32, subject.input, true);
  // The operands as a direction's call wants them, and its workspace. Rungs read everything planar.
  std::vector<Array> operands;
  const auto ready = [&](Direction d) {
    Call call = op.prepare(Backend::sim, d, shapes, {});
    if (request.rung) call = {.describe = call.describe, .run = {}};
    operands = {x};
    for (size_t i = 1; i < shapes.size(); ++i) {
      const std::vector<float> planar = values_for(shapes[i].numel(), 76 + static_cast<uint32_t>(i));
      const auto packing = std::ranges::find(call.packing, static_cast<int>(i), &Packing::operand);
      const bool packed = packing != call.packing.end();
      Array to = array(Dtype::f32, packed ? Shape{packing->floats} : shapes[i], false);
      std::vector<float> bytes(packed ? static_cast<size_t>(packing->floats) : 0);
      if (packed) packing->pack(planar.data(), bytes.data());
      owned.back()->fill(packed ? bytes : planar);
      to.shape = shapes[i];
      operands.push_back(to);
    }
    a.inputs = operands;
    a.direction = d;
    if (call.workspace)
      a.workspace = {array(Dtype::u8, {call.workspace}, false).as<std::byte>(),
                     static_cast<size_t>(call.workspace)};
    return call;
  };
  // What a pass leaves for the vjp comes from a forward pass, not traced.
  Call call = ready(Direction::forward);
  a.output = array(Dtype::f32, output, false);
  a.outputs = {&a.output, 1};
  if (const auto record = op.record(shapes)) a.record = array(record->dtype, record->shape, false);
  trace.floor_read = 0;
  const auto bytes_of = [](const Array& of) { return of ? of.bytes() : 0; };
  if (forward) {
    for (const Array& o : operands) trace.floor_read += bytes_of(o);
    trace.floor_written = bytes_of(a.output) + bytes_of(a.record);
  } else {
    if (request.rung)
      op.kind().kernel(Backend::sim, Direction::forward)(op, a);
    else
      call.run(a);
    call = ready(direction);
    a.grad_output = array(Dtype::f32, output, true);
    a.grad_outputs = {&a.grad_output, 1};
    a.grad = array(Dtype::f32, shapes[static_cast<size_t>(direction.operand)], false);
    trace.floor_read = bytes_of(a.grad_output) + (needs.output ? bytes_of(a.output) : 0) +
                       (needs.record ? bytes_of(a.record) : 0);
    for (size_t i = 0; i < operands.size(); ++i)
      if (needs.operands >> i & 1) trace.floor_read += bytes_of(operands[i]);
    trace.floor_written = bytes_of(a.grad);
  }
  const bool adds = direction == Direction::vjp_bias;
  trace.multiply_adds = adds ? a.grad_output.shape.numel() : op.macs(shapes);
  trace.operations = adds ? trace.multiply_adds : 2 * trace.multiply_adds;
  const std::string how = op.describe();
  trace.what = request.op + " " + op.kind().direction_name(direction) + ", x " + subject.input.str() +
               (how.empty() ? "" : ", " + how);
  trace.kernel =
      request.rung
          ? "rung " + std::string(ladder_of(request.op)->rungs[static_cast<size_t>(*request.rung - 1)].name)
          : "production kernel: " + call.describe;
  if (kernel) call.run = [&op, kernel](const Arguments& args) { kernel(op, args); };

  sim.synchronize();
  sim.configure("trace", "1");
  call.run(a);
  const nlohmann::json counted = nlohmann::json::parse(sim.query("trace"));
  sim.configure("trace", "0");
  for (const nlohmann::json& l : counted.at("launches")) trace.launches.push_back(launch_from(l));
  return trace;
}

}  // namespace loupe
