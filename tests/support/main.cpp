// main() of every test. Exits with 77, which ctest reports as skipped, where the executable needs the shared
// data, or other people's networks, and they are not there; and fails where the command line's filters leave no test, so that a renamed test
// cannot pass unseen.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace {

unsigned g_selected = 0;

struct CountSelected : doctest::IReporter {
  explicit CountSelected(const doctest::ContextOptions&) {}
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats& stats) override {
    g_selected = stats.numTestCasesPassingFilters;
  }
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};
REGISTER_LISTENER("count_selected", 1, CountSelected);

}  // namespace

int main(int argc, char** argv) {
#ifdef LOUPE_NEEDS_SHARED
  if (!std::filesystem::is_directory(LOUPE_SHARED_DIR)) {
    std::printf("skipped: the shared data is not at %s (cmake -DLOUPE_SHARED_DIR=…)\n", LOUPE_SHARED_DIR);
    return 77;
  }
#endif
#ifdef LOUPE_NEEDS_MODELS
  if (!std::getenv("LOUPE_TEST_MODELS")) {
    std::printf("skipped: LOUPE_TEST_MODELS does not name a folder of other people's networks\n");
    return 77;
  }
#endif
  doctest::Context context(argc, argv);
  const int status = context.run();
  if (context.shouldExit()) return status;
  if (g_selected == 0) {
    std::printf("no test of this executable has the name asked for\n");
    return 1;
  }
  return status;
}
