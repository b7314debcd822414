// gpu_kernels: every kernel of a device, timed by the device's events; one line of JSON each.
//
//   build/release/bin/gpu_kernels [--device cuda|sim] [--part ours|libraries] [--quick] [--seconds S]
//                                 [--filter TEXT]
//   gpu_kernels --info: the device alone    gpu_kernels --probe: one small launch
//
//   us         median of groups of launches, recorded as a graph of the device's and replayed (timer.h);
//              operands change between launches so that no cache keeps them
//   bytes      every operand once, and every result once; flops: two for each multiply-accumulate
//   floors_us  of each unit (floors.h): memory, ffma (the float32 cores), tf32 (the tensor cores). floor_us is
//              that of a kernel on the float32 cores, the longer of memory and ffma, and `binds` says which
//              that is; of_floor is floor_us/us. A kernel with less arithmetic than the definition (Winograd),
//              or on tensor cores, may be below ffma's; none whose operands come from memory is below memory's.
//
// --part libraries: the cases that a library has, ours timed once more beside it. `libraries` has an entry for
// each of cuDNN's or cuBLAS's precisions and layouts; `ratio` is its us over ours: above 1 our kernel, in
// float32, is the faster one.
//
// The most telling come first: of every op a case, then the others, the ladders, and the functions. With
// --seconds, what was not begun after so many is named in a last line, {"left_out": […]}. A library that is
// missing, or a kernel that fails, is an {"error": …}. Exit status 3 without a device.
#include <algorithm>
#include <cstdio>
#include <set>

#include "bench/gpu/deadline.h"
#include "bench/gpu/floors.h"
#include "bench/gpu/libraries.h"
#include "kernels/common/error.h"
#include "kernels/elementwise/elementwise.h"

namespace loupe::bench {
namespace {

using Json = nlohmann::ordered_json;

struct Settings {
  Backend backend = Backend::cuda;
  enum class Part : uint8_t { ours, libraries } part = Part::ours;
  bool quick = false, info = false, probe = false;
  double seconds = 0;
  std::string filter;
};

// A kernel to be timed, and its place in the order.
struct Job {
  Subject subject;
  int rank;
  std::string name() const {
    const OpKind& kind = subject.test->op->kind();
    std::string text =
        std::string(kind.name) + " " + kind.direction_name(subject.direction) + " " + subject.test->name;
    return subject.rung ? text + ", " + std::string(subject.rung->name) : text;
  }
};

// Of all cases, the most telling first.
std::vector<Job> jobs_of(const Settings& s, const std::vector<KernelCase>& cases) {
  enum Rank { first_of_its_op, other, rung, function };
  std::vector<Job> jobs;
  std::set<std::string_view> seen;
  for (const KernelCase& c : cases) {
    const OpKind& kind = c.op->kind();
    const bool first = seen.insert(kind.name).second;
    const Rank rank = c.op->function() && kind.name != "relu" ? function : first ? first_of_its_op : other;
    const int operands = kind.variadic ? 1 : static_cast<int>(operands_of(c).size());
    for (Direction d = Direction::forward; d.operand < operands; ++d.operand) {
      if (!kind.has(s.backend, d)) continue;
      if (s.part == Settings::Part::libraries) {
        if (!rivals_of(c, d).empty()) jobs.push_back({{&c, d}, rank});
        continue;
      }
      jobs.push_back({{&c, d}, rank});
      for (const Ladder* ladder : all_ladders())
        for (const Rung& r : ladder->rungs)
          if (c.ladder && ladder->op == kind.name && kernel_of(r, d)) jobs.push_back({{&c, d, &r}, rung});
    }
  }
  std::erase_if(jobs, [&](const Job& j) { return j.name().find(s.filter) == std::string::npos; });
  std::ranges::stable_sort(jobs, {}, &Job::rank);
  return jobs;
}

class Kernels {
 public:
  Kernels(const Settings& s, const DeviceModule& module, const Json& device)
      : s_(s), stream_(module.create_stream()), place_{module, stream_.get()} {
    place_.groups = s.quick ? 3 : 7;
    place_.simulated = s.backend == Backend::sim;
    peaks_ = {device.value("peak_gb_per_s", 0.0), device.value("peak_fp32_tflops", 0.0),
              device.value("peak_tf32_tflops", 0.0)};
    if (!place_.simulated) batch_ = s.quick ? 8 : 32;
  }
  std::vector<KernelCase> cases() const { return kernel_cases(batch_, place_.simulated ? 16 : 1); }
  // One small launch, to see whether there can be any.
  void probe() const {
    const KernelCase tiny{"a few numbers", function_op("relu"), {{1, 1024}}};
    const TimedCall call(place_, {&tiny, Direction::forward});
    call();
    place_.module.synchronize(place_.stream);
  }
  Json measured(const Job& job) const {
    Json row = title(job);
    try {
      const double us = measure(job.subject, row);
      if (s_.part == Settings::Part::libraries) row["libraries"] = libraries(job.subject, us);
    } catch (const std::exception& e) {
      row = title(job);
      row["error"] = e.what();
    }
    return row;
  }

 private:
  Json title(const Job& job) const {
    const auto& [test, direction, rung] = job.subject;
    Json row{{"kernel", test->op->kind().name},
             {"direction", test->op->kind().direction_name(direction)},
             {"case", test->name},
             {"shape", test->inputs[0].str()},
             {"batch", batch_}};
    if (rung) row["rung"] = rung->name;
    return row;
  }

  double measure(const Subject& s, Json& row) const {
    const std::vector<Shape> shapes = shapes_of(operands_of(*s.test));
    const Op& op = *s.test->op;
    if (!s.rung) row["algorithm"] = op.prepare(s_.backend, s.direction, shapes, kOurs).describe;
    const Timed t = time_calls<TimedCall>(place_, [&](auto& calls) { calls.emplace_back(place_, s); });
    const bool counts = op.kind().direction_name(s.direction) != "vjp_bias";  // which adds alone
    const double flops = counts ? 2.0 * static_cast<double>(op.macs(shapes)) : 0;
    row["us"] = t.us;
    row["timed"] = t.graph ? "graph" : "launches";
    row["bytes"] = t.bytes;
    row["gb_per_s"] = 1e-3 * static_cast<double>(t.bytes) / t.us;
    if (flops > 0) {
      row["flops"] = flops;
      row["tflops"] = 1e-6 * flops / t.us;
    }
    const Floors floors = floors_of(peaks_, t.bytes, flops);
    if (floors.on_cores() > 0) {
      row["floors_us"] = {{"memory", floors.memory}};
      if (floors.ffma > 0) row["floors_us"]["ffma"] = floors.ffma;
      if (floors.tf32 > 0) row["floors_us"]["tf32"] = floors.tf32;
      row["floor_us"] = floors.on_cores();
      row["binds"] = floors.binds();
      row["of_floor"] = floors.on_cores() / t.us;
      if (floors.tf32 > 0) row["tensor_floor_us"] = floors.on_tensor_cores();
    }
    return t.us;
  }

  Json libraries(const Subject& s, double ours_us) const {
    Json rows = Json::array();
    for (const Rival& rival : rivals_of(*s.test, s.direction)) {
      Json row{{"name", rival.name}};
      try {
        const Timed t = time_calls<RivalCall>(
            place_, [&](auto& calls) { calls.emplace_back(place_, *s.test, s.direction, rival); });
        row["us"] = t.us;
        row["ratio"] = t.us / ours_us;
        row["timed"] = t.graph ? "graph" : "launches";
      } catch (const std::exception& e) {
        row["error"] = e.what();
      }
      rows.push_back(std::move(row));
    }
    return rows;
  }

  const Settings& s_;
  std::shared_ptr<void> stream_;
  Place place_;
  Peaks peaks_;
  int64_t batch_ = 1;
};

void print(const Json& row) {
  std::puts(row.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

void print_ops_without_a_case(const std::vector<KernelCase>& cases) {
  std::set<std::string_view> have;
  for (const KernelCase& c : cases) have.insert(c.op->kind().name);
  for (const OpKind* kind : all_ops())
    if (!have.contains(kind->name))
      print({{"kernel", kind->name}, {"error", "bench/gpu/cases.cpp has no case"}});
}

int run(const Settings& s) {
  Deadline deadline(s.seconds);
  const DeviceModule* module = nullptr;
  try {
    module = &DeviceModule::of(s.backend);
  } catch (const Error& e) {
    std::fprintf(stderr, "gpu_kernels: %s\n", e.what());
    return 3;
  }
  Json device = Json::parse(module->query("device"));
  device["description"] = module->describe();
  if (s.backend == Backend::cuda && !s.probe) device["libraries"] = Json::parse(module->query("libraries"));
  print({{"device", device}});
  if (s.info) return 0;
  const Kernels kernels(s, *module, device);
  if (s.probe) {
    kernels.probe();
    return 0;
  }
  const std::vector<KernelCase> cases = kernels.cases();
  for (const Job& job : jobs_of(s, cases))
    if (deadline.allows(job.name())) print(kernels.measured(job));
  if (s.part == Settings::Part::ours) print_ops_without_a_case(cases);
  if (deadline.cut()) print(deadline.row());
  return 0;
}

// False where the words are not understood.
bool parse(int argc, char** argv, Settings& s) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i], next = i + 1 < argc ? argv[i + 1] : "";
    if (word == "--quick")
      s.quick = true;
    else if (word == "--info")
      s.info = true;
    else if (word == "--probe")
      s.probe = true;
    else if (word == "--filter" && ++i < argc)
      s.filter = next;
    else if (word == "--device" && ++i < argc && (next == "cuda" || next == "sim"))
      s.backend = next == "cuda" ? Backend::cuda : Backend::sim;
    else if (word == "--part" && ++i < argc && (next == "ours" || next == "libraries"))
      s.part = next == "ours" ? Settings::Part::ours : Settings::Part::libraries;
    else if (word == "--seconds" && ++i < argc && seconds_of(next) > 0)
      s.seconds = seconds_of(next);
    else
      return false;
  }
  return true;
}

}  // namespace
}  // namespace loupe::bench

int main(int argc, char** argv) {
  using namespace loupe;
  bench::Settings s;
  if (!bench::parse(argc, argv, s)) {
    std::fprintf(stderr,
                 "usage: gpu_kernels [--device cuda|sim] [--part ours|libraries] [--quick] [--seconds S] "
                 "[--filter TEXT] [--info] [--probe]\n");
    return 2;
  }
  try {
    return bench::run(s);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gpu_kernels: %s\n", e.what());
    return 1;
  }
}
