// SPDX-License-Identifier: MIT
#include "devices/ioapic.h"

#include <string.h>

/* §3.2 */
#define ID_MASK	      0x0f000000u
#define VERSION	      0x11u /* no EOI register */
#define VERSION_VALUE ((IOAPIC_PINS - 1u) << 16 | VERSION)

/* An entry, §3.2.4. Vector and delivery mode are where a message has them, too. */
#define ENTRY_VECTOR_AND_MODE 0x7ffull
#define ENTRY_LOGICAL	      (1ull << 11)
#define ENTRY_PENDING	      (1ull << 12) /* delivery status; the guest cannot write it */
#define ENTRY_REMOTE_IRR      (1ull << 14) /* of levels only; the same */
#define ENTRY_MASKED	      (1ull << 16)
#define ENTRY_WRITABLE	      (0xff0000000001ffffull & ~(ENTRY_PENDING | ENTRY_REMOTE_IRR))
#define ENTRY_DESTINATION(e)  ((uint32_t)((e) >> 56))

/* A message. */
#define MSG_ADDRESS	      0xfee00000u
#define MSG_DESTINATION_SHIFT 12
#define MSG_LOGICAL	      (1u << 2)
#define MSG_ASSERT	      (1u << 14)

void ioapic_init(struct ioapic *ioapic)
{
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		atomic_init(&ioapic->entry[pin], ENTRY_MASKED);
	atomic_init(&ioapic->select, 0);
	atomic_init(&ioapic->id, 0);
}

static void send(struct ioapic *ioapic, uint64_t entry)
{
	uint32_t address = MSG_ADDRESS | ENTRY_DESTINATION(entry) << MSG_DESTINATION_SHIFT;

	if (entry & ENTRY_LOGICAL)
		address |= MSG_LOGICAL;
	ioapic->send(ioapic->arg, address, (uint32_t)(entry & ENTRY_VECTOR_AND_MODE) | MSG_ASSERT);
}

void ioapic_edge(struct ioapic *ioapic, unsigned int pin)
{
	uint64_t entry = atomic_load(&ioapic->entry[pin]);

	/* An edge is either kept before the entry is unmasked, or sees it unmasked. */
	while (entry & ENTRY_MASKED)
		if (atomic_compare_exchange_weak(&ioapic->entry[pin], &entry,
						 entry | ENTRY_PENDING))
			return;
	send(ioapic, entry);
}

/* The bits of `mask` become those of value. */
static void write_entry(struct ioapic *ioapic, unsigned int pin, uint64_t value, uint64_t mask)
{
	uint64_t old = atomic_load(&ioapic->entry[pin]), now;

	mask &= ENTRY_WRITABLE;
	do {
		now = (old & ~mask) | (value & mask);
		if (!(now & ENTRY_MASKED))
			now &= ~ENTRY_PENDING;
	} while (!atomic_compare_exchange_weak(&ioapic->entry[pin], &old, now));
	if ((old & ENTRY_PENDING) && !(now & ENTRY_PENDING))
		send(ioapic, now);
}

uint32_t ioapic_read(struct ioapic *ioapic, uint64_t offset)
{
	unsigned int reg = atomic_load(&ioapic->select), pin = (reg - IOAPIC_ENTRY(0)) / 2;

	if (offset == IOAPIC_SELECT)
		return reg;
	if (offset != IOAPIC_WINDOW)
		return 0;
	switch (reg) {
	case IOAPIC_ID:
	case IOAPIC_ARB: /* takes the id over whenever that is written */
		return atomic_load(&ioapic->id);
	case IOAPIC_VERSION:
		return VERSION_VALUE;
	}
	if (reg < IOAPIC_ENTRY(0) || pin >= IOAPIC_PINS)
		return 0;
	return (uint32_t)(atomic_load(&ioapic->entry[pin]) >> (reg % 2 * 32));
}

void ioapic_write(struct ioapic *ioapic, uint64_t offset, uint32_t value)
{
	unsigned int reg = atomic_load(&ioapic->select), pin = (reg - IOAPIC_ENTRY(0)) / 2;

	if (offset == IOAPIC_SELECT)
		atomic_store(&ioapic->select, value & 0xff);
	if (offset != IOAPIC_WINDOW)
		return;
	if (reg == IOAPIC_ID)
		atomic_store(&ioapic->id, value & ID_MASK);
	else if (reg >= IOAPIC_ENTRY(0) && pin < IOAPIC_PINS)
		write_entry(ioapic, pin, (uint64_t)value << (reg % 2 * 32),
			    0xffffffffull << (reg % 2 * 32));
}
