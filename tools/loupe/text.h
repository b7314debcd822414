// Text for people, and numbers from people.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace loupe {

/// "1,235,496"
std::string with_commas(int64_t n);
/// "349.2 M": four digits and k, M, G or T.
std::string short_count(int64_t n);
/// "11.4 MiB"
std::string short_bytes(int64_t n);
/// "0.4 ms", "63 ms", "1.24 s", "12.4 s", "12 min 5 s", "2 h 7 min"
std::string short_seconds(double s);
/// Whole numbers up to a million in full, others with four significant digits.
std::string short_number(double x);
/// "97.3 %", "< 0.01 %"
std::string percent(double part);

/// What an option says: a whole number in [minimum, maximum]. Throws UsageError naming the option.
int64_t parse_whole(std::string_view option, std::string_view text, int64_t minimum, int64_t maximum);
/// The same for a number in [minimum, maximum].
double parse_real(std::string_view option, std::string_view text, double minimum, double maximum);
/// Bytes: "512M", "1.5GiB", "65536". Powers of 1024. Throws UsageError.
int64_t parse_bytes(std::string_view option, std::string_view text);
/// Height and width: "224" or "224x320". Throws UsageError.
std::pair<int64_t, int64_t> parse_size(std::string_view option, std::string_view text);
/// The parts of "a,b,c", without blanks around them.
std::vector<std::string> split_commas(std::string_view text);
/// "a, b and c"
std::string join(std::span<const std::string> parts, std::string_view last = " and ");

/// Valid UTF-8: bytes that are not become U+FFFD. File names and labels come from anywhere.
std::string valid_utf8(std::string_view text);
/// Without line breaks and other control characters, for errors.
std::string one_line(std::string_view text);
/// A token's piece for people: blanks can be seen, and what is no UTF-8 by itself is written as bytes, <E2>.
std::string shown_piece(std::string_view piece);
/// Columns that the text takes in a terminal, counting every code point as one.
size_t columns(std::string_view text);
/// With blanks up to `width` columns, behind the text or before it.
std::string padded(std::string_view text, size_t width, bool right = false);

}  // namespace loupe
