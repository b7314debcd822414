#include "engine/training/telemetry.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/file/atomic_file.h"

namespace loupe {

namespace {
double rounded(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.5g", x);
  return std::strtod(text, nullptr);
}

nlohmann::ordered_json layers(const std::vector<StepReport::Layer>& values) {
  auto all = nlohmann::ordered_json::object();
  for (const auto& [name, value] : values) all[name] = rounded(value);
  return all;
}
}  // namespace

std::string telemetry_line(const StepReport& r) {
  const nlohmann::ordered_json line{{"step", r.step},
                                    {"loss", rounded(r.loss)},
                                    {"accuracy", rounded(r.accuracy)},
                                    {"rate", rounded(r.rate)},
                                    {"gradient_norm", rounded(r.gradient_norm)},
                                    {"parameter_norm", rounded(r.parameter_norm)},
                                    {"update_ratio", layers(r.update_ratios)},
                                    {"dead_relu", layers(r.dead_relus)},
                                    {"images_per_second", rounded(r.images_per_second)}};
  return line.dump() + "\n";
}

std::vector<CurvePoint> training_curve(std::string_view lines, int64_t points) {
  std::vector<CurvePoint> steps;
  while (!lines.empty()) try {
      const size_t end = std::min(lines.find('\n'), lines.size() - 1) + 1;
      const auto step = nlohmann::json::parse(lines.substr(0, end));
      steps.push_back({step.at("step"), step.at("loss"), step.at("accuracy")});
      lines.remove_prefix(end);
    } catch (const nlohmann::json::exception&) {
      throw Error("this is no telemetry: line " + std::to_string(steps.size() + 1) +
                  " lacks a step, its loss or its accuracy");
    }
  const auto count = std::ssize(steps), stretches = std::min<ptrdiff_t>(count, points);
  std::vector<CurvePoint> curve;
  for (ptrdiff_t i = 0; i < stretches; ++i) {
    const ptrdiff_t begin = i * count / stretches, end = (i + 1) * count / stretches;
    CurvePoint mean;
    for (ptrdiff_t k = begin; k < end; ++k) {
      const auto weight = 1 / static_cast<double>(end - begin);
      const CurvePoint& step = steps[static_cast<size_t>(k)];
      mean.step += weight * step.step;
      mean.loss += weight * step.loss;
      mean.accuracy += weight * step.accuracy;
    }
    curve.push_back(mean);
  }
  return curve;
}

Telemetry::Telemetry(std::string path, int64_t next_step) : path_(std::move(path)) {
  if (std::filesystem::exists(path_)) {
    AtomicFile kept(path_);
    std::ifstream old(path_);
    for (std::string line; std::getline(old, line);) {
      const auto parsed = nlohmann::json::parse(line, nullptr, false);
      const auto step = parsed.is_object() ? parsed.find("step") : parsed.end();
      if (step == parsed.end() || !step->is_number_integer() || step->get<int64_t>() >= next_step) break;
      kept.write(line + "\n");
    }
    kept.commit();
  }
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0) throw Error("cannot write '" + path_ + "': " + std::strerror(errno));
}

Telemetry::~Telemetry() {
  if (fd_ >= 0) ::close(fd_);
}

void Telemetry::write(const StepReport& report) {
  const std::string line = telemetry_line(report);
  for (size_t at = 0; at < line.size();) {
    const ssize_t n = ::write(fd_, line.data() + at, line.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error("cannot write '" + path_ + "': " + std::strerror(errno));
    at += static_cast<size_t>(n);
  }
}

}  // namespace loupe
