#!/bin/sh
# SPDX-License-Identifier: MIT
# A command in a guest: its status, its share, its processors, its clock.
. "${0%/*}/lib"

np --share "$EXT4" -- sh -c 'echo hi > f; exit 7'
check "the command's status is ninepin's" is "$status" 7
check "the file it wrote is on the host" is "$(cat "$EXT4/f")" hi

np --share "$EXT4" -- pwd
check "a command starts in the share, at the share's own path" is "$(out)" "$EXT4"

np --root busybox --share "$EXT4" --share "$TMPFS:/other/place" -- \
	sh -c 'pwd; echo 1 > in-first; echo 2 > /other/place/in-second'
check "two shares: the command starts in the first" is "$(out)" "/mnt/${EXT4##*/}"
check "two shares: both are shared" is "$(cat "$EXT4/in-first" "$TMPFS/in-second")" "1
2"

for ro in :ro ,ro :/src:ro; do
	np --share "$EXT4$ro" -- sh -c 'cat f; rm f; mkdir d; echo x > new; mv f g; chmod 600 f; exit 0'
	check "$ro: reading works" is "$(out)" hi
	check "$ro: each change is EROFS" is "$(grep -c 'Read-only file system' "$T/err")" 5
	check "$ro: the host's folder is as it was" is "$(ls "$EXT4")" "f
in-first"
done

np --share "$EXT4,cache=none,msize=65536,tag=mine" -- cat /proc/mounts
check "cache=, msize= and tag= reach the mount" \
	grep -q '^mine .* 9p .*msize=65536' "$T/out"

np -c 2 -- nproc
check "-c 2 gives two processors" is "$(out)" 2
np -- nproc
check "without -c there are the host's" is "$(out)" "$(nproc)"

np -m 300 -- sh -c "awk '/MemTotal/ { print int(\$2 / 1024) }' /proc/meminfo"
check "-m 300 gives not more than 300 MiB" [ "$(out)" -le 300 ]
check "-m 300 gives not much less" [ "$(out)" -ge 200 ]

before=$(date +%s)
np -- date +%s
after=$(date +%s)
check "the guest's clock is not behind the host's" [ "$(out)" -ge $((before - 1)) ]
check "the guest's clock is not ahead of the host's" [ "$(out)" -le $((after + 1)) ]

np --append 'one=1' --append 'two=2' -- cat /proc/cmdline
check "--append: the user's words come last" has "$T/out" ' one=1 two=2'

np --result "$T/result" -- sh -c 'exit 9'
check "--result: the status" grep -qE '"status": *9\b' "$T/result"
for key in reason kernel times_ms init mounted command end; do
	check "--result: has $key" has "$T/result" "\"$key\""
done
check "--result: the kernel's version" has "$T/result" "$(uname -r)"

np -- sh -c 'kill -9 $$'
check "death of a signal is 128 + its number" is "$status" 137
np -- /no/such/command
check "a command that is not there is 127" is "$status" 127
np -- /etc
check "a command that cannot be run is 126" is "$status" 126

finish
