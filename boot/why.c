// SPDX-License-Identifier: MIT
#include "boot/why.h"

#include <stdarg.h>
#include <stdio.h>

int why_fail(struct why *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	/* One line, whatever the names in it are made of. */
	for (char *c = why->text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return err;
}
