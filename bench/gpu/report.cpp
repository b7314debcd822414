// gpu_report LOGS OUT: what bench/gpu/run found, as OUT/report.json for programs and OUT/report.md for
// people.
//
// LOGS holds checks.tsv (group, name, status, seconds, note), run.json, seconds, and lines of JSON in
// device.jsonl and in parts/{kernels,methods,peers}.log, between other text. Whatever is missing is left out,
// and said.
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

Json checks_of(const fs::path& path) {
  Json checks = Json::array();
  for (const std::string& line : lines_of(path)) {
    std::vector<std::string> cells;
    std::istringstream stream(line);
    for (std::string cell; std::getline(stream, cell, '\t');) cells.push_back(cell);
    cells.resize(5);
    checks.push_back({{"group", cells[0]},
                      {"name", cells[1]},
                      {"status", cells[2]},
                      {"seconds", std::strtod(cells[3].c_str(), nullptr)}});
    if (!cells[4].empty()) checks.back()["note"] = cells[4];
  }
  return checks;
}

Json collect(const fs::path& logs) {
  Json report = Json::object();
  if (const Json run = rows_of(logs / "run.json"); !run.empty()) report.update(run[0]);
  if (const auto seconds = lines_of(logs / "seconds"); !seconds.empty())
    report["seconds"] = std::strtod(seconds[0].c_str(), nullptr);
  const Json device = rows_of(logs / "device.jsonl");
  report["device"] = device.empty() || !device[0].contains("device") ? Json::object() : device[0]["device"];
  report["checks"] = checks_of(logs / "checks.tsv");
  bool passed = !report["checks"].empty();
  for (const Json& c : report["checks"])
    passed = passed && (c["status"] == "passed" || c["status"] == "skipped");
  for (const char* part : {"kernels", "methods", "peers"}) {
    Json rows = rows_of(logs / "parts" / (std::string(part) + ".log"));
    std::erase_if(rows.get_ref<Json::array_t&>(), [](const Json& r) { return r.contains("device"); });
    for (const Json& r : rows) passed = passed && (std::string(part) == "peers" || !r.contains("error"));
    report[part] = std::move(rows);
  }
  report["passed"] = passed;
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

std::string summary(const Json& report) {
  std::string md;
  const Json& d = report["device"];
  const std::string name = d.contains("name") ? text(d, "name") : "an unknown device";
  md += "# Loupe on " + name + "\n\n";
  md += "Commit " + text(report, "commit") + ", " + text(report, "date") + ", " + figures(report, "seconds") +
        " s" + (report.value("quick", false) ? ", --quick" : "") + ". **" +
        (report["passed"].get<bool>() ? "All passed." : "NOT all passed.") + "**\n\n";
  if (d.contains("description")) md += text(d, "description") + ". ";
  if (d.contains("peak_gb_per_s"))
    md += "Peaks by clocks and widths: " + figures(d, "peak_fp32_tflops") + " TFLOP/s in float32, " +
          figures(d, "peak_gb_per_s") + " GB/s. ";
  if (d.contains("libraries"))
    for (const auto& [library, what] : d["libraries"].items())
      md += library + ": " +
            (what.contains("version") ? text(what, "version") : "none, " + text(what, "missing")) + ". ";
  return md + "\n\n";
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
      "## Checks\n\n" + header({"group", "passed", "failed", "timed out", "skipped", "left out"}, 1);
  for (const std::string& group : order) {
    std::vector<std::string> cells{group};
    for (const char* status : {"passed", "failed", "timed out", "skipped", "left out"})
      cells.push_back(std::to_string(groups[group].of[status]));
    md += row_of(cells);
  }
  return md + (troubles.empty() ? "" : "\n" + troubles) + "\n";
}

std::string kernels(const Json& rows) {
  std::string md, rungs, errors;
  const auto line = [](const Json& r, const std::string& what) {
    return row_of({what, text(r, "case") + " " + text(r, "shape"), figures(r, "us"), figures(r, "tflops"),
                   figures(r, "gb_per_s"), figures(r, "of_floor", 100), figures(r, "library_us"),
                   figures(r, "ratio")});
  };
  for (const Json& r : rows) {
    const std::string name = text(r, "kernel") + " " + text(r, "direction");
    if (r.contains("error"))
      errors += "- " + name + " " + text(r, "case") + ": " + text(r, "error") + "\n";
    else if (r.contains("rung"))
      rungs += line(r, name + ", " + text(r, "rung"));
    else
      md += line(r, name);
    if (r.contains("library_error"))
      errors += "- " + name + " " + text(r, "case") + " by " + text(r, "library") + ": " +
                text(r, "library_error") + "\n";
  }
  const std::string head =
      header({"kernel", "case", "µs", "TFLOP/s", "GB/s", "% of the floor", "library µs", "library/ours"}, 2);
  std::string out = "## Kernels\n\n";
  out +=
      "The floor is the time in which peak bandwidth moves every operand and result once, or peak arithmetic "
      "does "
      "the multiply-adds, whichever is longer. The library is cuDNN for convolutions and cuBLAS for linear, "
      "both "
      "in float32 without tensor cores; above 1 our kernel is the faster one.\n\n";
  out += md.empty() ? "No figures.\n" : head + md;
  if (!rungs.empty()) out += "\n### Ladders\n\n" + head + rungs;
  if (!errors.empty()) out += "\n" + errors;
  return out + "\n";
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
      cells[key][engine] = figures(r, "images_per_s") + " (" + text(r, "batch") + ")";
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
  return out + (errors.empty() ? "" : "\n" + errors);
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
    write(fs::path(argv[2]) / "report.md",
          summary(report) + checks(report) + kernels(report["kernels"]) + methods(report));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gpu_report: %s\n", e.what());
    return 1;
  }
  return 0;
}
