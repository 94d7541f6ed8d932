// SPDX-License-Identifier: MIT
#include "vmm/gdb.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of memory in a reply, each two digits. */
#define MEMORY_MAX (GDB_PACKET_MAX / 2)

#define CTRL_C 0x03

void gdb_init(struct gdb *gdb, const struct gdb_ops *ops, void *arg,
	      const struct gdb_registers *registers, unsigned int ncpus)
{
	memset(gdb, 0, sizeof(*gdb));
	gdb->ops = ops;
	gdb->arg = arg;
	gdb->registers = registers;
	gdb->ncpus = ncpus;
	gdb_connected(gdb);
}

void gdb_connected(struct gdb *gdb)
{
	gdb->running = gdb->acks = true;
	gdb->awaits_stop = gdb->knows_swbreak = gdb->knows_hwbreak = false;
	gdb->cpu = gdb->step_cpu = 0;
	gdb->state = GDB_IDLE;
	gdb->ack = '\0';
	gdb->frame_len = gdb->frame_sent = 0;
}

/* ---- replies ---- */

/* A reply: begun, added to, ended. It is cut where there is no more room, which none needs. */
static void reply_begin(struct gdb *gdb)
{
	gdb->frame[0] = '$';
	gdb->frame_len = 1;
	gdb->frame_sent = 0;
}

static size_t reply_room(const struct gdb *gdb)
{
	return sizeof(gdb->frame) - 4 - gdb->frame_len; /* a checksum, and a NUL of snprintf()'s */
}

static void __attribute__((format(printf, 2, 3))) reply_add(struct gdb *gdb, const char *fmt, ...)
{
	size_t room = reply_room(gdb);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(gdb->frame + gdb->frame_len, room + 1, fmt, ap);
	va_end(ap);
	if (n > 0)
		gdb->frame_len += (size_t)n < room ? (size_t)n : room;
}

static void reply_hex(struct gdb *gdb, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		reply_add(gdb, "%02x", data[i]);
}

/* Text that may hold what frames a packet. */
static void reply_escaped(struct gdb *gdb, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (strchr("$#}*", text[i]))
			reply_add(gdb, "}%c", text[i] ^ 0x20);
		else
			reply_add(gdb, "%c", text[i]);
	}
}

static void reply_end(struct gdb *gdb)
{
	uint8_t sum = 0;

	for (size_t i = 1; i < gdb->frame_len; i++)
		sum = (uint8_t)(sum + (uint8_t)gdb->frame[i]);
	gdb->frame_len += (size_t)snprintf(gdb->frame + gdb->frame_len, 4, "#%02x", sum);
}

static void reply(struct gdb *gdb, const char *text)
{
	reply_begin(gdb);
	reply_add(gdb, "%s", text);
	reply_end(gdb);
}

/* "OK", or an error by its number. */
static void reply_result(struct gdb *gdb, int err)
{
	reply_begin(gdb);
	if (err)
		reply_add(gdb, "E%02x", -err & 0xff);
	else
		reply_add(gdb, "OK");
	reply_end(gdb);
}

static void reply_stop(struct gdb *gdb)
{
	static const char *const watch[] = {
		[GDB_WATCH_WRITE] = "watch",
		[GDB_WATCH_READ] = "rwatch",
		[GDB_WATCH_ACCESS] = "awatch",
	};
	const struct gdb_stop *stop = &gdb->stop;

	reply_begin(gdb);
	reply_add(gdb, "T%02xthread:%x;", stop->signal & 0xff, stop->cpu + 1);
	if (stop->at_break) {
		if (stop->kind >= GDB_WATCH_WRITE)
			reply_add(gdb, "%s:%llx;", watch[stop->kind], (unsigned long long)stop->address);
		else if (stop->kind == GDB_BREAK_SOFTWARE && gdb->knows_swbreak)
			reply_add(gdb, "swbreak:;");
		else if (stop->kind == GDB_BREAK_HARDWARE && gdb->knows_hwbreak)
			reply_add(gdb, "hwbreak:;");
	}
	reply_end(gdb);
}

/* ---- reading a packet ---- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* A hexadecimal number at *p, which moves on. False: there is none, or too large a one. */
static bool take_number(const char **p, uint64_t *value)
{
	const char *start = *p;

	for (*value = 0; digit(**p) >= 0; (*p)++) {
		if (*value >> 60)
			return false;
		*value = *value << 4 | (uint64_t)digit(**p);
	}
	return *p != start;
}

static bool take_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* Exactly len bytes as digits, to the packet's end. */
static bool take_hex(const char *p, uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++, p += 2) {
		int high = digit(p[0]), low = high < 0 ? -1 : digit(p[1]);

		if (low < 0)
			return false;
		data[i] = (uint8_t)(high << 4 | low);
	}
	return !*p;
}

/* A thread's number, 0 for any and -1 for all of them. False: there is none, or not this one. */
static bool take_thread(const struct gdb *gdb, const char **p, int *thread)
{
	uint64_t n;

	if (take_char(p, '-')) {
		*thread = -1;
		return take_char(p, '1');
	}
	if (!take_number(p, &n) || n > gdb->ncpus)
		return false;
	*thread = (int)n;
	return true;
}

/* "ADDRESS,LENGTH" */
static bool take_range(const char **p, uint64_t *address, uint64_t *len)
{
	return take_number(p, address) && take_char(p, ',') && take_number(p, len);
}

/* ---- registers and memory ---- */

static void get_registers(struct gdb *gdb)
{
	uint8_t all[GDB_REGISTERS_MAX];
	int err = gdb->ops->get_registers(gdb->arg, gdb->cpu, all);

	if (err) {
		reply_result(gdb, err);
		return;
	}
	reply_begin(gdb);
	reply_hex(gdb, all, gdb->registers->size);
	reply_end(gdb);
}

static int set_registers(struct gdb *gdb, const char *p)
{
	uint8_t all[GDB_REGISTERS_MAX];

	if (!take_hex(p, all, gdb->registers->size))
		return -EINVAL;
	return gdb->ops->set_registers(gdb->arg, gdb->cpu, all);
}

static const struct gdb_slot *take_register(const struct gdb *gdb, const char **p)
{
	uint64_t n;

	if (!take_number(p, &n) || n >= gdb->registers->n)
		return NULL;
	return &gdb->registers->slot[n];
}

static void get_register(struct gdb *gdb, const char *p)
{
	const struct gdb_slot *slot = take_register(gdb, &p);
	uint8_t all[GDB_REGISTERS_MAX];
	int err = slot ? gdb->ops->get_registers(gdb->arg, gdb->cpu, all) : -EINVAL;

	if (err) {
		reply_result(gdb, err);
		return;
	}
	reply_begin(gdb);
	reply_hex(gdb, all + slot->offset, slot->size);
	reply_end(gdb);
}

static int set_register(struct gdb *gdb, const char *p)
{
	const struct gdb_slot *slot = take_register(gdb, &p);
	uint8_t all[GDB_REGISTERS_MAX];
	int err;

	if (!slot || !take_char(&p, '='))
		return -EINVAL;
	err = gdb->ops->get_registers(gdb->arg, gdb->cpu, all);
	if (err)
		return err;
	if (!take_hex(p, all + slot->offset, slot->size))
		return -EINVAL;
	return gdb->ops->set_registers(gdb->arg, gdb->cpu, all);
}

static void get_memory(struct gdb *gdb, const char *p)
{
	uint8_t data[MEMORY_MAX];
	uint64_t address, len;
	ssize_t n = -EINVAL;

	if (take_range(&p, &address, &len) && !*p)
		n = gdb->ops->read(gdb->arg, gdb->cpu, address, data, len < MEMORY_MAX ? len : MEMORY_MAX);
	if (n < 0) {
		reply_result(gdb, (int)n);
		return;
	}
	reply_begin(gdb);
	reply_hex(gdb, data, (size_t)n);
	reply_end(gdb);
}

static int set_memory(struct gdb *gdb, const char *p, bool binary)
{
	uint8_t data[MEMORY_MAX];
	uint64_t address, len;

	if (!take_range(&p, &address, &len) || !take_char(&p, ':'))
		return -EINVAL;
	if (binary) {
		if (len != (size_t)(gdb->packet + gdb->len - p))
			return -EINVAL;
		/* Of no length: gdb asks whether this packet is known. */
		return len ? gdb->ops->write(gdb->arg, gdb->cpu, address, p, len) : 0;
	}
	if (len > MEMORY_MAX || !take_hex(p, data, len))
		return -EINVAL;
	return gdb->ops->write(gdb->arg, gdb->cpu, address, data, len);
}

static int set_break(struct gdb *gdb, const char *p, bool on)
{
	uint64_t kind, address, len;

	if (!take_number(&p, &kind) || !take_char(&p, ',') || !take_range(&p, &address, &len) ||
	    (*p && *p != ';') || kind > GDB_WATCH_ACCESS)
		return -EINVAL;
	return gdb->ops->set_break(gdb->arg, gdb->cpu, (enum gdb_break)kind, address, len, on);
}

/* ---- running ---- */

static void resume(struct gdb *gdb, const enum gdb_resume *how)
{
	gdb->running = true;
	gdb->awaits_stop = true;
	gdb->ops->resume(gdb->arg, how);
}

/* `c` and `s`, with a signal and an address that mean nothing here. */
static void resume_old(struct gdb *gdb, bool step)
{
	enum gdb_resume how[GDB_MAX_CPUS];

	for (unsigned int i = 0; i < gdb->ncpus; i++)
		how[i] = !step ? GDB_CONTINUE : i == gdb->step_cpu ? GDB_STEP : GDB_STAY;
	resume(gdb, how);
}

/* "vCont;ACTION[:THREAD];…": of each processor the first that is for it counts. */
static void resume_each(struct gdb *gdb, const char *p)
{
	enum gdb_resume how[GDB_MAX_CPUS] = { GDB_STAY };
	bool any = false;

	while (take_char(&p, ';')) {
		bool step = *p == 's' || *p == 'S', has_signal = *p == 'C' || *p == 'S';
		int thread = -1;
		uint64_t signal;

		if (!step && *p != 'c' && *p != 'C')
			goto refuse;
		p++;
		if ((has_signal && !take_number(&p, &signal)) ||
		    (take_char(&p, ':') && (!take_thread(gdb, &p, &thread) || !thread)))
			goto refuse;
		for (unsigned int i = 0; i < gdb->ncpus; i++)
			if (how[i] == GDB_STAY && (thread < 0 || (unsigned int)thread == i + 1)) {
				how[i] = step ? GDB_STEP : GDB_CONTINUE;
				any = true;
			}
	}
	if (!*p && any) {
		resume(gdb, how);
		return;
	}
refuse:
	reply_result(gdb, -EINVAL);
}

static void select_thread(struct gdb *gdb, const char *p)
{
	char what = *p++;
	int thread;

	if ((what != 'g' && what != 'c') || !take_thread(gdb, &p, &thread) || *p) {
		reply_result(gdb, -EINVAL);
		return;
	}
	if (thread > 0 && what == 'g')
		gdb->cpu = (unsigned int)thread - 1;
	else if (thread > 0)
		gdb->step_cpu = (unsigned int)thread - 1;
	reply(gdb, "OK");
}

static void is_alive(struct gdb *gdb, const char *p)
{
	int thread;

	reply_result(gdb, take_thread(gdb, &p, &thread) && thread > 0 && !*p ? 0 : -ESRCH);
}

static void kill_target(struct gdb *gdb)
{
	gdb->running = true;
	gdb->ops->kill(gdb->arg);
}

static void verbose(struct gdb *gdb, const char *p)
{
	if (!strcmp(p, "Cont?")) {
		reply(gdb, "vCont;c;C;s;S");
	} else if (!strncmp(p, "Cont", 4)) {
		resume_each(gdb, p + 4);
	} else if (!strncmp(p, "Kill;", 5)) {
		reply(gdb, "OK");
		kill_target(gdb);
	} else {
		reply(gdb, "");
	}
}

/* ---- questions ---- */

/* Whether a feature, with its `+`, is in a list that `;` divides. */
static bool has_feature(const char *list, const char *feature)
{
	size_t len = strlen(feature);

	for (; *list; list += strspn(list, ";")) {
		size_t n = strcspn(list, ";");

		if (n == len && !strncmp(list, feature, n))
			return true;
		list += n;
	}
	return false;
}

static void supported(struct gdb *gdb, const char *p)
{
	gdb->knows_swbreak = *p == ':' && has_feature(p + 1, "swbreak+");
	gdb->knows_hwbreak = *p == ':' && has_feature(p + 1, "hwbreak+");
	reply_begin(gdb);
	reply_add(gdb,
		  "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;vContSupported+;swbreak+;"
		  "hwbreak+",
		  GDB_PACKET_MAX);
	reply_end(gdb);
}

/* "OFFSET,LENGTH" of target.xml. */
static void description(struct gdb *gdb, const char *p)
{
	size_t size = strlen(gdb->registers->xml);
	uint64_t offset, len;

	if (!take_range(&p, &offset, &len) || *p || offset > size) {
		reply_result(gdb, -EINVAL);
		return;
	}
	if (len > MEMORY_MAX)
		len = MEMORY_MAX;
	if (len > size - offset)
		len = size - offset;
	reply_begin(gdb);
	reply_add(gdb, "%c", offset + len < size ? 'm' : 'l');
	reply_escaped(gdb, gdb->registers->xml + offset, len);
	reply_end(gdb);
}

static void list_threads(struct gdb *gdb)
{
	reply_begin(gdb);
	for (unsigned int i = 0; i < gdb->ncpus; i++)
		reply_add(gdb, "%c%x", i ? ',' : 'm', i + 1);
	reply_end(gdb);
}

static void describe_thread(struct gdb *gdb, const char *p)
{
	char text[128] = "";
	int thread;

	if (!take_thread(gdb, &p, &thread) || thread <= 0 || *p) {
		reply_result(gdb, -ESRCH);
		return;
	}
	gdb->ops->describe(gdb->arg, (unsigned int)thread - 1, text, sizeof(text));
	reply_begin(gdb);
	reply_hex(gdb, (const uint8_t *)text, strlen(text));
	reply_end(gdb);
}

static bool begins(const char **p, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*p, word, len))
		return false;
	*p += len;
	return true;
}

static void query(struct gdb *gdb, const char *p)
{
	if (begins(&p, "Supported"))
		supported(gdb, p);
	else if (begins(&p, "Xfer:features:read:target.xml:"))
		description(gdb, p);
	else if (!strcmp(p, "fThreadInfo"))
		list_threads(gdb);
	else if (!strcmp(p, "sThreadInfo"))
		reply(gdb, "l");
	else if (begins(&p, "ThreadExtraInfo,"))
		describe_thread(gdb, p);
	else if (!strcmp(p, "Attached"))
		reply(gdb, "1"); /* so that gdb, when it quits, leaves the guest alone */
	else if (!strcmp(p, "C")) {
		reply_begin(gdb);
		reply_add(gdb, "QC%x", gdb->cpu + 1);
		reply_end(gdb);
	} else
		reply(gdb, "");
}

static void detach(struct gdb *gdb)
{
	reply(gdb, "OK");
	gdb->running = true;
	gdb->ops->detach(gdb->arg);
}

static void serve_packet(struct gdb *gdb)
{
	const char *p = gdb->packet + 1;

	switch (gdb->packet[0]) {
	case '?':
		reply_stop(gdb);
		break;
	case 'g':
		get_registers(gdb);
		break;
	case 'G':
		reply_result(gdb, set_registers(gdb, p));
		break;
	case 'p':
		get_register(gdb, p);
		break;
	case 'P':
		reply_result(gdb, set_register(gdb, p));
		break;
	case 'm':
		get_memory(gdb, p);
		break;
	case 'M':
	case 'X':
		reply_result(gdb, set_memory(gdb, p, gdb->packet[0] == 'X'));
		break;
	case 'Z':
	case 'z':
		reply_result(gdb, set_break(gdb, p, gdb->packet[0] == 'Z'));
		break;
	case 'H':
		select_thread(gdb, p);
		break;
	case 'T':
		is_alive(gdb, p);
		break;
	case 'c':
	case 'C':
	case 's':
	case 'S':
		resume_old(gdb, gdb->packet[0] == 's' || gdb->packet[0] == 'S');
		break;
	case 'D':
		detach(gdb);
		break;
	case 'k':
		kill_target(gdb);
		break;
	case 'v':
		verbose(gdb, p);
		break;
	case 'q':
		query(gdb, p);
		break;
	case 'Q':
		if (!strcmp(p, "StartNoAckMode")) {
			reply(gdb, "OK");
			gdb->acks = false;
			break;
		}
		reply(gdb, "");
		break;
	default:
		reply(gdb, "");
	}
}

/* ---- frames ---- */

static void packet_byte(struct gdb *gdb, char c)
{
	if (gdb->len == GDB_PACKET_MAX) {
		gdb->too_long = true;
		return;
	}
	gdb->packet[gdb->len++] = c;
}

static void packet_end(struct gdb *gdb)
{
	bool good = !gdb->too_long && gdb->sum == gdb->sum_told;

	gdb->state = GDB_IDLE;
	gdb->packet[gdb->len] = '\0';
	if (gdb->acks)
		gdb->ack = good ? '+' : '-';
	if (good)
		serve_packet(gdb);
}

static void take_byte(struct gdb *gdb, char c)
{
	switch (gdb->state) {
	case GDB_IDLE:
		if (c == '$') {
			gdb->state = GDB_DATA;
			gdb->len = 0;
			gdb->too_long = false;
			gdb->sum = 0;
		} else if (c == '-' && gdb->frame_sent == gdb->frame_len) {
			gdb->frame_sent = 0; /* the last one again */
		} else if (c == CTRL_C && gdb->running) {
			gdb->ops->interrupt(gdb->arg);
		}
		return;
	case GDB_DATA:
		if (c == '#') {
			gdb->state = GDB_SUM;
			return;
		}
		gdb->sum = (uint8_t)(gdb->sum + (uint8_t)c);
		if (c == '}')
			gdb->state = GDB_ESCAPED;
		else
			packet_byte(gdb, c);
		return;
	case GDB_ESCAPED:
		gdb->sum = (uint8_t)(gdb->sum + (uint8_t)c);
		gdb->state = GDB_DATA;
		packet_byte(gdb, (char)(c ^ 0x20));
		return;
	case GDB_SUM:
	case GDB_SUM2:
		/* What is no digit makes a checksum that is wrong, or by chance is not. */
		gdb->sum_told = (uint8_t)(gdb->sum_told << 4 | (digit(c) & 0xf));
		if (gdb->state == GDB_SUM2)
			packet_end(gdb);
		else
			gdb->state = GDB_SUM2;
		return;
	}
}

size_t gdb_push(struct gdb *gdb, const void *data, size_t len)
{
	const char *p = data;

	for (size_t i = 0; i < len; i++) {
		bool busy = gdb->ack || gdb->frame_sent < gdb->frame_len || gdb->running;

		/* A packet is answered when there is room for the answer, and the target does not run. */
		if (busy && (gdb->state != GDB_IDLE || p[i] == '$'))
			return i;
		take_byte(gdb, p[i]);
	}
	return len;
}

size_t gdb_pull(struct gdb *gdb, void *buf, size_t cap)
{
	size_t left = gdb->frame_len - gdb->frame_sent, done = 0;

	if (gdb->ack && cap) {
		*(char *)buf = gdb->ack;
		gdb->ack = '\0';
		done = 1;
	}
	left = left < cap - done ? left : cap - done;
	memcpy((char *)buf + done, gdb->frame + gdb->frame_sent, left);
	gdb->frame_sent += left;
	return done + left;
}

/* ---- events ---- */

void gdb_stopped(struct gdb *gdb, const struct gdb_stop *stop)
{
	gdb->stop = *stop;
	gdb->cpu = stop->cpu;
	gdb->step_cpu = stop->cpu;
	gdb->running = false;
	/* One that has just come will ask. */
	if (gdb->awaits_stop)
		reply_stop(gdb);
	gdb->awaits_stop = false;
}

void gdb_exited(struct gdb *gdb, int status)
{
	/* Not in the middle of another packet. */
	if (gdb->frame_sent < gdb->frame_len)
		return;
	reply_begin(gdb);
	reply_add(gdb, "W%02x", status & 0xff);
	reply_end(gdb);
}
