// `loupe trace`: its figures, its files, and what it refuses.
#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "kernels/common/ladder.h"
#include "tests/support/command.h"
#include "tests/support/device.h"

namespace loupe::test {
namespace {

void refused(const std::vector<std::string>& words, const std::string& says) {
  const Said said = loupe(words);
  CAPTURE(said.err);
  CHECK(said.status == 2);
  CHECK(said.err.find(says) != std::string::npos);
  CHECK(std::count(said.err.begin(), said.err.end(), '\n') == 1);
  CHECK(said.out.empty());
}

}  // namespace

TEST_CASE("relu's traffic, counted by hand") {
  skip_without(Backend::sim);
  const Said said = loupe({"trace", "relu", "--shape", "2,4,16,32", "--json"});
  REQUIRE(said.status == 0);
  const auto t = nlohmann::json::parse(said.out);
  // 4096 floats in and out, and a bit of mask for each.
  CHECK(t.at("floor_bytes") == 4096 * 8 + 4096 / 8);
  int64_t read = 0, written = 0;
  for (const auto& launch : t.at("launches"))
    for (const auto& line : launch.at("lines"))
      (line.at("write") ? written : read) += line.at("bytes").get<int64_t>();
  CHECK(read == 4096 * 4);
  CHECK(written == 4096 * 4 + 4096 / 8);
}

// One channel of 4 rows of 8, a window of 3 × 3, padding 1: 32 outputs, a warp (of rung 2; its block's other
// seven have no channel). Taps of the upper and lower row see 3 rows of x, the middle ones 4; of the left and
// right column 7 columns, the middle ones 8. A row of x is a sector, and a warp needs one for its weight.
TEST_CASE("a padded convolution, counted by hand") {
  skip_without(Backend::sim);
  const Said said =
      loupe({"trace", "conv2d", "--shape", "1,1,4,8,1,3,3", "--padding", "1", "--rung", "2", "--json"});
  REQUIRE(said.status == 0);
  const auto t = nlohmann::json::parse(said.out);
  std::map<std::string, nlohmann::json> lines;  // by what the source line reads or writes
  for (const auto& line : t.at("launches").at(0).at("lines")) {
    const std::string source = line.at("source");
    for (const char* of : {"filter[", "maps[", "bias[", "y["})
      if (source.find(of) != std::string::npos) lines[of] = line;
  }
  REQUIRE(lines.size() == 4);
  const int lanes = (3 + 4 + 3) * (7 + 8 + 7);
  CHECK(lines["filter["].at("requests") == 9);
  CHECK(lines["filter["].at("lanes") == lanes);
  CHECK(lines["filter["].at("sectors") == 9);
  CHECK(lines["maps["].at("requests") == 9);
  CHECK(lines["maps["].at("lanes") == lanes);
  CHECK(lines["maps["].at("sectors") == (3 + 4 + 3) * 3);
  CHECK(lines["y["].at("sectors") == 4);
  // The limits: 32 outputs of 9 multiply-adds; 9 + 9 + 1 + 1 requests of up to 4 sectors; x, 9 weights, the
  // bias and y, in whole sectors.
  const auto& cycles = t.at("h100_cycles");
  CHECK(t.at("multiply_adds") == 288);
  CHECK(cycles.at("fma").get<double>() == doctest::Approx(288.0 / (132 * 128)));
  CHECK(cycles.at("shared_memory") == 0);
  CHECK(cycles.at("shared_memory_and_l1").get<double>() == doctest::Approx(20.0 / 132));
  CHECK(cycles.at("dram").get<double>() == doctest::Approx((128 + 64 + 32 + 128) * 1.98e9 / 3.35e12));
  CHECK(cycles.at("largest") == "DRAM");
}

TEST_CASE("the limits of a product that shared memory binds, in the table and on the page") {
  skip_without(Backend::sim);
  const Folder folder;
  const std::vector<std::string> words{"trace", "conv2d", "--shape", "1,16,4,18,16,3,3", "--rung", "3"};
  std::vector<std::string> more = words;
  more.insert(more.end(), {"--html", folder / "page.html"});
  const Said table = loupe(more);
  REQUIRE(table.status == 0);
  // 2 rows of 16 outputs, 16 channels: 2 blocks of 8 warps, 9 slabs of 16 terms, 2 writes and 2 · 16 reads a
  // slab, one wavefront each.
  const auto t = nlohmann::json::parse([&] {
    std::vector<std::string> json = words;
    json.push_back("--json");
    return loupe(json).out;
  }());
  CHECK(t.at("wavefronts") == 2 * 8 * 9 * (2 + 32));
  CHECK(t.at("h100_cycles").at("shared_memory").get<double>() == doctest::Approx(2 * 8 * 9 * 34 / 132.0));
  CHECK(t.at("h100_cycles").at("largest") == "shared memory and L1");
  for (const std::string& text : {table.out, read_text(folder / "page.html")}) {
    CHECK(text.find("bound by shared memory and L1") != std::string::npos);
    CHECK(text.find("3.35 TB/s from DRAM") != std::string::npos);
  }
}

TEST_CASE("every direction of a convolution, its table, its JSON and its page") {
  skip_without(Backend::sim);
  const Folder folder;
  for (const std::string direction : {"forward", "vjp_input", "vjp_weight", "vjp_bias"}) {
    const Said said = loupe({"trace", "conv2d", "--shape", "1,3,9,9,5,3,3", "--stride", "2", "--padding", "1",
                             "--direction", direction, "--html", folder / "page.html"});
    CAPTURE(said.err);
    REQUIRE(said.status == 0);
    for (const std::string& part :
         {"conv2d " + direction, std::string("requests"), std::string("floor"), std::string("conv2d")})
      CHECK(said.out.find(part) != std::string::npos);
    const std::string page = read_text(folder / "page.html");
    CHECK(page.starts_with("<!doctype html>"));
    CHECK(page.find("<svg") != std::string::npos);
    CHECK(page.ends_with("</html>\n"));
    const Said json = loupe({"trace", "conv2d", "--shape", "1,3,9,9,5,3,3", "--stride", "2", "--padding", "1",
                             "--direction", direction, "--json"});
    const auto t = nlohmann::json::parse(json.out);
    CHECK(t.at("global_bytes").get<int64_t>() >=
          t.at("floor_bytes").get<int64_t>() / 2);  // zeros of the padding are not read
    if (direction != "vjp_bias") CHECK(t.at("operations") == 2 * 5 * 3 * 9 * 25);
  }
}

TEST_CASE("every rung of every ladder runs, and a table has a row for each") {
  skip_without(Backend::sim);
  CHECK(!all_ladders().empty());
  for (const Ladder* ladder : all_ladders()) {
    const std::string op(ladder->op);
    const std::string shape = op == "conv2d"       ? "1,4,12,12,8,3,3"
                              : op == "max_pool2d" ? "1,4,12,12,3,3"
                                                   : "8,100";
    const Said said = loupe({"trace", op, "--shape", shape, "--ladder"});
    CAPTURE(said.err);
    REQUIRE(said.status == 0);
    for (const Rung& rung : ladder->rungs)
      CHECK(said.out.find("`" + std::string(rung.name) + "`") != std::string::npos);
    CHECK(said.out.find("| production |") != std::string::npos);
    // The second table has the limits of each, the largest marked.
    const size_t limits = said.out.find("| rung | FMA | shared memory | with L1 | DRAM |");
    REQUIRE(limits != std::string::npos);
    const std::string rows = said.out.substr(limits, said.out.find("\n\n", limits) - limits);
    CHECK(std::count(rows.begin(), rows.end(), '\n') == std::ssize(ladder->rungs) + 2);
    for (std::istringstream in(rows.substr(rows.find("--:|\n") + 5)); !in.eof();) {
      std::string row;
      std::getline(in, row);
      CAPTURE(row);
      CHECK(row.find("| **") != std::string::npos);
    }
    const Said one = loupe({"trace", op, "--shape", shape, "--rung", "1"});
    CHECK(one.out.find("rung " + std::string(ladder->rungs[0].name)) != std::string::npos);
    refused({"trace", op, "--shape", shape, "--rung", "99"}, "has rungs 1 to");
  }
}

TEST_CASE("a README's counters are renewed, checked, and never half-written") {
  skip_without(Backend::sim);
  const Folder folder;
  const std::string file = folder / "README.md";
  write_text(
      file,
      "before\n<!-- counters: conv2d --shape 1,2,8,8,4,3,3 -->\nold\n<!-- end of counters -->\nafter\n");
  CHECK(loupe({"trace", "--readme", file, "--check"}).status == 1);
  CHECK(read_text(file).find("old") != std::string::npos);
  CHECK(loupe({"trace", "--readme", file}).status == 0);
  const std::string text = read_text(file);
  CHECK(text.find("| production |") != std::string::npos);
  CHECK(text.starts_with("before\n"));
  CHECK(text.ends_with("<!-- end of counters -->\nafter\n"));
  CHECK(text.find("old") == std::string::npos);
  CHECK(loupe({"trace", "--readme", file, "--check"}).status == 0);
  for (const std::string& broken : std::vector<std::string>{
           "no markers", "<!-- counters: conv2d --shape 1,2,8,8,4,3,3 -->\nno end",
           "<!-- counters: nothing -->\n<!-- end of counters -->",
           "<!-- counters: conv2d --shape -->\n<!-- end of counters -->",
           "<!-- counters: conv2d --shape 1,2 -->\n<!-- end of counters -->",
           "<!-- counters: conv2d\n --shape 1,2,8,8,4,3,3 -->\n<!-- end of counters -->"}) {
    write_text(file, broken);
    const Said said = loupe({"trace", "--readme", file});
    CAPTURE(said.err);
    CHECK(said.status == 2);
    CHECK(std::count(said.err.begin(), said.err.end(), '\n') == 1);
    CHECK(read_text(file) == broken);
  }
}

TEST_CASE("what trace refuses, in one line") {
  refused({"trace"}, "trace needs an op");
  refused({"trace", "concat", "--shape", "1,2"}, "does not know the op 'concat'");
  refused({"trace", "conv2d"}, "needs --shape n,c,h,w,k,r,s");
  refused({"trace", "conv2d", "--shape", "1,2,3"}, "7 numbers, not 3");
  refused({"trace", "conv2d", "--shape", "1,2,3,x,5,6,7"}, "--shape");
  refused({"trace", "conv2d", "--shape", "1,2,3,0,5,6,7"}, "--shape");
  refused({"trace", "relu", "--shape", "1,2,3,4", "--direction", "sideways"}, "sideways");
  refused({"trace", "relu", "--shape", "1,2,3,4", "--rung", "1"}, "no ladder of relu");
  refused({"trace", "conv2d", "--shape", "1,1,2,2,1,5,5"}, "conv2d");
  refused({"trace", "relu", "--shape", "1,2,3,4", "--direction", "vjp_weight"},
          "--direction of relu is forward or vjp_input, not 'vjp_weight'");
  CHECK(loupe({"trace", "--readme", "/nonexistent/README.md"}).status == 1);
}

}  // namespace loupe::test
