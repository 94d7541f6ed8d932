#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest that remembers more files than ninepin may have descriptors.
. "${0%/*}/lib"

dirs=12 files=50
all=$((dirs * files))
dir=$EXT4/many
mkdir "$dir"
for d in $(seq $dirs); do
	mkdir "$dir/$d"
	(cd "$dir/$d" && seq $files | xargs touch && echo "in $d" | tee $(seq 1 10 $files) >/dev/null)
done
wanted=$(cd "$dir" && find . -type f | sort | xargs cat | md5sum)

cat >"$T/in-guest" <<'END'
find . -type f | sort >/tmp/names
wc -l </tmp/names
xargs cat </tmp/names | md5sum
# By now the guest knows them all; once more, and some are opened, renamed and removed.
exec 3<7/11
mv 7 seven
rm seven/11 seven/12
cat <&3
xargs cat </tmp/names 2>/dev/null | wc -l
xargs stat -c %i </tmp/names 2>/dev/null | sort -u | wc -l
mv seven 7
echo "in 7" >7/11
: >7/12
cat 7/11
END

# Half of them are for files that are known; with cache=loose the guest gives none back.
# shellcheck disable=SC3045 # busybox's shell has it
ulimit -n 200
np --root busybox --share "$dir:/d,cache=loose" -- sh -c "$(cat "$T/in-guest")"
check "all of it, with 200 descriptors" is "$status $(out)" "0 $all
$wanted
in 7
$((dirs * files / 10 - files / 10))
$((all - files))
in 7"
check "the guest saw no trouble" is "$(grep -v '^ninepin: cache=loose: ' "$T/err")" ''
check "the host has them all" is "$(find "$dir" -type f | wc -l)" $all

finish
