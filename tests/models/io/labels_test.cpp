#include "models/io/labels.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kernels/common/error.h"
#include "kernels/common/suggest.h"

namespace loupe {
namespace {

struct TextFile {
  std::string path =
      (std::filesystem::temp_directory_path() / ("loupe_labels_" + std::to_string(::getpid()))).string();
  explicit TextFile(const std::string& text) { std::ofstream(path, std::ios::binary) << text; }
  ~TextFile() { std::filesystem::remove(path); }
};

std::vector<std::string> read(const std::string& text) { return read_labels(TextFile(text).path); }

using Labels = std::vector<std::string>;
const Labels kLabels = {"tench", "golden retriever", "Labrador retriever", "crane", "crane",
                        "tiger", "tiger shark"};

int64_t find(std::string_view text) { return find_class(text, kLabels, 7); }

}  // namespace

TEST_CASE("a file of labels") {
  CHECK(read("cat\ndog\n") == Labels{"cat", "dog"});
  CHECK(read("cat\r\ndog") == Labels{"cat", "dog"});
  CHECK(read("\xEF\xBB\xBF  cat \n\ndog\n\n \n") ==
        Labels{"cat", "", "dog"});  // a blank line keeps the order
  CHECK_THROWS_WITH_AS(read(""), doctest::Contains("the file is empty"), Error);
  CHECK_THROWS_WITH_AS(read("\n \r\n"), doctest::Contains("holds no labels"), Error);
  CHECK_THROWS_WITH_AS(read(std::string("a\0b", 3)), doctest::Contains("not a text file"), Error);
  CHECK_THROWS_WITH_AS(read_labels("/no/labels.txt"), doctest::Contains("'/no/labels.txt': No such file"),
                       Error);
}

TEST_CASE("a class by index or by label") {
  CHECK(find("0") == 0);
  CHECK(find(" 6 ") == 6);
  CHECK(find("tench") == 0);
  CHECK(find("GOLDEN Retriever") == 1);
  CHECK(find("labrador") == 2);
  CHECK(find("tiger") == 5);  // the whole label, though it is part of another
  CHECK(find("shark") == 6);
  CHECK(find_class("3", {}, 10) == 3);
}

TEST_CASE("a class that is not there, or there twice") {
  CHECK_THROWS_WITH_AS(find("7"), "class '7' is out of range; the model has classes 0 to 6", UsageError);
  CHECK_THROWS_WITH_AS(find("-1"), doctest::Contains("out of range"), UsageError);
  CHECK_THROWS_WITH_AS(find("99999999999999999999"), doctest::Contains("out of range"), UsageError);
  CHECK_THROWS_WITH_AS(
      find("retriever"),
      "class 'retriever' fits 2 labels: 'golden retriever' (1), 'Labrador retriever' (2); give the index",
      UsageError);
  CHECK_THROWS_WITH_AS(find("crane"), doctest::Contains("'crane' (3), 'crane' (4)"), UsageError);
  CHECK_THROWS_WITH_AS(find("trench"), "no class 'trench' among the labels; did you mean 'tench'?",
                       UsageError);
  CHECK_THROWS_WITH_AS(find("retreiver"), doctest::Contains("did you mean 'retriever'?"), UsageError);
  CHECK_THROWS_WITH_AS(find("aircraft carrier"), "no class 'aircraft carrier' among the labels", UsageError);
  CHECK_THROWS_WITH_AS(find(" "), doctest::Contains("the class is empty"), UsageError);
  CHECK_THROWS_WITH_AS(find_class("tench", {}, 7), doctest::Contains("give --labels FILE"), UsageError);
  CHECK_THROWS_WITH_AS(find_class("tiger", kLabels, 5), doctest::Contains("the model has only 5 classes"),
                       UsageError);
}

TEST_CASE("near names") {
  const Labels names = {"vgg16", "vgg19", "resnet18", "vgg16"};
  CHECK(nearest_names("vgg17", names) == Labels{"vgg16", "vgg19"});
  CHECK(nearest_names("VGG-16", names)[0] == "vgg16");
  CHECK(nearest_names("googlenet", names).empty());
  CHECK(did_you_mean("vgg17", names) == "; did you mean 'vgg16' or 'vgg19'?");
  CHECK(did_you_mean("densenet121", names).empty());
}

}  // namespace loupe
