# libloupe_sim.so: every .cu compiled for the CPU with -fsanitize=thread, whose hooks kernels/sim/hooks.cpp defines; the
# sanitizer's own runtime is not linked. Sets LOUPE_SIM_MISSING to the reason where it cannot be built.
option(LOUPE_SIM "Build the simulator (device sim)" ON)
set(LOUPE_SIM_MISSING "")
find_package(Boost QUIET COMPONENTS context)
pkg_check_modules(libdw QUIET IMPORTED_TARGET libdw)
if(NOT LOUPE_SIM)
  set(LOUPE_SIM_MISSING "LOUPE_SIM is OFF")
elseif(NOT Boost_FOUND OR NOT libdw_FOUND)
  set(LOUPE_SIM_MISSING "the simulator needs Boost.Context and libdw (libboost-context-dev, libdw-dev)")
endif()
if(LOUPE_SIM_MISSING)
  message(STATUS "no simulator: ${LOUPE_SIM_MISSING}")
  return()
endif()

# A kernel is compiled through a one-line file that includes it, always optimised and with line tables, whatever the
# preset: neither of its sanitizers may see a kernel's memory.
set(kernel_flags -O2 -g1 -fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-sanitize=all -fsanitize=thread
    -ffp-contract=off -fvisibility=hidden -ftls-model=initial-exec -fopenmp
    "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")
# A call at every piece of straight code (basic block), from which the tracer puts a warp's lanes together (lockstep.h). Jump
# threading would give lanes that answered an `if` differently copies of the code behind it, where they meet again.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND kernel_flags --param tsan-instrument-func-entry-exit=0 -fsanitize-coverage=trace-pc -fno-thread-jumps)
else()
  list(APPEND kernel_flags -fsanitize-coverage=bb,no-prune,trace-pc)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND kernel_flags -mfma)  # fused() must be one instruction
endif()
# loupe_sim_module(TARGET FILE.cu…): a module with the simulator and these kernels.
file(GLOB sim_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/sim/*.cpp)
add_library(loupe_sim_runtime OBJECT ${sim_sources})
target_link_libraries(loupe_sim_runtime PUBLIC Boost::context PkgConfig::libdw OpenMP::OpenMP_CXX
                      $<BUILD_INTERFACE:loupe_warnings>)
target_compile_options(loupe_sim_runtime PRIVATE -fvisibility=hidden -ftls-model=initial-exec)
target_compile_definitions(loupe_sim_runtime PRIVATE LOUPE_SIM)
target_include_directories(loupe_sim_runtime PRIVATE ${PROJECT_SOURCE_DIR})
set_target_properties(loupe_sim_runtime PROPERTIES POSITION_INDEPENDENT_CODE ON)
function(loupe_sim_module target)
  set(wrappers "")
  foreach(file IN LISTS ARGN)
    file(RELATIVE_PATH relative ${PROJECT_SOURCE_DIR} ${file})
    set(wrapper ${PROJECT_BINARY_DIR}/generated/sim/${relative}.cpp)
    file(CONFIGURE OUTPUT ${wrapper} CONTENT "#include \"${relative}\"\n")
    list(APPEND wrappers ${wrapper})
  endforeach()
  add_library(${target} MODULE $<TARGET_OBJECTS:loupe_sim_runtime> ${wrappers})
  target_compile_options(${target} PRIVATE ${kernel_flags})
  target_compile_definitions(${target} PRIVATE LOUPE_SIM)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE loupe_sim_runtime)
  # What the kernels' headers define is used as the module compiled it, never as the program did.
  target_link_options(${target} PRIVATE -Wl,-Bsymbolic -Wl,-z,defs)
  set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

loupe_sim_module(loupe_sim ${cuda_sources})
install(TARGETS loupe_sim DESTINATION ${CMAKE_INSTALL_LIBDIR}/loupe)
