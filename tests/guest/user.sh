#!/bin/sh
# SPDX-License-Identifier: MIT
# The command as another user than root: ids, groups, environment, streams, files; and ninepin itself
# run by an ordinary user.
. "${0%/*}/lib"

# Another test may have had a user of the same name.
sed -i "/^me:/d" /etc/passwd /etc/group
cat >>/etc/passwd <<END
me:x:2200:2201::/tmp:/bin/ash
other:x:2202:2203::/home/other:/bin/sh
END
cat >>/etc/group <<END
me:x:2201:
audio:x:29:other,me
video:x:44:other
games:x:60:me
END
chmod 777 "$EXT4"

np -u me -- sh -c 'id -u; id -g; id -G; echo $HOME $USER $LOGNAME $SHELL; pwd'
check "by name: ids, groups and environment are those of the root's files" is "$(out)" "2200
2201
2201 29 60
/tmp me me /bin/ash
/"
np --user=me:video --share "$EXT4" -- sh -c 'id -g; id -G; cd "$HOME" && echo there'
check "with a group" is "$(out)" "44
44 29 60
there"
np -- sh -c 'id -u; id -G; echo $HOME $USER $LOGNAME'
check "without it, root" is "$(out)" "0
0
/root root root"

# The init, which is root, sees to it that all is written.
np -u me --share "$EXT4,access=2200" -- sh -c 'echo hi >mine && cat mine'
check "in a share that lets in nobody else" is "$(out)" hi
check "in a share that lets in nobody else: it ends well" is "$status" 0
mkdir -m 711 "$EXT4/unlisted"
np -u me --share "$EXT4/unlisted,access=2200" -- true
check "in one that the user cannot list: it ends well" is "$status" 0

echo 'echo $0 $$; id -un' >"$T/in"
stdin=$T/in np -u me
check "without a command: the user's shell" has "$T/out" "ash"
check "it reads its stdin" has "$T/out" "me"

np -u 0 -- id
bb -u root -- id -u
check "root by name" is "$(out)" 0

bb -u 1000:50 --share "$EXT4" -- sh -c 'id -u; id -G; umask 077; echo hi >f; mkdir d; ln -s f l
	echo $HOME $USER'
check "in a busybox root: by numbers" is "$(out)" "1000
50
/"
check "what the user makes is the user's on the host" is \
	"$(stat -c '%n %u:%g %a' "$EXT4/f" "$EXT4/d" | sed 's,.*/,,')" "f 1000:50 600
d 1000:50 700"
check "links too" is "$(stat -c %u:%g "$EXT4/l")" 1000:50
bb -u 1001 --share "$EXT4" -- sh -c 'cat f; echo more >f; ls d; touch new'
check "another may not read, write or list it" is "$(grep -ci 'permission denied' "$T/err")" 3
bb -u 1000 -- sh -c 'mount -t tmpfs tmpfs /mnt || chown 0 /tmp || kill -9 1 || echo cannot'
check "nor do what root may" is "$(out)" cannot

echo from-stdin >"$T/in"
stdin=$T/in bb -u 1000 -- sh -c 'cat /dev/stdin; echo to-out >/dev/stdout; echo to-err >/dev/stderr'
check "the streams can be opened by their names: stdin, stdout" is "$(out)" "from-stdin
to-out"
check "the streams can be opened by their names: stderr" is "$(cat "$T/err")" to-err

status=0
timeout -s KILL 300 "$TESTS/pty" "expect:\$" "send:stat -c %u:%a \$(tty); echo x >/dev/tty$(printf '\r')" \
	"expect:1000:620" "expect:x" "send:exit 4$(printf '\r')" \
	-- ninepin run --root busybox -u 1000 >"$T/out" 2>"$T/err" </dev/null || status=$?
check "the terminal is the user's" is "$status" 4

bb -u 1000 -- /root
check "a command that may not be run is 126" is "$status" 126
mkdir -m 700 "$EXT4/closed"
bb -u 1000 --share "$EXT4/closed" -- true
check "a folder that may not be entered is 126" is "$status" 126
check "and named" has "$T/err" /mnt/closed

np -u nosuch -- true
check "an unknown name is refused" refused nosuch /etc/passwd
bb -u me -- true
check "a name in a busybox root is refused" refused busybox number

# ---- ninepin run by an ordinary user ----

root=$T/root
mkdir -p "$root/bin" "$root/etc"
cp /bin/busybox "$root/bin"
ln -s busybox "$root/bin/sh"
cp "$TESTS/euid" "$root/bin"
chmod 4755 "$root/bin/euid"
cp /etc/passwd /etc/group "$root/etc"
chmod 755 "$T" "$root" "$root"/*
mkdir -m 755 "$EXT4/ours"
chown 2200:2201 "$EXT4/ours"

np_as me --root "$root" -u me -- euid
check "an ordinary user's guest: a set-uid program of the root gains root" is "$(out)" "2200 0"
np_as me --root "$root" -u other --share "$EXT4/ours" -- sh -c '
	busybox stat -c %u:%g .; echo hi >f; busybox stat -c %u:%g f'
check "you show as the user that the command runs as" is "$(out)" "2202:2203
2202:2203"
check "on the host it is yours" is "$(stat -c %u:%g "$EXT4/ours/f")" 2200:2201
np_as me --root "$root" --share "$EXT4/ours" -- sh -c '
	busybox stat -c %u:%g f /bin/euid; busybox rm f'
check "and as root without -u; the root's own files as they are" is "$(out)" "0:0
0:0"
check "which may do the same" not [ -e "$EXT4/ours/f" ]
echo >"$EXT4/ours/closed"
chmod 600 "$EXT4/ours/closed"
np_as me --root "$root" --share "$EXT4/ours,model=mapped-xattr,posixacl" -- busybox stat -c %u:%a closed
check "a file that you cannot read is seen in a mapped share with ACLs" is "$(out)" 0:600

echo 'crew:x:42000:me' >>/etc/group
mkdir -m 2770 "$EXT4/crew"
chown 0:42000 "$EXT4/crew"
np_as me --root "$root" -u other --share "$EXT4/crew" -- sh -c 'echo hi >f; cat f'
check "a folder that is yours by a group is the command's, too" is "$status $(out)" "0 hi"
check "with that group" is "$(stat -c %u:%g "$EXT4/crew/f")" 2200:42000

finish
