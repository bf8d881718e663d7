# add_cython_module(NAME SOURCE libraries...): the extension module convnet_py.NAME from a .pyx file.
function(add_cython_module name source)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  file(GLOB shared_declarations ${CMAKE_CURRENT_SOURCE_DIR}/*.pxd ${CMAKE_CURRENT_SOURCE_DIR}/*.pxi)
  add_custom_command(
    OUTPUT ${generated}
    COMMAND ${Python_EXECUTABLE} -m cython --cplus -3 --module-name convnet_py.${name}
            -o ${generated} ${CMAKE_CURRENT_SOURCE_DIR}/${source}
    DEPENDS ${source} ${shared_declarations}
    VERBATIM)
  Python_add_library(${name} MODULE WITH_SOABI ${generated})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE NPY_NO_DEPRECATED_API=NPY_1_7_API_VERSION)
  target_link_libraries(${name} PRIVATE Python::NumPy ${ARGN})
  set_target_properties(${name} PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(TARGETS ${name} DESTINATION convnet_py)
endfunction()
