// SPDX-License-Identifier: MIT
#include "devices/serial.h"

#include <linux/serial_reg.h>

void serial_init(struct serial *serial)
{
	pthread_mutex_init(&serial->lock, NULL);
	serial->ier = 0;
	serial->lcr = 0;
	serial->mcr = 0;
	serial->scr = 0;
	serial->fcr = 0;
	serial->dll = 12; /* 9600 baud, as after power-on in most machines */
	serial->dlm = 0;
	serial->thr_pending = 0;
	serial->irq_level = 0;
	serial->nrx = 0;
	serial->rx_break = false;
}

void serial_destroy(struct serial *serial)
{
	pthread_mutex_destroy(&serial->lock);
}

/* Why it interrupts, the most urgent cause first (16550 data sheet, table III). */
static uint8_t cause(const struct serial *serial)
{
	if (serial->nrx && serial->rx_break && (serial->ier & UART_IER_RLSI))
		return UART_IIR_RLSI;
	if (serial->nrx && (serial->ier & UART_IER_RDI))
		return UART_IIR_RDI;
	/* A byte is sent as soon as it is written. */
	if (serial->thr_pending && (serial->ier & UART_IER_THRI))
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

static int update_irq(struct serial *serial)
{
	int level = cause(serial) != UART_IIR_NO_INT;
	int edge = level && !serial->irq_level;

	serial->irq_level = level;
	return edge;
}

static uint8_t read_iir(struct serial *serial)
{
	uint8_t iir = serial->fcr & UART_FCR_ENABLE_FIFO ? 0xc0 : 0;
	uint8_t why = cause(serial);

	/* Reading it while THR-empty is the cause clears the cause. */
	if (why == UART_IIR_THRI)
		serial->thr_pending = 0;
	update_irq(serial);
	return iir | why;
}

static uint8_t read_rx(struct serial *serial)
{
	uint8_t value = serial->rx[0];

	if (!serial->nrx)
		return 0;
	serial->rx[0] = serial->rx[1];
	serial->nrx--;
	serial->rx_break = false;
	update_irq(serial);
	return value;
}

static uint8_t read_lsr(struct serial *serial)
{
	uint8_t lsr = UART_LSR_THRE | UART_LSR_TEMT;

	if (serial->nrx)
		lsr |= UART_LSR_DR;
	/* Told once: reading it clears it. */
	if (serial->rx_break)
		lsr |= UART_LSR_BI;
	serial->rx_break = false;
	update_irq(serial);
	return lsr;
}

/* In loopback the modem control outputs come back as modem status: drivers probe with it. */
static uint8_t read_msr(const struct serial *serial)
{
	uint8_t msr = 0;

	if (!(serial->mcr & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	if (serial->mcr & UART_MCR_RTS)
		msr |= UART_MSR_CTS;
	if (serial->mcr & UART_MCR_DTR)
		msr |= UART_MSR_DSR;
	if (serial->mcr & UART_MCR_OUT1)
		msr |= UART_MSR_RI;
	if (serial->mcr & UART_MCR_OUT2)
		msr |= UART_MSR_DCD;
	return msr;
}

/* With the lock held: reading may be followed by a new edge. */
static uint8_t read_locked(struct serial *serial, unsigned int reg)
{
	int dlab = serial->lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_RX: /* = DLL */
		return dlab ? serial->dll : read_rx(serial);
	case UART_IER: /* = DLM */
		return dlab ? serial->dlm : serial->ier;
	case UART_IIR:
		return read_iir(serial);
	case UART_LCR:
		return serial->lcr;
	case UART_MCR:
		return serial->mcr;
	case UART_LSR:
		return read_lsr(serial);
	case UART_MSR:
		return read_msr(serial);
	default:
		return serial->scr;
	}
}

uint8_t serial_read(struct serial *serial, unsigned int reg)
{
	uint8_t value;

	pthread_mutex_lock(&serial->lock);
	value = read_locked(serial, reg);
	pthread_mutex_unlock(&serial->lock);
	return value;
}

void serial_write(struct serial *serial, unsigned int reg, uint8_t value)
{
	int dlab, edge, send = 0;

	pthread_mutex_lock(&serial->lock);
	dlab = serial->lcr & UART_LCR_DLAB;
	switch (reg) {
	case UART_TX:
		if (dlab) {
			serial->dll = value;
		} else {
			send = !(serial->mcr & UART_MCR_LOOP);
			serial->thr_pending = 0;
			update_irq(serial);
			serial->thr_pending = 1;
		}
		break;
	case UART_IER:
		if (dlab) {
			serial->dlm = value;
		} else {
			/* Enabling the interrupt while the transmitter is empty raises it. */
			if ((value & UART_IER_THRI) && !(serial->ier & UART_IER_THRI))
				serial->thr_pending = 1;
			serial->ier = value & 0x0f;
		}
		break;
	case UART_FCR:
		serial->fcr = value;
		if (value & UART_FCR_CLEAR_RCVR) {
			serial->nrx = 0;
			serial->rx_break = false;
		}
		break;
	case UART_LCR:
		serial->lcr = value;
		break;
	case UART_MCR:
		serial->mcr = value & 0x1f;
		break;
	case UART_SCR:
		serial->scr = value;
		break;
	}
	edge = update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
	if (send)
		serial->output(serial->arg, value);
	if (edge)
		serial->irq(serial->irq_arg);
}

bool serial_sysrq(struct serial *serial, uint8_t key)
{
	bool taken;
	int edge;

	pthread_mutex_lock(&serial->lock);
	taken = !serial->nrx && (serial->ier & UART_IER_RDI) && !(serial->mcr & UART_MCR_LOOP);
	if (taken) {
		serial->rx[0] = 0;
		serial->rx[1] = key;
		serial->nrx = 2;
		serial->rx_break = true;
	}
	edge = update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
	if (edge)
		serial->irq(serial->irq_arg);
	return taken;
}

bool serial_is_read(struct serial *serial)
{
	bool read;

	pthread_mutex_lock(&serial->lock);
	read = !serial->nrx;
	pthread_mutex_unlock(&serial->lock);
	return read;
}
