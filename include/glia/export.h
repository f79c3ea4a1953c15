/* glia/export.h - how symbols leave the library, and what the compiler may check. */
#ifndef GLIA_EXPORT_H
#define GLIA_EXPORT_H

#if defined(__GNUC__)
#define GLIA_API __attribute__((visibility("default")))
#define GLIA_NODISCARD __attribute__((warn_unused_result))
#define GLIA_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define GLIA_API
#define GLIA_NODISCARD
#define GLIA_PRINTF(fmt, args)
#endif

#endif /* GLIA_EXPORT_H */
