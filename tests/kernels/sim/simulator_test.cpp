// The simulator: every kind of bug that it promises to catch, planted (the message names kernel, block,
// thread and source line) and unplanted (silent); and what it offers to kernels, compared with plain
// computations.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <numeric>
#include <set>

#include "kernels/common/error.h"
#include "tests/kernels/sim/bugs.h"
#include "tests/kernels/sim/test_module.h"

// A kernel that does something wrong is abandoned where it stands, with what its stack owned: a piece of the
// message.
extern "C" const char* __lsan_default_suppressions() { return "leak:loupe::sim::Executor\n"; }

namespace loupe {
namespace {

using test::Buffer;
using test::module;
using test::ramp;

// "" if the kernel runs clean, or what the simulator says.
std::string message(const device::BugKernel& kernel, bool planted) {
  const Buffer<float> out(ramp(256)), in(ramp(256));
  try {
    kernel(Queue{&module()}, planted, out, in);
    module().synchronize();
    return {};
  } catch (const Error& e) {
    return e.what();
  }
}

// Lines of bugs.cu that end with "// name".
std::set<int> planted_lines(const std::string& name) {
  std::ifstream file(LOUPE_SOURCE_DIR "/tests/kernels/sim/bugs.cu");
  std::set<int> lines;
  std::string text;
  for (int line = 1; std::getline(file, text); ++line)
    if (text.ends_with("  // " + name)) lines.insert(line);
  return lines;
}

struct Bug {
  const device::BugKernel& kernel;
  std::vector<std::string> says;
  bool names_thread = true;  // a deadlock is of the block
};

const Bug kBugs[] = {
    {device::missing_barrier, {"reads shared memory at offset"}},
    {device::missing_barrier_before_reuse,
     {"a race: ", "shared memory at offset", "with no barrier in between"}},
    {device::divergent_barrier,
     {"a barrier that only some threads reach", "threads 0–39 of 64 wait in sync_threads",
      "threads 40–63 ended without it"},
     false},
    {device::different_barriers,
     {"threads of one block meet in different barriers", "waits in sync_threads at"}},
    {device::barrier_after_return,
     {"a barrier that only some threads reach", "threads 0–49 of 64", "threads 50–63 ended without it"},
     false},
    {device::shuffle_names_absent_lane, {"waits in", "sync_threads"}, false},
    {device::shuffle_names_ended_lane, {"shuffle_xor", "thread 37", "ended"}, false},
    {device::shuffle_with_wrong_mask, {"shuffle_xor meets another operation of the warp", "another mask"}},
    {device::missing_copy_wait, {"while a copy_async to it is under way: wait_copies() is missing"}},
    {device::copy_wait_without_barrier, {"shared memory"}},
    {device::uncommitted_copy, {"while a copy_async to it is under way"}},
    {device::uninitialised_shared,
     {"reads shared memory at offset 20 that was never written", "thread (5, 0, 0)"}},
    {device::past_the_end,
     {"reads global memory outside every allocation: 0 bytes past the end of one of 1024 bytes",
      "thread (63, 0, 0)"}},
    {device::before_the_beginning,
     {"writes global memory outside every allocation: 4 bytes before one of 1024 bytes", "thread (0, 0, 0)"}},
    {device::between_allocations,
     {"reads global memory outside every allocation", "past the end of one of 1024 bytes"}},
    {device::past_shared,
     {"writes shared memory at offset 256, past the end of its 256 bytes", "thread (63, 0, 0)"}},
    {device::misaligned_vector,
     {"a misaligned access: reads 16 bytes at an address that is 4 past a multiple of 16"}},
    {device::race_between_warps,
     {"a race: writes shared memory at offset 0", "wrote at tests/kernels/sim/bugs.cu:"}},
    {device::race_in_global, {"a race: writes global memory", "wrote with no barrier in between"}},
    {device::race_between_blocks, {"a race: writes global memory", "wrote in the same launch", "block ("}},
    {device::race_within_warp, {"shared memory"}},
    {device::host_pointer, {"reads 4 bytes that are no device memory"}},
    {device::null_pointer, {"reads 4 bytes through a null pointer", "thread (9, 0, 0)"}},
    {device::writes_constant, {"writes constant memory"}},
};

}  // namespace

TEST_CASE("each planted bug is caught, with kernel, block, thread and line, in every schedule") {
  for (const Bug& bug : kBugs) {
    const std::string name = bug.kernel.name;
    CAPTURE(name);
    for (int seed = 1; seed <= 20; ++seed) {
      module().configure("seed", std::to_string(seed));
      const std::string text = message(bug.kernel, true);
      CAPTURE(text);
      for (const std::string& part : bug.says) CHECK(text.find(part) != std::string::npos);
      CHECK(text.starts_with(name + "_kernel, block ("));
      CHECK(text.find("schedule seed " + std::to_string(seed)) != std::string::npos);
      CHECK(text.find('\n') == std::string::npos);
      if (bug.names_thread) CHECK(text.find(", thread (") != std::string::npos);
      const std::set<int> lines = planted_lines(name);
      CHECK(!lines.empty());
      CHECK(std::ranges::any_of(lines, [&](int line) {
        return text.find("tests/kernels/sim/bugs.cu:" + std::to_string(line)) != std::string::npos;
      }));
    }
  }
  module().configure("seed", "1");
}

TEST_CASE("the same kernels without their bugs are silent in every schedule") {
  for (const Bug& bug : kBugs) {
    CAPTURE(bug.kernel.name);
    for (int seed = 1; seed <= 20; ++seed) {
      module().configure("seed", std::to_string(seed));
      CHECK(message(bug.kernel, false) == "");
    }
  }
  module().configure("seed", "1");
}

TEST_CASE("checks can be turned off, and a kernel runs on after one that failed") {
  module().configure("checks", "0");
  CHECK(message(device::missing_barrier, true) == "");
  module().configure("checks", "1");
  CHECK(message(device::missing_barrier, true) != "");
  CHECK(message(device::missing_barrier, false) == "");
  CHECK_THROWS_AS(module().configure("speed", "1"), UsageError);
  CHECK_THROWS_AS(module().configure("seed", "x"), UsageError);
}

TEST_CASE("atomics, in shared and global memory, over many blocks") {
  std::vector<int> in(10007);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<int>(i * 7919 % 1000) - 300;
  const Buffer<int> out(std::vector<int>{0}), values(in);
  device::atomic_sum(Queue{&module()}, out, values, static_cast<int64_t>(in.size()));
  CHECK(out.read()[0] == std::accumulate(in.begin(), in.end(), 0));
}

TEST_CASE("votes and shuffles, with a full and with a partial mask") {
  for (const uint32_t mask : {0xffffffffu, 0x00ff00ffu}) {
    for (int which = 0; which <= 8; ++which) {
      if (mask != 0xffffffffu && which >= 7) continue;  // these name all lanes
      CAPTURE(which);
      const std::vector<float> x = ramp(32);
      const Buffer<float> out(std::vector<float>(32, -7)), in(x);
      device::warp_operation(Queue{&module()}, which, mask, out, in);
      const std::vector<float> got = out.read();
      for (int lane = 0; lane < 32; ++lane) {
        if (!(mask >> lane & 1)) {
          CHECK(got[static_cast<size_t>(lane)] == -7);
          continue;
        }
        const auto from = [&](int source) {
          return mask >> source & 1 ? x[static_cast<size_t>(source)] : std::nanf("");
        };
        float expected = 0;
        switch (which) {
          case 0:
            expected = from(3);
            break;
          case 1:
            expected = from(lane ^ 5);
            break;
          case 2:
            expected = from(lane + 4 < 32 ? lane + 4 : lane);
            break;
          case 3:
            expected = from(lane >= 4 ? lane - 4 : lane);
            break;
          case 4:
            expected = static_cast<float>(mask & 0xfffeu);
            break;
          case 5:
            expected = mask >> 31 & 1 ? 1.0f : 0.0f;
            break;
          case 6:
            expected = 1;
            break;
          case 7:
            expected = 496;
            break;
          case 8:
            expected = 31;
            break;
        }
        const float value = got[static_cast<size_t>(lane)];
        CHECK((value == expected || (std::isnan(value) && std::isnan(expected))));
      }
    }
  }
}

TEST_CASE("constant memory is set in the order of the stream") {
  const Buffer<float> a(ramp(64)), b(ramp(64)), in(ramp(64));
  device::scale_by_constant(Queue{&module()}, 3.0f, a, in);
  device::scale_by_constant(Queue{&module()}, 5.0f, b, in);
  CHECK(a.read()[7] == 21);
  CHECK(b.read()[7] == 35);
}

TEST_CASE("static and dynamic shared memory at once") {
  const Buffer<float> out(ramp(256)), in(ramp(256));
  device::reverse_twice(Queue{&module()}, out, in);
  const std::vector<float> got = out.read();
  for (size_t i = 0; i < 256; ++i) CHECK(got[i] == static_cast<float>(255 - i));
}

// A value with `bits` of mantissa after the leading one, by scaling: independent of the wrappers' bit tricks.
static double rounded(double x, int bits, bool ties_to_even) {
  if (x == 0) return 0;
  int exponent = 0;
  std::frexp(x, &exponent);
  const double unit = std::ldexp(1.0, exponent - 1 - bits);
  const double scaled = x / unit, low = std::floor(scaled), rest = scaled - low;
  double result = rest > 0.5 ? low + 1 : low;
  if (rest == 0.5) result = ties_to_even ? (std::fmod(low, 2) == 0 ? low : low + 1) : (x > 0 ? low + 1 : low);
  return result * unit;
}

TEST_CASE("tensor cores: fragments, operand rounding and the product of tf32, bf16 and f16") {
  for (int type = 0; type < 3; ++type) {
    const size_t depth = type == 0 ? 8 : 16;
    const int bits = type == 1 ? 7 : 10;
    std::vector<float> a(16 * depth), b(depth * 8), c(128);
    uint32_t state = 12345u + static_cast<uint32_t>(type);
    const auto draw = [&] {
      state = state * 1664525u + 1013904223u;
      return static_cast<float>(static_cast<int32_t>(state)) * 0x1p-31f;
    };
    for (float& x : a) x = draw();
    for (float& x : b) x = draw();
    for (float& x : c) x = draw();
    a[0] = 1.0f + std::ldexp(1.0f, -bits - 1);  // a tie
    a[1] = -a[0];
    a[2] = 1.0f + 3 * std::ldexp(1.0f, -bits - 1);
    const Buffer<float> da(a), db(b), dc(c), dd(std::vector<float>(128, 0.0f));
    device::mma_tile(Queue{&module()}, type, da, db, dc, dd);
    const std::vector<float> got = dd.read();
    for (size_t i = 0; i < 16; ++i)
      for (size_t j = 0; j < 8; ++j) {
        double sum = double{c[i * 8 + j]};
        for (size_t k = 0; k < depth; ++k)
          sum += rounded(double{a[i * depth + k]}, bits, type != 0) *
                 rounded(double{b[k * 8 + j]}, bits, type != 0);
        CAPTURE(type);
        CAPTURE(i);
        CAPTURE(j);
        CHECK(double{got[i * 8 + j]} == doctest::Approx(sum).epsilon(0x1p-23));
      }
  }
}

TEST_CASE("work waits in its stream; events order streams and measure") {
  const DeviceInterface& d = module().interface();
  Outcome o{};
  void *first = d.create_stream(&o), *second = d.create_stream(&o);
  void *start = d.create_event(&o), *end = d.create_event(&o);
  {
    const Buffer<float> x(ramp(256)), y(std::vector<float>(256, -1.0f)), z(std::vector<float>(256, -1.0f));
    d.record(start, first, &o);
    device::add_one(Queue{&module(), first}, y, x);
    // Nobody waited for it: another stream sees the old values, and so does the host.
    CHECK(y.read(second)[3] == -1);
    d.record(end, first, &o);
    d.wait(second, end, &o);
    device::add_one(Queue{&module(), second}, z, y);
    CHECK(z.read(second)[3] == 5);  // which made the first stream go on up to the event
    CHECK(y.read(second)[3] == 4);
    CHECK(d.elapsed_ms(start, end, &o) >= 0);
    CHECK(o.kind == Outcome::fine);
    void* never = d.create_event(&o);
    d.elapsed_ms(start, never, &o);
    CHECK(o.kind == Outcome::failed);
    d.destroy_event(never);
  }
  d.destroy_event(start);
  d.destroy_event(end);
  d.destroy_stream(first);
  d.destroy_stream(second);
}

TEST_CASE("captured work is kept, with its arguments, and queued again by each replay") {
  const auto stream = module().create_stream();
  const Queue queue{&module(), stream.get()};
  const Buffer<float> x(ramp(256)), y(std::vector<float>(256, -1.0f));
  const auto graph = module().capture(stream.get(), [&] {
    device::add_one(queue, y, x);
    device::add_one(queue, x, y);
  });
  CHECK(y.read(stream.get())[3] == -1);  // nothing was done yet
  for (int run = 1; run <= 3; ++run) {
    module().replay(graph, stream.get());
    CHECK(x.read(stream.get())[3] == 3 + 2 * run);
    CHECK(y.read(stream.get())[3] == 2 + 2 * run);
  }
  SUBCASE("nothing may wait in between, copy or allocate") {
    float host[256];
    const auto refused = [&](const std::function<void()>& work, const char* why) {
      CHECK_THROWS_WITH_AS(module().capture(stream.get(), work), doctest::Contains(why), Error);
    };
    refused([&] { module().synchronize(stream.get()); }, "is being captured");
    refused([&] { module().upload(x, host, 1024, stream.get()); }, "is being captured");
    refused([&] { module().download(host, x, 1024, stream.get()); }, "is being captured");
    refused([&] { module().replay(graph, stream.get()); }, "is being captured");
    refused([&] { module().allocate(10); }, "is being captured");
    refused([&] { module().capture(stream.get(), [] {}); }, "is being captured");
    CHECK_THROWS_WITH_AS(module().capture(nullptr, [] {}), doctest::Contains("default stream"), Error);
    module().replay(graph, stream.get());  // all is as before
    CHECK(x.read(stream.get())[3] == 11);
  }
}

TEST_CASE("an upload takes what the host has at the call, and arrives in its turn") {
  const auto stream = module().create_stream();
  const Buffer<float> x(ramp(256)), y(std::vector<float>(256, 0.0f));
  std::vector<float> host(256, 50.0f);
  device::add_one(Queue{&module(), stream.get()}, y, x);  // reads the ramp
  module().upload(x, host.data(), 1024, stream.get());
  host.assign(256, 70.0f);
  CHECK(y.read(stream.get())[3] == 4);
  CHECK(x.read(stream.get())[3] == 50);
}

TEST_CASE("dynamic shared memory is aligned to 128 bytes, and by chance alone to more") {
  std::set<int> remainders;
  for (int seed = 1; seed <= 30; ++seed) {
    module().configure("seed", std::to_string(seed));
    const Buffer<int> out(std::vector<int>(1, -1));
    device::shared_address(Queue{&module()}, out);
    remainders.insert(out.read()[0]);
  }
  module().configure("seed", "1");
  for (const int r : remainders) CHECK(r % 128 == 0);
  CHECK(remainders.size() > 3);  // of the 8 there are below 1024
}

TEST_CASE("the seed decides the order of threads, and nothing else does") {
  const auto order = [](int seed) {
    module().configure("seed", std::to_string(seed));
    const Buffer<int> out(std::vector<int>(256, 0)), counter(std::vector<int>{0});
    device::record_order(Queue{&module()}, out, counter);
    return out.read();
  };
  const auto one = order(1), two = order(2);
  CHECK(one != two);
  CHECK(std::set<int>(one.begin(), one.end()).size() == 256);
  std::vector<int> sorted(256);
  std::iota(sorted.begin(), sorted.end(), 0);
  CHECK(one != sorted);
  module().configure("seed", "1");
}

TEST_CASE("launches and memory that a GPU would refuse") {
  CHECK_THROWS_AS(module().allocate(int64_t{1} << 40), DeviceOutOfMemory);
  module().configure("memory", "1000");
  CHECK_THROWS_WITH_AS(module().allocate(1001), doctest::Contains("out of device memory"), DeviceOutOfMemory);
  module().configure("memory", std::to_string(int64_t{8} << 30));
  const Buffer<float> x(ramp(4));
  float host[8] = {};
  CHECK_THROWS_WITH_AS(module().upload(x, host, 32), doctest::Contains("not inside one allocation"), Error);
  CHECK_THROWS_WITH_AS(module().download(host, x + 1, 16), doctest::Contains("not inside one allocation"),
                       Error);
  const Buffer<int> y(std::vector<int>(1, 0));
  CHECK_THROWS_WITH_AS(device::atomic_sum(Queue{&module()}, y, y, int64_t{1} << 50),
                       doctest::Contains("blocks"), Error);
  CHECK_THROWS_WITH_AS(module().call("no_such_launcher", nullptr, nullptr),
                       doctest::Contains("no_such_launcher"), Error);
}

}  // namespace loupe
