# BLAS from the wheel scipy-openblas32, found through the Python that builds.
execute_process(
  COMMAND ${Python_EXECUTABLE} -c "import scipy_openblas32 as b; print(b.get_include_dir(), b.get_lib_dir(), b.get_library(), sep=';')"
  OUTPUT_VARIABLE openblas_facts OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE openblas_status)
if(NOT openblas_status EQUAL 0)
  message(FATAL_ERROR "the Python package scipy-openblas32 is missing: pip install scipy-openblas32")
endif()
list(GET openblas_facts 0 openblas_include)
list(GET openblas_facts 1 openblas_folder)
list(GET openblas_facts 2 openblas_name)

add_library(openblas INTERFACE)
target_include_directories(openblas SYSTEM INTERFACE ${openblas_include})
target_link_directories(openblas INTERFACE ${openblas_folder})
target_link_libraries(openblas INTERFACE ${openblas_name})
