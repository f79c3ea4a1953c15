/* base/apart.h - work in a process of its own, for libraries that are not trusted with what
 * they read: if they crash or run for ever, that process ends, and this one gets a message.
 */
#ifndef GI_APART_H
#define GI_APART_H

#include "base/base.h"

/* Forks; the child calls work(fd, user), which may write bytes to fd, and ends without running
 * anything else. On GLIA_OK they are *out, owned (gi_free), *n of them, at most `limit`. A
 * failure of the work comes back with its message; GLIA_FORMAT where the child ended by a
 * signal, or took more than so many seconds of processor time, or wrote more. Threads other
 * than the calling one are not in the child: the work takes no locks that they may hold. */
glia_status gi_apart(glia_status (*work)(int fd, void *user), void *user, unsigned seconds,
                     size_t limit, char **out, size_t *n);

#endif /* GI_APART_H */
