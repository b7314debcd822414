# Weights that were trained here travel inside the library, each with what lies beside it: the record of its training (json) and
# the telemetry (jsonl). all_built_in_weights() of models/catalog/built_in.h is the table of those of images,
# all_built_in_texts() that of models/text/weights.
set(declarations "")
function(loupe_built_in folder table)
  file(GLOB weight_files CONFIGURE_DEPENDS ${folder}/*.safetensors)
  set(rows "")
  foreach(weight_file IN LISTS weight_files)
    get_filename_component(name ${weight_file} NAME_WE)
    string(APPEND rows "      {\"${name}\"")
    foreach(kind safetensors json jsonl)
      set(file ${folder}/${name}.${kind})
      set(symbol loupe_${kind}_${name})
      file(GLOB there CONFIGURE_DEPENDS ${file})
      if(NOT there)
        string(APPEND rows ", {}")
        continue()
      endif()
      loupe_embed(loupe_models ${symbol} ${file})
      set(type char)
      if(kind STREQUAL safetensors)
        set(type std::byte)
      endif()
      string(APPEND declarations "extern \"C\" const ${type} ${symbol}[], ${symbol}_end[];\n")
      string(APPEND rows ", {${symbol}, ${symbol}_end}")
    endforeach()
    string(APPEND rows "},\n")
  endforeach()
  set(declarations "${declarations}" PARENT_SCOPE)
  set(${table} "${rows}" PARENT_SCOPE)
endfunction()
loupe_built_in(${CMAKE_CURRENT_LIST_DIR} image_rows)
loupe_built_in(${PROJECT_SOURCE_DIR}/models/text/weights text_rows)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/built_in.cpp CONTENT
"// Generated from the files in models/zoo/weights and models/text/weights.
#include \"models/catalog/built_in.h\"

#include <vector>

${declarations}
namespace loupe {

std::span<const BuiltIn> all_built_in_weights() {
  static const std::vector<BuiltIn> all{
${image_rows}  };
  return all;
}

std::span<const BuiltIn> all_built_in_texts() {
  static const std::vector<BuiltIn> all{
${text_rows}  };
  return all;
}

}  // namespace loupe
")
target_sources(loupe_models PRIVATE ${PROJECT_BINARY_DIR}/generated/built_in.cpp)

# For programs that need none of these weights and should be small (bench/gpu/pack): linked in, it stands before the library's.
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/without_weights.cpp CONTENT
"// Generated from models/zoo/weights.
#include \"models/catalog/built_in.h\"

namespace loupe {
std::span<const BuiltIn> all_built_in_weights() { return {}; }
std::span<const BuiltIn> all_built_in_texts() { return {}; }
}  // namespace loupe
")
add_library(loupe_without_weights OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/generated/without_weights.cpp)
target_include_directories(loupe_without_weights PRIVATE ${PROJECT_SOURCE_DIR})
target_compile_features(loupe_without_weights PRIVATE cxx_std_20)
