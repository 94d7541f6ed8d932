#!/bin/sh
# SPDX-License-Identifier: MIT
# A share's interrupt is moved from CPU to CPU while files are read, and no message waits for ever for a
# lost one.
. "${0%/*}/lib"

echo word >"$TMPFS/file"
# In the guest. The share's line has the share's device as its last word; a line's counts are one for
# each CPU.
cat >"$TMPFS/move" <<'END'
line() { grep 'virtio1$' /proc/interrupts; }
n=$(line | sed 's/:.*//; s/ //g')
before=$(line | awk '{ print $2 " " $3 }')
(
	while [ -e /tmp/go ]; do
		echo 1 >"/proc/irq/$n/smp_affinity"
		echo 2 >"/proc/irq/$n/smp_affinity"
	done
) &
i=0
while [ $i != 80 ]; do
	read -r word <file && [ "$word" = word ] || exit 3
	i=$((i + 1))
done
rm /tmp/go
wait
line | awk -v before="$before" '{
	split(before, b)
	print ($2 - b[1] > 5 && $3 - b[2] > 5 ? "both" : "not both: " $0)
}'
END
for io in auto ring; do
	bb -c 2 --io $io --share "$TMPFS:/share,cache=none" -- sh -c ': >/tmp/go; . ./move'
	check "--io $io: reading goes on, both CPUs take interrupts" is "$status $(out)" "0 both"
done

finish
