# SPDX-License-Identifier: Apache-2.0
# The switch of programs, the same for the installed package and for a source tree
# in the program's own: a variable PYROSCOPE, which makes of TARGET what programs
# link. pyroscope-config.cmake.in says what its values mean.
set(PYROSCOPE AUTO CACHE STRING
  "Profiling in programs: AUTO (not in Release), ON or OFF")
set_property(CACHE PYROSCOPE PROPERTY STRINGS AUTO ON OFF)

function(pyroscope_switch target)
  target_include_directories(${target} INTERFACE
    $<TARGET_PROPERTY:pyroscope::shared,INTERFACE_INCLUDE_DIRECTORIES>)
  if(PYROSCOPE STREQUAL "AUTO")
    target_compile_definitions(${target} INTERFACE
      $<$<CONFIG:Release>:RELEASE>)
    target_link_libraries(${target} INTERFACE
      $<$<NOT:$<CONFIG:Release>>:pyroscope::shared>)
  elseif(PYROSCOPE)
    target_compile_definitions(${target} INTERFACE PYROSCOPE)
    target_link_libraries(${target} INTERFACE pyroscope::shared)
  else()
    target_compile_definitions(${target} INTERFACE PYROSCOPE_DISABLE)
  endif()
endfunction()
