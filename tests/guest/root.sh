#!/bin/sh
# SPDX-License-Identifier: MIT
# The guest's root: the machine's with its secrets hidden, a folder below a tmpfs, a folder that is written
# to; and the command's environment.
. "${0%/*}/lib"

echo 'me:x:2200:2201::/home/me:/bin/sh' >>/etc/passwd
echo 'me:x:2201:' >>/etc/group
echo secret >/etc/shadow
mkdir -p /etc/ssl/private /home/me/.ssh /home/other /root
chmod 711 /etc/ssl/private
chmod 700 /root
echo secret >/etc/ssl/private/key
echo secret >/home/me/.ssh/id
echo mine >/home/me/doc
echo secret >/home/other/doc
echo hidden >/etc/mine
chown -R 2200:2201 /home/me
chmod 777 "$EXT4"

# ---- this machine's ----

export LANG=de_DE.UTF-8 LC_ALL=de_DE.UTF-8 SECRET=s GIVEN='a  b'
# shellcheck disable=SC2016 # for the guest's shell
np --share "$EXT4" --hide /etc/mine --env GIVEN --env X=1 --env X=2 -- sh -c '
	tr "\0" "\n" </proc/$$/environ
	echo ---
	cat /etc/shadow /etc/ssl/private/key /home/me/doc /home/other/doc /etc/mine
	umount /tmp /proc && ls -A /home /tmp /proc
	echo new >/etc/shadow && cat /etc/shadow
	mkdir /home/other && ls -A /home/other /home'
check "the command's environment is its own" is "$(sed '/^---/,$d' "$T/out")" "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LANG=C.UTF-8
HOME=/root
USER=root
LOGNAME=root
GIVEN=a  b
X=2"
check "secrets of the machine's root are not there, nor is what the guest has its own of" is \
	"$(sed '1,/^---/d' "$T/out")" "/home:

/proc:

/tmp:
new
/home:
other

/home/other:"
check "they are missing, not closed" is "$(grep -c 'No such file' "$T/err")" 5
check "the host's are as they were" is "$(cat /etc/shadow /home/other/doc)" "secret
secret"

# shellcheck disable=SC2016
np_as me --share /home/other -- sh -c '
	stat -c "%a %u" "$HOME"; ls -A "$HOME" /home /home/me /home/other; touch "$HOME/f" && cat /home/me/doc'
check "an ordinary user's guest: root's home is a fresh one, yours is there, shares are not hidden" is \
	"$status $(out)" "0 700 0
/home:
me
other

/home/me:
doc

/home/other:
doc

/root:
mine"
np_as me --hide none -- cat /etc/shadow /home/me/.ssh/id /home/other/doc
check "--hide none hides nothing" is "$(out)" "secret
secret
secret"
np --root /,rw -- true
check "the machine's root is not written to" refused "/,rw" --share

# ---- another ----

# As small as a root can be, and with a comma in its name.
tree=$EXT4/a,b
mkdir -p "$tree/bin" "$tree/etc"
cp /bin/busybox "$tree/bin"
for applet in sh cat ls stat mv mkdir rm chown grep echo; do
	ln -s busybox "$tree/bin/$applet"
done
echo secret >"$tree/etc/key"
ln -s /etc/key "$tree/link"

np --root "$EXT4/a,,b" --share "$TMPFS" -- sh -c '
	echo hi >/file && cat /file; grep -c overlay /proc/mounts; echo shared >f; cat /etc/key'
check "a folder: its files are there, and can be changed" is "$(out)" "hi
1
secret"
check "but not on the host" is "$(ls "$tree")" "bin
etc
link"
check "a share is at /mnt" is "$(cat "$TMPFS/f")" shared

before=$(stat -c %i "$tree/etc/key")
np --root "$EXT4/a,,b,rw" --share "$TMPFS:/src/here" --hide /link -- sh -c '
	echo hi >/file && chown 5:6 /file && grep -c overlay /proc/mounts
	cat /etc/key; ls /etc; mv /etc /etc2; rm -r /etc; echo x >/etc/key; cat /src/here/f'
check "a folder that is written to: there is no overlay, and what is hidden stays so" is "$(out)" "0
shared"
check "nor can it be moved, removed or made" is "$(grep -ci "permission denied\|not empty" "$T/err")" 3
check "what the guest makes is on the host, and whose it says" is \
	"$(stat -c '%u:%g' "$tree/file") $(cat "$tree/file")" "5:6 hi"
check "what is hidden is as it was" is "$(stat -c %i "$tree/etc/key") $(cat "$tree/etc/key")" "$before secret"
check "mount points are made" is "$(ls "$tree")" "bin
dev
etc
file
link
proc
run
src
sys
tmp"
check "and that is said" has "$T/err" "has no /dev, /proc, /sys, /run, /tmp, /src/here to mount on"
check "nothing is left in them" is "$(ls -A "$tree/dev" "$tree/proc" "$tree/sys" "$tree/run" "$tree/tmp")" \
	"$(printf '%s:\n\n' "$tree/dev" "$tree/proc" "$tree/run" "$tree/sys" "$tree/tmp")"

chown -R 2200:2201 "$tree"
np_as me --root "$EXT4/a,,b,rw" -- sh -c 'stat -c %u:%g /etc/key; echo hi >/ours; stat -c %u:%g /ours'
check "an ordinary user is root in such a guest" is "$(out)" "0:0
0:0"
check "and himself on the host" is "$(stat -c %u:%g "$tree/ours")" 2200:2201
check "of what is there nothing is said" is "$(cat "$T/err")" ''

# On a disk that is full.
small=$T/small
mkdir "$small"
mount -t tmpfs -o size=2m tmpfs "$small"
cp "$TESTS/poke" "$small"
mkdir "$small/dev" "$small/proc" "$small/sys" "$small/run" "$small/tmp"
truncate -s 64k "$small/sparse"
dd if=/dev/zero of="$small/fill" bs=4k 2>/dev/null
np --root "$small,rw" -- /poke map-leave /sparse 0 lost
check "what did not get to the host is an error" is "$status" 123
check "that says where" has "$T/err" '/ did not take all that was written'
umount "$small"

rmdir "$tree/dev"
chmod 555 "$tree"
np_as me --root "$EXT4/a,,b,rw" -- sh -c true
check "without a mount point, and where none can be made, it says so" has "$T/err" "has no /dev"
check "and does not begin" is "$status" 121
rm "$tree/bin/sh"
np --root "$EXT4/a,,b"
check "without a shell and a command, it says so" refused /bin/sh COMMAND

finish
