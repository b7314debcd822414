// `loupe trace`: the memory traffic of one kernel, line by line, counted in the simulator.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/file/file.h"
#include "tools/loupe/command.h"
#include "tools/loupe/options.h"
#include "tools/loupe/print.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"
#include "tools/loupe/trace/trace.h"

namespace loupe {
namespace {

struct Settings {
  std::string op, shape, stride, padding, groups, rung, direction = "forward", html, readme;
  bool ladder = false, check = false, json = false;

  TraceRequest request() const {
    TraceRequest r;
    r.op = op;
    const std::string meaning = shape_of_op(op);
    if (shape.empty()) throw UsageError("trace " + op + " needs --shape " + meaning);
    for (const std::string& part : split_commas(shape))
      r.shape.push_back(parse_whole("--shape", part, 1, 1 << 20));
    if (!stride.empty()) r.stride = parse_whole("--stride", stride, 1, 1 << 20);
    if (!padding.empty()) r.padding = parse_whole("--padding", padding, 0, 1 << 20);
    if (!groups.empty()) r.groups = parse_whole("--groups", groups, 1, 1 << 20);
    if (!rung.empty()) r.rung = static_cast<int>(parse_whole("--rung", rung, 1, 99));
    const OpKind& kind = **std::ranges::find(all_ops(), op, &OpKind::name);
    std::vector<std::string> names;
    for (const OpKind::Row& row : kind.kernels) names.push_back(kind.direction_name(row.direction));
    const auto place = std::ranges::find(names, direction);
    if (place == names.end())
      throw UsageError("--direction of " + op + " is " + join(names, " or ") + ", not '" + direction + "'");
    r.direction = kind.kernels[static_cast<size_t>(place - names.begin())].direction;
    return r;
  }
};

std::string read_text(const std::string& path) {
  try {
    const std::vector<uint8_t> bytes = read_file(path);
    return {bytes.begin(), bytes.end()};
  } catch (const Error& e) {
    throw Error("cannot read " + path + ": " + e.what());
  }
}

std::string times(int64_t taken, int64_t ideal) {
  return ideal ? short_number(static_cast<double>(taken) / static_cast<double>(ideal)) + "×" : "";
}

std::string per_byte(int64_t operations, int64_t bytes) {
  return bytes ? short_number(static_cast<double>(operations) / static_cast<double>(bytes)) : "";
}

// In lines of up to `width` columns, the further ones indented.
std::string wrapped(const std::string& text, size_t width) {
  std::string out, line;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (columns(line) + 1 + columns(word) > width) {
      out += line + "\n";
      line = " ";
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return out + line + "\n";
}

void as_table(const Trace& trace) {
  using enum Table::Align;
  std::string text = trace.what + "\n" + trace.kernel + "\n";
  for (const TracedLaunch& launch : trace.launches) {
    text += "\n" + launch.kernel + ", " + launch.grid + " blocks of " + launch.block + " threads\n\n";
    Table table({{"line"},
                 {"access"},
                 {"requests", right},
                 {"lanes", right},
                 {"takes", right},
                 {"fewest", right},
                 {"", right},
                 {"source"}});
    for (const TracedLine& l : launch.lines) {
      std::string source = l.source;
      if (columns(source) > 44) source = source.substr(0, 43) + "…";
      table.row({l.file.substr(l.file.rfind('/') + 1) + ":" + std::to_string(l.line),
                 std::string(l.shared ? "shared" : "global") + (l.write ? " write " : " read ") +
                     std::to_string(l.bytes_each) + " B",
                 with_commas(l.requests),
                 short_number(static_cast<double>(l.lanes) / static_cast<double>(l.requests)),
                 with_commas(l.cost), with_commas(l.ideal), times(l.cost, l.ideal), valid_utf8(source)});
    }
    text += table.str();
  }
  text += "\nglobal memory   " + short_bytes(trace.bytes()) + " moved in sectors of 32 bytes; floor " +
          short_bytes(trace.floor()) +
          " (every operand read once, every result written once): " + times(trace.bytes(), trace.floor()) +
          "\n";
  if (trace.wavefronts())
    text += "shared memory   " + with_commas(trace.wavefronts()) +
            " wavefronts of up to 128 bytes; without bank conflicts " +
            with_commas(trace.ideal_wavefronts()) + ": " +
            times(trace.wavefronts(), trace.ideal_wavefronts()) + "\n";
  if (trace.operations)
    text += "arithmetic      " + short_count(trace.operations) +
            " operations: " + per_byte(trace.operations, trace.bytes()) +
            " for each byte of global memory; at the floor " + per_byte(trace.operations, trace.floor()) +
            "\n";
  const Limits limits = limits_of(trace);
  text += "on an H100      at least " + cycles_text(limits.largest()) + " cycles, bound by " +
          limits.binding() + " (FMA " + cycles_text(limits.fma) + ", shared memory " +
          cycles_text(limits.shared) + ", with L1 " + cycles_text(limits.shared_and_l1) + ", DRAM " +
          cycles_text(limits.dram) + ")\n";
  text +=
      "\nA request is one instruction of one warp. `lanes`: of 32, on average. `takes`: of global memory the "
      "sectors (32 bytes)\nthat its requests touch; of shared memory the turns (wavefronts) that its 32 "
      "banks "
      "need. `fewest`: for the same bytes.\n"
      "Counted in the simulator as the kernel asks for it; the caches of a GPU may spare some of it.\n"
      "\nCycles:\n";
  for (const std::string& line : limits_explained()) text += wrapped("- " + line, 118);
  print(text);
}

nlohmann::ordered_json as_json(const Limits& l) {
  return {{"fma", l.fma},
          {"shared_memory", l.shared},
          {"shared_memory_and_l1", l.shared_and_l1},
          {"dram", l.dram},
          {"largest", l.binding()}};
}

nlohmann::ordered_json as_json(const Trace& t) {
  auto launches = nlohmann::ordered_json::array();
  for (const TracedLaunch& l : t.launches) {
    auto lines = nlohmann::ordered_json::array();
    for (const TracedLine& line : l.lines)
      lines.push_back({{"file", line.file},
                       {"line", line.line},
                       {"source", valid_utf8(line.source)},
                       {"space", line.shared ? "shared" : "global"},
                       {"write", line.write},
                       {"bytes_each", line.bytes_each},
                       {"requests", line.requests},
                       {"lanes", line.lanes},
                       {"bytes", line.bytes},
                       {line.shared ? "wavefronts" : "sectors", line.cost},
                       {"ideal", line.ideal},
                       {"example", line.example}});
    launches.push_back({{"kernel", l.kernel}, {"grid", l.grid}, {"block", l.block}, {"lines", lines}});
  }
  return {{"what", t.what},
          {"kernel", t.kernel},
          {"launches", launches},
          {"global_bytes", t.bytes()},
          {"floor_bytes", t.floor()},
          {"wavefronts", t.wavefronts()},
          {"ideal_wavefronts", t.ideal_wavefronts()},
          {"multiply_adds", t.multiply_adds},
          {"operations", t.operations},
          {"operations_per_byte",
           t.bytes() ? static_cast<double>(t.operations) / static_cast<double>(t.bytes()) : 0.0},
          {"h100_cycles", as_json(limits_of(t))}};
}

void run(const Settings& s) {
  if (!s.readme.empty()) {
    const std::string before = read_text(s.readme), after = with_fresh_counters(s.readme, before);
    if (before == after) {
      print(s.readme + ": its counters are up to date\n");
    } else if (s.check) {
      throw Error(s.readme + ": its counters are not what the kernels do now; run `loupe trace --readme " +
                  s.readme + "` and look at the difference");
    } else {
      write_text(s.readme, after);
      print(s.readme + ": counters written\n");
    }
    return;
  }
  if (s.op.empty()) throw UsageError("trace needs an op, one of " + join(traceable_ops(), " or "));
  const TraceRequest request = s.request();
  if (s.ladder) {
    print(ladder_counters(request));
    return;
  }
  const Trace trace = run_trace(request);
  if (!s.html.empty()) write_text(s.html, trace_page(trace));
  if (s.json)
    print_json(as_json(trace));
  else
    as_table(trace);
}

}  // namespace

extern const Command trace_command{
    "trace", "Counts a kernel's memory traffic line by line, in the simulator", [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      argument(app, "op", s->op, join(traceable_ops(), " or "));
      value_option(app, "--shape", s->shape, "SIZES",
                   "conv2d: n,c,h,w,k,r,s; of others a message without it tells");
      value_option(app, "--stride", s->stride, "N", "Of conv2d (1) and max_pool2d (its window)");
      value_option(app, "--padding", s->padding, "N", "Of conv2d and max_pool2d (0)");
      value_option(app, "--groups", s->groups, "N", "Of conv2d (1)");
      value_option(app, "--direction", s->direction, "D",
                   "forward, vjp_input, vjp_weight or vjp_bias (forward)");
      value_option(app, "--rung", s->rung, "N",
                   "A rung of the op's ladder, from 1; else the production kernel");
      value_option(app, "--html", s->html, "FILE", "Also write a page that draws one warp's addresses");
      value_option(app, "--readme", s->readme, "FILE", "Renew the counters in a ladder's README");
      flag_option(app, "--check", s->check, "With --readme: write nothing, fail if they are old");
      flag_option(app, "--ladder", s->ladder, "All rungs, one row each, as Markdown");
      flag_option(app, "--json", s->json, "For programs");
      return [s] { run(*s); };
    }};

}  // namespace loupe
