# One set of warnings for everything; the dev, asan and tsan presets make them errors.
option(GLIA_WERROR "warnings are errors" OFF)
set(GLIA_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wcast-qual
  -Wstrict-prototypes -Wmissing-prototypes -fno-math-errno -ffp-contract=off)
if(GLIA_WERROR)
  list(APPEND GLIA_WARNINGS -Werror)
endif()
if(GLIA_SANITIZE)
  add_compile_options(-fsanitize=${GLIA_SANITIZE} -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${GLIA_SANITIZE})
  if(GLIA_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=all)
  endif()
endif()
