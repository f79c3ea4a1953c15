/* glia/export.h - how symbols leave the library, and what the compiler may check. */
#ifndef GLIA_EXPORT_H
#define GLIA_EXPORT_H

#if defined(__GNUC__)
#define GLIA_API               __attribute__((visibility("default")))
#define GLIA_NODISCARD         __attribute__((warn_unused_result))
#define GLIA_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define GLIA_API
#define GLIA_NODISCARD
#define GLIA_PRINTF(fmt, args)
#endif

/* Named arguments: glia_sum(x, .keep = true) becomes
 * glia_sum_opt(x, &(glia_reduce_opts){.keep = true, .size = sizeof(glia_reduce_opts)}), with
 * one to four plain arguments in front. C only; C++ fills in the struct and calls
 * glia_sum_opt. */
#define GLIA_NAMED1(fn, type, a, ...)          fn((a), &(type){__VA_ARGS__})
#define GLIA_NAMED2(fn, type, a, b, ...)       fn((a), (b), &(type){__VA_ARGS__})
#define GLIA_NAMED3(fn, type, a, b, c, ...)    fn((a), (b), (c), &(type){__VA_ARGS__})
#define GLIA_NAMED4(fn, type, a, b, c, d, ...) fn((a), (b), (c), (d), &(type){__VA_ARGS__})

#endif /* GLIA_EXPORT_H */
