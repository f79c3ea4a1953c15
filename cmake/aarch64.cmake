# Toolchain file: cross-compiles for ARM64 with Debian's gcc-aarch64-linux-gnu (tests/portable/arm64).
# GLIA_ARM64_ROOT in the environment: a folder with the libraries' arm64 packages unpacked in it;
# unset: they are installed as packages of a foreign architecture.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(root $ENV{GLIA_ARM64_ROOT})
set(CMAKE_LIBRARY_PATH ${root}/usr/lib/aarch64-linux-gnu)
set(CMAKE_INCLUDE_PATH ${root}/usr/include ${root}/usr/include/aarch64-linux-gnu)
set(CMAKE_C_STANDARD_INCLUDE_DIRECTORIES ${root}/usr/include/aarch64-linux-gnu)
set(CMAKE_IGNORE_PATH /usr/lib/x86_64-linux-gnu /lib/x86_64-linux-gnu)
set(ENV{PKG_CONFIG_LIBDIR} ${root}/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${root})
