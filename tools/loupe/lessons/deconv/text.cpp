#include <algorithm>
#include <cmath>

#include "tools/loupe/lessons/deconv/lesson_text.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

constexpr size_t kWidth = 110;

std::string number(double v) {
  if (std::abs(v) < 1e-12) return "0";
  const std::string text = short_number(std::abs(v));
  return v < 0 ? "−" + text : text;
}

// What is left of a difference that only rounding makes.
std::string difference(double v) { return v == 0 ? "0" : short_number(v); }

std::string list(const Tensor& t) {
  std::string out = "(";
  for (int64_t i = 0; i < t.numel(); ++i) out += (i ? ", " : "") + number(t.item(i));
  return out + ")";
}

// A named vector, on as many lines as it takes.
std::string vector(const std::string& name, const Tensor& t, const std::string& note = "") {
  const std::string head = "   " + padded(name, 9) + " = ";
  std::string out = head, line;
  size_t column = columns(head);
  const size_t indent = column;
  for (int64_t i = 0; i < t.numel(); ++i) {
    const std::string word = (i ? " " : "(") + number(t.item(i)) + (i + 1 < t.numel() ? "," : ")");
    if (column + columns(word) > kWidth) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    }
    out += word;
    column += columns(word);
  }
  return out + (note.empty() ? "" : "   " + note) + "\n";
}

// The rows between bars, zeros as dots. Where numbers are too wide, every cell is a letter: the tap that stands there.
std::string drawn(const std::string& name, const Tensor& t, const DeconvSizes* sizes = nullptr) {
  const int64_t rows = t.shape()[0], width = t.shape()[1];
  std::vector<std::string> cells;
  size_t widest = 1;
  for (int64_t i = 0; i < t.numel(); ++i) {
    cells.push_back(std::abs(t.item(i)) < 1e-12 ? "·" : number(t.item(i)));
    widest = std::max(widest, columns(cells.back()));
  }
  const bool letters = sizes && static_cast<size_t>(width) * (widest + 1) + 12 > kWidth;
  if (letters) {
    widest = 1;
    for (int64_t i = 0; i < t.numel(); ++i)
      if (const int64_t tap = i % width - i / width * sizes->s; t.item(i) != 0)
        cells[static_cast<size_t>(i)] = std::string(1, static_cast<char>('a' + tap));
  }
  std::string out;
  for (int64_t y = 0; y < rows; ++y) {
    out += "   " + padded(y == rows / 2 ? name + " =" : "", columns(name) + 2) + " │";
    for (int64_t x = 0; x < width; ++x)
      out += " " + padded(cells[static_cast<size_t>(y * width + x)], widest, true);
    out += " │\n";
  }
  return out + (letters ? "   (a is the filter's first tap, b its second, …)\n" : "");
}

std::string times(int64_t a, int64_t b) { return std::to_string(a) + " × " + std::to_string(b); }
std::string plural(int64_t n, const std::string& thing) {
  return std::to_string(n) + " " + thing + (n == 1 ? "" : "s");
}

std::string as_matrix(const DeconvStudy& s) {
  const DeconvSizes& z = s.sizes;
  std::string out =
      "1  A convolution is a matrix\n\n   x has " + plural(z.n, "number") + ", " +
      std::to_string(z.padded()) + " with " + plural(z.p, "zero") +
      " on each side. The filter fits at n_y = ⌊(n + 2p − f) / s⌋ + 1 = " + std::to_string(z.outputs()) +
      (z.outputs() == 1 ? " place.\n" : " places.\n");
  out += "   y = W x_p, and row i of W is the filter, moved by i·s = " +
         (z.s == 1 ? "i" : std::to_string(z.s) + "i") + ":\n\n" + drawn("W", s.matrix, &s.sizes) + "\n";
  if (z.unseen()) out += "   No place of the filter reaches the last " + plural(z.unseen(), "number") + ".\n";
  out += vector("x_p", s.padded) + vector("y", s.y, "conv2d of x, padding " + std::to_string(z.p));
  return out +
         vector("W x_p", s.y_matrix,
                "largest difference " + difference(largest_difference(s.y, s.y_matrix))) +
         "\n";
}

std::string transposed(const DeconvStudy& s) {
  const std::string p = std::to_string(s.sizes.p);
  return "2  Its transpose is the transposed convolution\n\n   Wᵀ takes " +
         plural(s.sizes.outputs(), "number") + " to " + std::to_string(s.sizes.padded()) +
         ": each y_i paints the filter, y_i times, at its place, and what overlaps adds up.\n\n" +
         vector("Wᵀ y", s.back_matrix) +
         vector("conv_t", s.back,
                "conv_transpose2d of y; largest difference " +
                    difference(largest_difference(s.back, s.back_matrix))) +
         (s.sizes.p
              ? vector("cropped", s.cropped,
                       "conv_transpose2d with padding " + p + ": the same without " + p + " on each side")
              : "") +
         "\n";
}

std::string sub_pixels(const DeconvStudy& s) {
  const DeconvSizes& z = s.sizes;
  const std::string left = std::to_string(z.f - 1),
                    right = z.unseen() ? left + " + " + std::to_string(z.unseen()) : left;
  std::string out =
      "3  The same as a convolution of sub-pixels\n\n   " +
      (z.s == 1 ? "Stride 1: no zeros come between the values of y. "
                : plural(z.s - 1, "zero") + " between the values of y, ") +
      left + " before and " + right + " behind; the filter flipped; stride 1.\n\n" +
      vector("y spread", s.stretched) + vector("flipped", s.flipped) +
      vector("conv", s.sub_pixel,
             "largest difference from Wᵀ y " + difference(largest_difference(s.sub_pixel, s.back_matrix)));
  if (z.s == 1) return out + "\n";
  out += "\n   Most of those products are with zeros. Without them: " + std::to_string(z.s) +
         " short filters, every " + std::to_string(z.s) +
         (z.s == 2   ? "nd"
          : z.s == 3 ? "rd"
                     : "th") +
         " tap flipped, on y itself;\n   their outputs take turns.\n\n";
  for (int64_t i = 0; i < z.s; ++i)
    out +=
        vector("short " + std::to_string(i + 1), s.phase_outputs.row(i), "filter " + list(s.phases.row(i)));
  return out +
         vector(
             "in turns", s.interleaved,
             "largest difference from Wᵀ y " + difference(largest_difference(s.interleaved, s.back_matrix))) +
         "\n";
}

std::string orthogonality(const DeconvLesson& l) {
  using enum Table::Align;
  const DeconvSizes& z = l.row.sizes;
  const int64_t rows = z.outputs(), m = z.padded();
  std::string out = "4  When does Wᵀ undo W?\n\n";
  if (m > rows)
    out +=
        "   Lectures say: W is orthogonal, so W⁻¹ = Wᵀ and x = Wᵀ y. Here W is " + times(rows, m) +
        ". It has no inverse, and Wᵀ W = I, " + times(m, m) +
        ", is\n   impossible: the rank of Wᵀ W is at most " + std::to_string(rows) +
        ". What can hold is W Wᵀ = I, " + times(rows, rows) +
        ": rows of length 1, at right angles to each other.\n   Then Wᵀ is a right inverse, W Wᵀ y = y, and "
        "P = Wᵀ W is a projection, P² = P: Wᵀ y = P x_p is the nearest\n   to x_p of what y can "
        "tell. The other " +
        plural(m - rows, "dimension") + " of x_p " + (m - rows == 1 ? "is" : "are") + " lost.\n\n";
  else
    out +=
        "   Here W is square, the filter's one tap times the identity. It is orthogonal where that tap is 1 "
        "or −1.\n\n";
  out += "   W Wᵀ = I asks two things of the filter: Σ w_i² = 1, and Σ w_i w_{i+ks} = 0 for k = 1, 2, …\n\n" +
         drawn("W Wᵀ", l.row.gram) + "\n";
  Table table({{"filter"},
               {"taps"},
               {"Σ w²", right},
               {"overlap", right},
               {"W Wᵀ = I"},
               {"W Wᵀ y off y", right},
               {"P² off P", right},
               {"lost of x_p", right}},
              3);
  const auto small = [](double v) { return v < 1e-12 ? "0" : short_number(v); };
  for (const FilterCheck& c : l.filters) {
    std::string taps = list(c.filter);
    if (columns(taps) > 38)
      taps = "(" + number(c.filter.item(0)) + ", …, " + number(c.filter.item(c.filter.numel() - 1)) + ")";
    table.row({c.name, taps, number(c.length), small(c.overlap), c.orthonormal ? "yes" : "no",
               small(c.right_inverse), small(c.projection), small(c.lost)});
  }
  return out + table.str() +
         "\n   overlap: the largest product of two rows. P² off P: the largest element of the difference. "
         "The other two: "
         "‖W Wᵀ y − y‖ / ‖y‖\n   and ‖x_p − Wᵀ y‖ / ‖x_p‖, 0 where nothing is lost.\n\n";
}

std::string looseness(const DeconvLesson& l) {
  const DeconvSizes& z = l.row.sizes;
  std::string out = "5  Where the usual account is loose\n\n";
  out +=
      "   - \"W is orthogonal\" is for square matrices. For a wide W it can mean W Wᵀ = I, no more, and few "
      "filters have it:\n"
      "     length 1 is a choice of scale, but a filter longer than its stride must also be at right angles "
      "to "
      "itself, moved.\n";
  if (z.f == 4 && z.s == 2)
    out +=
        "   - An edge filter is the usual example. With three taps, (1, 0, −1), it fails at stride 2: moved "
        "by 2, its ends\n"
        "     meet, −1/2 at length 1. With the four taps of this W, (1, 0, 0, −1)/√2, it holds: moved by 2, "
        "1 and −1 meet zeros.\n";
  out +=
      "   - \"Deconvolution\" is not the inverse of convolution, not even then: x = Wᵀ y gives P x_p, not "
      "x_p.\n";
  if (z.p)
    out +=
        "   - y = W x_p is of the padded x. Wᵀ y writes into the padding too, which is then cut off: the map "
        "from x itself is\n"
        "     W without its outer " +
        std::to_string(z.p) +
        " columns on each side, whose first and last rows have lost taps, so that even\n"
        "     where W Wᵀ = I, the same of the cut W need not hold.\n";
  return out +
         "   - A trained network's filters have nothing of the kind. A deconvnet uses Wᵀ all the same, "
         "because it is the gradient's\n"
         "     step through the layer (conv2d's vjp and conv_transpose2d are one kernel), not because it "
         "inverts the layer.\n\n";
}

std::string picture(const DeconvLesson& l) {
  const DeconvPicture& p = l.picture;
  const int64_t n = l.row.sizes.n, m = l.row.sizes.padded(), f = l.row.sizes.f;
  std::string out = "6  Pictures\n\n   Of a picture of " + times(n, n) + " and a filter of " + times(f, f) +
                    " taps the matrix is " + times(p.rows, p.columns) + ", " + times(m, m) +
                    " pixels with the padding in a row. As before:\n\n";
  out += "   conv2d against W x_p                             largest difference " +
         difference(largest_difference(p.y, p.y_matrix)) + "\n";
  out += "   conv_transpose2d against Wᵀ y                    largest difference " +
         difference(largest_difference(p.back, p.back_matrix)) + "\n";
  out += "   sub-pixels, filter turned by half a turn         largest difference " +
         difference(largest_difference(p.sub_pixel, p.back_matrix)) + "\n\n";
  if (m <= 14) out += drawn("y", p.y) + "\n" + drawn("Wᵀ y", p.back) + "\n";
  return out;
}

std::string side_by_side(const std::vector<std::pair<std::string, Tensor>>& all) {
  std::string out;
  for (int64_t y = -1; y < 4; ++y) {
    std::string line = "  ";
    for (const auto& [name, t] : all) {
      std::string cell;
      if (y < 0)
        cell = name;
      else if (y < t.shape()[0])
        for (int64_t x = 0; x < t.shape()[1]; ++x) {
          const double v = t.item(y * t.shape()[1] + x);
          cell += (v == 0 && t.shape()[0] == 4 ? std::string("·") : number(v)) + " ";
        }
      line += " " + padded(cell, 17);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string unpooling(const UnpoolStudy& u) {
  return "7  Unpooling\n\n   Max pooling has no matrix of its own: which number it takes depends on x. Its "
         "switches say where each "
         "maximum was\n   (0 to 3 in a window of 2 × 2), and with the switches held fixed it is a matrix of "
         "zeros and ones, "
         "whose transpose is unpooling.\n\n" +
         side_by_side({{"x", u.x},
                       {"pooled", u.pooled},
                       {"switches", u.switches},
                       {"by switches", u.by_switches},
                       {"all switches 0", u.regular}}) +
         "\n   Pooled again, what the switches placed gives the same maxima: this matrix has W Wᵀ = I, "
         "whatever x is. "
         "`loupe lesson\n   switches` shows how much of a deconvnet's picture its switches carry.\n\n";
}

}  // namespace

std::string deconv_text(const DeconvLesson& l) {
  const DeconvSizes& z = l.row.sizes;
  return "The deconvolution, studied: n = " + std::to_string(z.n) + ", f = " + std::to_string(z.f) +
         ", s = " + std::to_string(z.s) + ", p = " + std::to_string(z.p) + ", w = " + list(l.row.filter) +
         "\nEvery number is what the kernels of " + l.device + " made.\n\n" + as_matrix(l.row) +
         transposed(l.row) + sub_pixels(l.row) + orthogonality(l) + looseness(l) + picture(l) +
         unpooling(l.unpooling);
}

}  // namespace loupe
