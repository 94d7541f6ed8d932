#!/bin/sh
# SPDX-License-Identifier: MIT
# What a guest boots from: kernels, roots, an initrd of one's own; and what the kernel says.
. "${0%/*}/lib"

version=$(uname -r)

np -- uname -r
check "without --kernel it is the running kernel" is "$(out)" "$version"

mkdir -p "$T/tree/arch/x86/boot"
ln -s "$TESTS/vmlinuz" "$T/tree/arch/x86/boot/bzImage"
(cd "$T/tree" && np -- uname -r && exit "$status")
check "a kernel tree one stands in is used, a bzImage boots" is "$(out)" "$version"
np --kernel "$T/tree" --no-unpack -- uname -r
check "--kernel TREE, whose bzImage unpacks itself in the guest" is "$(out)" "$version"

np -- sh -c 'echo mine > /etc/ninepin-test && cat /etc/ninepin-test'
check "the root is the host's, and can be written" is "$(out)" mine
check "but the host's stays as it is" [ ! -e /etc/ninepin-test ]

mkdir -p "$EXT4/root/bin"
cp /bin/busybox "$EXT4/root/bin/busybox"
ln -s busybox "$EXT4/root/bin/sh"
echo other >"$EXT4/root/which"
np --root "$EXT4/root" -- /bin/sh -c 'read -r w < /which; echo "$w"; echo x > /new'
check "--root DIR: the root is that folder" is "$(out)" other
check "--root DIR: and it stays as it is" is "$(ls "$EXT4/root")" "bin
which"
np --root "$EXT4/root" --share "$TMPFS:/deep/er" -- /bin/sh -c 'echo y > y; echo "$PWD"'
check "--root DIR: a place for a share is made" is "$(out) $(cat "$TMPFS/y")" "/deep/er y"

bb -- sh -c 'ls -d /etc/ninepin-no /tests 2>/dev/null; echo $?; command -v tar'
check "--root busybox has nothing of the host" not has "$T/out" tests
check "--root busybox has busybox's commands" has "$T/out" tar

mkdir "$T/cpio"
echo from-initrd >"$T/cpio/hello"
(cd "$T/cpio" && echo hello | cpio -o -H newc 2>/dev/null | gzip) >"$T/initrd"
bb --initrd "$T/initrd" -- cat /hello
check "--initrd: its files are there" is "$(out)" from-initrd

np -v -- true
check "-v: the kernel's log is on stderr" has "$T/err" 'Linux version'
np --console-log "$T/console" -- true
check "--console-log: the kernel's log is in the file" has "$T/console" 'Linux version'
check "--console-log: and not on stderr" is "$(cat "$T/err")" ''

finish
