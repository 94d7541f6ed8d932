// SPDX-License-Identifier: MIT
/* Says whom it runs as, real and effective; a set-uid program of the tests. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	printf("%u %u\n", getuid(), geteuid());
	return 0;
}
