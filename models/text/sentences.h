// Sentences about the zoo's animals, their colours and places: a small corpus that every copy of the program has.
#pragma once
#include <cstdint>
#include <string>

namespace loupe {

/// Of at least so many bytes of ASCII, a function of the seed. The sentences come from a small grammar; neighbours are
/// about the same animal, as in a story, so that earlier words help to foretell later ones.
std::string zoo_sentences(uint64_t seed, int64_t bytes);

}  // namespace loupe
