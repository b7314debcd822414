// For the two module.cpp: the table that LOUPE_EXPORT fills, and exceptions as Outcomes.
#pragma once
#include <cstdio>
#include <exception>
#include <vector>

#include "kernels/device/export.h"

namespace loupe::LOUPE_TARGET {

inline std::vector<ModuleFunction>& table() {
  static std::vector<ModuleFunction> functions;
  return functions;
}

void add_function(const ModuleFunction& f) { table().push_back(f); }

void describe_exception(Outcome* outcome) noexcept {
  const auto fill = [&](int kind, const char* text) {
    outcome->kind = static_cast<Outcome::Kind>(kind);
    std::snprintf(outcome->text, sizeof outcome->text, "%s", text);
  };
  try {
    throw;
  } catch (const Failure& e) {
    fill(e.kind, e.what());
  } catch (const std::exception& e) {
    fill(Outcome::failed, e.what());
  } catch (...) {
    fill(Outcome::failed, "an unknown failure");
  }
}

}  // namespace loupe::LOUPE_TARGET
