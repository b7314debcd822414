// The tracer: requests, sectors, wavefronts and bytes of small kernels (traced.cu), as one would count them
// by hand.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "tests/kernels/sim/test_module.h"
#include "tests/kernels/sim/traced.h"

namespace loupe {
namespace {

using test::Buffer;
using test::module;
using test::ramp;

// The only launch of what is called.
nlohmann::json traced(const std::function<void()>& launch) {
  module().synchronize();
  module().configure("trace", "1");
  launch();
  const nlohmann::json trace = nlohmann::json::parse(module().query("trace"));
  module().configure("trace", "0");
  REQUIRE(trace.at("launches").size() == 1);
  return trace.at("launches").at(0);
}

// The line of traced.cu that ends with "// name".
int line_of(const std::string& name) {
  std::ifstream file(LOUPE_SOURCE_DIR "/tests/kernels/sim/traced.cu");
  std::string text;
  for (int line = 1; std::getline(file, text); ++line)
    if (text.ends_with("  // " + name)) return line;
  FAIL("traced.cu has no line '// ", name, "'");
  return 0;
}

// What a launch does at that line in that memory.
nlohmann::json at_line(const nlohmann::json& launch, const std::string& name, const std::string& space) {
  for (const nlohmann::json& l : launch.at("lines"))
    if (l.at("line") == line_of(name) && l.at("space") == space) return l;
  FAIL("no access to ", space, " memory at '// ", name, "': ", launch.dump());
  return {};
}

struct Counts {
  int requests, lanes, bytes, cost, ideal;
};
void check(const nlohmann::json& l, const Counts& expected) {
  CAPTURE(l.dump());
  CHECK(l.at("requests") == expected.requests);
  CHECK(l.at("lanes") == expected.lanes);
  CHECK(l.at("bytes") == expected.bytes);
  CHECK(l.at(l.at("space") == "global" ? "sectors" : "wavefronts") == expected.cost);
  CHECK(l.at("ideal") == expected.ideal);
}

const Queue& queue() {
  static const Queue q{&module()};
  return q;
}

}  // namespace

TEST_CASE("a transposed tile: 32 lanes in one bank, and none with a padded row") {
  for (const int pitch : {32, 33}) {
    const std::vector<float> x = ramp(1024);
    const Buffer<float> in(x), out(x);
    const nlohmann::json t = traced([&] { device::transpose_tile(queue(), pitch, out, in); });
    CHECK(out.read()[5] == x[5 * 32]);
    const auto& lines = t.at("lines");
    REQUIRE(lines.size() == 4);  // global read, shared write; shared read, global write
    for (const nlohmann::json& l : lines) {
      CHECK(l.at("file") == "tests/kernels/sim/traced.cu");
      if (l.at("space") == "global")
        check(l, {32, 1024, 4096, 128, 128});
      else
        check(l, {32, 1024, 4096, l.at("write") || pitch == 33 ? 32 : 1024, 32});
    }
    CHECK(t.at("global").at("read_bytes") == 4096);
    CHECK(t.at("global").at("unique_written_bytes") == 4096);
    CHECK(t.at("global").at("l1_cycles") == 64);  // four sectors each
    CHECK(t.at("shared").at("wavefronts") == (pitch == 33 ? 64 : 1056));
    CHECK(t.at("kernel") == "transpose_tile_kernel");
    CHECK(t.at("blocks") == 1);
  }
}

TEST_CASE("a strided gather touches more sectors than it needs") {
  for (const int stride : {1, 2, 8, 16}) {
    const Buffer<float> in(ramp(512)), out(ramp(32));
    const nlohmann::json t = traced([&] { device::gather_strided(queue(), stride, out, in); });
    const int sectors = std::min(32, 4 * stride);
    for (const nlohmann::json& l : t.at("lines")) {
      check(l, {1, 32, 128, l.at("write") ? 4 : sectors, 4});
      if (!l.at("write")) CHECK(l.at("example").at(3) == 12 * stride);
    }
    CHECK(t.at("global").at("l1_cycles") == sectors / 4 + 1);
    CHECK(t.at("global").at("unique_read_bytes") == 32 * sectors);
  }
}

TEST_CASE("vectors: one request of 16 sectors") {
  const Buffer<float> in(ramp(128)), out(ramp(128));
  const nlohmann::json t = traced([&] { device::copy_vectors(queue(), out, in); });
  REQUIRE(t.at("lines").size() == 2);
  for (const nlohmann::json& l : t.at("lines")) {
    CHECK(l.at("bytes_each") == 16);
    check(l, {1, 32, 512, 16, 16});
  }
  CHECK(t.at("global").at("l1_cycles") == 8);
}

// A row of the map, 8 floats, is a sector. Of the three rows of a neighbourhood 3, 4 and 3 of the map's four
// have one, and of its columns 7, 8 and 7. So there are nine requests; together they have (3 + 4 + 3) · (7 +
// 8 + 7) lanes and touch (3 + 4 + 3) · 3 sectors, and 21 to 32 floats need as many as they touch rows. Were a
// lane's n-th access taken for its n-th neighbour, a request would mix rows: 25 sectors.
TEST_CASE("lanes in the padding skip, and the others' requests stay what they are") {
  const Buffer<float> in(ramp(32)), out(ramp(32));
  const nlohmann::json t = traced([&] { device::padded_sums(queue(), out, in); });
  check(at_line(t, "neighbour", "global"), {9, 220, 880, 30, 30});
  check(at_line(t, "sum", "global"), {1, 32, 128, 4, 4});
  CHECK(out.read()[0] == 0 + 1 + 8 + 9);
  CHECK(t.at("global").at("unique_read_bytes") == 128);
}

// 32, 24, 16 and 8 lanes take part, two or more in each group of eight: always 4 sectors, where 4, 3, 2 and 1
// could hold as much. Behind the loop all write at once.
TEST_CASE("a lane whose loop is over waits behind it") {
  const Buffer<float> in(ramp(128)), out(ramp(32));
  const nlohmann::json t = traced([&] { device::ragged_loop(queue(), out, in); });
  check(at_line(t, "some lanes", "global"), {4, 80, 320, 16, 10});
  check(at_line(t, "all lanes", "global"), {1, 32, 128, 4, 4});
  CHECK(out.read()[2] == 2 + 34 + 66);
}

// Each time round, a request of 32 lanes and one of the 16 odd ones, 4 sectors both: 8 a round. By n-th
// accesses even lanes would be in their second round while odd ones are still in the first: 20 sectors.
TEST_CASE("rounds of an outer loop are not mixed, however often a lane goes round the inner one") {
  const Buffer<float> in(ramp(192)), out(ramp(32));
  const nlohmann::json t = traced([&] { device::ragged_inner_loop(queue(), out, in); });
  check(at_line(t, "inner", "global"), {4, 96, 384, 16, 12});
  check(at_line(t, "outer", "global"), {2, 64, 256, 8, 8});
  CHECK(out.read()[1] == 1 + 33 + 129 + 65 + 97 + 161);
}

TEST_CASE("two sides of an if are two requests, and one behind it") {
  const Buffer<float> in(ramp(32)), out(ramp(32));
  const nlohmann::json t = traced([&] { device::two_sides(queue(), out, in); });
  int requests = 0, lanes = 0, sectors = 0;  // a compiler may read once, before it asks
  for (const nlohmann::json& l : t.at("lines")) {
    if (l.at("write")) continue;
    requests += l.at("requests").get<int>();
    lanes += l.at("lanes").get<int>();
    sectors += l.at("sectors").get<int>();
  }
  CHECK(requests <= 2);
  CHECK(lanes == 32);
  CHECK(sectors == 4);
  check(at_line(t, "both", "global"), {1, 32, 128, 4, 4});
}

TEST_CASE("lanes that returned, and a block that is no whole warp") {
  for (const auto& [lanes, count, sectors] :
       {std::array{32, 20, 3}, std::array{20, 20, 3}, std::array{7, 32, 1}, std::array{32, 0, 0}}) {
    const Buffer<float> in(ramp(32)), out(ramp(32));
    const nlohmann::json t = traced([&] { device::early_return(queue(), lanes, count, out, in); });
    const int reading = std::min(lanes, count);
    CHECK(t.at("lines").size() == (reading ? 2 : 0));
    for (const nlohmann::json& l : t.at("lines")) check(l, {1, reading, 4 * reading, sectors, sectors});
  }
}

// In each of the first four copies 8 lanes of 32 get zeros: 24 lanes read 3 sectors. All lanes take part in
// all five, and write to shared memory in all five, one wavefront each.
TEST_CASE("a zero-filled copy takes part without sectors") {
  const Buffer<float> in(ramp(160)), out(ramp(32));
  const nlohmann::json t = traced([&] { device::zero_filled_copies(queue(), out, in); });
  const nlohmann::json from = at_line(t, "copy", "global");
  check(from, {5, 160, 4 * 24 * 4, 12, 12});
  check(at_line(t, "copy", "shared"), {5, 160, 640, 5, 5});
  CHECK(std::ranges::count(from.at("example").get<std::vector<int>>(), -1) == 8);
  CHECK(t.at("global").at("read_bytes") == 12 * 32);
  CHECK(out.read()[0] == 32 + 64 + 96);
}

TEST_CASE("the counts do not depend on the schedule") {
  const Buffer<float> in(ramp(192)), out(ramp(32));
  std::vector<nlohmann::json> counts;
  for (const char* seed : {"1", "2", "3"}) {
    module().configure("seed", seed);
    counts.push_back(traced([&] { device::ragged_inner_loop(queue(), out, in); }));
  }
  module().configure("seed", "1");
  CHECK(counts[0] == counts[1]);
  CHECK(counts[0] == counts[2]);
}

// Shared memory: where lane i reads, in floats; by cost.h, counted in the comments.
struct Pattern {
  const char* what;
  int width;
  int (*place)(int lane);
  int wavefronts, without_conflicts;
};

TEST_CASE("wavefronts of reads of 4, 8 and 16 bytes") {
  const Pattern patterns[] = {
      // 4 bytes: the warp at once.
      {"one word for all", 1, [](int) { return 7; }, 1, 1},
      {"side by side", 1, [](int i) { return i; }, 1, 1},
      {"every second word: banks 0, 2 … have two", 1, [](int i) { return 2 * i; }, 2, 1},
      {"a column of rows of 32: one bank has all", 1, [](int i) { return 32 * i % 1024; }, 32, 1},
      {"a column of rows of 31 (33 − 2): all banks", 1, [](int i) { return 31 * i; }, 1, 1},
      // 8 bytes: half a warp at once, all of it where pairs agree.
      {"8 B side by side", 2, [](int i) { return 2 * i; }, 2, 2},
      {"8 B, one address for all: pairs agree", 2, [](int) { return 6; }, 1, 1},
      {"8 B, 16 addresses of two neighbours each: 32 words", 2, [](int i) { return i / 2 * 2; }, 1, 1},
      {"8 B, each half the same 16: no pairs", 2, [](int i) { return i % 16 * 2; }, 2, 2},
      {"8 B, every second pair of words: two in a bank, twice", 2, [](int i) { return 4 * i; }, 4, 2},
      // 16 bytes: a quarter at once, half a warp where pairs agree.
      {"16 B side by side", 4, [](int i) { return 4 * i; }, 4, 4},
      {"16 B, one address for all: pairs agree", 4, [](int) { return 8; }, 2, 2},
      {"16 B, one address for each quarter: pairs agree", 4, [](int i) { return i / 8 * 4; }, 2, 2},
      {"16 B, one address for each quarter, 32 words apart: two meet in a bank, twice", 4,
       [](int i) { return i / 8 * 32; }, 4, 2},
      {"16 B, all quarters the same 8 addresses: no pairs", 4, [](int i) { return i % 8 * 4; }, 4, 4},
      {"16 B, 4 addresses in turn: no pairs", 4, [](int i) { return i % 4 * 4; }, 4, 4},
      {"16 B, neighbours agree: 8 addresses a half", 4, [](int i) { return i / 2 * 4; }, 2, 2},
      {"16 B, lanes n and n xor 2 agree: 8 addresses a half", 4,
       [](int i) { return (i / 4 * 2 + i % 2) * 4; }, 2, 2},
      {"16 B, lanes n and n xor 4 agree: that is no pair", 4, [](int i) { return (i / 8 * 4 + i % 4) * 4; },
       4, 4},
      {"16 B, every second vector: two in a bank, four times", 4, [](int i) { return 8 * i; }, 8, 4},
      {"16 B, rows of 32 words: eight in a bank, four times", 4, [](int i) { return 32 * i; }, 32, 4},
  };
  for (const Pattern& p : patterns) {
    CAPTURE(p.what);
    std::vector<int> place(32);
    for (int i = 0; i < 32; ++i) place[static_cast<size_t>(i)] = p.place(i);
    const Buffer<int> places(place);
    const Buffer<float> out(ramp(32));
    const nlohmann::json t = traced([&] { device::shared_reads(queue(), p.width, ~0u, out, places); });
    check(at_line(t, "read", "shared"), {1, 32, 128 * p.width, p.wavefronts, p.without_conflicts});
    CHECK(out.read()[9] == static_cast<float>(place[9]));
  }
}

TEST_CASE("wavefronts where only some lanes read") {
  struct Case {
    const char* what;
    uint32_t mask;
    int wavefronts;
  };
  const Case cases[] = {
      {"side by side, all", ~0u, 4},
      {"a quarter", 0xffu, 1},
      {"two quarters of different halves", 0x00ff00ffu, 2},
      {"even lanes, whose partners have no say: halves, with two of 8 vectors in a bank", 0x55555555u, 4},
      {"one lane", 1u << 19, 1},
  };
  std::vector<int> place(32);
  for (int i = 0; i < 32; ++i) place[static_cast<size_t>(i)] = 4 * i;
  const Buffer<int> places(place);
  for (const Case& c : cases) {
    CAPTURE(c.what);
    const Buffer<float> out(ramp(32));
    const nlohmann::json t = traced([&] { device::shared_reads(queue(), 4, c.mask, out, places); });
    const nlohmann::json read = at_line(t, "read", "shared");
    CHECK(read.at("requests") == 1);
    CHECK(read.at("wavefronts") == c.wavefronts);
  }
}

TEST_CASE("wavefronts of writes: lanes do not pair") {
  const Pattern patterns[] = {
      {"4 B side by side", 1, [](int i) { return i; }, 1, 1},
      {"4 B, every fourth word", 1, [](int i) { return 4 * i; }, 4, 1},
      {"8 B side by side", 2, [](int i) { return 2 * i; }, 2, 2},
      {"16 B side by side", 4, [](int i) { return 4 * i; }, 4, 4},
      {"16 B, rows of 20 words: a quarter's begin in banks 0, 20, 8, 28, 16, 4, 24, 12", 4,
       [](int i) { return 20 * i; }, 4, 4},
      {"16 B, every second vector", 4, [](int i) { return 8 * i; }, 8, 4},
  };
  for (const Pattern& p : patterns) {
    CAPTURE(p.what);
    std::vector<int> place(32);
    for (int i = 0; i < 32; ++i) place[static_cast<size_t>(i)] = p.place(i);
    const Buffer<int> places(place);
    const Buffer<float> out(ramp(32));
    const nlohmann::json t = traced([&] { device::shared_writes(queue(), p.width, out, places); });
    check(at_line(t, "write", "shared"), {1, 32, 128 * p.width, p.wavefronts, p.without_conflicts});
    CHECK(out.read()[31] == static_cast<float>(place[31]));
  }
}

}  // namespace loupe
