// SPDX-License-Identifier: MIT
#include "images/init.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#define PORT_TIMEOUT_MS 20000
/* The VMM ends the machine when it has heard the last word. Should it not, we do. */
#define END_TIMEOUT_MS 10000

static char sentence[1024];

int fail(const char *fmt, ...)
{
	va_list ap;

	if (sentence[0])
		return -1;
	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	return -1;
}

const char *failure(void)
{
	return sentence[0] ? sentence : NULL;
}

static _Noreturn void end(int how)
{
	sync();
	reboot(how);
	/* A machine without a switch. PID 1 must not return. */
	for (;;)
		pause();
}

/* Waits for the VMM to end the machine. */
static _Noreturn void wait_for_end(void)
{
	struct pollfd pfd = {.fd = port_fd(), .events = 0};

	port_flush();
	poll(&pfd, 1, END_TIMEOUT_MS);
	end(RB_POWER_OFF);
}

static _Noreturn void give_up(void)
{
	if (port_fd() >= 0) {
		pump_kmsg();
		port_send_wait(FRAME_CONTROL, FRAME_FAILED, sentence, strlen(sentence));
		wait_for_end();
	} else {
		int console = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);

		dprintf(console < 0 ? 2 : console, "ninepin: %s\n", sentence);
		end(RB_POWER_OFF);
	}
}

/* Whether the kernel's own health is still what it was when it started. */
static void tell_tainted(void)
{
	FILE *file = fopen("/proc/sys/kernel/tainted", "re");
	unsigned long long flags;
	uint64_t word;

	if (file && fscanf(file, "%llu", &flags) == 1) {
		word = flags; /* little-endian, as all machines that we boot */
		port_send_wait(FRAME_CONTROL, FRAME_TAINTED, &word, sizeof(word));
	}
	if (file)
		fclose(file);
}

/* Descriptors 0 to 2 are the console, if the kernel found one; nothing else may take their place.
 */
static void open_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd < 2);
	if (fd > 2)
		close(fd);
}

int main(void)
{
	uint32_t word;
	int status;
	int lost;
	int ret;

	umask(022);
	signal(SIGPIPE, SIG_IGN);
	reboot(RB_DISABLE_CAD);
	if (setup_early())
		give_up();
	open_standard();
	kmsg_open();

	/* A failure here is told by the port, if that can be opened at all. */
	if (!config_read())
		setup_modules();
	if (port_open(failure() ? PORT_TIMEOUT_MS / 10 : PORT_TIMEOUT_MS))
		give_up();
	if (pump_hello() || failure())
		give_up();
	pump_vmcoreinfo();
	pump_kmsg();
	if (setup_root())
		give_up();
	pump_kmsg();
	port_send_wait(FRAME_CONTROL, FRAME_MOUNTED, NULL, 0);

	ret = pump_run(&status);
	if (ret < 0)
		give_up();
	lost = setup_flush();
	if (ret > 0)
		end(status);
	pump_kmsg();
	tell_tainted();
	/* The command believes in what only its guest's memory had: it must not end well. */
	if (lost && status == 0)
		give_up();
	word = (uint32_t)status; /* little-endian, too */
	port_send_wait(FRAME_CONTROL, FRAME_STATUS, &word, sizeof(word));
	wait_for_end();
}
