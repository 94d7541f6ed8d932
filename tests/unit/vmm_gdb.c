// SPDX-License-Identifier: MIT
/* gdb's protocol with a made-up target of two processors. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vmm/gdb.h"
#include "vmm/gdb_listen.h"
#include "vmm/x86_64/debug.h"

#define BASE 0xffff000000001000ull
#define SIZE 20000

struct target {
	uint8_t registers[2][16]; /* four of 4 bytes */
	uint8_t memory[SIZE];	  /* at BASE */
	int gets, sets, writes, breaks, resumes, interrupts, detaches, kills;
	unsigned int cpu;
	enum gdb_resume how[2];
	enum gdb_break kind;
	uint64_t address, len;
	bool on;
	bool running;
};

static const struct gdb_slot slots[] = { { 0, 4 }, { 4, 4 }, { 8, 4 }, { 12, 4 } };
static const struct gdb_registers registers = {
	.xml = "<target>#$}*</target>",
	.size = 16,
	.n = 4,
	.slot = slots,
};

/* What must not be called while the target runs. */
static struct target *stopped(void *arg, unsigned int cpu)
{
	struct target *t = arg;

	if (t->running || cpu > 1)
		abort();
	t->cpu = cpu;
	return t;
}

static int get_registers(void *arg, unsigned int cpu, uint8_t *to)
{
	struct target *t = stopped(arg, cpu);

	t->gets++;
	memcpy(to, t->registers[cpu], 16);
	return 0;
}

static int set_registers(void *arg, unsigned int cpu, const uint8_t *from)
{
	struct target *t = stopped(arg, cpu);

	t->sets++;
	memcpy(t->registers[cpu], from, 16);
	return 0;
}

static ssize_t read_memory(void *arg, unsigned int cpu, uint64_t address, void *buf, size_t len)
{
	struct target *t = stopped(arg, cpu);
	uint64_t at = address - BASE;

	if (at >= SIZE)
		return -EFAULT;
	if (len > SIZE - at)
		len = SIZE - at;
	memcpy(buf, t->memory + at, len);
	return len;
}

static int write_memory(void *arg, unsigned int cpu, uint64_t address, const void *data, size_t len)
{
	struct target *t = stopped(arg, cpu);
	uint64_t at = address - BASE;

	if (at >= SIZE || len > SIZE - at)
		return -EFAULT;
	t->writes++;
	memcpy(t->memory + at, data, len);
	return 0;
}

static int set_break(void *arg, unsigned int cpu, enum gdb_break kind, uint64_t address, uint64_t len,
		     bool on)
{
	struct target *t = stopped(arg, cpu);

	t->breaks++;
	t->kind = kind;
	t->address = address;
	t->len = len;
	t->on = on;
	return address == 0xbad ? -EFAULT : 0;
}

static void resume(void *arg, const enum gdb_resume *how)
{
	struct target *t = stopped(arg, 0);

	t->resumes++;
	t->running = true;
	memcpy(t->how, how, sizeof(t->how));
}

static void interrupt(void *arg)
{
	((struct target *)arg)->interrupts++;
}

static void detach(void *arg)
{
	struct target *t = stopped(arg, 0);

	t->detaches++;
	t->running = true;
}

static void kill_target(void *arg)
{
	struct target *t = arg;

	t->kills++;
	t->running = true;
}

static void describe(void *arg, unsigned int cpu, char *buf, size_t cap)
{
	(void)arg;
	snprintf(buf, cap, "CPU %u", cpu);
}

static const struct gdb_ops ops = {
	.get_registers = get_registers,
	.set_registers = set_registers,
	.read = read_memory,
	.write = write_memory,
	.set_break = set_break,
	.resume = resume,
	.interrupt = interrupt,
	.detach = detach,
	.kill = kill_target,
	.describe = describe,
};

FIXTURE(gdb)
{
	struct gdb gdb;
	struct target target;
	char got[3 * GDB_PACKET_MAX];
};

static const struct gdb_stop first_stop = { .cpu = 0, .signal = GDB_SIGTRAP };

FIXTURE_SETUP(gdb)
{
	memset(&self->target, 0, sizeof(self->target));
	gdb_init(&self->gdb, &ops, &self->target, &registers, 2);
	gdb_stopped(&self->gdb, &first_stop);
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 16; j++)
			self->target.registers[i][j] = 0x10 * (i + 1) + j;
	for (int i = 0; i < SIZE; i++)
		self->target.memory[i] = i * 7;
}

FIXTURE_TEARDOWN(gdb)
{
}

/* Frames a packet as gdb does; returns its length. */
static size_t frame(char *to, const char *packet, size_t len)
{
	size_t n = 0;
	uint8_t sum = 0;

	to[n++] = '$';
	for (size_t i = 0; i < len; i++) {
		if (packet[i] && strchr("$#}*", packet[i])) {
			to[n++] = '}';
			to[n++] = packet[i] ^ 0x20;
		} else {
			to[n++] = packet[i];
		}
	}
	for (size_t i = 1; i < n; i++)
		sum += (uint8_t)to[i];
	return n + sprintf(to + n, "#%02x", sum);
}

/* Sends a packet; returns what comes back: an ack and frames, or "". */
static const char *ask_bytes(FIXTURE_DATA(gdb) *self, const char *packet, size_t len)
{
	static char wire[4 * GDB_PACKET_MAX];
	size_t n = frame(wire, packet, len), pulled = 0, more;

	if (gdb_push(&self->gdb, wire, n) != n)
		return "not taken";
	while ((more = gdb_pull(&self->gdb, self->got + pulled, 100)))
		pulled += more;
	self->got[pulled] = '\0';
	return self->got;
}

static const char *ask(FIXTURE_DATA(gdb) *self, const char *packet)
{
	return ask_bytes(self, packet, strlen(packet));
}

/* A packet in its frame. */
static const char *framed(const char *packet)
{
	static char wire[256];

	wire[frame(wire, packet, strlen(packet))] = '\0';
	return wire;
}

#define EXPECT_REPLY(packet, reply)                                                                \
	do {                                                                                       \
		char want[3 * GDB_PACKET_MAX] = "+";                                               \
		frame(want + 1, reply, strlen(reply));                                             \
		EXPECT_STREQ(ask(self, packet), want);                                             \
	} while (0)

TEST_F(gdb, the_usual_start)
{
	EXPECT_NE(strstr(ask(self, "qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386"),
			 "PacketSize=2000;"), NULL);
	EXPECT_REPLY("vMustReplyEmpty", "");
	EXPECT_REPLY("?", "T05thread:1;");
	EXPECT_REPLY("qfThreadInfo", "m1,2");
	EXPECT_REPLY("qsThreadInfo", "l");
	EXPECT_REPLY("qC", "QC1");
	EXPECT_REPLY("qAttached", "1");
	EXPECT_REPLY("qThreadExtraInfo,2", "4350552031");
	EXPECT_REPLY("T2", "OK");
	EXPECT_REPLY("T3", "E03");
	EXPECT_REPLY("T0", "E03");
	EXPECT_REPLY("vCont?", "vCont;c;C;s;S");
	EXPECT_REPLY("Qwhat", "");
	/* The last one that is acknowledged. */
	EXPECT_REPLY("QStartNoAckMode", "OK");
	EXPECT_STREQ(ask(self, "qC"), "$QC1#c5");
}

TEST_F(gdb, the_description_in_pieces)
{
	EXPECT_REPLY("qXfer:features:read:target.xml:0,5", "m<targ");
	EXPECT_REPLY("qXfer:features:read:target.xml:8,4", "m#$}*");
	EXPECT_REPLY("qXfer:features:read:target.xml:15,1000", "l");
	EXPECT_REPLY("qXfer:features:read:target.xml:16,1000", "E16");
	EXPECT_REPLY("qXfer:features:read:target.xml:,1", "E16");
	EXPECT_REPLY("qXfer:features:read:other.xml:0,1", "");
}

TEST_F(gdb, registers_of_each_cpu)
{
	EXPECT_REPLY("g", "101112131415161718191a1b1c1d1e1f");
	EXPECT_REPLY("Hg2", "OK");
	EXPECT_REPLY("p1", "24252627");
	EXPECT_REPLY("p3", "2c2d2e2f");
	EXPECT_REPLY("p4", "E16");
	EXPECT_REPLY("p", "E16");
	EXPECT_REPLY("P2=a1b2c3d4", "OK");
	EXPECT_EQ(self->target.registers[1][8], 0xa1);
	EXPECT_EQ(self->target.registers[1][11], 0xd4);
	EXPECT_REPLY("P2=a1b2c3", "E16");
	EXPECT_REPLY("P2=a1b2c3d4e5", "E16");
	EXPECT_REPLY("P2", "E16");
	EXPECT_REPLY("P9=00000000", "E16");
	EXPECT_REPLY("Hg0", "OK");
	EXPECT_REPLY("G000102030405060708090a0b0c0d0e0f", "OK");
	EXPECT_EQ(self->target.registers[1][15], 0x0f);
	EXPECT_EQ(self->target.registers[0][15], 0x1f);
	EXPECT_REPLY("G00", "E16");
	EXPECT_REPLY("Hg3", "E16");
	EXPECT_REPLY("Hg", "E16");
	EXPECT_REPLY("H", "E16");
	EXPECT_EQ(self->target.sets, 2);
}

TEST_F(gdb, memory)
{
	char packet[128];

	EXPECT_REPLY("mffff000000001001,3", "070e15");
	/* What is there, and no more. */
	sprintf(packet, "m%llx,10", BASE + SIZE - 2);
	EXPECT_EQ(strlen(ask(self, packet)), 1 + 1 + 4 + 3);
	EXPECT_REPLY("m0,1", "E0e");
	EXPECT_REPLY("mffff000000001000", "E16");
	EXPECT_REPLY("m1ffff000000001000,1", "E16");
	/* A reply is never longer than a packet. */
	EXPECT_EQ(strlen(ask(self, "mffff000000001000,ffffffffffffffff")), 1 + 1 + GDB_PACKET_MAX + 3);

	EXPECT_REPLY("Mffff000000001000,2:beef", "OK");
	EXPECT_EQ(self->target.memory[0], 0xbe);
	EXPECT_EQ(self->target.memory[1], 0xef);
	EXPECT_REPLY("Mffff000000001000,2:be", "E16");
	EXPECT_REPLY("Mffff000000001000,1:beef", "E16");
	EXPECT_REPLY("Mffff000000001000,ffffffff:be", "E16");
	EXPECT_REPLY("M0,1:be", "E0e");
	EXPECT_STREQ(ask_bytes(self, "Xffff000000001000,4:\0#}*", 24), "+$OK#9a");
	EXPECT_EQ(memcmp(self->target.memory, "\0#}*", 4), 0);
	EXPECT_STREQ(ask_bytes(self, "Xffff000000001000,5:\0#}*", 24), "+$E16#ac");
	EXPECT_REPLY("X0,0:", "OK");
	EXPECT_EQ(self->target.writes, 2);
}

TEST_F(gdb, breakpoints)
{
	EXPECT_REPLY("Z0,ffffffff81000000,1", "OK");
	EXPECT_EQ(self->target.kind, GDB_BREAK_SOFTWARE);
	EXPECT_EQ(self->target.address, 0xffffffff81000000ull);
	EXPECT_TRUE(self->target.on);
	EXPECT_REPLY("z3,10,8;X1,00", "OK");
	EXPECT_EQ(self->target.kind, GDB_WATCH_READ);
	EXPECT_EQ(self->target.len, 8);
	EXPECT_FALSE(self->target.on);
	EXPECT_REPLY("Z1,bad,1", "E0e");
	EXPECT_EQ(self->target.breaks, 3);
	EXPECT_REPLY("Z5,10,1", "E16");
	EXPECT_REPLY("Z100000000,10,1", "E16");
	EXPECT_REPLY("Z0,10", "E16");
	EXPECT_REPLY("Z0", "E16");
	EXPECT_EQ(self->target.breaks, 3);
}

/* The target stops: what gdb is told at once. */
static const char *stop(FIXTURE_DATA(gdb) *self, struct gdb_stop stop)
{
	self->target.running = false;
	gdb_stopped(&self->gdb, &stop);
	self->got[gdb_pull(&self->gdb, self->got, sizeof(self->got) - 1)] = '\0';
	return self->got;
}

TEST_F(gdb, it_runs_and_stops)
{
	ask(self, "qSupported:swbreak+;hwbreak+");
	/* No reply but an ack before it stops. */
	EXPECT_STREQ(ask(self, "vCont;c"), "+");
	EXPECT_EQ(self->target.how[0], GDB_CONTINUE);
	EXPECT_EQ(self->target.how[1], GDB_CONTINUE);
	EXPECT_STREQ(stop(self, (struct gdb_stop){ .cpu = 1, .signal = 5, .at_break = true }),
		     framed("T05thread:2;swbreak:;"));
	EXPECT_REPLY("?", "T05thread:2;swbreak:;");
	/* What follows is about the processor that stopped. */
	ask(self, "p0");
	EXPECT_EQ(self->target.cpu, 1);

	EXPECT_STREQ(ask(self, "vCont;s:2;c:1"), "+");
	EXPECT_EQ(self->target.how[0], GDB_CONTINUE);
	EXPECT_EQ(self->target.how[1], GDB_STEP);
	EXPECT_STREQ(stop(self, (struct gdb_stop){ .cpu = 0, .signal = 5, .at_break = true,
						   .kind = GDB_WATCH_WRITE, .address = 0xabc }),
		     framed("T05thread:1;watch:abc;"));
	EXPECT_STREQ(ask(self, "vCont;S05:1"), "+");
	EXPECT_EQ(self->target.how[0], GDB_STEP);
	EXPECT_EQ(self->target.how[1], GDB_STAY);
	stop(self, first_stop);
	/* The first that is for it counts. */
	EXPECT_STREQ(ask(self, "vCont;s:1;c"), "+");
	EXPECT_EQ(self->target.how[0], GDB_STEP);
	EXPECT_EQ(self->target.how[1], GDB_CONTINUE);
	stop(self, first_stop);
	EXPECT_STREQ(ask(self, "c"), "+");
	stop(self, first_stop);
	EXPECT_REPLY("Hc2", "OK");
	EXPECT_STREQ(ask(self, "s"), "+");
	EXPECT_EQ(self->target.how[0], GDB_STAY);
	EXPECT_EQ(self->target.how[1], GDB_STEP);
	stop(self, first_stop);
	EXPECT_EQ(self->target.resumes, 6);

	EXPECT_REPLY("vCont", "E16");
	EXPECT_REPLY("vCont;", "E16");
	EXPECT_REPLY("vCont;t:1", "E16");
	EXPECT_REPLY("vCont;c:3", "E16");
	EXPECT_REPLY("vCont;c:0", "E16");
	EXPECT_REPLY("vCont;c:1x", "E16");
	EXPECT_REPLY("vCont;C", "E16");
	EXPECT_EQ(self->target.resumes, 6);
}

TEST_F(gdb, while_it_runs_only_ctrl_c_counts)
{
	char wire[64];
	size_t n = frame(wire, "g", 1);

	ask(self, "c");
	EXPECT_EQ(gdb_push(&self->gdb, "+\003", 2), 2);
	EXPECT_EQ(self->target.interrupts, 1);
	EXPECT_EQ(gdb_push(&self->gdb, wire, n), 0);
	EXPECT_EQ(self->target.gets, 0);
	EXPECT_STREQ(stop(self, (struct gdb_stop){ .signal = GDB_SIGINT }), framed("T02thread:1;"));
	EXPECT_EQ(gdb_push(&self->gdb, wire, n), n);
	EXPECT_EQ(self->target.gets, 1);
	/* It is stopped already. */
	while (gdb_pull(&self->gdb, self->got, 100))
		;
	EXPECT_EQ(gdb_push(&self->gdb, "\003", 1), 1);
	EXPECT_EQ(self->target.interrupts, 1);
}

TEST_F(gdb, a_slow_reader_holds_up_only_itself)
{
	char wire[64], buf[10];
	size_t n = frame(wire, "g", 1);

	EXPECT_EQ(gdb_push(&self->gdb, wire, n), n);
	/* No second answer while the first one is not gone. */
	EXPECT_EQ(gdb_push(&self->gdb, wire, n), 0);
	EXPECT_EQ(gdb_pull(&self->gdb, buf, 10), 10);
	EXPECT_EQ(gdb_push(&self->gdb, wire, n), 0);
	EXPECT_EQ(self->target.gets, 1);
	while (gdb_pull(&self->gdb, buf, 10))
		;
	EXPECT_EQ(gdb_push(&self->gdb, wire, n), n);
	EXPECT_EQ(self->target.gets, 2);
}

TEST_F(gdb, what_was_lost_comes_again)
{
	char first[64], again[64];

	strcpy(first, ask(self, "qC"));
	EXPECT_EQ(gdb_push(&self->gdb, "-", 1), 1);
	again[gdb_pull(&self->gdb, again, 60)] = '\0';
	EXPECT_STREQ(again, first + 1);
	/* A wrong checksum. */
	EXPECT_EQ(gdb_push(&self->gdb, "$g#00", 5), 5);
	EXPECT_EQ(gdb_pull(&self->gdb, again, 60), 1);
	EXPECT_EQ(again[0], '-');
	EXPECT_EQ(self->target.gets, 0);
}

TEST_F(gdb, a_packet_that_is_too_long_is_dropped)
{
	static char packet[2 * GDB_PACKET_MAX], wire[2 * GDB_PACKET_MAX + 8];
	size_t n;
	char c;

	memset(packet, 'g', sizeof(packet));
	n = frame(wire, packet, sizeof(packet));
	EXPECT_EQ(gdb_push(&self->gdb, wire, n), n);
	EXPECT_EQ(gdb_pull(&self->gdb, &c, 1), 1);
	EXPECT_EQ(c, '-');
	EXPECT_EQ(self->target.gets, 0);
	EXPECT_REPLY("qC", "QC1");
}

TEST_F(gdb, it_leaves_or_kills)
{
	EXPECT_REPLY("D", "OK");
	EXPECT_EQ(self->target.detaches, 1);
	self->target.running = false;
	gdb_connected(&self->gdb);
	gdb_stopped(&self->gdb, &first_stop);
	/* It has not asked for that stop. */
	EXPECT_EQ(gdb_pull(&self->gdb, self->got, 100), 0);
	EXPECT_REPLY("vKill;1", "OK");
	EXPECT_EQ(self->target.kills, 1);
	gdb_exited(&self->gdb, 137);
	self->got[gdb_pull(&self->gdb, self->got, 100)] = '\0';
	EXPECT_STREQ(self->got, framed("W89"));
}

/* Bytes that are nearly packets, in pieces of any size, with stops at any time. */
TEST_F(gdb, random_packets)
{
	static const char *const seeds[] = {
		"qSupported:swbreak+;hwbreak+", "g", "G000102030405060708090a0b0c0d0e0f", "p3", "P1=00000000",
		"mffff000000001000,40", "Mffff000000001000,2:0102", "Xffff000000001000,3:abc",
		"Z0,1000,1", "z1,1000,1", "Z2,1000,4", "vCont;c", "vCont;s:1;c:-1", "vCont;S05:2;C0b:1",
		"vCont?", "vKill;1", "Hg2", "Hc-1", "T1", "qXfer:features:read:target.xml:0,ffff",
		"qThreadExtraInfo,1", "qfThreadInfo", "QStartNoAckMode", "D", "k", "?", "s", "c", "",
	};
	static char wire[4096];
	unsigned int seed = 7;
	long replies = 0;

	for (int round = 0; round < 200000; round++) {
		const char *from = seeds[rand_r(&seed) % (sizeof(seeds) / sizeof(seeds[0]))];
		char packet[128], buf[700];
		size_t len = strlen(from), n, at = 0;

		memcpy(packet, from, len + 1);
		for (int flips = rand_r(&seed) % 4; flips && len; flips--)
			packet[rand_r(&seed) % len] = rand_r(&seed) % 3 ? "0123456789abcdef,;:-="[rand_r(&seed) % 21] :
									  rand_r(&seed);
		if (rand_r(&seed) % 8 == 0)
			len = rand_r(&seed) % (len + 1);
		n = frame(wire, packet, len);
		if (rand_r(&seed) % 16 == 0)
			wire[rand_r(&seed) % n] = rand_r(&seed);
		while (at < n) {
			size_t piece = 1 + rand_r(&seed) % (n - at), taken;

			taken = gdb_push(&self->gdb, wire + at, piece);
			at += taken;
			replies += gdb_pull(&self->gdb, buf, 1 + rand_r(&seed) % sizeof(buf)) > 0;
			if (!taken && self->gdb.running) {
				self->target.running = false;
				gdb_stopped(&self->gdb, &(struct gdb_stop){
					.cpu = rand_r(&seed) % 2,
					.signal = 5,
					.at_break = rand_r(&seed) % 2,
					.kind = rand_r(&seed) % 5,
				});
			}
		}
	}
	EXPECT_GT(replies, 100000);
	EXPECT_GT(self->target.resumes, 1000);
	EXPECT_GT(self->target.kills, 100);
	EXPECT_GT(self->target.sets, 1000);
	EXPECT_GT(self->target.breaks, 1000);
}

TEST(debug_registers)
{
	struct x86_debug debug = { 0 };

	EXPECT_EQ(x86_dr7(&debug), 0x400);
	debug.hardware[0] = (struct x86_hardware_break){ true, GDB_BREAK_HARDWARE, 0x1000, 1 };
	debug.hardware[1] = (struct x86_hardware_break){ true, GDB_WATCH_WRITE, 0x2000, 4 };
	debug.hardware[2] = (struct x86_hardware_break){ false, GDB_WATCH_WRITE, 0x2000, 4 };
	debug.hardware[3] = (struct x86_hardware_break){ true, GDB_WATCH_ACCESS, 0x3000, 8 };
	/* G0, G1, G3; R/W1 = 1, LEN1 = 3 (4 bytes); R/W3 = 3, LEN3 = 2 (8 bytes). */
	EXPECT_EQ(x86_dr7(&debug), 0x400 | 0x2 | 0x8 | 0x80 | 0xdull << 20 | 0xbull << 28);
	EXPECT_TRUE(x86_break_is_possible(GDB_WATCH_WRITE, 0x1004, 4));
	EXPECT_FALSE(x86_break_is_possible(GDB_WATCH_WRITE, 0x1002, 4));
	EXPECT_FALSE(x86_break_is_possible(GDB_WATCH_ACCESS, 0x1000, 16));
	EXPECT_FALSE(x86_break_is_possible(GDB_WATCH_ACCESS, 0x1000, 0));
	EXPECT_FALSE(x86_break_is_possible(GDB_WATCH_READ, 0x1000, 4));
}

TEST(exits_that_are_a_debuggers)
{
	struct kvm_run run = { 0 };
	struct vcpu vcpu = { .run = &run };
	struct x86_debug debug = { .hardware = { [2] = { true, GDB_WATCH_WRITE, 0x2000, 4 } } };
	uint64_t address;
	unsigned int n;

	run.debug.arch.exception = 3;
	run.debug.arch.pc = 0x1234;
	EXPECT_EQ(x86_debug_event(&vcpu, &debug, &address, &n), X86_DEBUG_SOFTWARE);
	EXPECT_EQ(address, 0x1234);
	run.debug.arch.exception = 1;
	/* The guest steps by itself. */
	run.debug.arch.dr6 = 1 << 14;
	EXPECT_EQ(x86_debug_event(&vcpu, &debug, &address, &n), X86_DEBUG_OTHER);
	debug.step = true;
	EXPECT_EQ(x86_debug_event(&vcpu, &debug, &address, &n), X86_DEBUG_STEP);
	run.debug.arch.dr6 |= 1 << 2 | 1 << 1;
	EXPECT_EQ(x86_debug_event(&vcpu, &debug, &address, &n), X86_DEBUG_HARDWARE);
	EXPECT_EQ(n, 2);
}

/* gdb wants these in this order and without gaps. */
TEST(registers_of_x86)
{
	const struct gdb_registers *r = x86_gdb_registers();
	size_t offset = 0;

	ASSERT_EQ(r->n, 24 + 16 + 17 + 2 + 7);
	for (unsigned int i = 0; i < r->n; i++) {
		EXPECT_EQ(r->slot[i].offset, offset);
		offset += r->slot[i].size;
	}
	EXPECT_EQ(offset, r->size);
	EXPECT_EQ(r->slot[16].offset, 16 * 8);
	EXPECT_NE(strstr(r->xml, "<reg name='rip' bitsize='64' type='code_ptr'/>"), NULL);
	EXPECT_NE(strstr(r->xml, "<reg name='st7' bitsize='80' type='i387_ext'/>"), NULL);
}

TEST(places_to_listen_at)
{
	static const char *const bad[] = { "", "x", "1234x", "70000", "-1", "host:1234", "1.2.3:1", "[::1:5", "::1:",
					   ":1234", "127.0.0.1:", "[]:1",
					   "1111111111111111111111111111111111111111111111111111111111111111111:1" };
	char path[] = "/tmp/ninepin-gdb.XXXXXX", in[64], longer[200];
	struct gdb_listen l;
	struct stat st;
	struct why why;
	int fd;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why.text[0] = '\0';
		EXPECT_EQ(gdb_listen_open(&l, bad[i], &why), -EINVAL) TH_LOG("of '%s'", bad[i]);
		EXPECT_NE(strstr(why.text, "--gdb"), NULL);
	}
	ASSERT_EQ(gdb_listen_open(&l, "0", &why), 0);
	EXPECT_EQ(strncmp(l.address, "127.0.0.1:", 10), 0);
	EXPECT_GT(atoi(l.address + 10), 0);
	gdb_listen_close(&l);
	ASSERT_EQ(gdb_listen_open(&l, "localhost:0", &why), 0);
	gdb_listen_close(&l);

	ASSERT_NE(mkdtemp(path), NULL);
	sprintf(in, "%s/s", path);
	ASSERT_EQ(gdb_listen_open(&l, in, &why), 0);
	ASSERT_EQ(stat(in, &st), 0);
	EXPECT_EQ(st.st_mode & 0777, 0600);
	EXPECT_STREQ(l.address, in);
	fd = l.fd;
	{
		struct gdb_listen second;

		EXPECT_EQ(gdb_listen_open(&second, in, &why), -EADDRINUSE);
	}
	/* One that nobody listens at any more is no obstacle. */
	close(fd);
	l.fd = -1;
	l.socket_is.st_ino = 0;
	gdb_listen_close(&l);
	ASSERT_EQ(gdb_listen_open(&l, in, &why), 0);
	gdb_listen_close(&l);
	EXPECT_EQ(access(in, F_OK), -1);
	close(creat(in, 0600));
	EXPECT_EQ(gdb_listen_open(&l, in, &why), -EEXIST);
	EXPECT_EQ(access(in, F_OK), 0);
	unlink(in);
	rmdir(path);
	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[199] = '\0';
	EXPECT_EQ(gdb_listen_open(&l, longer, &why), -ENAMETOOLONG);
}

TEST_HARNESS_MAIN
