#include <filesystem>
#include <nlohmann/json.hpp>

#include "tools/loupe/explain/explained.h"
#include "tools/loupe/print.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

using Json = nlohmann::ordered_json;

std::string path_of(const Explained& all, const ExplainedImage& image, const std::string& folder,
                    const std::string& file) {
  return (std::filesystem::path(all.out) / image.name / folder / file).string();
}

Json verdict(const Verdict& v) {
  return {{"class", v.index}, {"label", v.label}, {"score", v.score}, {"probability", v.probability}};
}

// Of a device with a memory of its own; null for ref and cpu.
Json on_device(const Explained& all, int64_t bytes) { return all.device_name.empty() ? Json() : Json(bytes); }

Json method(const Explained& all, const ExplainedImage& image, const Answer& answer, const MethodResult& r) {
  Json maps = Json::array(), checks = Json::array();
  for (const DrawnMap& m : r.maps)
    maps.push_back({{"name", m.name},
                    {"shape", std::vector<int64_t>(m.shape.dims().begin(), m.shape.dims().end())},
                    {"minimum", m.minimum},
                    {"maximum", m.maximum},
                    {"picture", path_of(all, image, answer.folder, m.file)},
                    {"caption", m.caption}});
  for (const Check& c : r.checks)
    checks.push_back({{"name", c.name},
                      {"value", c.value},
                      {"meaning", c.meaning},
                      {"passes", c.passes ? Json(*c.passes) : Json()},
                      {"interval", c.interval ? Json({c.interval->first, c.interval->second}) : Json()}});
  return {{"method", r.method->name},
          {"options", r.options},
          {"maps", maps},
          {"checks", checks},
          {"notes", r.notes},
          {"seconds", r.seconds},
          {"peak_bytes", r.peak_bytes},
          {"device_peak_bytes", on_device(all, r.device_peak_bytes)}};
}

Json answered(const Explained& all, const ExplainedImage& image, const Answer& answer) {
  Json row{{"explained", valid_utf8(answer.words)}};
  if (answer.verdict) row.update(verdict(*answer.verdict));
  if (!answer.verdict) row["score"] = answer.score;
  if (answer.minus) row["difference"] = {answer.minus->first, answer.minus->second};
  if (!answer.layer.empty()) row["layer"] = valid_utf8(answer.layer), row["unit"] = answer.unit;
  row["tensors"] = path_of(all, image, answer.folder, kTensorsFile);
  for (const MethodResult& r : answer.methods) row["methods"].push_back(method(all, image, answer, r));
  row["files"] = Json::array({row["tensors"]});
  for (const MethodResult& r : answer.methods)
    for (const DrawnMap& m : r.maps) row["files"].push_back(path_of(all, image, answer.folder, m.file));
  return row;
}

}  // namespace

void print_json_summary(const Explained& all) {
  Json images = Json::array();
  for (const ExplainedImage& image : all.images) {
    Json row{{"image", valid_utf8(image.path)}};
    for (const Verdict& v : image.top) row["top"].push_back(verdict(v));
    if (image.answers.size() == 1) {
      row.update(answered(all, image, image.answers[0]));
    } else {  // of several, each with what is otherwise the picture's own
      row["files"] = Json::array();
      for (const Answer& answer : image.answers) {
        row["answers"].push_back(answered(all, image, answer));
        for (const Json& file : row["answers"].back()["files"]) row["files"].push_back(file);
      }
    }
    if (all.many())
      for (const char* file : {kThumbnailFile, kPageFile})
        row["files"].push_back(path_of(all, image, "", file));
    row["seconds"] = image.seconds;
    row["peak_bytes"] = image.peak_bytes;
    row["device_peak_bytes"] = on_device(all, image.device_peak_bytes);
    images.push_back(row);
  }
  Json skipped = Json::array();
  for (const Skipped& s : all.skipped) skipped.push_back({{"method", s.method}, {"why", s.why}});
  Json failed = Json::array();
  for (const Failure& f : all.failed)
    failed.push_back({{"image", valid_utf8(f.path)}, {"why", valid_utf8(f.why)}});
  int64_t peak = 0, device_peak = 0;
  for (const ExplainedImage& image : all.images) {
    peak = std::max(peak, image.peak_bytes);
    device_peak = std::max(device_peak, image.device_peak_bytes);
  }
  print_json(
      {{"loupe", LOUPE_VERSION},
       {"model", all.model},
       {"weights", all.weights},
       {"device", all.device},
       {"device_name", all.device_name.empty() ? Json() : Json(all.device_name)},
       {"threads", all.threads},
       {"memory_limit", all.memory_limit ? Json(all.memory_limit) : Json()},
       {"images", images},
       {"failed", failed},
       {"skipped", skipped},
       {"report", all.images.empty() ? Json() : Json((std::filesystem::path(all.out) / kPageFile).string())},
       {"seconds", all.seconds},
       {"peak_bytes", peak},
       {"device_peak_bytes", on_device(all, device_peak)},
       {"weight_bytes", all.weight_bytes},
       {"forward_arena_bytes", all.forward_bytes},
       {"gradient_arena_bytes", all.gradient_bytes},
       {"gradient_tape_bytes", all.tape_bytes}});
}

namespace {

std::string heading(const ExplainedImage& image, const Answer& answer) {
  std::string out = valid_utf8(image.path) + ": " + valid_utf8(answer.words);
  if (answer.verdict) {
    const std::string index = std::to_string(answer.verdict->index);
    if (!answer.words.ends_with(index)) out += " (" + index + ")";
  }
  return out + ", " + worth(answer) + "\n";
}

std::string answer_lines(const Explained& all, const ExplainedImage& image, const Answer& answer,
                         bool verbose) {
  std::string out = heading(image, answer);
  size_t width = 11;  // so that the last line's words fit, too
  for (const MethodResult& r : answer.methods) width = std::max(width, r.method->name.size());
  for (const MethodResult& r : answer.methods) {
    std::string left = padded(r.method->name, width) + "  " + padded(short_seconds(r.seconds), 7, true);
    if (verbose)  // of the memory in which the kernels compute
      left +=
          "  " + padded(short_bytes(all.device_name.empty() ? r.peak_bytes : r.device_peak_bytes), 10, true);
    for (const DrawnMap& m : r.maps) {
      out += "  " + left + "  " + path_of(all, image, answer.folder, m.file) + "\n";
      left = std::string(columns(left), ' ');
    }
    for (const Check& c : r.checks)
      out += "  " + left + "  " + c.name + " " + short_number(c.value) +
             (!c.passes   ? ""
              : *c.passes ? ", passes"
                          : ", " + c.meaning) +
             "\n";
    for (const std::string& note : r.notes) out += "  " + left + "  " + note + "\n";
  }
  return out + "  " + padded("every map as numbers", width + 9 + (verbose ? 12 : 0)) + "  " +
         path_of(all, image, answer.folder, kTensorsFile) + "\n";
}

}  // namespace

void print_image(const Explained& all, const ExplainedImage& image, bool verbose) {
  std::string out;
  for (const Answer& answer : image.answers) out += answer_lines(all, image, answer, verbose);
  if (verbose)
    out += "  in " + short_seconds(image.seconds) + ", at most " + short_bytes(image.peak_bytes) +
           " of tensors at once" +
           (all.device_name.empty()
                ? ""
                : " on the host and " + short_bytes(image.device_peak_bytes) + " on " + all.device) +
           "\n";
  print(out);
}

void print_end(const Explained& all, bool verbose) {
  std::string out;
  for (const Skipped& s : all.skipped) out += s.method + " left out: " + s.why + "\n";
  if (verbose)
    out += all.model + " on " + all.device + (all.device_name.empty() ? "" : " (" + all.device_name + ")") +
           ", " + std::to_string(all.threads) + (all.threads == 1 ? " thread" : " threads") +
           ": weights as the kernels read them " + short_bytes(all.weight_bytes) +
           ";\nactivations of one image: forward " + short_bytes(all.forward_bytes) + ", with the way back " +
           short_bytes(all.gradient_bytes) + ", of which a gradient's tape keeps " +
           short_bytes(all.tape_bytes) + ";\nthe whole run took " + short_seconds(all.seconds) + "\n";
  print(out + (std::filesystem::path(all.out) / "report.html").string() + " shows it all\n");
}

}  // namespace loupe
