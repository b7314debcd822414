#include <algorithm>
#include <fstream>
#include <map>
#include <memory>

#include "kernels/conv2d/conv2d.h"
#include "kernels/linear/linear.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/relu/relu.h"
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
    launch.lines.push_back(line);
  }
  launch.read_bytes = j.at("global").at("read_bytes");
  launch.written_bytes = j.at("global").at("written_bytes");
  launch.wavefronts = j.at("shared").at("wavefronts");
  launch.ideal_wavefronts = j.at("shared").at("ideal_wavefronts");
  return launch;
}

Kernel kernel_for(const TraceRequest& request, const Op& op) {
  if (!request.rung) return op.kind().kernel(Backend::sim, request.direction);
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
                     std::string(direction_name(request.direction)));
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
  const Shape shapes[] = {subject.input};
  const Shape output = op.infer(shapes);
  const Direction direction = request.direction;
  const bool forward = direction == Direction::forward;
  const Kernel kernel = kernel_for(request, op);
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
  Array x{nullptr, Dtype::f32, subject.input, Layout::planar};
  // What a pass leaves for the vjp comes from a forward pass, not traced.
  x = array(Dtype::f32, subject.input, true);
  a.inputs = {&x, 1};
  std::vector<Array> parameters;
  const auto specs = op.parameters(shapes);
  const auto parameters_for = [&](Direction d) {
    parameters.clear();
    for (size_t p = 0; p < specs.size(); ++p) {
      const std::vector<float> planar = values_for(specs[p].shape.numel(), 77 + static_cast<uint32_t>(p));
      const int64_t packed = request.rung ? 0 : op.packed_size(Backend::sim, d, shapes, p);
      Array to = array(Dtype::f32, packed ? Shape{packed} : specs[p].shape, false);
      if (packed) {
        std::vector<float> bytes(static_cast<size_t>(packed));
        op.pack(Backend::sim, d, shapes, p, planar.data(), bytes.data());
        owned.back()->fill(bytes);
      } else {
        owned.back()->fill(planar);
      }
      to.shape = specs[p].shape;
      parameters.push_back(to);
    }
    a.parameters = parameters;
  };
  const auto workspace_for = [&](Direction d) {
    const int64_t bytes = op.workspace_bytes(Backend::sim, d, shapes);
    if (bytes) a.workspace = {array(Dtype::u8, {bytes}, false).as<std::byte>(), static_cast<size_t>(bytes)};
  };
  parameters_for(Direction::forward);
  workspace_for(Direction::forward);
  a.output = array(Dtype::f32, output, false);
  if (const auto saved = op.saved(shapes)) a.saved = array(saved->dtype, saved->shape, false);
  trace.floor_read = 0;
  const auto bytes_of = [](const Array& of) { return of ? of.bytes() : 0; };
  if (forward) {
    trace.floor_read = bytes_of(x);
    for (const Array& p : parameters) trace.floor_read += bytes_of(p);
    trace.floor_written = bytes_of(a.output) + bytes_of(a.saved);
  } else {
    op.kind().kernel(Backend::sim, Direction::forward)(op, a);
    parameters_for(direction);
    workspace_for(direction);
    a.grad_output = array(Dtype::f32, output, true);
    const size_t p = direction == Direction::vjp_bias ? 1 : 0;
    if (direction != Direction::vjp_input && p >= specs.size())
      throw UsageError(request.op + " has no " + std::string(direction_name(direction)));
    a.grad = array(Dtype::f32, direction == Direction::vjp_input ? subject.input : specs[p].shape, false);
    trace.floor_read = bytes_of(a.grad_output) + (needs.inputs ? bytes_of(x) : 0) +
                       (needs.output ? bytes_of(a.output) : 0) + (needs.saved ? bytes_of(a.saved) : 0);
    if (direction == Direction::vjp_input && !parameters.empty()) trace.floor_read += bytes_of(parameters[0]);
    trace.floor_written = bytes_of(a.grad);
  }
  trace.operations = direction == Direction::vjp_bias ? a.grad_output.shape.numel() : 2 * op.macs(shapes);
  const std::string how = op.describe();
  trace.what = request.op + " " + std::string(direction_name(direction)) + ", x " + subject.input.str() +
               (how.empty() ? "" : ", " + how);
  trace.kernel =
      request.rung
          ? "rung " + std::string(ladder_of(request.op)->rungs[static_cast<size_t>(*request.rung - 1)].name)
          : "production kernel: " + op.algorithm(Backend::sim, direction, shapes);

  sim.synchronize();
  sim.configure("trace", "1");
  kernel(op, a);
  const nlohmann::json counted = nlohmann::json::parse(sim.query("trace"));
  sim.configure("trace", "0");
  for (const nlohmann::json& l : counted.at("launches")) trace.launches.push_back(launch_from(l));
  return trace;
}

}  // namespace loupe
