# SPDX-License-Identifier: MIT
# ninepin: `make run`, `make test`, `make help`.

BUILD ?= build
# A sanitizer build lives in a folder of its own: make SAN=asan test-unit
SAN ?=

CC = gcc
MUSL_CC = musl-gcc
CPPFLAGS = -I. -I$(BUILD)/kselftest -D_GNU_SOURCE
WARN = -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
       -Wmissing-prototypes -Wvla -Werror
CFLAGS = -std=gnu11 -O2 -g -fno-strict-aliasing $(WARN)
LDLIBS = -luring -llzma -lzstd -lz -ljansson -lpthread

ifeq ($(SAN),)
OUT = $(BUILD)
LDFLAGS = -static
else
OUT = $(BUILD)/$(SAN)
LDFLAGS =
SANFLAGS_asan = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SANFLAGS_tsan = -fsanitize=thread
CFLAGS += $(SANFLAGS_$(SAN))
LDFLAGS += $(SANFLAGS_$(SAN))
endif

ROOMS = vmm virtio ninep devices boot
# Which rooms a room may use (the arrows of the layout), itself first.
uses_vmm = vmm virtio ninep devices boot
uses_virtio = virtio ninep
uses_ninep = ninep
uses_devices = devices
uses_boot = boot

sources = $(sort $(wildcard $(1)/*.c $(1)/*.S) $(if $(filter vmm,$(1)),$(wildcard vmm/x86_64/*.c)))
objects = $(patsubst %,$(OUT)/obj/%.o,$(basename $(1)))
lib = $(OUT)/lib/$(1).a
libs_of = $(foreach room,$(uses_$(1)),$(call lib,$(room)))

.PHONY: all
all: $(OUT)/ninepin

# ---- compiling ----

$(OUT)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/obj/%.o: %.S
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define room_rules
$(call lib,$(1)): $(call objects,$(filter-out vmm/main.c,$(call sources,$(1))))
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach room,$(ROOMS),$(eval $(call room_rules,$(room))))

$(OUT)/ninepin: $(OUT)/obj/vmm/main.o $(call libs_of,vmm)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The guest's init: one small static program, the same in every build of the VMM, embedded in it.
$(BUILD)/init: images/init.c $(wildcard images/*.c images/*.h)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) -I. -D_GNU_SOURCE -std=gnu11 -Os -static -s $(WARN) -Wno-conversion \
		-o $@ $(filter %.c,$^)
$(OUT)/obj/vmm/init_blob.o: $(BUILD)/init
$(OUT)/obj/vmm/init_blob.o: CPPFLAGS += -DINIT_PATH='"$(BUILD)/init"'

# ---- unit tests: tests/unit/ROOM_SUBJECT.c, linked with what ROOM may use ----

UNIT_TESTS = $(patsubst tests/unit/%.c,$(OUT)/tests/%,$(wildcard tests/unit/*_*.c))

.SECONDEXPANSION:
$(OUT)/tests/%: $(OUT)/obj/tests/unit/%.o $$(call libs_of,$$(firstword $$(subst _, ,$$(*F))))
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(OUT)/obj/tests/unit/%.o: CFLAGS += -Wno-conversion -Wno-shadow -Wno-missing-prototypes -Wno-unused
.SECONDARY:

.PHONY: unit-tests
unit-tests: $(UNIT_TESTS)

.PHONY: clean
clean:
	rm -rf $(BUILD)

# V=1 shows the commands.
Q = $(if $(V),,@echo "  $(if $(filter %.o,$@),CC,LD)  $(@)" &&)

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)
