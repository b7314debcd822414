#include "kernels/sim/symbols.h"

#include <cxxabi.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <link.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>

namespace loupe::sim {

namespace {

std::mutex g_mutex;  // libdw is not for several threads

Dwfl* session() {
  static Dwfl* dwfl = [] {
    static char* no_separate_files = nullptr;
    static const Dwfl_Callbacks callbacks{dwfl_linux_proc_find_elf, dwfl_standard_find_debuginfo, nullptr,
                                          &no_separate_files};
    Dwfl* d = dwfl_begin(&callbacks);
    if (d && (dwfl_linux_proc_report(d, getpid()) != 0 || dwfl_report_end(d, nullptr, nullptr) != 0)) {
      dwfl_end(d);
      d = nullptr;
    }
    return d;
  }();
  return dwfl;
}

// "…/kernels/softmax/softmax.cu" without what stands before kernels/, or before the tests that mirror it.
std::string shortened(const std::string& name) {
  const std::string file = "/" + name;  // a compiler may have been given a relative path
  for (const char* root : {"/tests/kernels/", "/kernels/"})
    if (const size_t at = file.rfind(root); at != std::string::npos) return file.substr(at + 1);
  return name;
}

bool is_wrapper(const std::string& file) {
  const std::string name = shortened(file);
  return name.starts_with("kernels/device/") || name.starts_with("kernels/sim/") || name.starts_with("/usr/");
}

std::string file_of(Dwarf_Die* cu, Dwarf_Attribute* attribute) {
  Dwarf_Word index = 0;
  Dwarf_Files* files = nullptr;
  size_t count = 0;
  if (dwarf_formudata(attribute, &index) != 0 || dwarf_getsrcfiles(cu, &files, &count) != 0 || index >= count)
    return {};
  const char* name = dwarf_filesrc(files, index, nullptr, nullptr);
  return name ? name : "";
}

Line look_up(const void* return_address) {
  Dwfl* dwfl = session();
  const auto pc = reinterpret_cast<Dwarf_Addr>(return_address) - 1;
  Dwfl_Module* module = dwfl ? dwfl_addrmodule(dwfl, pc) : nullptr;
  Dwfl_Line* row = module ? dwfl_module_getsrc(module, pc) : nullptr;
  if (!row) return {"(no line known)", 0};
  Line line;
  if (const char* file = dwfl_lineinfo(row, nullptr, &line.line, nullptr, nullptr, nullptr)) line.file = file;

  // Out of the functions that were inlined here, as far as they are wrappers.
  Dwarf_Addr bias = 0;
  Dwarf_Die* cu = dwfl_module_addrdie(module, pc, &bias);
  Dwarf_Die *innermost = nullptr, *found = nullptr;
  int scopes = cu ? dwarf_getscopes(cu, pc - bias, &innermost) : 0;
  // Of those only the innermost is of the code as it was inlined; its own parents are wanted.
  scopes = scopes > 0 ? dwarf_getscopes_die(innermost, &found) : 0;
  const std::unique_ptr<Dwarf_Die, decltype(&std::free)> owner(found, &std::free),
      other(innermost, &std::free);
  for (int i = 0; i < scopes && is_wrapper(line.file); ++i) {
    if (dwarf_tag(&found[i]) != DW_TAG_inlined_subroutine) continue;
    Dwarf_Attribute file, number;
    Dwarf_Word value = 0;
    if (!dwarf_attr(&found[i], DW_AT_call_file, &file) || !dwarf_attr(&found[i], DW_AT_call_line, &number))
      break;
    dwarf_formudata(&number, &value);
    line = {file_of(cu, &file), static_cast<int>(value)};
  }
  line.file = shortened(line.file);
  return line;
}

// "void loupe::sim::(anonymous namespace)::tile<Plan<64> >(float const*, …)" → "tile<Plan<64> >"
std::string readable(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(symbol, nullptr, nullptr, &status), &std::free);
  std::string name = status == 0 ? text.get() : symbol;
  for (const std::string_view part : {"loupe::sim::", "(anonymous namespace)::", "void "})
    for (size_t at; (at = name.find(part)) != std::string::npos;) name.erase(at, part.size());
  return name.substr(0, name.find('('));
}

// libdw wants more stack than a fiber has.
template <typename F>
void on_a_thread_of_its_own(const F& f) {
  std::thread(f).join();
}

}  // namespace

Line line_of(const void* return_address) {
  static std::unordered_map<const void*, Line> known;
  const std::scoped_lock lock(g_mutex);
  const auto [found, fresh] = known.try_emplace(return_address);
  if (fresh)
    on_a_thread_of_its_own([&line = found->second, return_address] { line = look_up(return_address); });
  return found->second;
}

std::string function_name(const void* address) {
  const std::scoped_lock lock(g_mutex);
  const char* symbol = nullptr;
  on_a_thread_of_its_own([&symbol, pc = reinterpret_cast<Dwarf_Addr>(address)] {
    Dwfl* dwfl = session();
    Dwfl_Module* module = dwfl ? dwfl_addrmodule(dwfl, pc) : nullptr;
    symbol = module ? dwfl_module_addrname(module, pc) : nullptr;
  });
  if (!symbol) return "kernel";
  return readable(symbol);
}

std::vector<std::string> kernel_names() {
  const std::scoped_lock lock(g_mutex);
  std::set<std::string> names;
  on_a_thread_of_its_own([&names] {
    Dwfl* dwfl = session();
    Dwfl_Module* module = dwfl ? dwfl_addrmodule(dwfl, reinterpret_cast<Dwarf_Addr>(&kernel_names)) : nullptr;
    const int count = module ? dwfl_module_getsymtab(module) : 0;
    for (int i = 0; i < count; ++i) {
      GElf_Sym symbol;
      const char* mangled = dwfl_module_getsym(module, i, &symbol, nullptr);
      if (!mangled || GELF_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      if (std::strchr(mangled, '.')) continue;  // a part that the compiler split off
      const std::string name = readable(mangled);
      if (name.substr(0, name.find('<')).ends_with("_kernel")) names.insert(name);
    }
  });
  return {names.begin(), names.end()};
}

Image module_image() {
  static const Image image = [] {
    Image found{0, 0};
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* out) {
          Image whole{~uintptr_t{0}, 0};
          for (int i = 0; i < info->dlpi_phnum; ++i) {
            const auto& h = info->dlpi_phdr[i];
            if (h.p_type != PT_LOAD) continue;
            whole.begin = std::min(whole.begin, uintptr_t{info->dlpi_addr + h.p_vaddr});
            whole.end = std::max(whole.end, uintptr_t{info->dlpi_addr + h.p_vaddr + h.p_memsz});
          }
          const auto here = reinterpret_cast<uintptr_t>(&module_image);
          if (here < whole.begin || here >= whole.end) return 0;
          *static_cast<Image*>(out) = whole;
          return 1;
        },
        &found);
    return found;
  }();
  return image;
}

}  // namespace loupe::sim
