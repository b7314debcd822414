// The pages that --help prints.
#pragma once
#include <memory>

namespace CLI {
class FormatterBase;
}

namespace loupe {

/// For CLI::App::formatter: purpose, usage, and options by group, at most 100 columns wide.
std::shared_ptr<CLI::FormatterBase> help_formatter();

}  // namespace loupe
