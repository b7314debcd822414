// `loupe ops`: which op has which kernel, and the test that covers it.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "kernels/common/op.h"
#include "tools/loupe/arguments.h"
#include "tools/loupe/command.h"
#include "tools/loupe/print.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

std::string test_of(const OpKind& kind) { return "op." + std::string(kind.name); }

void as_table() {
  std::vector<Table::Column> columns{{"op"}, {"direction"}};
  for (const Backend b : kBackends) columns.push_back({std::string(backend_name(b))});
  columns.push_back({"test"});
  Table table(columns);
  int kernels = 0;
  size_t width = 0;
  for (const OpKind* kind : all_ops()) width = std::max(width, kind->name.size());
  std::string meanings;
  for (const OpKind* kind : all_ops()) {
    meanings += "  " + padded(kind->name, width) + "  " + std::string(kind->summary) + "\n";
    bool first = true;
    for (const OpKind::Row& row : kind->kernels) {
      const Direction d = row.direction;
      std::vector<std::string> cells{first ? std::string(kind->name) : "", kind->direction_name(d)};
      for (const Backend b : kBackends) {
        cells.push_back(kind->has(b, d) ? "yes" : "·");
        kernels += b != Backend::sim && kind->has(b, d);
      }
      cells.push_back(test_of(*kind));
      table.row(cells);
      first = false;
    }
  }
  std::string missing;
  for (const Backend b : {Backend::cuda, Backend::sim})
    if (!DeviceModule::present(b))
      missing += "\n" + std::string(backend_name(b)) + " cannot be used: " + DeviceModule::status(b) + ".";
  print(table.str() + "\n" + meanings + "\n" + std::to_string(all_ops().size()) + " ops, " +
        std::to_string(kernels) +
        " kernels; cuda and sim run the same ones. Where there is a dot, asking for that kernel is an "
        "error.\nA test runs with `ctest -R '^op.NAME$'`, on a device with '^op.NAME.sim$'." +
        missing + "\n");
}

void as_json() {
  auto rows = nlohmann::ordered_json::array();
  for (const OpKind* kind : all_ops())
    for (const OpKind::Row& row : kind->kernels) {
      const Direction d = row.direction;
      nlohmann::ordered_json backends = nlohmann::ordered_json::array();
      for (const Backend b : kBackends)
        if (kind->has(b, d)) backends.push_back(backend_name(b));
      rows.push_back({{"op", kind->name},
                      {"direction", kind->direction_name(d)},
                      {"backends", backends},
                      {"test", test_of(*kind)},
                      {"summary", kind->summary}});
    }
  print_json(rows);
}

}  // namespace

extern const Command ops_command{"ops", "Lists the operations: which backend has which kernel, and its test",
                                 [](CLI::App& app) {
                                   const auto json = std::make_shared<bool>(false);
                                   flag_option(app, "--json", *json, "For programs");
                                   return [json] { *json ? as_json() : as_table(); };
                                 }};

}  // namespace loupe
