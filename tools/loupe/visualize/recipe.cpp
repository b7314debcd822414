#include "tools/loupe/visualize/recipe.h"

#include <algorithm>
#include <filesystem>

#include "models/zoo/zoo.h"
#include "tools/loupe/options.h"
#include "tools/loupe/text.h"

namespace loupe {

namespace {
namespace fs = std::filesystem;

constexpr const char *kFourier = "fourier", *kPixels = "pixels", *kMaco = "maco", *kZoo = "zoo";
constexpr int64_t kZooPictures = 280, kMostPictures = 1000;  // that mean magnitudes are taken of

double number(const char* option, const std::string& text, double standard, double low, double high) {
  return text.empty() ? standard : parse_real(option, text, low, high);
}

int64_t whole(const char* option, const std::string& text, int64_t standard, int64_t high, int64_t low = 0) {
  return text.empty() ? standard : parse_whole(option, text, low, high);
}

// The pictures of a folder, by name; those that cannot be read are left out.
void add_folder(MeanMagnitudes& to, const std::string& folder, const Preprocessing& how) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (at->is_regular_file(error)) files.push_back(at->path());
  if (error) throw UsageError("--spectrum: cannot read the folder '" + folder + "': " + error.message());
  std::ranges::sort(files);
  std::string last;
  for (const fs::path& file : files) {
    if (to.count() == kMostPictures) break;
    try {
      to.add(preprocess(read_image(file), how).to(Dtype::f64).values<const double>());
    } catch (const Error& e) {
      last = e.what();
    }
  }
  if (to.count() == 0)
    throw UsageError("--spectrum: '" + folder + "' holds no picture that can be read" +
                     (last.empty() ? "" : "; the last: " + last));
}

std::vector<double> magnitudes(const std::string& from, const Canvas& canvas, const ImageModel& model) {
  MeanMagnitudes mean(canvas);
  Preprocessing how = model.preprocessing;  // pictures fill the canvas, whatever their shape
  how.stretch = {canvas.height, canvas.width};
  how.crop = 0;
  if (from != kZoo) {
    add_folder(mean, from, how);
  } else {
    for (int64_t i = 0; i < kZooPictures; ++i)
      mean.add(preprocess(zoo::draw(1, i).image, how).to(Dtype::f64).values<const double>());
  }
  return mean.mean();
}

std::string way(const RecipeChoice& c) {
  return !c.parameters.empty() ? c.parameters : c.plain ? kPixels : kFourier;
}
bool is_adam(const RecipeChoice& c) { return c.optimizer.empty() ? !c.plain : c.optimizer == "adam"; }
}  // namespace

void RecipeChoice::add_form_to(CLI::App& app, const std::string& group) {
  value_option(app, "--steps", steps, "N", "Steps of ascent (256)", group);
  flag_option(app, "--plain", plain,
              "The plain form: pixels, steps along the gradient, and a decay; whatever else is said is "
              "added to it",
              group);
  value_option(app, "--parameters", parameters, "P",
               "fourier: the spectrum of decorrelated colours; maco: its phases alone; pixels (fourier)",
               group);
  value_option(app, "--optimizer", optimizer, "O", "adam, or sgd: rate times the gradient (adam)", group);
  value_option(app, "--rate", rate, "R", "Length of a step (0.03; maco 0.1; pixels 0.02; sgd 0.3)", group);
  value_option(app, "--l2", l2, "X", "Decay: the objective loses X·‖x‖² (0; plain 0.0005)", group);
  value_option(app, "--tv", tv, "X", "The objective loses X times the picture's total variation (0)", group);
  value_option(app, "--jitter", jitter, "PX", "Views are moved by up to so many pixels (a 16th of the side)",
               group);
  value_option(app, "--scale", scale, "X", "and scaled by up to 1 + X either way (0.15)", group);
  value_option(app, "--rotation", rotation, "DEG", "and turned by up to so many degrees (8)", group);
  value_option(app, "--blur", blur, "PX", "Of pixels: the deviation of a Gaussian blur (1)", group);
  value_option(app, "--blur-every", blur_every, "N", "every N steps (0: never)", group);
  value_option(app, "--clear-norms", clear_norms, "PCT",
               "Of pixels: after each step the smallest PCT % become 0 (0)", group);
  value_option(app, "--clear-contributions", clear_contributions, "PCT",
               "Of pixels: after each step those PCT % become 0 that matter least (0)", group);
  value_option(app, "--spectrum", spectrum, "DIR",
               "Of maco: a folder of pictures whose mean magnitudes are taken, or `zoo` (zoo)", group);
}

void RecipeChoice::add_to(CLI::App& app, const std::string& group) {
  add_form_to(app, group);
  value_option(app, "--seed", seed, "S",
               "Another beginning and other views; the same seed gives the same bytes (1)", group);
  value_option(app, "--diversity", diversity, "X",
               "Of --diverse: what likeness costs, in parts of the objective (1)", group);
  value_option(app, "--diversity-layer", diversity_layer, "L",
               "whose maps are to be unlike (the trunk's end)", group);
  value_option(app, "--frames", frames, "N", "Pictures of the animation (24; 0: none)", group);
}

void RecipeChoice::check() const {
  parse_whole("--steps", steps, 1, 1'000'000);
  parse_whole("--seed", seed, 0, INT64_MAX);
  if (const std::string w = way(*this); w != kFourier && w != kPixels && w != kMaco)
    throw UsageError("--parameters is fourier, maco or pixels, not '" + w + "'");
  if (!optimizer.empty() && optimizer != "adam" && optimizer != "sgd")
    throw UsageError("--optimizer is adam or sgd, not '" + optimizer + "'");
  if (!spectrum.empty() && way(*this) != kMaco) throw UsageError("--spectrum is of --parameters maco");
}

RecipeChoice RecipeChoice::plain_form() const {
  RecipeChoice plain_one;
  plain_one.steps = steps, plain_one.seed = seed, plain_one.frames = "0", plain_one.plain = true;
  return plain_one;
}

Recipe RecipeChoice::recipe(const ImageModel& model, const Shape& input) const {
  const Canvas canvas{
      .channels = input[1], .height = input[2], .width = input[3], .how = model.preprocessing};
  const std::string w = way(*this);
  const bool adam = is_adam(*this);
  const double standard = !adam ? 0.3 : w == kFourier ? 0.03 : w == kMaco ? 0.1 : 0.02;
  const int64_t side = std::min(canvas.height, canvas.width);
  AscentOptions o{.adam = adam};
  o.rate = number("--rate", rate, standard, 1e-12, 1e8);
  o.l2 = number("--l2", l2, plain ? 5e-4 : 0, 0, 1e6);
  o.total_variation = number("--tv", tv, 0, 0, 1e6);
  o.views.jitter = whole("--jitter", jitter, plain ? 0 : side / 16, side);
  o.views.scale = number("--scale", scale, plain ? 0 : 0.15, 0, 10);
  o.views.rotation = number("--rotation", rotation, plain ? 0 : 8, 0, 180);
  o.blur_every = whole("--blur-every", blur_every, 0, 1'000'000);
  o.blur = number("--blur", blur, 1, 0, 100);
  o.clear_norms = number("--clear-norms", clear_norms, 0, 0, 100);
  o.clear_contributions = number("--clear-contributions", clear_contributions, 0, 0, 100);
  o.diversity = number("--diversity", diversity, 1, 0, 1e6);
  const std::string layer = diversity_layer.empty() ? model.trunk : diversity_layer;
  if (!layer.empty()) o.diversity_layer = model.graph().find(layer);
  Recipe recipe{.canvas = canvas, .options = o};
  recipe.draws = Draws(seed, "--seed");
  recipe.steps = whole("--steps", steps, 1, 1'000'000, 1);
  recipe.frames = whole("--frames", frames, 0, 1000);
  if (w == kPixels)
    recipe.parameters = [canvas] { return pixel_parameters(canvas); };
  else if (w == kFourier)
    recipe.parameters = [canvas] { return fourier_parameters(canvas); };
  else
    recipe.parameters = [canvas, r = magnitudes(spectrum.empty() ? kZoo : spectrum, canvas, model)] {
      return maco_parameters(canvas, r);
    };
  return recipe;
}

nlohmann::ordered_json RecipeChoice::settings(const Recipe& r) const {
  const AscentOptions& o = r.options;
  nlohmann::ordered_json s{{"seed", seed},
                           {"size", Pair(r.canvas.height, r.canvas.width).str()},
                           {"parameters", way(*this)},
                           {"optimizer", o.adam ? "adam" : "sgd"},
                           {"rate", o.rate},
                           {"l2", o.l2},
                           {"tv", o.total_variation},
                           {"jitter", o.views.jitter},
                           {"scale", o.views.scale},
                           {"rotation", o.views.rotation}};
  if (o.blur_every > 0) s["blur"] = o.blur, s["blur_every"] = o.blur_every;
  if (o.clear_norms > 0) s["clear_norms"] = o.clear_norms;
  if (o.clear_contributions > 0) s["clear_contributions"] = o.clear_contributions;
  if (way(*this) == kMaco) s["spectrum"] = valid_utf8(spectrum.empty() ? kZoo : spectrum);
  return s;
}

}  // namespace loupe
