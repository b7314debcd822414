#include "models/zoo/species.h"

namespace loupe::zoo {

extern const Species husky, dalmatian, kit_fox, cat, ant, crab, iguana, goose, ostrich, flamingo, pelican,
    hartebeest, speedboat, shirt;

std::span<const Species* const> all_species() {
  static constexpr const Species* kSpecies[] = {&husky,   &dalmatian,  &kit_fox,   &cat,     &ant,
                                                &crab,    &iguana,     &goose,     &ostrich, &flamingo,
                                                &pelican, &hartebeest, &speedboat, &shirt};
  return kSpecies;
}

}  // namespace loupe::zoo
