// `loupe explain` with many pictures: what it keeps in memory and leaves on disk, what it does about one that cannot be
// read, and whose folder it replaces.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/image/image.h"
#include "models/io/safetensors.h"
#include "tests/support/command.h"

namespace loupe::test {
namespace {

using nlohmann::json;

// `count` different pictures p0.png … in the folder.
std::vector<std::string> draw(const Folder& folder, int count) {
  std::vector<std::string> files;
  for (int i = 0; i < count; ++i) {
    Image image = pattern(40 + i, 50);
    image.rgb[static_cast<size_t>(i)] ^= 0xFF;
    files.push_back(folder / ("p" + std::to_string(i) + ".png"));
    write_png(files.back(), image);
  }
  return files;
}

std::vector<std::string> command(const std::vector<std::string>& files, const std::string& out,
                                 const std::vector<std::string>& more = {}) {
  std::vector<std::string> words{"explain", "--model", "squeezenet1_1", "--weights", "formula",
                                 "--out",   out,       "--device",      "cpu"};
  if (!std::ranges::count(more, "--crop")) words.insert(words.end(), {"--crop", "64"});
  words.insert(words.end(), files.begin(), files.end());
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

size_t times(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("many pictures: a page each, and one of thumbnails that lead to them") {
  const Folder folder;
  auto files = draw(folder, 12);
  files.push_back(folder / "p ü#3.png");  // an address has to be written for this one
  fs::copy(files[0], files.back());
  const Said said = loupe(command(files, folder / "out", {"--method", "gradient,grad_cam", "--json"}));
  REQUIRE_MESSAGE(said.status == 0, said.err);
  const json all = json::parse(said.out);
  CHECK(all["images"].size() == 13);
  CHECK(all["failed"].empty());
  for (const json& image : all["images"]) {
    CHECK(image["files"].size() == 5);
    for (const json& file : image["files"]) CHECK(fs::exists(file.get<std::string>()));
  }
  const std::string sheet = read_text(folder / "out/report.html");
  CHECK(sheet.size() < 20'000);
  CHECK(times(sheet, "<img loading=lazy") == 13);
  CHECK(times(sheet, "data:image") == 0);
  CHECK(contains(sheet, "href=\"./p%20%C3%BC%233/report.html\""));
  for (const char* outside : {"http:", "https:", "<script", "<link"}) CHECK(!contains(sheet, outside));
  const Image thumbnail = read_image(folder / "out/p0/thumbnail.jpg");
  CHECK(thumbnail.width == 320);  // the photograph and its first map
  CHECK(thumbnail.height == 160);

  // A picture's page is what a run of its own gives, and leads back.
  const std::string page = read_text(folder / "out/p3/report.html");
  CHECK(times(page, "src=\"data:image/png;base64,") == 2);
  CHECK(contains(page, "href=\"../report.html\""));
  REQUIRE(loupe(command({files[3]}, folder / "alone", {"--method", "gradient,grad_cam"})).status == 0);
  CHECK(names_in(folder / "alone/p3") ==
        std::set<std::string>{"maps.safetensors", "gradient.png", "grad_cam.png"});
  for (const char* file : {"maps.safetensors", "gradient.png", "grad_cam.png"})
    CHECK(read_text(folder / (std::string("out/p3/") + file)) ==
          read_text(folder / (std::string("alone/p3/") + file)));
}

TEST_CASE("one unreadable picture of twenty is said at the end, and the others are explained") {
  const Folder folder;
  auto files = draw(folder, 20);
  write_text(files[7], read_text(files[7]).substr(0, 300));
  const Said said = loupe(command(files, folder / "out"));
  CHECK(said.status == 1);
  CHECK(std::ranges::count(said.err, '\n') == 1);
  CHECK(contains(said.err, "p7.png"));
  CHECK(contains(said.err, "truncated"));
  CHECK(contains(said.err, "the other 19 pictures were explained"));
  CHECK(names_in(folder / "out").size() == 20);  // 19 and the page
  CHECK(!fs::exists(folder / "out/p7"));
  CHECK(contains(read_text(folder / "out/report.html"), "Not explained: cannot read "));

  // Several, missing and of a wrong shape too: a line each, then how many.
  files.push_back(folder / "nowhere.png");
  write_safetensors(folder / "x.safetensors", {{"input", Tensor::zeros(Dtype::f32, {2, 64, 64})}});
  files.push_back(folder / "x.safetensors");
  const Said more = loupe(command(files, folder / "out", {"--json"}));
  CHECK(more.status == 1);
  CHECK(std::ranges::count(more.err, '\n') == 4);
  CHECK(contains(more.err, "loupe: 3 of 22 pictures could not be explained\n"));
  const json all = json::parse(more.out);
  CHECK(all["images"].size() == 19);
  REQUIRE(all["failed"].size() == 3);
  CHECK(all["failed"][1]["image"] == files[20]);
  CHECK(contains(all["failed"][2]["why"], "(2, 64, 64)"));

  // None can be read, or all have to be: nothing is written.
  const Said none = loupe(command({files[7], files[20]}, folder / "none"));
  CHECK(none.status == 1);
  CHECK(contains(none.err, "2 of 2 pictures"));
  CHECK(!fs::exists(folder / "none"));
  const Said strict = loupe(command(files, folder / "none", {"--stop-on-error"}));
  CHECK(strict.status == 1);
  CHECK(std::ranges::count(strict.err, '\n') == 1);
  CHECK(!fs::exists(folder / "none"));
}

TEST_CASE("results of two runs do not mix: a folder is replaced whole") {
  const Folder folder;
  const auto files = draw(folder, 10);
  const std::string out = folder / "out";
  REQUIRE(loupe(command(files, out, {"--method", "gradient,grad_cam"})).status == 0);
  REQUIRE(loupe(command({files[1], files[2]}, out)).status == 0);
  CHECK(names_in(out) == std::set<std::string>{"report.html", "p1", "p2"});
  CHECK(names_in(out + "/p1") == std::set<std::string>{"maps.safetensors", "gradient.png"});
  // A run that fails leaves the earlier results.
  const std::string before = read_text(out + "/report.html");
  CHECK(loupe(command({folder / "nowhere.png"}, out)).status == 1);
  CHECK(loupe(command({folder / "nowhere.png", folder / "nor here.png"}, out)).status == 1);
  CHECK(read_text(out + "/report.html") == before);
  CHECK(fs::exists(out + "/p2"));
  // What a killed run left is taken away.
  fs::create_directory(out + "/.loupe-1");
  REQUIRE(loupe(command({files[3]}, out)).status == 0);
  CHECK(names_in(out) == std::set<std::string>{"report.html", "p3"});
}

TEST_CASE("a folder that Loupe did not make, or that holds more, is refused and stays as it is") {
  const Folder folder;
  const auto files = draw(folder, 1);
  const auto refused = [&](const std::string& out, const std::string& named) {
    const Said said = loupe(command(files, out));
    CAPTURE(said.err);
    CHECK(said.status == 1);
    CHECK(std::ranges::count(said.err, '\n') == 1);
    CHECK(contains(said.err, out));
    CHECK(contains(said.err, "'" + named + "', which is not a result of Loupe's"));
  };
  refused(folder.path().string(), "p0.png");
  const std::string out = folder / "out";
  REQUIRE(loupe(command(files, out)).status == 0);
  write_text(out + "/notes.txt", "mine");
  refused(out, "notes.txt");
  CHECK(read_text(out + "/notes.txt") == "mine");
  fs::remove(out + "/notes.txt");
  write_text(out + "/p0/notes.txt", "mine");
  refused(out, "p0");
  CHECK(read_text(out + "/p0/notes.txt") == "mine");
  fs::remove(out + "/p0/notes.txt");
  write_text(out + "/report.html", "<!doctype html>\nabout something else\n");
  refused(out, "report.html");
  fs::remove(out + "/report.html");
  fs::create_directory(folder / "other");
  fs::create_symlink(folder / "other", out + "/link");
  refused(out, "link");
  fs::remove(out + "/link");
  CHECK(loupe(command(files, out)).status == 0);  // what is left is a killed run's
}

TEST_CASE("Ctrl-C leaves whole results or none, and no empty folder") {
  const Folder folder;
  const auto files = draw(folder, 60);
  const auto interrupted = [&](const std::vector<std::string>& words, double seconds) {
    return loupe(words, "timeout --foreground --preserve-status --signal=INT " + std::to_string(seconds));
  };
  // One picture and a method that takes long.
  const Said early = interrupted(command({files[0]}, folder / "deep/early",
                                         {"--method", "occlusion", "--occlusion.window", "2",
                                          "--occlusion.stride", "1", "--crop", "224"}),
                                 1.0);
  CHECK(early.status == 130);
  CHECK(contains(early.err, "stopped before anything was written"));
  CHECK(!fs::exists(folder / "deep"));
  // Many: those that are done have all their files, and the page shows them.
  const Said late = interrupted(command(files, folder / "late", {"--method", "gradient,occlusion"}), 2.5);
  CHECK(late.status == 130);
  if (!fs::exists(folder / "late")) return;  // a slow machine
  CHECK(contains(late.err, "of 60 pictures; "));
  size_t done = 0;
  for (const std::string& name : names_in(folder / "late")) {
    CHECK(!name.starts_with("."));
    if (name == "report.html") continue;
    CHECK(names_in(folder / ("late/" + name)).size() == 7);
    ++done;
  }
  CHECK(times(read_text(folder / "late/report.html"), "<img loading=lazy") == done);
}

TEST_CASE("memory does not grow with the number of pictures") {
  const Folder folder;
  const auto files = draw(folder, 150);
  const auto peak = [&](size_t count) {  // KiB, of the command alone, as `time` would say
    const std::vector<std::string> some(files.begin(), files.begin() + static_cast<std::ptrdiff_t>(count));
    const Said said = loupe(command(some, folder / "out"),
                            "python3 -c 'import resource, subprocess, sys; "
                            "s = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode; "
                            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(s)'");
    REQUIRE_MESSAGE(said.status == 0, said.err);
    return std::stod(said.out);
  };
  if (std::system("command -v python3 > /dev/null") != 0) return;
  const double few = peak(10), many = peak(150);
  MESSAGE("10 pictures: " << few << " KiB, 150: " << many << " KiB");
#ifndef __SANITIZE_ADDRESS__  // which keeps freed memory for a while
  CHECK(many < few + 1024);   // the pictures that one leaves take 15 KiB
#endif
}

}  // namespace loupe::test
