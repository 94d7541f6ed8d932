# SPDX-License-Identifier: MIT
## ninepin: boots a Linux guest that shares host folders with you
##
##   make run            builds what is needed, gets a guest kernel (below build/) and boots it:
##                       a shell in the guest, standing in the shared folder; without a terminal,
##                       a demonstration
##     SHARE=DIR         the folder to share (default: the current one)
##     CMD='ls -l'       run this in the guest instead
##   make test           every test; the last line says how many passed, failed and were skipped
##     TESTS=FILE…       only these, for example TESTS=tests/guest/run.sh
##   make test-long      the same, and those that take minutes
##   make fuzz           looks for inputs that break the 9P server, in four ways, after each other
##     FUZZ_TIME=60      seconds for each
##   make bench          speed, in counted time, beside QEMU: calls, whole jobs, boot, memory
##     PROFILE=FILE…       further VMMs      COMPARE=FILE.csv    an earlier run, to compare with
##   make bench-quick    only single calls on a tmpfs (docs/bench.md)
##   make bench-breakdown  where the instructions of a stat, a pread and a create go
##     OPTIONS='--io auto fsync'   what else: see tests/bench/breakdown/run --help
##   make lint           clang-tidy, cppcheck and shellcheck
##   make                builds build/ninepin
##   make install        puts it into PREFIX (default /usr/local), below DESTDIR if that is set
##   make clean          removes build/, the guest kernel too
##
##   V=1                 shows each command
##   SAN=asan|tsan       builds with a sanitizer, in build/asan or build/tsan
##   NINEPIN_INSTALL=no  never installs a Debian package, only says which one is missing

# Nothing here may need a compiler or a package while make reads it: on a new machine they are
# installed by the first recipe that runs.

BUILD ?= build
PREFIX ?= /usr/local
SHARE ?= .
SAN ?=
FUZZ_TIME ?= 60

CC = gcc
MUSL_CC = musl-gcc
CPPFLAGS = -I. -I$(BUILD)/kselftest -D_GNU_SOURCE
WARN = -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
       -Wmissing-prototypes -Wvla -Werror
CFLAGS = -std=gnu11 -O2 -g -fno-strict-aliasing $(WARN)
LDLIBS = -luring -llzma -lzstd -lz -lxxhash -ljansson -lexpat -lfdt -lpthread

# Four builds, each in a folder of its own: the product, two that run the unit tests, and one for
# fuzzing, which clang makes.
PLAIN = $(BUILD)
ASAN = $(BUILD)/asan
TSAN = $(BUILD)/tsan
FUZZ = $(BUILD)/fuzz
FLAGS_asan = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan = -fsanitize=thread
# clang's -Wextra takes the rest of a table's row for forgotten.
FLAGS_fuzz = -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -Wno-missing-field-initializers
$(FUZZ)/%: CC = clang

ROOMS = vmm virtio ninep devices boot
# Which rooms a room may use (the arrows of the layout), itself first.
uses_vmm = vmm virtio ninep devices boot
uses_virtio = virtio ninep
uses_ninep = ninep
uses_devices = devices
uses_boot = boot

# $(call sources,ROOM), $(call lib,OUT,ROOM), $(call libs_of,OUT,ROOM), $(call unit_tests,OUT)
sources = $(sort $(wildcard $(1)/*.c $(1)/*.S) $(sources_$(1)))
sources_vmm = $(wildcard vmm/x86_64/*.c vmm/foreign/*.c vmm/doctor/*.c) images/bench/work.c
lib = $(1)/lib/$(2).a
libs_of = $(foreach room,$(uses_$(2)),$(call lib,$(1),$(room)))
unit_tests = $(patsubst tests/unit/%.c,$(1)/tests/%,$(wildcard tests/unit/*_*.c))

# V=1 shows the commands. Not on stdout, which is for what `run` and `bench` have to say.
Q = $(if $(V),,@echo "  $(if $(filter %.o,$@),CC,LD)  $@" >&2 &&)

.PHONY: all
all: $(if $(SAN),$(BUILD)/$(SAN),$(BUILD))/ninepin

.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:

# ---- what is not ours: packages, the guest kernel, the test harness ----

PACKAGES = packages-build packages-kernel packages-host packages-tests packages-bench packages-fuzz \
	packages-long packages-lint
.PHONY: $(PACKAGES)
$(PACKAGES): packages-%:
	@images/packages $*

KERNEL = $(BUILD)/kernel/vmlinux
$(KERNEL): | $(BUILD)/unpack-kernel packages-kernel
	@images/get-kernel $(BUILD)

# One without ACPI, for tests that take minutes.
.PHONY: own-kernel
own-kernel: | packages-long
	@tests/get-own-kernel $(BUILD)

KSELFTEST = $(BUILD)/kselftest/kselftest_harness.h
$(KSELFTEST): | packages-tests
	@tests/get-kselftest $(BUILD)

# ---- compiling: $(call build_rules,OUT,compiler and linker flags,linker flags) ----

define room_rules
$(call lib,$(1),$(2)): $(patsubst %,$(1)/obj/%.o,$(basename \
		$(filter-out vmm/main.c,$(call sources,$(2)))))
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
endef

define build_rules
$(1)/obj/%.o: %.c | packages-build
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CPPFLAGS) $$(CFLAGS) $(2) -MMD -MP -c -o $$@ $$<

$(1)/obj/%.o: %.S | packages-build
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CPPFLAGS) $$(CFLAGS) $(2) -MMD -MP -c -o $$@ $$<

$(foreach room,$(ROOMS),$(eval $(call room_rules,$(1),$(room))))

$(1)/ninepin: $(1)/obj/vmm/main.o $(call libs_of,$(1),vmm)
	$$(Q)$$(CC) $(2) $(3) -o $$@ $$^ $$(LDLIBS)

$(1)/obj/vmm/init_blob.o: $(BUILD)/init
$(1)/obj/vmm/init_blob.o: CPPFLAGS += -DINIT_PATH='"$(BUILD)/init"'
$(1)/obj/vmm/bench_blob.o: $(BUILD)/bench-guest
$(1)/obj/vmm/bench_blob.o: CPPFLAGS += -DBENCH_GUEST_PATH='"$(BUILD)/bench-guest"'

# tests/unit/ROOM_SUBJECT.c is linked with what ROOM may use.
$(1)/tests/%: $(1)/obj/tests/unit/%.o $$$$(call libs_of,$(1),$$$$(firstword $$$$(subst _, ,$$$$(*F))))
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $(2) $(3) -o $$@ $$^ $$(LDLIBS)
$(1)/obj/tests/unit/%.o: CFLAGS += -Wno-conversion -Wno-shadow -Wno-missing-prototypes -Wno-sign-compare -Wno-unused
$(call unit_objects,$(1)): | $(KSELFTEST)
endef
unit_objects = $(patsubst $(1)/tests/%,$(1)/obj/tests/unit/%.o,$(call unit_tests,$(1)))

$(eval $(call build_rules,$(PLAIN),,-static))
$(eval $(call build_rules,$(ASAN),$(FLAGS_asan)))
$(eval $(call build_rules,$(TSAN),$(FLAGS_tsan)))
$(eval $(call build_rules,$(FUZZ),$(FLAGS_fuzz)))

# tests/fuzz/wire.c is one program, the rest of that folder the other.
FUZZERS = $(FUZZ)/wire $(FUZZ)/session
FUZZ_OBJECTS = $(patsubst %.c,$(FUZZ)/obj/%.o,$(wildcard tests/fuzz/*.c))
$(FUZZ)/wire: $(FUZZ)/obj/tests/fuzz/wire.o $(call lib,$(FUZZ),ninep)
$(FUZZ)/session: $(filter-out %/wire.o,$(FUZZ_OBJECTS)) $(call lib,$(FUZZ),ninep)
$(FUZZERS):
	$(Q)$(CC) $(FLAGS_fuzz) -o $@ $^ $(LDLIBS)
$(FUZZ_OBJECTS) $(patsubst %,$(FUZZ)/obj/%.o,$(basename $(call sources,ninep))): | packages-fuzz

# The guest's init: one small static program, the same in every build, embedded in the VMM.
INIT = $(filter-out images/unpack-kernel.c,$(wildcard images/*.c))
$(BUILD)/init: $(INIT) $(wildcard images/*.h) | packages-build
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) -I. -D_GNU_SOURCE -std=gnu11 -Os -static -s $(WARN) -Wno-conversion \
		-o $@ $(INIT)

# The guest of `ninepin bench`: a flat image, embedded in the same way. General registers only, which
# every KVM can interpret.
BENCH_GUEST = $(wildcard images/bench/*.c images/bench/*.S)
BENCH_GUEST_AT = $$(sed -n 's/^.define BENCH_IMAGE[^0-9]*//p' images/bench/bench.h)
$(BUILD)/bench-guest: $(BENCH_GUEST) images/bench/bench.ld $(wildcard images/bench/*.h) \
		ninep/proto.h | packages-build
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -std=gnu11 -O2 $(WARN) -ffreestanding -mgeneral-regs-only \
		-fno-pie -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
		-nostdlib -static -no-pie -Wl,--build-id=none,--oformat=binary \
		-Wl,-T,images/bench/bench.ld,--defsym,BENCH_IMAGE=$(BENCH_GUEST_AT) \
		-o $@ $(BENCH_GUEST)

$(BUILD)/unpack-kernel: $(PLAIN)/obj/images/unpack-kernel.o $(call lib,$(PLAIN),boot)
	$(Q)$(CC) -static -o $@ $^ $(LDLIBS)

# The emulated host speaks to its init as the VMM does to a guest's: one init, one set of frames.
HOSTRUN = $(patsubst %.c,$(PLAIN)/obj/%.o,$(filter-out %/mend.c %/int3.c,$(wildcard tests/host/*.c))) \
	$(patsubst %,$(PLAIN)/obj/vmm/%.o,guest init_blob link loop stdio)
$(BUILD)/hostrun: $(HOSTRUN) $(call lib,$(PLAIN),boot) | $(BUILD)/mend.so $(BUILD)/int3.so
	$(Q)$(CC) -static -o $@ $^ $(LDLIBS)

# Plugins for the emulator.
PLUGINS = $(BUILD)/mend.so $(BUILD)/int3.so $(BUILD)/bench/count.so
$(BUILD)/mend.so $(BUILD)/int3.so: $(BUILD)/%.so: $(PLAIN)/obj/tests/host/%.o
$(BUILD)/bench/count.so: $(PLAIN)/obj/tests/bench/breakdown/count.o
$(patsubst %,$(PLAIN)/obj/tests/%.o,host/mend host/int3 bench/breakdown/count): CFLAGS += -fPIC
$(PLUGINS):
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -o $@ $^

-include $(shell find $(PLAIN)/obj $(ASAN)/obj $(TSAN)/obj $(FUZZ)/obj -name '*.d' 2>/dev/null)

# ---- measuring ----

# Where the instructions of a call go: a plugin for QEMU that counts, a program that it counts, and one
# that names what was counted.
BREAKDOWN = $(addprefix $(BUILD)/bench/,count.so marked started tiny report)
BREAKDOWN_OBJ = $(PLAIN)/obj/tests/bench/breakdown
$(BUILD)/bench/marked $(BUILD)/bench/started: $(BUILD)/bench/%: $(BREAKDOWN_OBJ)/%.o
	@mkdir -p $(@D)
	$(Q)$(CC) -static -o $@ $^
$(BUILD)/bench/report: $(patsubst %,$(BREAKDOWN_OBJ)/%.o,report counts names families)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $^
.PHONY: bench-breakdown breakdown-programs
breakdown-programs: $(BREAKDOWN) $(BUILD)/ninepin $(BUILD)/hostrun $(KERNEL) | packages-host
bench-breakdown: export NINEPIN_NO_MAKE = 1
bench-breakdown: export NINEPIN_BUILD = $(abspath $(BUILD))
bench-breakdown: breakdown-programs
	@tests/bench/breakdown/run $(OPTIONS)

BENCH = $(addprefix $(BUILD)/bench/,calls timed loaded init initrd tiny)
$(filter-out %/initrd %/tiny,$(BENCH)): $(BUILD)/bench/%: $(PLAIN)/obj/tests/bench/%.o
	@mkdir -p $(@D)
	$(Q)$(CC) -static -o $@ $^
$(BUILD)/bench/initrd: $(PLAIN)/obj/tests/bench/initrd.o $(call lib,$(PLAIN),boot) \
		$(filter-out $(addprefix %/,hostrun.o qemu.o options.o),$(HOSTRUN))
	@mkdir -p $(@D)
	$(Q)$(CC) -static -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)
$(BUILD)/bench/tiny: tests/bench/tiny.S tests/bench/breakdown/marker.h $(KERNEL)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -DRELEASE="\"$$(ls $(BUILD)/kernel/lib/modules)\"" -nostdlib -static -no-pie \
		-Wl,--build-id=none,-Ttext-segment=0x200000,-z,noseparate-code,-e,entry -o $@ $<

# What tests/bench/fairness needs.
.PHONY: fairness-programs
fairness-programs: $(BUILD)/bench/loaded $(BUILD)/guest/dm $(BUILD)/ninepin $(BUILD)/hostrun $(KERNEL) \
		| packages-host

.PHONY: bench bench-quick
bench bench-quick: export NINEPIN_NO_MAKE = 1
bench bench-quick: export NINEPIN_BUILD = $(abspath $(BUILD))
bench bench-quick: export NINEPIN_PROFILE = $(value PROFILE)
bench bench-quick: export NINEPIN_COMPARE = $(value COMPARE)
bench: | packages-bench
bench bench-quick: $(BENCH) $(BUILD)/ninepin $(BUILD)/hostrun $(KERNEL) | packages-host
	@tests/bench/run $(BUILD) $(patsubst bench-%,%,$@)

# ---- running and testing ----

# Everything is built by then: tests/host/run need not look.
run test test-long: export NINEPIN_NO_MAKE = 1
run test test-long fuzz: export NINEPIN_BUILD = $(abspath $(BUILD))
# The scripts get make's variables through the environment as they were typed: a `$` in CMD is for
# the guest's shell.
.PHONY: run
run: export NINEPIN_SHARE = $(value SHARE)
run: export NINEPIN_CMD = $(value CMD)
run: $(BUILD)/ninepin $(BUILD)/hostrun $(KERNEL)
	@images/make-run $(BUILD)

UNIT_TESTS = $(foreach out,$(PLAIN) $(ASAN) $(TSAN),$(call unit_tests,$(out)))
.PHONY: unit-tests
unit-tests: $(UNIT_TESTS)

# What the guest tests cannot do with busybox alone.
HELPERS = $(patsubst tests/guest/%.c,$(BUILD)/guest/%,$(wildcard tests/guest/*.c)) $(BUILD)/guest/fs
$(filter-out %/fs,$(HELPERS)): $(BUILD)/guest/%: $(PLAIN)/obj/tests/guest/%.o
$(BUILD)/guest/fs: $(patsubst %.c,$(PLAIN)/obj/%.o,$(wildcard tests/guest/fs/*.c))
# Not a program, but a kernel.
$(BUILD)/guest/fault: KERNEL_LINK = -nostdlib -Wl,--build-id=none
$(HELPERS):
	@mkdir -p $(@D)
	$(Q)$(CC) -static $(KERNEL_LINK) -o $@ $^

# Guest tests whose name begins with long_ take minutes.
LONG_TESTS = $(wildcard tests/guest/long_*.sh)
TESTS = $(UNIT_TESTS) tests/fuzz.sh tests/make-run.sh tests/diod.sh tests/breakdown.sh tests/bench.sh \
	$(filter-out $(LONG_TESTS),$(wildcard tests/guest/*.sh))

.PHONY: test test-long
test-long: export NINEPIN_LONG = 1
test-long: TESTS += $(LONG_TESTS)
test: | packages-bench
test-long: own-kernel | packages-long
test test-long: $(UNIT_TESTS) $(FUZZERS) $(BUILD)/ninepin $(BUILD)/hostrun $(HELPERS) $(KERNEL) \
		$(BREAKDOWN) $(BUILD)/bench/calls | packages-host
	@tests/run-tests $(BUILD) $(TESTS)

.PHONY: fuzz
fuzz: $(FUZZERS)
	@tests/fuzz.sh --seconds $(FUZZ_TIME)

.PHONY: lint
lint: $(KSELFTEST) packages-build packages-lint
	@tests/lint $(CPPFLAGS)

.PHONY: install clean help
install: $(BUILD)/ninepin
	install -D -m 755 $(BUILD)/ninepin $(DESTDIR)$(PREFIX)/bin/ninepin

clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^## \{0,1\}//p' Makefile
