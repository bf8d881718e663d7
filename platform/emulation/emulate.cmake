# add_emulated_library: CUDA sources as a library for the CPU, without nvcc (spec 6.6). The sources stay as they are;
# translated copies of them go to the build folder. Needs the language CXX.
find_package(Python REQUIRED COMPONENTS Interpreter)
find_package(Threads REQUIRED)

set(CONVNET_EMULATION_DIR ${CMAKE_CURRENT_LIST_DIR})

if(NOT TARGET convnet_emulation)
  add_library(convnet_emulation STATIC
    ${CONVNET_EMULATION_DIR}/api.cpp ${CONVNET_EMULATION_DIR}/fiber.cpp ${CONVNET_EMULATION_DIR}/runtime.cpp
    ${CONVNET_EMULATION_DIR}/state.cpp ${CONVNET_EMULATION_DIR}/streams.cpp)
  set_target_properties(convnet_emulation PROPERTIES
    CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON POSITION_INDEPENDENT_CODE ON)
  target_include_directories(convnet_emulation INTERFACE ${CONVNET_EMULATION_DIR}/include)
  target_link_libraries(convnet_emulation PUBLIC Threads::Threads)
endif()

# add_emulated_library(NAME [STATIC|SHARED|MODULE|OBJECT] [ROOT DIR] FILE...)
#
# FILEs, absolute or relative to DIR (default: this source folder), lie under DIR and keep their places relative to each
# other. Each header that declares or launches a kernel, or has shared memory, must be one of them; headers
# (.cuh, .h, .hpp, .inl) are not compiled by themselves. DIR and their folders are on the include path, the translated
# ones first. Historic sources compile as they are: the flags of flags.txt, C++17 with GNU extensions.
function(add_emulated_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "STATIC;SHARED;MODULE;OBJECT" "ROOT" "")
  if(NOT arg_ROOT)
    set(arg_ROOT ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  get_filename_component(root ${arg_ROOT} ABSOLUTE)
  set(copies ${CMAKE_CURRENT_BINARY_DIR}/${name}.emulated)
  set(outputs "")
  set(translated_folders "")
  set(original_folders "")
  foreach(file IN LISTS arg_UNPARSED_ARGUMENTS)
    get_filename_component(source ${file} ABSOLUTE BASE_DIR ${root})
    file(RELATIVE_PATH relative ${root} ${source})
    if(relative MATCHES "^\\.\\./")
      message(FATAL_ERROR "add_emulated_library(${name}): ${source} is not under ${root}; give a ROOT above it")
    endif()
    set(copy ${copies}/${relative})
    add_custom_command(
      OUTPUT ${copy}
      COMMAND ${Python_EXECUTABLE} ${CONVNET_EMULATION_DIR}/translate.py ${source} ${copy}
      DEPENDS ${source} ${CONVNET_EMULATION_DIR}/translate.py
      COMMENT "Translating ${relative}"
      VERBATIM)
    list(APPEND outputs ${copy})
    if(relative MATCHES "\\.(cuh|h|hpp|inl)$")
      set_source_files_properties(${copy} PROPERTIES HEADER_FILE_ONLY ON)
      get_filename_component(folder ${copy} DIRECTORY)
      list(APPEND translated_folders ${folder})
    else()
      set_source_files_properties(${copy} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-x;c++")
    endif()
    get_filename_component(folder ${source} DIRECTORY)
    list(APPEND original_folders ${folder})
  endforeach()
  list(REMOVE_DUPLICATES translated_folders)
  list(REMOVE_DUPLICATES original_folders)

  set(kind "")
  foreach(one STATIC SHARED MODULE OBJECT)
    if(arg_${one})
      set(kind ${one})
    endif()
  endforeach()
  add_library(${name} ${kind} ${outputs})
  file(STRINGS ${CONVNET_EMULATION_DIR}/flags.txt flags)
  # nvcc includes cuda_runtime.h by itself.
  target_compile_options(${name} PRIVATE ${flags} "SHELL:-include cuda_runtime.h")
  target_include_directories(${name} PRIVATE ${copies} ${translated_folders} ${root} ${original_folders})
  target_link_libraries(${name} PUBLIC convnet_emulation)
  set_target_properties(${name} PROPERTIES CXX_STANDARD 17 CXX_EXTENSIONS ON POSITION_INDEPENDENT_CODE ON)
endfunction()
