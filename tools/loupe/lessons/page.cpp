#include "tools/loupe/lessons/page.h"

#include "engine/file/file.h"
#include "tools/loupe/output_folder.h"
#include "tools/loupe/page/embedded.h"
#include "tools/loupe/page/html.h"

namespace loupe {

std::string lesson_page(const LessonPage& p) {
  std::string scripts;
  for (const char* shared : {"compare.js", "draw.js"}) scripts += embedded(shared);
  for (const std::string& s : p.scripts) scripts += embedded(s);
  return "<!doctype html>\n<!-- loupe lesson " + p.name +
         " -->\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
         "content=\"width=device-width\"><title>" +
         escaped(p.title) + " · Loupe</title><style>" + style_sheet("lesson.css") +
         "</style></head><body><header>" + std::string(kMark) + "<div><h1>" + escaped(p.title) +
         "</h1><p class=soft>" + escaped(p.lead) +
         "</p></div></header><noscript><section>The numbers of this page need its script; <code>loupe "
         "lesson " +
         p.name + "</code> prints them without one.</section></noscript>\n<main>" + p.body +
         "</main><footer class=\"small soft\"><p id=check></p><p>Made by Loupe " LOUPE_VERSION
         ".</p></footer>\n<script type=\"application/json\" id=data>" +
         script_json(p.data) + "</script>\n<script>" + scripts + "</script></body></html>\n";
}

std::string publish_page(const LessonPage& page, const std::string& folder) {
  OutputFolder out(folder);
  const std::string file = page.name + ".html";
  out.publish("", {{file, [&](const OutputFolder::Path& path) {
                      const std::string text = lesson_page(page);
                      write_file(path, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
                    }}});
  return (out.path() / file).string();
}

}  // namespace loupe
