// The pages of `loupe lesson`: every number is the engine's, and what their scripts make is compared with it.
// ctest: LABELS big
#include "tests/support/lessons.h"

namespace loupe::test {

TEST_CASE("the ReLU's page: its tables are the engine's, and its script makes the same") {
  const Folder folder;
  const json asked =
      lesson({"relu", "--signal=1,-1,2,-2,3,-3,4,-4,5,-5,6,-6,7,-7,8,-8", "--out", folder / "out"});
  const std::string page = read_text(folder / "out/relu.html");
  CHECK(!contains(page, "http"));
  const json data = data_of(page);
  CHECK(data["examples"].size() > 10);
  for (const char* name : {"x", "forward", "signal", "gradient", "deconvnet", "guided_backprop"}) {
    CAPTURE(name);
    CHECK(data["examples"][0][name] == asked[name]);
  }
  for (const json& t : data["examples"])
    for (size_t i = 0; i < 16; ++i) {
      const double x = t["x"][i], r = t["signal"][i];
      CHECK(t["gradient"][i] == (x > 0 ? r : 0));
      CHECK(t["guided_backprop"][i] == (x > 0 ? std::max(r, 0.0) : 0));
    }
  check_script(data, "relu/relu.js", folder, [](json& d) { d["examples"][3]["deconvnet"][5] = 7.5; });
}

TEST_CASE("the receptive field's page: chains of the engine's, which its script reckons alike") {
  const Folder folder;
  const json all =
      lesson({"receptive-field", "--layer", "features.7", "--place", "0,12", "--out", folder / "out"});
  const std::string page = read_text(folder / "out/receptive-field.html");
  CHECK(!contains(page, "http"));
  const json data = data_of(page);
  CHECK(data["field"] == all["field"]);
  CHECK(data["whole"] == true);
  CHECK(data["examples"].size() > 10);
  const json& first = data["examples"][0];
  REQUIRE(first["chain"].size() == all["layers"].size());
  for (size_t i = 0; i < first["chain"].size(); ++i) {
    CHECK(first["fields"][i][0] == all["layers"][i]["size"]);
    CHECK(first["fields"][i][1] == all["layers"][i]["stride"]);
    CHECK(first["fields"][i][2] == all["layers"][i]["offset"]);
  }
  int64_t dilated = 0;
  for (const json& e : data["examples"])
    for (const json& l : e["chain"]) dilated += l["d"] != json({1, 1}) ? 1 : 0;
  CHECK(dilated > 5);
  const json branched = lesson({"receptive-field", "--model", "resnet18", "--weights", "formula", "--layer",
                                "layer3.0.conv1", "--device", "cpu", "--out", folder / "branched"});
  CHECK(data_of(read_text(folder / "branched/receptive-field.html"))["examples"][0]["chain"].size() <
        branched["layers"].size());
  check_script(data, "receptive_field/receptive_field.js", folder,
               [](json& d) { d["examples"][1]["fields"][0][0][0] = 4; });
}

TEST_CASE("CAM's page: maps, weights and scores of the engine's, which its script adds up") {
  const Folder folder;
  const json c = lesson({"cam", "--class", "husky", "--out", folder / "out"});
  const std::string page = read_text(folder / "out/cam.html");
  CHECK(!contains(page, "http"));
  const json data = data_of(page);
  REQUIRE(data["examples"].size() == 5);
  const json& first = data["examples"][0];
  CHECK(first["label"] == "husky");
  CHECK(flat(first["engine"]["cam"]) == flat(c["cam"]));
  CHECK(first["engine"]["score"] == c["score"]);
  CHECK(data["maps"].size() == 256);
  for (const json& k : c["channels"]) CHECK(first["weight"][k["channel"].get<size_t>()] == k["weight"]);
  for (size_t i = 1; i < 5; ++i) CHECK(data["examples"][i]["engine"]["mean"] == first["engine"]["mean"]);
  check_script(data, "cam/cam.js", folder, [](json& d) {
    double& score = *d["examples"][2]["engine"]["score"].get_ptr<double*>();
    score += 0.1;
  });
}

TEST_CASE("rules of tables stand under their headings") {
  for (const char* name : {"deconv", "cam", "receptive-field"}) {
    CAPTURE(name);
    const Said said = loupe({"lesson", name});
    REQUIRE(said.status == 0);
    const size_t rule = said.out.find("───"), line = said.out.rfind('\n', rule) + 1;
    CHECK(rule - line == 3);
    CHECK(said.out.substr(line, 3) == "   ");
  }
}

}  // namespace loupe::test
