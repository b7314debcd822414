// The corpus that the program carries: the same for a seed, ASCII, and of no single sentence.
#include "models/text/sentences.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "models/zoo/zoo.h"

namespace loupe::test {
namespace {

TEST_CASE("zoo_sentences: stories about the zoo, a function of the seed") {
  const std::string text = zoo_sentences(1, 50'000);
  CHECK(text.size() >= 50'000);
  CHECK(text == zoo_sentences(1, 50'000));
  CHECK(text != zoo_sentences(2, 50'000));
  CHECK(zoo_sentences(1, 60'000).starts_with(text));
  CHECK(std::ranges::all_of(text, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
  CHECK(text.find('*') == std::string::npos);
  for (const std::string& animal : zoo::labels()) CHECK(text.find(animal) != std::string::npos);
  std::set<std::string> stories;
  std::istringstream lines(text);
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) stories.insert(line);
  CHECK(stories.size() > count * 9 / 10);
}

}  // namespace
}  // namespace loupe::test
