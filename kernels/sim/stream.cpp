#include "kernels/sim/stream.h"

#include <omp.h>

#include <mutex>

#include "kernels/sim/executor.h"
#include "kernels/sim/symbols.h"

namespace loupe::sim {

Options& options() {
  static Options o;
  return o;
}

Observer* g_observer = nullptr;

namespace {

uint32_t g_launches = 0;
std::set<const void*> g_kernels_run;

void run_launch(const KernelLaunch& l) {
  const uint32_t number = ++g_launches;
  g_kernels_run.insert(l.kernel);
  if (g_observer) {
    const auto text = [](const Dim3& d) {
      return std::to_string(d.x) + (d.y * d.z > 1 ? "×" + std::to_string(d.y) : "") +
             (d.z > 1 ? "×" + std::to_string(d.z) : "");
    };
    g_observer->begin_launch(function_name(l.kernel), text(l.grid), text(l.block));
  }
  const auto blocks = static_cast<int64_t>(uint64_t{l.grid.x} * l.grid.y * l.grid.z);
  // Of several blocks that fail the first one is reported, whichever core was faster.
  int64_t failed = blocks;
  std::string why;
  const int threads = g_observer || blocks == 1 ? 1 : omp_get_max_threads();
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int64_t b = 0; b < blocks; ++b) {
    int64_t first;
#pragma omp atomic read
    first = failed;
    if (b > first) continue;
    std::optional<std::string> fault;
    try {
      fault = Executor::get().run(l, number, static_cast<uint64_t>(b));
    } catch (const std::exception& e) {
      fault = e.what();
    }
    if (!fault) continue;
#pragma omp critical(loupe_sim_failed)
    if (b < failed) {
#pragma omp atomic write
      failed = b;
      why = *fault;
    }
  }
  if (failed < blocks) throw Failure(why);
}

void check_launch(const KernelLaunch& l) {
  const auto refuse = [&](const std::string& what) { throw Failure(function_name(l.kernel) + ": " + what); };
  const uint64_t threads = uint64_t{l.block.x} * l.block.y * l.block.z;
  if (threads == 0 || threads > 1024) refuse("a block has 1 to 1024 threads, not " + std::to_string(threads));
  if (l.block.z > 64) refuse("a block is at most 64 deep, not " + std::to_string(l.block.z));
  if (l.grid.x == 0 || l.grid.y == 0 || l.grid.z == 0) refuse("a grid with no block");
  if (l.grid.x > 2147483647u || l.grid.y > 65535 || l.grid.z > 65535)
    refuse("a grid has at most (2147483647, 65535, 65535) blocks, not (" + std::to_string(l.grid.x) + ", " +
           std::to_string(l.grid.y) + ", " + std::to_string(l.grid.z) + ")");
  if (l.dynamic_shared > (227 << 10))
    refuse("a block has at most 232448 bytes of shared memory, not " + std::to_string(l.dynamic_shared));
}

}  // namespace

const std::set<std::string>& kernels_run() {
  static std::set<std::string> names;
  names.clear();
  for (const void* kernel : g_kernels_run) names.insert(function_name(kernel));
  return names;
}

StreamQueue& stream_of(void* stream) {
  static StreamQueue standard;
  return stream ? *static_cast<StreamQueue*>(stream) : standard;
}

void expect_no_capture(const StreamQueue& s, const char* what) {
  if (s.captured) throw Failure(std::string(what) + " in a stream that is being captured");
}

void push(StreamQueue& s, std::function<void()> work) {
  if (s.captured) {
    s.captured->work.push_back(std::move(work));
    return;
  }
  s.work.push_back(std::move(work));
  ++s.queued;
}

void drain(StreamQueue& s, uint64_t ticket) {
  while (s.done < ticket && !s.work.empty()) {
    const std::function<void()> next = std::move(s.work.front());
    s.work.pop_front();
    ++s.done;
    try {
      next();
    } catch (...) {
      s.done += s.work.size();
      s.work.clear();
      throw;
    }
  }
}

void enqueue(void* stream, KernelLaunch launch) {
  check_launch(launch);
  push(stream_of(stream), [l = std::move(launch)] { run_launch(l); });
}

void synchronize(void* stream) {
  StreamQueue& s = stream_of(stream);
  expect_no_capture(s, "waiting for work");
  drain(s, s.queued);
}

}  // namespace loupe::sim
