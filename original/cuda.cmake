# The build for CUDA: nvcc, the architectures, and sources that it compiles (spec 6.6).
if(CMAKE_VERSION VERSION_LESS 3.24)
  message(FATAL_ERROR "cmake ${CMAKE_VERSION} is too old: a build for CUDA needs 3.24 or newer")
endif()
if(NOT CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
  set(CMAKE_CUDA_ARCHITECTURES native)
endif()
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(FATAL_ERROR "nvcc: not found; it compiles the sources for a GPU (it comes with the CUDA toolkit, 12 or newer)")
endif()
enable_language(CUDA)
# Without -DNDEBUG, as for the CPU: asserts stay on.
set(CMAKE_CUDA_FLAGS_RELEASE "-O3")
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12)
  message(FATAL_ERROR "nvcc ${CMAKE_CUDA_COMPILER_VERSION} is too old: the sources need 12 or newer")
endif()
# Without a GPU here: the oldest one that nvcc 13 knows, and what newer ones translate for themselves.
if(CMAKE_CUDA_ARCHITECTURES STREQUAL "native" AND NOT CMAKE_CUDA_ARCHITECTURES_NATIVE MATCHES "^[0-9]")
  set(CMAKE_CUDA_ARCHITECTURES 75)
endif()

find_package(CUDAToolkit REQUIRED)

# compile_by_nvcc(TARGET FILE...): as CUDA, whatever the files are called. One default stream for all threads of a
# device: the sources' order relies on it (spec 6.3.9). One CUDA runtime in the process, shared with the CUDA device,
# and so one idea of the current GPU.
function(compile_by_nvcc target)
  set_source_files_properties(${ARGN} PROPERTIES LANGUAGE CUDA)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:--default-stream=legacy>)
  set_target_properties(${target} PROPERTIES
    CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON CUDA_EXTENSIONS ON CUDA_RUNTIME_LIBRARY Shared)
endfunction()

# add_copied_library(NAME ROOT DIR FILE...): a module of FILEs under DIR, compiled by nvcc from copies that keep their
# places relative to each other. Folders on the include path as for add_emulated_library.
function(add_copied_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "ROOT" "")
  set(copies ${CMAKE_CURRENT_BINARY_DIR}/${name}.copied)
  set(sources "")
  set(copied_folders "")
  set(original_folders "")
  foreach(file IN LISTS arg_UNPARSED_ARGUMENTS)
    file(RELATIVE_PATH relative ${arg_ROOT} ${file})
    configure_file(${file} ${copies}/${relative} COPYONLY)
    get_filename_component(folder ${file} DIRECTORY)
    list(APPEND original_folders ${folder})
    if(relative MATCHES "\\.(cuh|h|hpp)$")
      get_filename_component(folder ${copies}/${relative} DIRECTORY)
      list(APPEND copied_folders ${folder})
    else()
      list(APPEND sources ${copies}/${relative})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES copied_folders)
  list(REMOVE_DUPLICATES original_folders)
  add_library(${name} MODULE ${sources})
  compile_by_nvcc(${name} ${sources})
  # What g++ is to make of C++ of 2012. The tree's warnings are nobody's to mend.
  file(STRINGS ${checkout}/platform/emulation/flags.txt flags)
  list(JOIN flags "," flags)
  target_compile_options(${name} PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-w -Xcompiler=-w,${flags}>")
  target_include_directories(${name} PRIVATE ${copies} ${copied_folders} ${arg_ROOT} ${original_folders})
  set_target_properties(${name} PROPERTIES BUILD_RPATH ${CUDAToolkit_LIBRARY_DIR})
endfunction()
