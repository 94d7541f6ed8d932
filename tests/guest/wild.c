// SPDX-License-Identifier: MIT
/*
 * A driver of a virtio-mmio device that keeps no rule. For guest tests, in a guest, as root:
 *
 *   wild BASE PROCESSES ACCESSES
 *
 * brings the device up (its own driver must have let go of it), checks that the second half of its
 * registers is memory, and then accesses registers at random from so many processes at once, so many
 * times each. The device is reset at the end. BASE is the physical address of the registers.
 *
 * Exit status: 0, or 1 with what is wrong on stderr.
 */
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul

static volatile uint8_t *base;

static volatile uint32_t *reg(unsigned int offset)
{
	return (volatile uint32_t *)(base + offset);
}

/* Up to DRIVER_OK, without any queue. */
static void bring_up(void)
{
	uint32_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	*reg(VIRTIO_MMIO_STATUS) = 0;
	*reg(VIRTIO_MMIO_STATUS) = status;
	*reg(VIRTIO_MMIO_DRIVER_FEATURES_SEL) = 1;
	*reg(VIRTIO_MMIO_DRIVER_FEATURES) = 1u << (VIRTIO_F_VERSION_1 - 32);
	status |= VIRTIO_CONFIG_S_FEATURES_OK;
	*reg(VIRTIO_MMIO_STATUS) = status;
	*reg(VIRTIO_MMIO_STATUS) = status | VIRTIO_CONFIG_S_DRIVER_OK;
}

static int wrong(const char *what)
{
	fprintf(stderr, "wild: %s\n", what);
	return 1;
}

/*
 * QueueNum is never written, so no queue ever starts: the guest's own memory must survive this.
 */
static void run_wild(unsigned int seed, unsigned long accesses)
{
	for (unsigned long i = 0; i < accesses; i++) {
		unsigned int first = 4 * ((unsigned int)rand_r(&seed) % (0x60 / 4));
		unsigned int second = 0x60 + 4 * ((unsigned int)rand_r(&seed) % 1000);

		switch (rand_r(&seed) % 6) {
		case 0:
			if (first != VIRTIO_MMIO_QUEUE_NUM)
				*reg(first) = (uint32_t)rand_r(&seed);
			break;
		case 1:
			(void)*reg(first);
			(void)*reg(second);
			break;
		case 2:
			*reg(second) = (uint32_t)rand_r(&seed);
			break;
		case 3:
			*reg(VIRTIO_MMIO_QUEUE_NOTIFY) = 0;
			break;
		case 4:
			*reg(VIRTIO_MMIO_STATUS) = (uint32_t)rand_r(&seed) & 0xff;
			break;
		default:
			bring_up();
		}
	}
}

int main(int argc, char **argv)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC);
	unsigned long at, processes, accesses;
	int status, bad = 0;
	void *map;

	if (argc != 4 || fd < 0)
		return wrong("see the head of tests/guest/wild.c");
	at = strtoul(argv[1], NULL, 16);
	processes = strtoul(argv[2], NULL, 10);
	accesses = strtoul(argv[3], NULL, 10);
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(at & ~(PAGE - 1)));
	if (map == MAP_FAILED)
		return wrong("the registers cannot be mapped");
	base = (volatile uint8_t *)map + at % PAGE;
	if (*reg(VIRTIO_MMIO_MAGIC_VALUE) != 0x74726976)
		return wrong("there is no device");

	bring_up();
	/* Without any interrupt: that is what the memory says, and not the device. */
	if (*reg(VIRTIO_MMIO_INTERRUPT_STATUS) != VIRTIO_MMIO_INT_VRING)
		return wrong("the interrupt status is no memory");
	*reg(VIRTIO_MMIO_STATUS) = 0;
	*reg(VIRTIO_MMIO_QUEUE_SEL) = 0;
	if (*reg(VIRTIO_MMIO_INTERRUPT_STATUS) != 0)
		return wrong("the reset was not seen");

	for (unsigned long i = 0; i < processes; i++) {
		if (fork() == 0) {
			run_wild((unsigned int)i, accesses);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		bad |= status;
	*reg(VIRTIO_MMIO_STATUS) = 0;
	*reg(VIRTIO_MMIO_QUEUE_SEL) = 0;
	if (bad)
		return wrong("a process died");
	return *reg(VIRTIO_MMIO_STATUS) ? wrong("the device was not reset") : 0;
}
