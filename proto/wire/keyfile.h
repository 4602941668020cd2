/* CURVE key files. NAME.key (0600) holds the pair, NAME.pub the public line alone:
 *
 *   public-key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
 *   secret-key = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
 *
 * Lines that begin with # and empty lines are skipped. Keys are 40 characters of Z85 (ZeroMQ RFC 32). Text in, keys out; who opens
 * the file (at most SWP_LIMIT_KEYFILE_BYTES) asks swp_keyfile_check_mode first.
 */
#ifndef SWP_WIRE_KEYFILE_H
#define SWP_WIRE_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/base/buf.h"
#include "proto/base/error.h"
#include "proto/base/secret.h"

#define SWP_KEYFILE_KEY_BYTES 41 /* 40 characters and the NUL */

struct swp_keyfile {
	char public_key[SWP_KEYFILE_KEY_BYTES];
	struct swp_secret secret_key; /* Z85 text; unset in a public file */
};
void swp_keyfile_done(struct swp_keyfile *keyfile);

/* `name` is for messages. `want_secret`: a public file is refused with the hint that NAME.key is wanted; a secret line in a file read as
 * a public one is accepted and not kept. 0; -EINVAL, `problem` names file, line and cause; -ENOMEM. */
int swp_keyfile_parse(const char *name, const char *text, size_t length, bool want_secret,
	struct swp_keyfile *ret_keyfile, struct swp_problem *problem);
/* Writes the file's text; `out` must be marked secret when the secret is written. -EINVAL when it is unset though wanted. */
int swp_keyfile_format(const struct swp_keyfile *keyfile, bool with_secret, struct swp_buf *out);
/* 0, or -EACCES when `mode` lets group or others read a file with a secret key; `problem` says "chmod 600 NAME". */
int swp_keyfile_check_mode(const char *name, mode_t mode, struct swp_problem *problem);
/* Is it 40 characters of the Z85 alphabet? */
bool swp_keyfile_is_key(const char *text, size_t length);
#endif
