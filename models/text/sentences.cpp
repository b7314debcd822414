#include "models/text/sentences.h"

#include <array>
#include <string_view>
#include <vector>

#include "kernels/common/random.h"
#include "models/zoo/zoo.h"

namespace loupe {
namespace {

using Words = std::vector<std::string_view>;

const Words kColours{"white", "grey", "brown", "black", "red", "pale", "dark", "green", "blue", "spotted"};
const Words kPlaces{"pond", "reeds", "meadow", "wood", "river", "field", "sand", "snow", "garden", "shore"};
const Words kVerbs{"sits", "stands", "waits", "sleeps", "drinks", "looks", "turns", "rests"};
const Words kPlaced{"by", "in", "near", "behind", "beside", "before"};
const Words kSizes{"small", "large", "young", "old", "tired", "quiet"};

// A * is replaced by the next word that is asked for: A animal, C colour, V verb, W where, P place, S size.
constexpr std::array<std::string_view, 6> kSentences{
    "The *C *A *V *W the *P. ",
    "A *S *A is *W the *P; it is *C. ",
    "Is the *A *W the *P? No, the *A is *W the *P. ",
    "Look at the *A: it *V *W the *C *P. ",
    "The *A is *S, and the *P is *C. ",
    "*W the *P *V a *C *A. ",
};

class Story {
 public:
  explicit Story(uint64_t seed) : seed_(seed) {}

  // A few sentences about one animal.
  std::string next() {
    animal_ = zoo::labels()[below(zoo::labels().size())];
    std::string text;
    for (size_t left = 2 + below(4); left > 0; --left) text += sentence(kSentences[below(kSentences.size())]);
    return text + "\n";
  }

 private:
  size_t below(size_t count) {
    return static_cast<size_t>(uniform(seed_, drawn_++) * static_cast<double>(count));
  }
  std::string_view one_of(const Words& words) { return words[below(words.size())]; }
  std::string_view word(char kind) {
    switch (kind) {
      case 'A':
        return animal_;
      case 'C':
        return one_of(kColours);
      case 'V':
        return one_of(kVerbs);
      case 'W':
        return one_of(kPlaced);
      case 'P':
        return one_of(kPlaces);
      default:
        return one_of(kSizes);
    }
  }
  std::string sentence(std::string_view form) {
    std::string text;
    for (size_t i = 0; i < form.size(); ++i) {
      if (form[i] == '*')
        text += word(form[++i]);
      else
        text += form[i];
    }
    return text;
  }

  uint64_t seed_, drawn_ = 0;
  std::string_view animal_;
};

}  // namespace

std::string zoo_sentences(uint64_t seed, int64_t bytes) {
  Story story(scrambled(seed, 0x73656e74));
  std::string text;
  while (static_cast<int64_t>(text.size()) < bytes) text += story.next();
  return text;
}

}  // namespace loupe
