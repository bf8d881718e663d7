# Which files of the tree are compiled, and whose libraries they use (spec 1, 6.1).

# Folders in which trees keep their own matrix and convolution libraries.
set(tree_libraries "(^|/)(nvmatrix|cudaconv[23]?|common)/")

# find_tree_files(VARIABLE): headers and sources of the tree, without stand-alone programs. With CONVNET_PLATFORM_LIBS
# rebuilt, without the tree's libraries too; their headers are replaced by ours in the copy that is compiled.
function(find_tree_files variable)
  # Headers of the other choice must not stay in the copies.
  if(NOT CONVNET_PLATFORM_LIBS STREQUAL "${copied_for_platform_libs}")
    file(REMOVE_RECURSE ${CMAKE_CURRENT_BINARY_DIR}/_ConvNet.emulated ${CMAKE_CURRENT_BINARY_DIR}/_ConvNet.copied)
    set(copied_for_platform_libs ${CONVNET_PLATFORM_LIBS} CACHE INTERNAL "")
  endif()
  file(GLOB_RECURSE files CONFIGURE_DEPENDS
    ${CONVNET_TREE}/*.cu ${CONVNET_TREE}/*.cpp ${CONVNET_TREE}/*.cc
    ${CONVNET_TREE}/*.cuh ${CONVNET_TREE}/*.h ${CONVNET_TREE}/*.hpp)
  set(kept "")
  foreach(file IN LISTS files)
    file(RELATIVE_PATH relative ${CONVNET_TREE} ${file})
    file(STRINGS ${file} main_function REGEX "^[ \t]*(int|void)[ \t]+main[ \t]*\\(")
    if(main_function)
      continue()
    endif()
    if(CONVNET_PLATFORM_LIBS STREQUAL "rebuilt" AND relative MATCHES "${tree_libraries}")
      replace_header(${relative})
    else()
      list(APPEND kept ${file})
    endif()
  endforeach()
  if(CONVNET_PLATFORM_LIBS STREQUAL "auto")
    refuse_mixed_libraries(${kept})
  endif()
  set(${variable} "${kept}" PARENT_SCOPE)
endfunction()

# A header of the tree's libraries may be included by a path: ours stands at that place in the copy.
function(replace_header relative)
  get_filename_component(name ${relative} NAME)
  if(EXISTS ${platform_headers}/${name})
    set(_text "#include <${name}>\n")
    foreach(copies _ConvNet.emulated _ConvNet.copied)
      file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${copies}/${relative} CONTENT "${_text}" @ONLY)
    endforeach()
  endif()
endfunction()

# A class of the tree's own has not the memory layout that our functions over ours know: a tree that has the one header and
# includes the other without having it cannot be built of both.
function(refuse_mixed_libraries)
  set(own "")
  foreach(file IN LISTS ARGN)
    get_filename_component(name ${file} NAME)
    list(APPEND own ${name})
  endforeach()
  foreach(pair "matrix.h:nvmatrix.cuh" "nvmatrix.cuh:conv_util.cuh" "nvmatrix.cuh:cudaconv2.cuh")
    string(REPLACE ":" ";" pair ${pair})
    list(GET pair 0 base)
    list(GET pair 1 over)
    if(NOT base IN_LIST own OR over IN_LIST own)
      continue()
    endif()
    foreach(file IN LISTS ARGN)
      file(STRINGS ${file} use REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"]([^>\"]*/)?${over}[>\"]")
      if(use)
        message(FATAL_ERROR
          "the tree has a ${base} of its own but no ${over}, and ours cannot stand on it: give --platform-libs=rebuilt")
      endif()
    endforeach()
  endforeach()
endfunction()
