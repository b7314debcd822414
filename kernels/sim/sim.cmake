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
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND kernel_flags --param tsan-instrument-func-entry-exit=0)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND kernel_flags -mfma)  # fused() must be one instruction
endif()
set(sim_kernels "")
foreach(file IN LISTS cuda_sources)
  file(RELATIVE_PATH relative ${PROJECT_SOURCE_DIR} ${file})
  set(wrapper ${PROJECT_BINARY_DIR}/generated/sim/${relative}.cpp)
  file(CONFIGURE OUTPUT ${wrapper} CONTENT "#include \"${relative}\"\n")
  list(APPEND sim_kernels ${wrapper})
endforeach()
add_library(loupe_sim_kernels OBJECT ${sim_kernels})
target_compile_options(loupe_sim_kernels PRIVATE ${kernel_flags})
target_compile_definitions(loupe_sim_kernels PRIVATE LOUPE_SIM)
target_link_libraries(loupe_sim_kernels PRIVATE $<BUILD_INTERFACE:loupe_warnings>)

file(GLOB sim_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/sim/*.cpp)
add_library(loupe_sim MODULE ${sim_sources} $<TARGET_OBJECTS:loupe_sim_kernels>)
target_compile_definitions(loupe_sim PRIVATE LOUPE_SIM)
target_compile_options(loupe_sim PRIVATE -fvisibility=hidden -ftls-model=initial-exec)
target_link_libraries(loupe_sim PRIVATE Boost::context PkgConfig::libdw OpenMP::OpenMP_CXX $<BUILD_INTERFACE:loupe_warnings>)
# What the kernels' headers define is used as the module compiled it, never as the program did.
target_link_options(loupe_sim PRIVATE -Wl,-Bsymbolic -Wl,-z,defs)
foreach(target loupe_sim loupe_sim_kernels)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
endforeach()
set_target_properties(loupe_sim PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
install(TARGETS loupe_sim DESTINATION ${CMAKE_INSTALL_LIBDIR}/loupe)
