// loupe: explains what a network sees in a picture. Each subcommand is one file in commands/.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "engine/image/image.h"
#include "engine/segment/min_cut.h"
#include "kernels/common/build_info.h"
#include "kernels/common/device.h"
#include "kernels/common/op.h"
#include "kernels/common/suggest.h"
#include "models/io/onnx/proto.h"
#include "tools/loupe/command.h"
#include "tools/loupe/help.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

// What CLI11 could not parse, as one line.
std::string complaint(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* inner = &app;  // the innermost command that was named
  std::string command;
  for (; !inner->get_subcommands().empty(); command += inner->get_name() + " ")
    inner = inner->get_subcommands().front();
  const CLI::App& context = *inner;
  const auto choices = context.get_subcommands([](const CLI::App*) { return true; });
  const std::string see = "; see `loupe " + command + "--help`";

  // A mistyped option may also show as a missing one, so it comes first.
  for (const std::string& word : context.remaining()) {
    if (word.starts_with("-")) {
      std::vector<std::string> known;
      for (const CLI::Option* o : context.get_options())
        for (const std::string& name : o->get_lnames()) known.push_back("--" + name);
      const std::string name = word.substr(0, word.find('='));
      const std::string near = did_you_mean(name, known);
      return "there is no option '" + name + "'" + (near.empty() ? see : near);
    }
    if (!choices.empty()) {
      std::vector<std::string> known;
      for (const CLI::App* c : choices) known.push_back(c->get_name());
      const std::string near = did_you_mean(word, known);
      return "there is no command '" + command + word + "'" +
             (near.empty() ? "; there are " + join(known) : near);
    }
    return "'" + word + "' is one word too many" + see;
  }
  if (command.empty()) return "name a command, such as `loupe explain`" + see;
  if (!choices.empty())
    return "name a command, such as `loupe " + command + choices.front()->get_name() + "`" + see;
  const std::string what = error.what(), option = what.substr(0, what.find(':'));
  if (error.get_name() == "ArgumentMismatch")
    return option + (what.ends_with("missing") ? " needs a value" : " is given more than once") + see;
  return what + see;
}

// What this binary has, and why something is missing. Asks no device.
std::string version() {
  const auto module = [](Backend b) {
    const std::string toolkit = b == Backend::cuda && DeviceModule::present(b) ? cuda_toolkit() : "";
    return DeviceModule::status(b) + (toolkit.empty() ? "" : ", made with CUDA " + toolkit);
  };
  return "loupe " LOUPE_VERSION "\ncompiler  " + compiler_name() + "\ncpu       " + join(simd_targets()) +
         " code; this machine runs " + simd_target_here() + "\nsim       " + module(Backend::sim) +
         "\ncuda      " + module(Backend::cuda) + "\nonnx      " +
         (onnx::why_missing().empty() ? "files are read" : "no: " + onnx::why_missing()) + "\npictures  " +
         picture_readers() + "\ncuts      " + min_cut_library();
}

int run(int argc, char** argv) {
  CLI::App app("Loupe shows what in a picture made a network decide.", "loupe");
  app.formatter(help_formatter());
  app.get_formatter()->label("", "");
  app.set_help_flag("-h,--help", "This page; `loupe COMMAND --help` says more about a command");
  app.set_version_flag("--version", version, "The version of Loupe, what this build has and what it lacks");
  app.require_subcommand(1);
  app.get_option("--help")->group("Options");
  app.footer(
      "An example, with weights made from a formula instead of a file:\n"
      "  loupe explain photo.jpg --model squeezenet1_1 --weights formula --method gradient,cam --out out");

  std::vector<std::pair<CLI::App*, std::function<void()>>> commands;
  for (const Command* c : all_commands()) {
    CLI::App* sub = app.add_subcommand(std::string(c->name), std::string(c->summary));
    sub->set_help_flag("-h,--help", "This page");
    std::function<void()> body = c->setup(*sub);
    commands.emplace_back(sub, std::move(body));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);  // --help and --version
  } catch (const CLI::ParseError& e) {
    throw UsageError(complaint(app, e));
  }
  for (const auto& [sub, body] : commands)
    if (sub->parsed()) body();
  return 0;
}

int failed(const std::string& why, int status) {
  std::fflush(stdout);
  std::fprintf(stderr, "loupe: %s\n", one_line(why).c_str());
  return status;
}

}  // namespace
}  // namespace loupe

// OpenMP's waiting threads spin unless told otherwise; where other programs want the cores, two threads are
// then slower than one. The policy is read before main() begins, so the command starts itself once more with
// it.
static void wait_without_spinning(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY")) return;
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  ::execv("/proc/self/exe", argv);  // returns only where that is not possible: then it goes on as it is
}

int main(int argc, char** argv) {
  wait_without_spinning(argv);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is an error of write(), not the end
  try {
    return loupe::run(argc, argv);
  } catch (const loupe::UsageError& e) {
    return loupe::failed(e.what(), 2);
  } catch (const loupe::Interrupted& e) {
    return loupe::failed(e.what(), 130);
  } catch (const std::bad_alloc&) {
    return loupe::failed("out of memory; a smaller --memory or --size may help", 1);
  } catch (const std::exception& e) {
    return loupe::failed(e.what(), 1);
  }
}
