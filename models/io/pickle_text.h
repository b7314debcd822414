// Texts of pickles of protocol 0, which are written as Python would show them.
#pragma once
#include <string>
#include <string_view>

namespace loupe::pickle {

/// UTF-8 of Latin-1 characters and the escapes \uXXXX and \UXXXXXXXX. What is no valid escape stays as it is.
std::string from_raw_unicode_escape(std::string_view text);
/// The bytes of 'text' or "text" with Python's escapes. What is no valid escape stays as it is.
std::string from_quoted(std::string_view text);

}  // namespace loupe::pickle
