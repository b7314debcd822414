// The counters of a whole ladder, for the README beside it.
#include <sstream>

#include "kernels/common/error.h"
#include "tools/loupe/text.h"
#include "tools/loupe/trace/trace.h"

namespace loupe {
namespace {

constexpr std::string_view kBegin = "<!-- counters: ", kEnd = "<!-- end of counters -->";

std::string ratio(int64_t a, int64_t b) {
  if (b == 0) return "–";
  return short_number(static_cast<double>(a) / static_cast<double>(b));
}

// "conv2d --shape 1,16,28,28,32,3,3 --padding 1"
TraceRequest parse(const std::string& file, const std::string& command) {
  std::istringstream words(command);
  TraceRequest r;
  words >> r.op;
  shape_of_op(r.op);
  std::string option, value;
  while (words >> option) {
    if (!(words >> value)) throw UsageError(file + ": '" + option + "' in its counters line lacks a value");
    if (option == "--shape")
      for (const std::string& part : split_commas(value))
        r.shape.push_back(parse_whole(option, part, 1, 1 << 20));
    else if (option == "--stride")
      r.stride = parse_whole(option, value, 1, 1 << 20);
    else if (option == "--padding")
      r.padding = parse_whole(option, value, 0, 1 << 20);
    else
      throw UsageError(file + ": unknown option '" + option + "' in its counters line");
  }
  return r;
}

std::string counters_row(const Trace& t) {
  int64_t requests = 0, sectors = 0, fewest = 0, shared_requests = 0;
  for (const TracedLaunch& launch : t.launches)
    for (const TracedLine& line : launch.lines)
      if (line.shared) {
        shared_requests += line.requests;
      } else {
        requests += line.requests;
        sectors += line.cost;
        fewest += line.ideal;
      }
  char bytes[32];
  std::snprintf(bytes, sizeof bytes, "%.3f", static_cast<double>(t.bytes()) / 1e6);
  return " | " + std::string(bytes) + " | " + ratio(t.bytes(), t.floor()) + " | " +
         ratio(t.operations, t.bytes()) + " | " + with_commas(requests) + " | " + ratio(sectors, fewest) +
         " | " + (shared_requests ? with_commas(shared_requests) : "–") + " | " +
         ratio(t.wavefronts(), t.ideal_wavefronts()) + " |\n";
}

std::string limits_row(const Limits& l) {
  std::string row;
  for (const double cycles : {l.fma, l.shared, l.shared_and_l1, l.dram}) {
    const std::string mark = cycles == l.largest() ? "**" : "";
    row += " | " + mark + cycles_text(cycles) + mark;
  }
  return row + " |\n";
}

}  // namespace

std::string ladder_counters(const TraceRequest& request) {
  const Ladder* ladder = ladder_of(request.op);
  if (!ladder) throw UsageError("there is no ladder of " + request.op);
  std::string counters =
      "| rung | global memory, MB | times the floor | operations a byte | requests | sectors, times the "
      "fewest | shared memory, requests | wavefronts, times the fewest |\n"
      "|---|--:|--:|--:|--:|--:|--:|--:|\n";
  std::string limits = "| rung | FMA | shared memory | with L1 | DRAM |\n|---|--:|--:|--:|--:|\n";
  TraceRequest each = request;
  const auto count = static_cast<int>(ladder->rungs.size());
  for (int rung = 1; rung <= count + 1; ++rung) {
    each.rung = rung <= count ? std::optional(rung) : std::nullopt;
    const Trace t = run_trace(each);
    const std::string name = rung <= count
                                 ? "`" + std::string(ladder->rungs[static_cast<size_t>(rung - 1)].name) + "`"
                                 : std::string("production");
    counters += "| " + name + counters_row(t);
    limits += "| " + name + limits_row(limits_of(t));
  }
  std::string text =
      counters + "\nCycles that an H100 needs at least; the largest binds:\n\n" + limits + "\n";
  for (const std::string& line : limits_explained()) text += "- " + line + "\n";
  return text;
}

std::string with_fresh_counters(const std::string& file, const std::string& text) {
  const size_t begin = text.find(kBegin);
  const size_t line_end = begin == std::string::npos ? begin : text.find('\n', begin);
  const size_t end = line_end == std::string::npos ? line_end : text.find(kEnd, line_end);
  const size_t close = begin == std::string::npos ? begin : text.find(" -->", begin);
  if (end == std::string::npos || close > line_end)
    throw UsageError(file + " has no lines '" + std::string(kBegin) + "OP --shape … -->' and '" +
                     std::string(kEnd) + "'");
  const TraceRequest request = parse(file, text.substr(begin + kBegin.size(), close - begin - kBegin.size()));
  return text.substr(0, line_end + 1) + "\n" + ladder_counters(request) + "\n" + text.substr(end);
}

}  // namespace loupe
