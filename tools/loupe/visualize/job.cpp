#include "tools/loupe/visualize/job.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "engine/image/resize.h"
#include "models/io/safetensors.h"
#include "tools/loupe/command.h"
#include "tools/loupe/file_name.h"
#include "tools/loupe/interrupt.h"

namespace loupe {
namespace {

constexpr int64_t kGroupBytes = int64_t{512} << 20;
constexpr std::chrono::seconds kBetween(15);

class Job {
 public:
  Job(ImageModel& model, const std::vector<Wanted>& wanted, const Recipe& recipe, std::string state,
      std::string settings, ProgressBar& progress)
      : model_(model),
        recipe_(recipe),
        state_(std::move(state)),
        settings_(std::move(settings)),
        progress_(progress) {
    for (const Wanted& w : wanted)
      units_.push_back({.wanted = w, .file = file_name(w.objective.name) + ".png"});
    cell_ = frame_cell(std::ssize(units_), std::max(recipe.canvas.height, recipe.canvas.width));
    const int64_t bytes = recipe.parameters()->size() * 3 * 8;
    group_ = std::clamp<int64_t>(kGroupBytes / bytes, 1, std::ssize(units_));
    if (std::ranges::any_of(wanted, [](const Wanted& w) { return w.objective.set >= 0; }))
      group_ = std::ssize(units_);  // pictures of a set see each other
  }

  std::vector<Visualized> run(const std::function<void(const std::vector<Visualized>&)>& done);

 private:
  int64_t count() const { return std::ssize(units_); }
  // Frames are of steps i·steps/(frames − 1).
  bool is_frame(int64_t step) const {
    for (int64_t i = 0; i < recipe_.frames; ++i)
      if (i * recipe_.steps / std::max<int64_t>(recipe_.frames - 1, 1) == step) return true;
    return false;
  }
  Image image(const Ascent& ascent, int64_t i) const {
    return to_image(ascent.picture(i).to(Dtype::f32), model_.preprocessing);
  }
  Image fitted(const Image& whole) const { return picture_sheet({&whole}, cell_); }
  void take_frames(const Ascent& ascent);
  void finish(Ascent& ascent);
  void save(const Ascent& ascent) const;
  void restore();
  void begin_group(Ascent& ascent);

  ImageModel& model_;
  const Recipe& recipe_;
  std::string state_, settings_;
  ProgressBar& progress_;
  std::vector<Visualized> units_;
  int64_t cell_ = 0, group_ = 1;
  int64_t begin_ = 0;                      // of the group at work
  std::optional<Ascent::State> restored_;  // of that group
};

void Job::take_frames(const Ascent& ascent) {
  if (!is_frame(ascent.steps())) return;
  for (int64_t i = 0; i < ascent.count(); ++i)
    units_[static_cast<size_t>(begin_ + i)].frames.push_back(fitted(image(ascent, i)));
}

void Job::finish(Ascent& ascent) {
  const std::vector<double> after = ascent.scores();
  for (int64_t i = 0; i < ascent.count(); ++i) {
    Visualized& unit = units_[static_cast<size_t>(begin_ + i)];
    unit.picture = image(ascent, i);
    unit.after = after[static_cast<size_t>(i)];
    unit.curve = ascent.curve(i);
    unit.dead = ascent.is_dead(i);
  }
}

void Job::begin_group(Ascent& ascent) {
  if (restored_) {
    ascent.restore(*restored_);
    restored_.reset();
    return;
  }
  const std::vector<double> before = ascent.scores();
  for (int64_t i = 0; i < ascent.count(); ++i)
    units_[static_cast<size_t>(begin_ + i)].before = before[static_cast<size_t>(i)];
  take_frames(ascent);
}

// Images of one size as (count, height, width, 3), and back.
Tensor stacked(const std::vector<const Image*>& images) {
  if (images.empty()) return Tensor(Dtype::u8, {0, 1, 1, 3});
  const Tensor t(Dtype::u8, {std::ssize(images), images[0]->height, images[0]->width, 3});
  for (int64_t i = 0; i < t.shape()[0]; ++i)
    std::ranges::copy(images[static_cast<size_t>(i)]->rgb, t.row(i).values<uint8_t>().begin());
  return t;
}
Image image_of(const Tensor& row) {
  const auto v = row.values<const uint8_t>();
  return {row.shape()[1], row.shape()[0], {v.begin(), v.end()}};
}

void Job::save(const Ascent& ascent) const {
  if (state_.empty()) return;
  const Ascent::State s = ascent.state();
  const Tensor numbers(Dtype::f64, {count(), 3});  // before, after, dead
  const Tensor curves = Tensor::zeros(Dtype::f64, {count(), recipe_.steps});
  std::vector<const Image*> pictures, frames;
  for (int64_t i = 0; i < count(); ++i) {
    const Visualized& u = units_[static_cast<size_t>(i)];
    const auto row = numbers.row(i).values<double>();
    row[0] = u.before, row[1] = u.after, row[2] = u.dead ? 1 : 0;
    if (i < begin_) {
      std::ranges::copy(u.curve, curves.row(i).values<double>().begin());
      pictures.push_back(&u.picture);
    }
    for (const Image& f : u.frames) frames.push_back(&f);
  }
  NamedTensors all{{"group.numbers", s.numbers},
                   {"group.curves", s.curves},
                   {"group.asleep", s.asleep},
                   {"numbers", numbers},
                   {"curves", curves}};
  if (!pictures.empty()) all.emplace_back("pictures", stacked(pictures));
  if (!frames.empty()) all.emplace_back("frames", stacked(frames));
  const std::filesystem::path parent = std::filesystem::path(state_).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent);
  write_safetensors(state_, all, {{"settings", settings_}, {"group", std::to_string(begin_)}});
}

void Job::restore() {
  if (state_.empty() || !std::filesystem::exists(state_)) return;
  const SafetensorsFile file = SafetensorsFile::open(state_);
  const auto& said = file.metadata();
  if (!said.contains("settings") || said.at("settings") != settings_)
    throw Error("'" + state_ +
                "' is an unfinished run with other settings: finish it as it was begun, remove it, or name "
                "another folder");
  begin_ = std::stoll(said.at("group"));
  const Tensor numbers = file.tensor("numbers"), curves = file.tensor("curves");
  restored_ = Ascent::State{file.tensor("group.numbers").clone(), file.tensor("group.curves").clone(),
                            file.tensor("group.asleep").clone()};
  const int64_t group = std::min(group_, count() - begin_);
  if (begin_ < 0 || group < 1 || numbers.shape() != Shape{count(), 3} || curves.shape()[0] != count())
    throw Error("'" + state_ + "' does not fit: it is damaged");
  int64_t frame = 0;
  for (int64_t i = 0; i < count(); ++i) {
    Visualized& u = units_[static_cast<size_t>(i)];
    u.before = numbers.item(3 * i), u.after = numbers.item(3 * i + 1), u.dead = numbers.item(3 * i + 2) != 0;
    int64_t taken = 0;  // frames so far
    for (int64_t s = 0; s <= (i < begin_           ? recipe_.steps
                              : i < begin_ + group ? restored_->curves.shape()[1]
                                                   : -1);
         ++s)
      taken += is_frame(s) ? 1 : 0;
    for (; taken > 0; --taken) u.frames.push_back(image_of(file.tensor("frames").row(frame++)));
    if (i >= begin_) continue;
    const auto curve = curves.row(i).values<const double>();
    u.curve.assign(curve.begin(), curve.end());
    u.picture = image_of(file.tensor("pictures").row(i));
  }
}

std::vector<Visualized> Job::run(const std::function<void(const std::vector<Visualized>&)>& done) {
  restore();
  progress_.begin(count() == 1 ? units_[0].wanted.words : std::to_string(count()) + " units");
  auto saved = std::chrono::steady_clock::now();
  while (begin_ < count()) {
    const int64_t end = std::min(count(), begin_ + group_);
    std::vector<Objective> objectives;
    for (int64_t i = begin_; i < end; ++i)
      objectives.push_back(units_[static_cast<size_t>(i)].wanted.objective);
    Ascent ascent(model_, recipe_.canvas, recipe_.parameters(), std::move(objectives), recipe_.options,
                  recipe_.draws);
    begin_group(ascent);
    while (ascent.steps() < recipe_.steps) {
      if (OnInterrupt::came()) {
        progress_.clear();
        save(ascent);
        throw Interrupted("stopped at step " + std::to_string(ascent.steps()) + " of " +
                          std::to_string(recipe_.steps) + "; the same command goes on from there");
      }
      ascent.step();
      take_frames(ascent);
      progress_.update((static_cast<double>(begin_) + static_cast<double>((end - begin_) * ascent.steps()) /
                                                          static_cast<double>(recipe_.steps)) /
                       static_cast<double>(count()));
      if (std::chrono::steady_clock::now() - saved > kBetween) {
        save(ascent);
        saved = std::chrono::steady_clock::now();
      }
    }
    finish(ascent);
    begin_ = end;
    done({units_.begin(), units_.begin() + end});
  }
  progress_.clear();
  if (!state_.empty()) std::filesystem::remove(state_);
  return std::move(units_);
}

}  // namespace

std::vector<Visualized> make_pictures(ImageModel& model, const std::vector<Wanted>& wanted,
                                      const Recipe& recipe, const std::string& state,
                                      const std::string& settings,
                                      const std::function<void(const std::vector<Visualized>&)>& done,
                                      ProgressBar& progress) {
  return Job(model, wanted, recipe, state, settings, progress).run(done);
}

}  // namespace loupe
