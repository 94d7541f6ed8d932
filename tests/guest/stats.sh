#!/bin/sh
# SPDX-License-Identifier: MIT
# --stats: what it says of a run is what the guest did.
. "${0%/*}/lib"

# The count or the errors of all rows of a message, in the table of a share.
# sum SHARE MESSAGE count|errors
sum() {
	awk -v share="$1:" -v message="$2" -v column="$3" '
		/^ninepin:/ { here = index($0, "9P requests of " share) }
		here && $1 == message { sub("in place", "in-place"); n += column == "count" ? $3 : $4 }
		END { print n + 0 }' "$T/err"
}

# kicks SHARE kicks|interrupts: the number before that word.
kicks() {
	sed -n "s,^ninepin: 9P requests of $1:.* \([0-9]*\) $2.*,\1,p" "$T/err"
}

touch "$TMPFS/f"
work='i=0; while [ $i -lt 50 ]; do stat f >/dev/null; i=$((i + 1)); done
	stat missing 2>/dev/null; dd if=/dev/zero of=big bs=64k count=32 2>/dev/null; echo done'

for io in auto ring sync; do
	bb --io $io --stats --share "$TMPFS,cache=none" --share "$EXT4" -- sh -c "$work"
	check "$io: the command's output is apart" is "$(out)" "done"
	check "$io: each stat is a getattr" [ "$(sum "$TMPFS" getattr count)" -ge 50 ]
	check "$io: the missing name is an error of walk" [ "$(sum "$TMPFS" walk errors)" -ge 1 ]
	check "$io: no getattr failed" is "$(sum "$TMPFS" getattr errors)" 0
	check "$io: the bytes written" grep -q '^  write .* 2.0[0-9]M ' "$T/err"
	check "$io: the other share has its own table" is "$(sum "$EXT4" getattr count)" 1
	check "$io: one kick brings a request, or more" \
		[ "$(kicks "$TMPFS" kicks)" -ge 1 ]
	check "$io: there are interrupts" [ "$(kicks "$TMPFS" interrupts)" -ge 50 ]
	rm "$TMPFS/big"
	case $io in
	ring) check "ring: attributes went through the ring" grep -q '^  getattr *ring ' "$T/err" ;;
	sync) check "sync: everything was done in place" \
		is "$(grep -cE '^  [a-z]+ +(ring|worker) ' "$T/err")" 0 ;;
	auto) check "auto: a tmpfs is served in place" \
		is "$(awk -v s="$TMPFS:" '/^ninepin:/ { h = index($0, s) } h && $2 == "ring"' "$T/err")" '' ;;
	esac
done

total=$(sed -n 's/^ninepin: exits to ninepin: \([0-9]*\) .*/\1/p' "$T/err")
parts=$(sed -n 's/^ninepin: exits to ninepin: [0-9]* (\(.*\))/\1/p' "$T/err")
check "exits: the parts are the whole" \
	is "$total" "$(echo "$parts" | tr , '\n' | awk '{ n += $NF } END { print n }')"
check "exits: each kick is one" [ "$total" -ge "$(kicks "$TMPFS" kicks)" ]
reads=$(echo "$parts" | sed -n 's/.*mmio read \([0-9]*\).*/\1/p')
check "exits: what an interrupt is for is read without one" \
	[ "$reads" -lt "$(kicks "$TMPFS" interrupts)" ]
check "exits: KVM's own are more" \
	[ "$(sed -n 's/^ninepin: exits to KVM: \([0-9]*\) .*/\1/p' "$T/err")" -gt "$total" ]

bb -- true
check "without --stats nothing is said" is "$(cat "$T/err")" ''
bb --stats --share /not/there -- true
check "nothing was started, so nothing is counted" is "$(grep -c requests "$T/err")" 0

finish
