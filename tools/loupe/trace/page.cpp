// The page of `loupe trace --html`: one file, no script.
#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "tools/loupe/page/html.h"
#include "tools/loupe/text.h"
#include "tools/loupe/trace/trace.h"

namespace loupe {
namespace {

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", x);
  return text;
}

// Lane 0 is red, and the hue goes round to lane 31.
std::string colour(int lane) { return "hsl(" + std::to_string(lane * 330 / 31) + " 72% 66%)"; }

std::string box(double x, double y, double w, double h, int lane, bool label) {
  std::string s = "<rect class=lane x=" + number(x) + " y=" + number(y) + " width=" + number(w) +
                  " height=" + number(h) + " fill=\"" + colour(lane) + "\"><title>lane " +
                  std::to_string(lane) + "</title></rect>";
  if (label && w >= 12)
    s += "<text class=lane-text x=" + number(x + w / 2) + " y=" + number(y + h / 2 + 3.5) + ">" +
         std::to_string(lane) + "</text>";
  return s;
}

// Global memory: a cell for each sector that the warp touches, eight words wide, four sectors (a line of 128
// bytes) a row.
std::string draw_sectors(const TracedLine& l) {
  std::map<int64_t, std::vector<std::pair<int, int64_t>>> sectors;  // sector: lane and byte within
  for (int lane = 0; lane < 32; ++lane) {
    const int64_t a = l.example[static_cast<size_t>(lane)];
    if (a < 0) continue;
    for (int64_t b = 0; b < l.bytes_each; b += std::min<int64_t>(4, l.bytes_each))
      sectors[(a + b) / 32].push_back({lane, (a + b) % 32});
  }
  std::set<int64_t> lines;
  for (const auto& [sector, uses] : sectors) lines.insert(sector / 4);
  constexpr double kByte = 7, kRow = 26, kLeft = 90, kGap = 10;
  const double unit = std::min<double>(4, static_cast<double>(l.bytes_each)) * kByte;
  constexpr size_t kMostRows = 32;
  std::string body;
  double y = 4;
  size_t shown = 0;
  for (const int64_t line : lines) {
    if (++shown > kMostRows) break;
    body += "<text class=axis x=0 y=" + number(y + 15) + ">+" + std::to_string(line * 128) + "</text>";
    for (int64_t s = 0; s < 4; ++s) {
      const double x = kLeft + static_cast<double>(s) * (32 * kByte + kGap);
      const auto found = sectors.find(line * 4 + s);
      body += "<rect class=cell x=" + number(x) + " y=" + number(y) + " width=" + number(32 * kByte) +
              " height=22" + (found == sectors.end() ? " stroke-dasharray=\"2 3\"" : "") + " />";
      if (found == sectors.end()) continue;
      std::map<int64_t, int> users;
      for (const auto& [lane, at] : found->second) ++users[at];
      std::map<int64_t, int> placed;
      for (const auto& [lane, at] : found->second) {  // lanes that read one word share its box
        const double part = unit / users[at];
        body += box(x + static_cast<double>(at) * kByte + part * placed[at]++, y + 2, part, 18, lane, true);
      }
    }
    y += kRow;
  }
  if (lines.size() > kMostRows) {
    body += "<text class=axis x=" + number(kLeft) + " y=" + number(y + 12) + ">… and " +
            std::to_string(lines.size() - kMostRows) + " more lines of 128 bytes</text>";
    y += 18;
  }
  return "<svg viewBox=\"0 0 1026 " + number(y) + "\" width=1026>" + body + "</svg>";
}

// Those that shared memory serves at once: [first, end).
std::pair<int, int> drawn_lanes(const TracedLine& l) {
  const auto asks = std::ranges::find_if(l.example, [](int64_t a) { return a >= 0; });
  const auto at_once = static_cast<int>(l.lanes_at_once);
  const int lane = asks == l.example.end() ? 0 : static_cast<int>(asks - l.example.begin());
  return {lane / at_once * at_once, (lane / at_once + 1) * at_once};
}

std::string drawn_note(const TracedLine& l) {
  const auto [first, end] = drawn_lanes(l);
  if (!l.shared || end - first == 32) return {};
  return "<p class=\"soft small\">Drawn are lanes " + std::to_string(first) + " to " +
         std::to_string(end - 1) + ", which are served at once; the others follow.</p>\n";
}

// Shared memory: a column for each bank; as many rows as the fullest bank has words. Of wide accesses the
// lanes that are served at once with the first one that asks.
std::string draw_banks(const TracedLine& l) {
  std::map<int64_t, std::map<int64_t, std::vector<int>>> banks;  // bank: word: lanes
  const auto [first, end] = drawn_lanes(l);
  for (int lane = first; lane < end; ++lane) {
    const int64_t a = l.example[static_cast<size_t>(lane)];
    if (a < 0) continue;
    for (int64_t w = a / 4; w <= (a + l.bytes_each - 1) / 4; ++w) banks[w % 32][w].push_back(lane);
  }
  constexpr double kWidth = 29, kHeight = 22, kLeft = 90;
  size_t rows = 1;
  for (const auto& [bank, words] : banks) rows = std::max(rows, words.size());
  std::string body = "<text class=axis x=0 y=12>bank</text>";
  for (int b = 0; b < 32; ++b)
    body += "<text class=axis text-anchor=middle x=" + number(kLeft + (b + .5) * kWidth) + " y=12>" +
            std::to_string(b) + "</text>";
  for (size_t r = 0; r < rows; ++r) {
    const double y = 18 + static_cast<double>(r) * (kHeight + 3);
    body += "<text class=axis x=0 y=" + number(y + 15) + ">wavefront " + std::to_string(r + 1) + "</text>";
    for (int b = 0; b < 32; ++b) {
      const double x = kLeft + b * kWidth;
      body += "<rect class=cell x=" + number(x) + " y=" + number(y) + " width=" + number(kWidth - 2) +
              " height=" + number(kHeight) + " />";
      const auto bank = banks.find(b);
      if (bank == banks.end() || r >= bank->second.size()) continue;
      const auto& lanes = std::next(bank->second.begin(), static_cast<ptrdiff_t>(r))->second;
      const double part = (kWidth - 2) / static_cast<double>(lanes.size());
      for (size_t i = 0; i < lanes.size(); ++i)
        body += box(x + part * static_cast<double>(i), y, part, kHeight, lanes[i], true);
    }
  }
  const double height = 18 + static_cast<double>(rows) * (kHeight + 3);
  return "<svg viewBox=\"0 0 1026 " + number(height) + "\" width=1026>" + body + "</svg>";
}

std::string fact(const std::string& value, const std::string& what) {
  return "<div><b>" + escaped(value) + "</b>" + escaped(what) + "</div>\n";
}

std::string quotient(int64_t a, int64_t b) {
  return b ? short_number(static_cast<double>(a) / static_cast<double>(b)) : "–";
}

}  // namespace

std::string trace_page(const Trace& t) {
  std::string out =
      "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport "
      "content=\"width=device-width\">\n<title>" +
      escaped(t.what) + "</title>\n<style>" + style_sheet("trace.css") + "</style>\n<h1>" + escaped(t.what) +
      "</h1>\n<p class=soft>" + escaped(t.kernel) + "</p>\n<div class=facts>\n";
  out += fact(short_bytes(t.bytes()), "of global memory moved, " + quotient(t.bytes(), t.floor()) +
                                          " times the floor of " + short_bytes(t.floor()));
  if (t.operations)
    out += fact(quotient(t.operations, t.bytes()),
                "operations a byte of global memory; " + quotient(t.operations, t.floor()) + " at the floor");
  if (t.wavefronts())
    out += fact(with_commas(t.wavefronts()), "wavefronts of shared memory, " +
                                                 quotient(t.wavefronts(), t.ideal_wavefronts()) +
                                                 " times the fewest");
  const Limits limits = limits_of(t);
  out += fact(cycles_text(limits.largest()) + " cycles",
              "at least on an H100, bound by " + limits.binding() + ": FMA " + cycles_text(limits.fma) +
                  ", shared memory " + cycles_text(limits.shared) + ", with L1 " +
                  cycles_text(limits.shared_and_l1) + ", DRAM " + cycles_text(limits.dram));
  out +=
      "</div>\n<p>Each card is one source line. Drawn is the warp that used memory worst there: a colour is "
      "a lane, 0 to 31. Global memory "
      "comes in sectors of 32 bytes, four to a row: the fewer are touched, and the fuller each is, the "
      "better. Shared memory "
      "has 32 banks that each give one word in a wavefront: a second row means that lanes wait for each "
      "other.</p>\n";
  for (const TracedLaunch& launch : t.launches) {
    out += "<h2><code>" + escaped(launch.kernel) + "</code>, " + escaped(launch.grid) + " blocks of " +
           escaped(launch.block) + " threads</h2>\n";
    for (const TracedLine& l : launch.lines) {
      const bool good = l.cost * 10 <= l.ideal * 11;
      const std::string unit = l.shared ? "wavefronts" : "sectors";
      out += "<article><header><span><code>" + escaped(l.file.substr(l.file.rfind('/') + 1)) + ":" +
             std::to_string(l.line) + "</code> · " + (l.shared ? "shared" : "global") +
             (l.write ? " write" : " read") + ", " + std::to_string(l.bytes_each) + " B a lane</span><span>" +
             with_commas(l.requests) + " requests · " + with_commas(l.cost) + " " + unit +
             " · <span class=" + (good ? "good" : "bad") + ">" + quotient(l.cost, l.ideal) +
             "× the fewest</span></span></header>\n<pre>" + escaped(l.source) + "</pre>\n" + drawn_note(l) +
             (l.shared ? draw_banks(l) : draw_sectors(l)) + "</article>\n";
    }
  }
  out +=
      "<p class=soft>Counted in Loupe's simulator, as the kernel asks for it; the caches of a GPU may "
      "spare some.</p>\n<details class=soft><summary>What the cycles are made of</summary>\n<ul>\n";
  for (const std::string& line : limits_explained()) out += "<li>" + escaped(line) + "</li>\n";
  return out + "</ul></details></html>\n";
}

}  // namespace loupe
