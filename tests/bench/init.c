// SPDX-License-Identifier: MIT
/*
 * The first process of a guest that is measured. Its first act is a write to a port that no machine
 * has a device at: it shows as an exit of the guest, with its time, in the host's trace, whatever the
 * VMM. Then the script takes over.
 */
#include <stdio.h>
#include <sys/io.h>
#include <unistd.h>

#define MARK_PORT 0xed /* Linux's own other choice for a port that nobody listens at (io_delay=) */

int main(void)
{
	if (!ioperm(MARK_PORT, 1, 1))
		outb(1, MARK_PORT);
	execl("/bin/busybox", "sh", "/guest.sh", (char *)NULL);
	perror("/bin/busybox");
	return 1;
}
