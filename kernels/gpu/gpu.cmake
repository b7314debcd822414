# libloupe_cuda.so: every .cu compiled by nvcc, for an NVIDIA GPU. Sets LOUPE_CUDA_MISSING to the reason where it cannot be
# built. Nothing but the driver's libcuda.so.1 is needed where it runs: the CUDA runtime and the C++ runtime are inside it, so
# nothing may be thrown out of it.
set(LOUPE_CUDA AUTO CACHE STRING "Build the CUDA module (device cuda): AUTO where nvcc is found, ON or OFF")
set_property(CACHE LOUPE_CUDA PROPERTY STRINGS AUTO ON OFF)
set(LOUPE_CUDA_CODE "80-real;90a-real;80-virtual" CACHE STRING
    "What the CUDA module has code for, as CMAKE_CUDA_ARCHITECTURES; `virtual` is for the driver to compile on newer GPUs")
set(LOUPE_CUDA_MISSING "")
if(NOT LOUPE_CUDA)
  set(LOUPE_CUDA_MISSING "LOUPE_CUDA is OFF")
elseif(CMAKE_CXX_FLAGS MATCHES "fsanitize")
  set(LOUPE_CUDA_MISSING "this is a build under sanitizers, which nvcc does not know")
else()
  set(CMAKE_CUDA_ARCHITECTURES ${LOUPE_CUDA_CODE})
  include(CheckLanguage)
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX}) # nvcc is often not on the PATH
    find_program(LOUPE_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda /opt/cuda PATH_SUFFIXES bin)
    if(LOUPE_NVCC)
      set(ENV{CUDACXX} ${LOUPE_NVCC})
    endif()
  endif()
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    find_package(CUDAToolkit)
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.0)
      set(LOUPE_CUDA_MISSING "C++20 needs nvcc 12.0 or later, this one is ${CMAKE_CUDA_COMPILER_VERSION}")
    endif()
  else()
    set(LOUPE_CUDA_MISSING "there was no nvcc that works when it was built (CUDA toolkit, 12.0 or later)")
  endif()
endif()
if(LOUPE_CUDA_MISSING)
  if(LOUPE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "LOUPE_CUDA is ON, but ${LOUPE_CUDA_MISSING}")
  endif()
  message(STATUS "no CUDA module: ${LOUPE_CUDA_MISSING}")
  return()
endif()
message(STATUS "CUDA module: nvcc ${CMAKE_CUDA_COMPILER_VERSION} for ${LOUPE_CUDA_CODE}")

if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION) # older CMakes do not know that nvcc has C++20
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
if(CMAKE_CXX_COMPILER_LAUNCHER AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
file(GLOB gpu_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/gpu/*.cpp)
add_library(loupe_cuda MODULE ${gpu_sources} ${cuda_sources})
target_compile_definitions(loupe_cuda PRIVATE LOUPE_GPU)
# Rounding is what the source says, as everywhere. Warnings of nvcc itself and of the host's compiler are errors; what nvcc
# generates would not pass -Wpedantic, and the simulator's build of the same files has the full set.
target_compile_options(loupe_cuda PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;-fmad=false;-lineinfo;-Werror=all-warnings;-Wno-deprecated-gpu-targets>
    $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wno-unused-parameter,-fvisibility=hidden>
    $<$<COMPILE_LANGUAGE:CXX>:-fvisibility=hidden;$<TARGET_PROPERTY:loupe_warnings,INTERFACE_COMPILE_OPTIONS>>)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.8) # a module of a sixth of the size
  target_compile_options(loupe_cuda PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-compress-mode=size>)
endif()
target_link_libraries(loupe_cuda PRIVATE CUDA::cudart_static ${CMAKE_DL_LIBS})
target_link_options(loupe_cuda PRIVATE -static-libstdc++ -static-libgcc -Wl,-Bsymbolic -Wl,-z,defs
                    -Wl,--version-script=${PROJECT_SOURCE_DIR}/kernels/gpu/exports.map)
target_include_directories(loupe_cuda PRIVATE ${PROJECT_SOURCE_DIR})
set_target_properties(loupe_cuda PROPERTIES POSITION_INDEPENDENT_CODE ON CUDA_STANDARD 20 CUDA_RUNTIME_LIBRARY Static LINKER_LANGUAGE CXX
                      LINK_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/gpu/exports.map
                      LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
install(TARGETS loupe_cuda DESTINATION ${CMAKE_INSTALL_LIBDIR}/loupe)
