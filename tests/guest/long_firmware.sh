#!/bin/sh
# SPDX-License-Identifier: MIT
# A kernel without ACPI learns of its machine from a device tree or from its command line, and works as any.
. "${0%/*}/lib"

OWN=$TESTS/own
echo here >"$TMPFS/there"

# Boots $kernel by $firmware, with more options.
own() {
	np --root busybox --kernel "$OWN/$kernel" --firmware $firmware --share "$TMPFS:/mnt/s" "$@"
}

for firmware in dtb cmdline; do
	for cpus in 1 2; do
		for kernel in bzImage vmlinux; do
			kept=
			[ $kernel = vmlinux ] || kept=--no-unpack
			own $kept -c $cpus -- sh -c 'nproc; cat there; echo back >back; cat /proc/interrupts'
			name="$kernel, $firmware, $cpus CPUs"
			check "$name" is "$status $(head -n 2 "$T/out" | tr '\n' ' ')" "0 $cpus here "
			check "$name: what it wrote" is "$(cat "$TMPFS/back")" back
			check "$name: interrupts through the IOAPIC" grep -q 'IO-APIC .* virtio' "$T/out"
			rm -f "$TMPFS/back"
		done
	done
	kernel=vmlinux

	# Lines below 16 are used only then.
	set --
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		mkdir -p "$T/many/$i"
		echo $i >"$T/many/$i/f"
		set -- "$@" --share "$T/many/$i:/mnt/many$i"
	done
	own -c 2 "$@" -- sh -c 'cat /mnt/many*/f | sort -n | tr "\n" " "'
	check "$firmware: many devices" is "$status $(out)" "0 1 2 3 4 5 6 7 8 9 10 11 12 "

	# More than the port's queue: its interrupt is needed.
	own --console-log "$T/log" -- sh -c 'yes to-the-port | head -n 1000 >/dev/ttyS0; echo done'
	check "$firmware: the serial port" is "$status $(out) $(grep -c to-the-port "$T/log")" "0 done 1000"

	own --result "$T/result" -c 2 -- poweroff -f
	check "$firmware: poweroff" is "$status $(grep -c '"reason": "power-off"' "$T/result")" "122 1"
	own --result "$T/result" -c 2 -- reboot -f
	check "$firmware: reboot" is "$status $(grep -c '"reason": "restart"' "$T/result")" "122 1"
done

# By its configuration, which is in it.
np --root busybox --kernel "$OWN/vmlinux" --dump-dtb "$T/dtb" --share "$T:/mnt/s" -- \
	cmp /sys/firmware/fdt dtb
check "the tree that the guest has is the one that is written" is "$status" 0
np --root busybox --kernel "$OWN/vmlinux" --firmware acpi -- true
check "no ACPI in it" is "$status" 125
check "no ACPI in it: why" has "$T/err" CONFIG_ACPI

finish
