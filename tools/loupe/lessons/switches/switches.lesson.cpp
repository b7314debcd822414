// `loupe lesson switches`: what the pools' switches carry of a picture. The same way back with its own, another
// picture's, and regular ones.
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/file/file.h"
#include "engine/image/overlay.h"
#include "engine/run/method.h"
#include "models/io/switches.h"
#include "tools/loupe/arguments.h"
#include "tools/loupe/lessons/lesson.h"
#include "tools/loupe/lessons/subject.h"
#include "tools/loupe/output_folder.h"
#include "tools/loupe/page/html.h"
#include "tools/loupe/print.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

constexpr const char* kPage = "switches.html";

struct Settings {
  SubjectChoice subject;
  std::string a, b, cls, save, given, out;
  bool json = false;
};

// A way back with some switches, beside those of A and of B with their own.
struct Column {
  std::string name, key;
  Tensor map;
  double like_a = 0, like_b = 0;  // cosines
  std::vector<uint8_t> png = {};
};
struct RuleRow {
  std::string method;
  std::vector<Column> columns = {};
  double off_b = 0;  // the largest difference of A with B's switches from B, of B's largest number
};

double cosine(const Tensor& a, const Tensor& b) {
  double aa = 0, bb = 0, ab = 0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    aa += a.item(i) * a.item(i);
    bb += b.item(i) * b.item(i);
    ab += a.item(i) * b.item(i);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

std::string decimals(double v) {
  char text[16];
  std::snprintf(text, sizeof text, "%.2f", std::abs(v));
  return (v < -0.005 ? "−" : "") + std::string(text);
}

double relative_difference(const Tensor& a, const Tensor& b) {
  double most = 0, size = 0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    most = std::max(most, std::abs(a.item(i) - b.item(i)));
    size = std::max(size, std::abs(b.item(i)));
  }
  return size > 0 ? most / size : most;
}

Picture picture_of(const std::string& method) {
  return {.style = method == "gradient" ? Picture::Style::magnitude : Picture::Style::reconstruction};
}

RuleRow ways_back(ImageModel& network, const std::string& method, const Rule& rule, const Tensor& a,
                  const Tensor& b, int64_t cls, const Switches& of_b, const Switches* given) {
  const auto back = [&](const Tensor& x, const Switches* switches) {
    const Probe probe = switches ? with_switches(network, x.shape(), *switches) : Probe{};
    return input_signal(network, x, cls, rule, probe);
  };
  const Switches first = regular_switches(network, a.shape(), RegularSwitch::first),
                 middle = regular_switches(network, a.shape(), RegularSwitch::middle);
  RuleRow row{.method = method};
  row.columns.push_back({"A, its own switches", "a", back(a, nullptr)});
  row.columns.push_back({"A, switches of B", "a_with_b", back(a, &of_b)});
  row.columns.push_back({"A, all in the middle", "a_with_middle", back(a, &middle)});
  row.columns.push_back({"A, all 0", "a_with_zero", back(a, &first)});
  if (given) row.columns.push_back({"A, from the file", "a_with_file", back(a, given)});
  row.columns.push_back({"B, its own switches", "b", back(b, nullptr)});
  const Tensor &own_a = row.columns.front().map, &own_b = row.columns.back().map;
  for (Column& c : row.columns) {
    c.like_a = cosine(c.map, own_a);
    c.like_b = cosine(c.map, own_b);
  }
  row.off_b = relative_difference(row.columns[1].map, own_b);
  return row;
}

std::string text_of(const std::vector<RuleRow>& rows, const Subject& a, const Subject& b,
                    const Verdict& asked, const Switches& switches) {
  using enum Table::Align;
  std::string out = "What switches carry: A is " + a.name + ", B is " + b.name +
                    ", and both are asked about " + asked.label + "\n\n";
  for (const auto& [name, t] : switches)
    out +=
        "   " + name + "   " + with_commas(t.numel()) + " switches, " + t.shape().str() + ", a byte each\n";
  Table table({{"way back"}, {"switches"}, {"like A's", right}, {"like B's", right}});
  for (const RuleRow& r : rows)
    for (const Column& c : r.columns)
      table.row({&c == &r.columns[0] ? r.method : "", c.name, decimals(c.like_a), decimals(c.like_b)});
  out +=
      "\n" + table.str() + "\nlike: the cosine of two maps, 1 where they are the same but for a factor.\n\n";
  out +=
      "A deconvnet's ReLUs forget the way up, so the switches are all that it knows of the picture: with B's "
      "switches, A's map\n"
      "is B's (largest difference " +
      short_number(rows[0].off_b) +
      " of the largest number). Guided backpropagation and the gradient keep the masks of A's\nReLUs as "
      "well, and make a map "
      "that is neither's (off by " +
      short_number(rows[1].off_b) + " and " + short_number(rows[2].off_b) +
      "). Where a deconvnet's picture has the outlines of an\nobject, the switches drew them, whatever class "
      "was asked about.\n";
  return out;
}

std::string page_of(const std::vector<RuleRow>& rows, const Subject& a, const Subject& b,
                    const Verdict& asked, const ImageModel& network) {
  std::string out =
      "<!doctype html>\n<!-- loupe lesson switches -->\n<html lang=en><head><meta charset=utf-8><meta "
      "name=viewport "
      "content=\"width=device-width\"><title>What switches carry · Loupe</title><style>" +
      style_sheet("lesson.css") + "</style></head><body><header>" + std::string(kMark) +
      "<div><h1>What switches carry</h1><p class=soft>A is " + escaped(a.name) + ", B is " + escaped(b.name) +
      "; " + escaped(network.name()) + " is asked about " + escaped(asked.label) + "</p></div></header>";
  out += "<section><div class=maps>";
  for (const Subject* s : {&a, &b})
    out += "<figure><figcaption>" + std::string(s == &a ? "A" : "B") + "</figcaption><img class=shot alt=\"" +
           escaped(s->name) + "\" src=\"" + data_url(encode_png(to_image(s->x, network.preprocessing))) +
           "\"></figure>";
  out +=
      "</div><p>A max pool keeps of each window where the largest number was: its switch. On the way back a "
      "signal goes "
      "there and nowhere else. Switches are tensors: here the same class goes back through A’s pass with "
      "other "
      "switches.</p></section>";
  for (const RuleRow& r : rows) {
    out += "<section><h2>" + title(r.method) + "</h2><p>";
    out += r.method == "deconvnet" ? "Its ReLUs forget the way up, so the switches are all that it knows of "
                                     "a picture. With B’s switches A’s map "
                                     "<b>is</b> B’s: largest difference "
                                   : "It keeps the masks of A’s ReLUs as well, so that with B’s switches the "
                                     "map is neither’s. Largest difference "
                                     "from B’s: ";
    out += short_number(r.off_b) + " of the largest number.</p><div class=maps>";
    for (const Column& c : r.columns)
      out += "<figure><figcaption>" + escaped(c.name) + "<br>like A’s " + decimals(c.like_a) +
             "<br>like B’s " + decimals(c.like_b) + "</figcaption><img class=shot alt=\"" + escaped(c.name) +
             "\" src=\"" + data_url(c.png) + "\"></figure>";
    out += "</div></section>";
  }
  return out + "<footer class=\"small soft\"><p>like: the cosine of two maps. Made by Loupe " LOUPE_VERSION
               ".</p></footer></body></html>\n";
}

nlohmann::ordered_json json_of(const std::vector<RuleRow>& rows, const Verdict& asked,
                               const Switches& switches) {
  nlohmann::ordered_json document{{"loupe", LOUPE_VERSION}, {"class", asked.index}, {"label", asked.label}};
  for (const auto& [name, t] : switches)
    document["switches"][name] = std::vector<int64_t>(t.shape().dims().begin(), t.shape().dims().end());
  for (const RuleRow& r : rows) {
    nlohmann::ordered_json row{{"method", r.method}, {"off_b", r.off_b}};
    for (const Column& c : r.columns) row["maps"][c.key] = {{"like_a", c.like_a}, {"like_b", c.like_b}};
    document["rules"].push_back(row);
  }
  return document;
}

void run(const Settings& s) {
  ImageModel network = s.subject.load();
  const Subject a = read_subject(network, s.a, 1), b = read_subject(network, s.b, 8);
  if (a.x.shape() != b.x.shape())
    throw UsageError("A is " + a.x.shape().str() + " and B " + b.x.shape().str() +
                     ": switches go from one to the other only where both are of one size");
  const Verdict asked = chosen_class(network, a, s.cls);
  const Switches of_a = switches_of(network, a.x), of_b = switches_of(network, b.x);
  if (of_a.empty()) throw UsageError(network.name() + " has no max pools, so it has no switches");
  Switches given;
  if (!s.given.empty()) given = read_switches(s.given);
  std::vector<RuleRow> rows;
  for (const auto& [name, rule] : {std::pair<std::string, Rule>{"deconvnet", deconvnet_rule()},
                                   {"guided_backprop", guided_backprop_rule()},
                                   {"gradient", gradient_rule()}})
    rows.push_back(
        ways_back(network, name, rule, a.x, b.x, asked.index, of_b, s.given.empty() ? nullptr : &given));
  if (!s.save.empty())
    write_switches(s.save, of_a, {{"loupe", LOUPE_VERSION}, {"model", network.name()}, {"image", a.name}});
  std::string end;
  if (!s.out.empty()) {
    for (RuleRow& r : rows)
      for (Column& c : r.columns)
        c.png = encode_png(overlay(a.x, c.map, picture_of(r.method), network.preprocessing));
    OutputFolder out(s.out);
    out.publish("", {{kPage, [&](const OutputFolder::Path& path) {
                        const std::string page = page_of(rows, a, b, asked, network);
                        write_file(path, {reinterpret_cast<const uint8_t*>(page.data()), page.size()});
                      }}});
    end = "\n" + (out.path() / kPage).string() + " shows it\n";
  }
  if (s.json) return print_json(json_of(rows, asked, of_a));
  print(text_of(rows, a, b, asked, of_a) + end);
}

}  // namespace

extern const Lesson switches_lesson{
    "switches", "What a deconvnet's switches carry: one picture with the switches of another",
    [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      value_option(app, "--a", s->a, "FILE", "Picture A, as `loupe explain` takes it (one of the zoo's)");
      value_option(app, "--b", s->b, "FILE", "Picture B, whose switches A is given (one of the zoo's)");
      value_option(app, "--class", s->cls, "C", "The class that both are asked about (A's likeliest)");
      value_option(app, "--save-switches", s->save, "FILE",
                   "Write A's switches, a safetensors file of u8 tensors");
      value_option(app, "--switches", s->given, "FILE", "Also run A with these: a file like that, changed");
      value_option(app, "--out", s->out, "DIR", "Also write DIR/switches.html with the maps");
      flag_option(app, "--json", s->json, "For programs");
      s->subject.add_to(app);
      return [s] { run(*s); };
    }};

}  // namespace loupe
