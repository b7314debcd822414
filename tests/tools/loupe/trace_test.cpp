// `loupe trace`: its figures, its files, and what it refuses.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

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
