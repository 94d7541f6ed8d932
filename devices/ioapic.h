/* SPDX-License-Identifier: MIT */
/*
 * The I/O interrupt controller (Intel 82093AA data sheet, §3), for edges only: a rising edge on a pin
 * becomes the message that the pin's entry of the redirection table says. An entry's trigger mode and
 * polarity can be written and read, and change nothing.
 *
 * Any thread may call any function. There is no lock: an entry is one word.
 */
#ifndef DEVICES_IOAPIC_H
#define DEVICES_IOAPIC_H

#include <stdatomic.h>
#include <stdint.h>

#define IOAPIC_PINS 24
#define IOAPIC_SIZE 0x20 /* bytes of its two registers */

/* Offsets of these. */
#define IOAPIC_SELECT 0x00 /* which of those below is at IOAPIC_WINDOW */
#define IOAPIC_WINDOW 0x10
/* An entry is two of 32 bits, the lower one first. */
#define IOAPIC_ID	0x00
#define IOAPIC_VERSION	0x01
#define IOAPIC_ARB	0x02
#define IOAPIC_ENTRY(pin) (0x10 + 2 * (pin))

struct ioapic {
	_Atomic uint64_t entry[IOAPIC_PINS];
	atomic_uint select;
	atomic_uint id;

	/* The owner's, set before: sends an interrupt message, as a PCI device would (Intel SDM vol. 3,
	 * "Message Signalled Interrupts"). */
	void *arg;
	void (*send)(void *arg, uint32_t address, uint32_t data);
};

/* As at power-on: all pins masked. */
void ioapic_init(struct ioapic *ioapic);
/* Registers are 32 bits wide. What is at no register's offset reads as 0, and writes there are lost. */
uint32_t ioapic_read(struct ioapic *ioapic, uint64_t offset);
void ioapic_write(struct ioapic *ioapic, uint64_t offset, uint32_t value);
/*
 * A rising edge. One on a masked pin is kept, as the entry's delivery status, and sent when the pin is
 * unmasked: the chip would lose it, and with it, say, the one reply that a driver waits for, while
 * Linux moves the interrupt to another CPU.
 */
void ioapic_edge(struct ioapic *ioapic, unsigned int pin);

#endif
