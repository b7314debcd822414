// gpu_report LOGS OUT: what bench/gpu/run found, as OUT/report.json for programs and OUT/report.md for
// people.
//
// LOGS holds checks.tsv (group, name, status, seconds, note), run.json (with the names of the parts, in order),
// parts.tsv (part, when it had to end, when it began and ended), seconds, and lines of JSON in device.jsonl and
// in parts/{kernels,libraries,methods,peers}.log, between other text. Whatever is missing is left out, and
// said: a run that was cut short has a report too.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// The lines that are JSON objects.
Json rows_of(const fs::path& path) {
  Json rows = Json::array();
  for (const std::string& line : lines_of(path)) {
    if (!line.starts_with('{')) continue;
    Json row = Json::parse(line, nullptr, false);
    if (row.is_object()) rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<std::string> cells_of(const std::string& line, size_t count) {
  std::vector<std::string> cells;
  std::istringstream stream(line);
  for (std::string cell; std::getline(stream, cell, '\t');) cells.push_back(cell);
  cells.resize(count);
  return cells;
}

Json checks_of(const fs::path& path) {
  Json checks = Json::array();
  for (const std::string& line : lines_of(path)) {
    const std::vector<std::string> cells = cells_of(line, 5);
    checks.push_back({{"group", cells[0]},
                      {"name", cells[1]},
                      {"status", cells[2]},
                      {"seconds", std::strtod(cells[3].c_str(), nullptr)}});
    if (!cells[4].empty()) checks.back()["note"] = cells[4];
  }
  return checks;
}

constexpr const char* kTables[] = {"kernels", "libraries", "methods", "peers"};

bool is_cut(const Json& check) { return check["status"] == "cut" || check["status"] == "left out"; }

// What became of a part: its times, and whether all of it was done.
Json part_of(const std::string& name, const std::vector<std::string>& times, const Json& checks) {
  int all = 0, cut = 0;
  for (const Json& c : checks)
    if (c["group"] == name || (c["group"] == "parts" && c["name"] == name)) {
      ++all;
      cut += is_cut(c);
    }
  Json part{{"name", name}};
  const char* const keys[] = {"limit_s", "began_s", "ended_s"};
  for (size_t i = 0; i < 3; ++i)
    if (!times[i + 1].empty()) part[keys[i]] = std::strtod(times[i + 1].c_str(), nullptr);
  const bool ended = part.contains("ended_s");
  if (ended && cut == 0)
    part["state"] = "whole";
  else
    part["state"] = all > 1 && cut > 0 ? "cut: " + std::to_string(cut) + " of " + std::to_string(all) : "cut";
  return part;
}

Json parts_of(const fs::path& logs, const Json& planned, const Json& checks) {
  std::map<std::string, std::vector<std::string>> times;
  for (const std::string& line : lines_of(logs / "parts.tsv")) {
    const std::vector<std::string> cells = cells_of(line, 4);
    times[cells[0]] = cells;  // the last line of a part has its end
  }
  Json parts = Json::array();
  for (const Json& p : planned) {
    const std::string name = p.get<std::string>();
    if (const auto found = times.find(name); found != times.end())
      parts.push_back(part_of(name, found->second, checks));
    else
      parts.push_back({{"name", name}, {"state", "not begun"}});
  }
  return parts;
}

// Nothing that ran may have failed, and of tests and goldens everything must have run. Times may be missing.
bool passed(const Json& report) {
  if (report["checks"].empty()) return false;
  for (const Json& c : report["checks"]) {
    if (c["status"] == "failed" || c["status"] == "timed out") return false;
    if (is_cut(c) && (c["group"] == "tests" || c["group"] == "goldens")) return false;
  }
  for (const Json& p : report["parts"])
    if (p["state"] != "whole" && (p["name"] == "tests" || p["name"] == "goldens")) return false;
  for (const char* table :
       {"kernels", "libraries", "methods"})  // what others cannot do is no failure of ours
    for (const Json& r : report[table])
      if (r.contains("error")) return false;
  return true;
}

Json collect(const fs::path& logs) {
  Json report = Json::object();
  if (const Json run = rows_of(logs / "run.json"); !run.empty()) report.update(run[0]);
  if (const auto seconds = lines_of(logs / "seconds"); !seconds.empty())
    report["seconds"] = std::strtod(seconds[0].c_str(), nullptr);
  const Json device = rows_of(logs / "device.jsonl");
  report["device"] = device.empty() || !device[0].contains("device") ? Json::object() : device[0]["device"];
  report["checks"] = checks_of(logs / "checks.tsv");
  report["parts"] = parts_of(logs, report.value("parts", Json::array()), report["checks"]);
  report["left_out"] = Json::object();
  for (const char* table : kTables) {
    report[table] = Json::array();
    for (Json& r : rows_of(logs / "parts" / (std::string(table) + ".log"))) {
      if (r.contains("left_out"))
        report["left_out"][table] = r;
      else if (!r.contains("device"))
        report[table].push_back(std::move(r));
    }
  }
  report["passed"] = passed(report);
  return report;
}

// ---- for people

std::string text(const Json& row, const char* key) {
  if (!row.contains(key)) return "";
  return row[key].is_string() ? row[key].get<std::string>() : row[key].dump();
}

// Three figures, or a dash.
std::string figures(const Json& row, const char* key, double factor = 1) {
  if (!row.contains(key) || !row[key].is_number()) return "–";
  const double x = factor * row[key].get<double>();
  const int digits =
      x == 0 ? 0 : std::clamp(2 - static_cast<int>(std::floor(std::log10(std::fabs(x)))), 0, 3);
  char out[64];
  std::snprintf(out, sizeof out, "%.*f", digits, x);
  return out;
}

// A cell of a table cannot hold a bar.
std::string cell(std::string s) {
  for (size_t at = 0; (at = s.find('|', at)) != std::string::npos; at += 2) s.replace(at, 1, "\\|");
  return s;
}

std::string row_of(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& c : cells) line += " " + cell(c) + " |";
  return line + "\n";
}

std::string header(const std::vector<std::string>& names, size_t words) {
  std::string line = row_of(names) + "|";
  for (size_t i = 0; i < names.size(); ++i) line += i < words ? "---|" : "--:|";
  return line + "\n";
}

std::string verdict(const Json& report) {
  if (!report["passed"].get<bool>()) return "**NOT all passed.**";
  const bool whole =
      std::ranges::all_of(report["parts"], [](const Json& p) { return p["state"] == "whole"; });
  return whole ? "**All passed.**" : "**All that ran passed; not all was run.**";
}

std::string summary(const Json& report) {
  std::string md;
  const Json& d = report["device"];
  const std::string name = d.contains("name") ? text(d, "name") : "an unknown device";
  md += "# Loupe on " + name + "\n\n";
  md += "Commit " + text(report, "commit") + ", " + text(report, "date") + ", " + figures(report, "seconds") +
        " s" + (report.contains("budget_s") ? " of " + text(report, "budget_s") : "") +
        (report.value("quick", false) ? ", --quick" : "") + ". " + verdict(report) + "\n\n";
  if (d.contains("description")) md += text(d, "description") + ". ";
  if (d.contains("peak_gb_per_s"))
    md += "Peaks by clocks and widths: " + figures(d, "peak_fp32_tflops") + " TFLOP/s in float32, " +
          (d.value("peak_tf32_tflops", 0.0) > 0
               ? figures(d, "peak_tf32_tflops") + " in tf32 and " + figures(d, "peak_bf16_tflops") +
                     " in bf16 on tensor cores, "
               : "") +
          figures(d, "peak_gb_per_s") + " GB/s. ";
  if (d.contains("libraries"))
    for (const auto& [library, what] : d["libraries"].items())
      md += library + ": " +
            (what.contains("version") ? text(what, "version") : "none, " + text(what, "missing")) + ". ";
  return md + "\n\n";
}

std::string parts(const Json& report) {
  if (report["parts"].empty()) return "";
  std::string md =
      "## Parts\n\n" + header({"part", "how much of it", "began, s", "ended, s", "its end, s"}, 2);
  for (const Json& p : report["parts"])
    md += row_of({text(p, "name"), text(p, "state"), figures(p, "began_s"), figures(p, "ended_s"),
                  figures(p, "limit_s")});
  return md + "\n";
}

std::string checks(const Json& report) {
  struct Count {
    std::map<std::string, int> of;
    double seconds = 0;
  };
  std::vector<std::string> order;
  std::map<std::string, Count> groups;
  std::string troubles;
  for (const Json& c : report["checks"]) {
    const std::string group = text(c, "group"), status = text(c, "status");
    if (!groups.contains(group)) order.push_back(group);
    ++groups[group].of[status];
    groups[group].seconds += c["seconds"].get<double>();
    if (status != "passed")
      troubles += "- " + group + ", " + text(c, "name") + ": " + status +
                  (c.contains("note") ? ", " + text(c, "note") : "") + "\n";
  }
  std::string md =
      "## Checks\n\n" + header({"group", "passed", "failed", "timed out", "cut", "skipped", "left out"}, 1);
  for (const std::string& group : order) {
    std::vector<std::string> cells{group};
    for (const char* status : {"passed", "failed", "timed out", "cut", "skipped", "left out"})
      cells.push_back(std::to_string(groups[group].of[status]));
    md += row_of(cells);
  }
  return md + (troubles.empty() ? "" : "\n" + troubles) + "\n";
}

// The names that a part left out, where its time was over.
std::string left_out(const Json& report, const char* table) {
  if (!report["left_out"].contains(table)) return "";
  const Json& row = report["left_out"][table];
  std::string names;
  for (const Json& name : row["left_out"]) names += (names.empty() ? "" : "; ") + name.get<std::string>();
  return "\nLeft out after " + figures(row, "after_s") + " s: " + std::to_string(row["left_out"].size()) +
         " (" + names + ").\n";
}

std::string kernels(const Json& report) {
  std::string md, rungs, errors;
  const auto line = [](const Json& r, const std::string& what) {
    const Json floors = r.value("floors_us", Json::object());
    return row_of({what, text(r, "case") + " " + text(r, "shape"), text(r, "batch"), figures(r, "us"),
                   figures(r, "tflops"), figures(r, "gb_per_s"), figures(floors, "memory"),
                   figures(floors, "ffma"), figures(floors, "tf32"),
                   r.contains("binds") ? text(r, "binds") : "–", figures(r, "of_floor", 100)});
  };
  for (const Json& r : report["kernels"]) {
    const std::string name = text(r, "kernel") + " " + text(r, "direction");
    if (r.contains("error"))
      errors += "- " + name + " " + text(r, "case") + ": " + text(r, "error") + "\n";
    else if (r.contains("rung"))
      rungs += line(r, name + ", " + text(r, "rung"));
    else
      md += line(r, name + (text(r, "timed") == "launches" ? ", single launches" : ""));
  }
  const std::string head = header({"kernel", "case", "batch", "µs", "TFLOP/s", "GB/s", "memory µs", "FFMA µs",
                                   "tensor cores µs", "binds", "% of the floor"},
                                  2);
  std::string out = "## Kernels\n\n";
  out +=
      "Every kernel here is in float32 on the float32 cores (FFMA). Three floors stand beside its time: in "
      "how "
      "long the memory at its peak moves every operand and result once, and in how long those cores, or "
      "tensor "
      "cores in tf32, do the multiply-adds of the definition at theirs. The longer of memory and FFMA is "
      "what "
      "binds it. With fewer multiply-adds (Winograd) or on tensor cores a kernel may be below FFMA's time; "
      "below "
      "the memory's none is.\n\n";
  out += md.empty() ? "No figures.\n" : head + md;
  if (!rungs.empty()) out += "\n### Ladders\n\n" + head + rungs;
  if (!errors.empty()) out += "\n" + errors;
  return out + left_out(report, "kernels") + "\n";
}

// A row for each precision and layout of a library.
std::string libraries(const Json& report) {
  std::string md;
  std::map<std::string, int> errors;  // a library that is missing says the same in every row
  for (const Json& r : report["libraries"]) {
    const std::string name = text(r, "kernel") + " " + text(r, "direction");
    if (r.contains("error")) ++errors[name + " " + text(r, "case") + ": " + text(r, "error")];
    for (const Json& l : r.value("libraries", Json::array())) {
      if (l.contains("error"))
        ++errors[text(l, "name") + ": " + text(l, "error")];
      else
        md += row_of({name, text(r, "case") + " " + text(r, "shape"), text(l, "name"), text(r, "batch"),
                      figures(r, "us"), figures(l, "us"), figures(l, "ratio")});
    }
  }
  std::string out = "## Libraries\n\n";
  out +=
      "Ours is in float32; a library's name says its arithmetic and layout (TF32: it may use tensor cores, "
      "which "
      "read 10 bits of a mantissa; bf16: operands and results of 8 bits), so only fp32 is the same work. "
      "Neither "
      "adds a bias. cuDNN is called by its older interface, with the fastest of its algorithms. Above 1 our "
      "kernel is the faster one.\n\n";
  out +=
      md.empty()
          ? "No figures.\n"
          : header({"kernel", "case", "library", "batch", "ours µs", "library µs", "library/ours"}, 3) + md;
  if (!errors.empty()) out += "\n";
  for (const auto& [what, count] : errors)
    out += "- " + what + (count > 1 ? " (" + std::to_string(count) + " times)" : "") + "\n";
  return out + left_out(report, "libraries") + "\n";
}

// Engines side by side, images a second.
std::string methods(const Json& report) {
  std::vector<std::string> engines;
  std::vector<std::pair<std::string, std::string>> order;  // network, method
  std::map<std::pair<std::string, std::string>, std::map<std::string, std::string>> cells;
  std::string errors;
  for (const char* part : {"methods", "peers"})
    for (const Json& r : report[part]) {
      const std::string engine = text(r, "engine");
      const std::pair key{text(r, "network"), text(r, "method")};
      if (r.contains("error")) {
        errors += "- " + engine + ", " + key.first + " " + key.second + ": " + text(r, "error") + "\n";
        continue;
      }
      if (std::ranges::find(engines, engine) == engines.end()) engines.push_back(engine);
      if (!cells.contains(key)) order.push_back(key);
      const bool passes = r.contains("pass_batch") && r["pass_batch"] != r["batch"];
      cells[key][engine] = figures(r, "images_per_s") + " (" + text(r, "batch") +
                           (passes ? ", passes of " + text(r, "pass_batch") : "") + ")";
    }
  std::string out = "## Methods: images a second (in batches of)\n\n";
  if (engines.empty()) {
    out += "No figures.\n";
  } else {
    std::vector<std::string> names{"network", "method"};
    names.insert(names.end(), engines.begin(), engines.end());
    out += header(names, 2);
    for (const auto& key : order) {
      std::vector<std::string> line{key.first, key.second};
      for (const std::string& e : engines) line.push_back(cells[key].contains(e) ? cells[key][e] : "–");
      out += row_of(line);
    }
  }
  if (!errors.empty()) out += "\n" + errors;
  return out + left_out(report, "methods") + left_out(report, "peers");
}

void write(const fs::path& path, const std::string& content) {
  const fs::path fresh = path.string() + ".new";
  std::ofstream(fresh, std::ios::binary) << content;
  fs::rename(fresh, path);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || !fs::is_directory(argv[1])) {
    std::fprintf(stderr, "usage: gpu_report LOGS OUT\n");
    return 2;
  }
  try {
    const Json report = collect(argv[1]);
    fs::create_directories(argv[2]);
    write(fs::path(argv[2]) / "report.json",
          report.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
    write(fs::path(argv[2]) / "report.md", summary(report) + parts(report) + checks(report) +
                                               kernels(report) + libraries(report) + methods(report));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gpu_report: %s\n", e.what());
    return 1;
  }
  return 0;
}
