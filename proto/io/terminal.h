/* Asks a person on the controlling terminal, without echo and without blocking the loop. For MFA codes.
 */
#ifndef SWP_IO_TERMINAL_H
#define SWP_IO_TERMINAL_H

#include "proto/io/credential-source.h"
#include "proto/io/loop.h"

struct swp_terminal; /* opaque; owns its descriptor of /dev/tty */

/* NULL when the process has no terminal, or on failure (errno tells). */
struct swp_terminal *swp_terminal_new(struct swp_loop *loop);
/* As above with a descriptor of a terminal, which is taken. For tests. */
struct swp_terminal *swp_terminal_new_on(struct swp_loop *loop, int fd);
/* Puts echo back; a question that is open is not answered any more. Takes NULL. */
void swp_terminal_free(struct swp_terminal *terminal);
/* For struct swp_credential_source_options. Borrowed for the terminal's life. */
const struct swp_credential_prompt *swp_terminal_prompt(struct swp_terminal *terminal);

#endif
