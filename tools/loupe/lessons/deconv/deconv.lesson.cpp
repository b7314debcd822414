// `loupe lesson deconv`: a convolution as a matrix, its transpose as the transposed convolution, and what that undoes.
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/loupe/lessons/deconv/lesson_text.h"
#include "tools/loupe/lessons/lesson.h"
#include "tools/loupe/options.h"
#include "tools/loupe/print.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

constexpr double kLargest = 1e6;  // of taps and numbers

struct Settings {
  std::string n, f, s = "2", p = "2", filter, x, out;
  DeviceChoice device;
  bool json = false;
};

Tensor parse_list(const std::string& option, const std::string& text) {
  std::vector<double> values;
  for (const std::string& part : split_commas(text))
    values.push_back(parse_real(option, part, -kLargest, kLargest));
  return Tensor::from(values, {std::ssize(values)});
}

// 1, 2, …, count.
Tensor counting(int64_t count) {
  std::vector<double> values;
  for (int64_t i = 1; i <= count; ++i) values.push_back(static_cast<double>(i));
  return Tensor::from(values, {count});
}

// What is asked for: the sizes, the filter and the row. A list says its own length.
struct Asked {
  DeconvSizes sizes = {};
  Tensor filter = {}, x = {};
};

Asked parse(const Settings& s) {
  Asked a{.filter = s.filter.empty() ? Tensor() : parse_list("--filter", s.filter),
          .x = s.x.empty() ? Tensor() : parse_list("--x", s.x)};
  const auto length = [](const char* option, const std::string& text, int64_t most, const Tensor& listed,
                         const char* list, int64_t standard) {
    const int64_t given = listed.defined() ? listed.numel() : standard;
    if (text.empty() && given <= most) return given;
    const int64_t wanted = text.empty() ? given : parse_whole(option, text, 1, most);
    if (listed.defined() && given != wanted)
      throw UsageError(std::string(list) + " has " + std::to_string(given) + " numbers, and " + option +
                       " says " + std::to_string(wanted));
    if (wanted > most)
      throw UsageError(std::string(list) + " has " + std::to_string(given) + " numbers; at most " +
                       std::to_string(most) + " are shown");
    return wanted;
  };
  a.sizes.n = length("--n", s.n, 32, a.x, "--x", 8);
  a.sizes.f = length("--f", s.f, 16, a.filter, "--filter", 4);
  a.sizes.s = parse_whole("--s", s.s, 1, 16);
  a.sizes.p = parse_whole("--p", s.p, 0, 8);
  if (a.sizes.f > a.sizes.padded())
    throw UsageError("a filter of " + std::to_string(a.sizes.f) + " taps does not fit in " +
                     std::to_string(a.sizes.n) + " numbers with " + std::to_string(a.sizes.p) +
                     " zeros on each side");
  if (!a.filter.defined()) a.filter = counting(a.sizes.f);
  if (!a.x.defined()) a.x = counting(a.sizes.n);
  return a;
}

// What the page's script is compared with: what was asked for, and sizes and filters of every kind.
std::vector<DeconvStudy> examples(const DeconvStudy& asked, Device device) {
  std::vector<DeconvStudy> all{asked};
  const double filters[][5] = {{1, 2, 3, 4, 5}, {0.5, -1, 0, 2, -0.25}};
  const DeconvSizes sizes[] = {{8, 4, 2, 2},  {8, 3, 1, 1}, {7, 3, 2, 0}, {9, 5, 3, 2},  {6, 1, 1, 0},
                               {10, 2, 3, 1}, {5, 5, 1, 4}, {4, 4, 2, 0}, {11, 4, 3, 1}, {3, 2, 5, 3}};
  for (const DeconvSizes& z : sizes)
    for (const auto& taps : filters)
      all.push_back(study_deconv(z, Tensor::from(std::span(taps, static_cast<size_t>(z.f)), {z.f}),
                                 counting(z.n), device));
  return all;
}

void run(const Settings& s) {
  const Asked asked = parse(s);
  const Device device = s.device.device.empty() ? Device::ref() : s.device.open();
  DeconvLesson lesson{.device = device.str(),
                      .row = study_deconv(asked.sizes, asked.filter, asked.x, device),
                      .picture = study_picture(asked.sizes, asked.filter, device),
                      .unpooling = study_unpooling(device)};
  lesson.filters = check_filters(lesson.row, device);
  const std::string page =
      s.out.empty() ? "" : publish_page(deconv_page(lesson, examples(lesson.row, device)), s.out);
  if (!s.json)
    return print(deconv_text(lesson) + (page.empty() ? "" : page + " shows it all: change its numbers\n"));
  nlohmann::ordered_json document{{"loupe", LOUPE_VERSION},
                                  {"device", lesson.device},
                                  {"row", as_json(lesson.row)},
                                  {"picture", as_json(lesson.picture)},
                                  {"unpooling", as_json(lesson.unpooling)}};
  for (const FilterCheck& c : lesson.filters) document["filters"].push_back(as_json(c));
  print_json(document);
}

}  // namespace

extern const Lesson deconv_lesson{
    "deconv", "A convolution as a matrix, its transpose, and what that undoes", [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      value_option(app, "--n", s->n, "N", "Numbers in the row x (8), at most 32");
      value_option(app, "--f", s->f, "F", "Taps of the filter (4), at most 16");
      value_option(app, "--s", s->s, "S", "Stride (2), at most 16");
      value_option(app, "--p", s->p, "P", "Zeros on each side of x (2), at most 8");
      value_option(app, "--filter", s->filter, "W", "Its taps, such as 1,0,0,-1 (1,2,3,…)");
      value_option(app, "--x", s->x, "X", "The row (1,2,3,…)");
      value_option(app, "--device", s->device.device, "D",
                   "Whose kernels: ref, in double; cpu, cuda or sim, in single precision (ref)");
      value_option(app, "--out", s->out, "DIR", "Also write DIR/deconv.html, whose numbers can be changed");
      flag_option(app, "--json", s->json, "For programs: every number, and nothing else");
      return [s] { run(*s); };
    }};

}  // namespace loupe
