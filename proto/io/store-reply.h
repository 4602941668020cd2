/* Redis' bytes to replies: hiredis' reader with our own objects, built in a region and forgotten after each reply.
 * Only for proto/io/store*.c.
 */
#ifndef SWP_IO_STORE_REPLY_H
#define SWP_IO_STORE_REPLY_H

#include <stddef.h>

#include "proto/io/store.h"

struct swp_store_reader; /* opaque */

struct swp_store_reader *swp_store_reader_new(void); /* NULL on out of memory */
void swp_store_reader_free(struct swp_store_reader *reader);
/* Takes bytes in. 0, -ENOMEM, -E2BIG (a reply above SWP_LIMIT_STORE_REPLY_BYTES). */
int swp_store_reader_feed(struct swp_store_reader *reader, const void *bytes, size_t length);
/* The next whole reply, borrowed until the next call; NULL when more bytes are needed. 0, -EPROTO (not understood, or
 * nested deeper than 7), -E2BIG, -ENOMEM: then the reader is of no use any more. */
int swp_store_reader_next(struct swp_store_reader *reader, const struct swp_store_reply **ret_reply);

#endif
