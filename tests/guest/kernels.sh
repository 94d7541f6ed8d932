#!/bin/sh
# SPDX-License-Identifier: MIT
# Packed kernels, and what is kept of them.
. "${0%/*}/lib"

version=$(uname -r)
XDG_CACHE_HOME=$EXT4/cache
export XDG_CACHE_HOME
kept=$XDG_CACHE_HOME/ninepin/kernels
mkdir "$XDG_CACHE_HOME"

files() {
	find "$kept" -name '*.elf' | wc -l
}

bb --kernel "$TESTS/vmlinuz" -- uname -r
check "a bzImage boots from the ELF that is in it" is "$(out)" "$version"
check "which is kept" is "$(files)" 1
elf=$(echo "$kept"/*.elf)
check "for its user only" is "$(stat -c %a "$kept" "$elf" | tr '\n' ' ')" "700 600 "

inode=$(stat -c %i "$elf")
bb --kernel "$TESTS/vmlinuz" -- uname -r
check "it boots again, from what is kept" is "$(out) $(stat -c %i "$elf")" "$version $inode"
check "and says nothing of it" is "$(cat "$T/err")" ''

# In the middle of the code.
printf 'damage' | dd of="$elf" bs=1 seek=4000000 conv=notrunc 2>/dev/null
bb --kernel "$TESTS/vmlinuz" -- uname -r
check "a damaged one is not booted, but made again" is "$(out)" "$version"
check "and that is said" has "$T/err" damaged
sum=$(sha256sum <"$elf")
bb --kernel "$TESTS/vmlinuz" -- uname -r
check "once" is "$(out) $(cat "$T/err") $(sha256sum <"$elf")" "$version  $sum"

mkdir "$T/full"
mount -t tmpfs -o size=8m,mode=700 tmpfs "$T/full"
XDG_CACHE_HOME=$T/full
bb --kernel "$TESTS/vmlinuz" -- uname -r
check "a full disk is no harm" is "$(out)" "$version"
check "and nothing is left on it" is "$(ls "$T/full/ninepin/kernels")" secret
umount "$T/full"

# What the kernel was built with is not known here, and nothing finds its devices.
bb --append acpi=off --timeout 20 -- true
check "a kernel that finds no devices: what it lacks is named" has "$T/err" CONFIG_VIRTIO_MMIO

finish
