#!/bin/sh
# SPDX-License-Identifier: MIT
# `ninepin test`: kernels × processors, what TAP and JUnit say of them, and what others make of that.
#
# Needs the machine's programs: packages "tests" (perl's prove, xmllint) and "bench" (git); make.
. "${0%/*}/lib"

export LC_ALL=C.UTF-8
elf=$(echo /usr/lib/modules/*/vmlinuz)
bz=$(echo /boot/vmlinuz-*)

# ninepin test with a small guest.
nt() {
	status=0
	timeout -s KILL 400 ninepin test --root busybox -m 256 "$@" </dev/null >"$T/out" 2>"$T/err" || status=$?
}

xpath() {
	xmllint --xpath "$1" "$T/junit.xml"
}

# Old readers know version 13, and take what 14 has more for comments.
prove_it() {
	sed '1s/14/13/' "$T/out" >"$T/test.tap"
	prove --source File "$T/test.tap" >"$T/proved" 2>&1
}

# Two kernels, two numbers of processors: a subtest fails where there are two.
cat >"$T/ktap" <<'END'
echo "KTAP version 1"
echo 1..3
echo "ok 1 first & <foremost>"
echo "ok 2 second # SKIP no device"
echo "  KTAP version 1"
echo "  # Subtest: suite"
echo "  1..1"
if [ $(nproc) = 1 ]; then
	echo "  ok 1 one processor"
	echo "ok 3 suite"
else
	echo "  # nproc: $(nproc)"
	echo "  not ok 1 one processor"
	echo "not ok 3 suite"
fi
END
nt -c 1,2 --jobs 2 --junit "$T/junit.xml" --logs "$T/logs" "$elf" "$bz" -- sh -c "$(cat "$T/ktap")"
check "two kernels, two counts: status" is "$status" 1
check "nothing on stderr, since it is no terminal" is "$(cat "$T/err")" ''
check "TAP: version and plan" is "$(head -n 2 "$T/out")" "TAP version 14
1..4"
check "TAP: who passed and who did not, in order of name" \
	is "$(sed -n 's/^\(not \)\{0,1\}ok [0-9]* - \(.*\) # time.*/\1\2/p' "$T/out" | sort)" "\
$bz cpus=1
$elf cpus=1
not $bz cpus=2
not $elf cpus=2"
check "TAP: numbers in order" is "$(sed -n 's/^\(not \)\{0,1\}ok \([0-9]*\) .*/\2/p' "$T/out" | tr '\n' ' ')" "1 2 3 4 "
check "TAP: subtests below it, four columns deeper" is "$(grep -c '^        ok 1 - one processor$' "$T/out")" 2
check "TAP: why one failed" is "$(grep -c '^        # nproc: 2$' "$T/out")" 2
check "TAP: the sum" has "$T/out" "# 2 passed, 2 failed, 0 skipped, 0 not judged"
check "prove sees the failures" not prove_it
check "prove: two of four" has "$T/proved" "Failed 2/4 subtests"
check "prove: and no fault of the format's" not has "$T/proved" "Parse errors"
check "JUnit: is XML" xmllint --noout "$T/junit.xml"
check "JUnit: a suite for each run" is "$(xpath 'count(/testsuites/testsuite)')" 4
check "JUnit: a case for each run and each result" is "$(xpath 'count(//testcase)')" 20
check "JUnit: its counts are true" \
	is "$(xpath 'concat(/*/@tests, " ", /*/@failures, " ", /*/@errors, " ", /*/@skipped)')" "20 6 0 4"
check "JUnit: and those of a suite" \
	is "$(xpath 'count(//testsuite[@tests = count(testcase)][@failures = count(testcase/failure)])')" 4
check "JUnit: names with what XML wants escaped" \
	is "$(xpath 'count(//testcase[@name = "first & <foremost>"])')" 4
check "JUnit: subtests have their suite's name" is "$(xpath 'count(//testcase[@name = "suite / one processor"])')" 4
check "JUnit: the kernel's release" \
	is "$(xpath 'string(//testsuite[1]/properties/property[@name = "kernel"]/@value)')" "$(uname -r)"
check "logs: a folder for each, with all four files" is "$(find "$T/logs" -type f -size +0 | wc -l)" 12
check "logs: stderr is there, too" is "$(find "$T/logs" -name stderr | wc -l)" 4

# One that panics, one that is none: the one says something about the kernel, the other does not.
head -c 100000 "$bz" >"$T/cut"
nt -c 1 --junit "$T/junit.xml" --logs "$T/logs" "$elf" "$T/cut" -- sh -c 'echo c > /proc/sysrq-trigger'
check "a panic: status" is "$status" 1
check "a panic: not ok, with the reason" has "$T/out" 'reason: "panic"'
check "a panic: the console's last lines" has "$T/out" 'Kernel panic - not syncing'
check "a panic: <failure> has them" is "$(xpath 'count(//failure[@type = "panic"][contains(., "not syncing")])')" 1
check "a truncated kernel: <error>" is "$(xpath 'count(//error[@type = "not-started"])')" 1
check "a truncated kernel: not judged" has "$T/out" "0 passed, 1 failed, 0 skipped, 1 not judged"
nt "$T/cut" -- true
check "nothing could be judged: status" is "$status" 125

# What an earlier run left in the folder is not this one's.
mkdir -p "$T/stale/001-nope"
echo of-yesterday >"$T/stale/001-nope/console.log"
echo '{"reason": "exit", "status": 125}' >"$T/stale/001-nope/result.json"
nt --logs "$T/stale" --junit /dev/full /nope -- true
check "an old log is not shown" not has "$T/out" of-yesterday
check "a report that cannot be written is said" has "$T/err" "--junit: /dev/full cannot be written"
ninepin test --root busybox --logs "$T/stale" /nope -- true >/dev/full 2>"$T/err"
check "TAP that cannot be written is said" has "$T/err" "stdout cannot be written"

# A signal: what runs is ended, and said so.
"$TESTS/poke" signals ninepin test --root busybox -m 256 -j 1 --logs "$T/logs" "$elf" "$elf" -- \
	sh -c 'echo up; sleep 1000' </dev/null >"$T/out" 2>"$T/err" &
pid=$!
tries=0
until grep -q up "$T"/logs/001-*/stdout 2>/dev/null || [ $tries = 150 ]; do
	sleep 1
	tries=$((tries + 1))
done
check "SIGTERM: the guest is up" is "$(cat "$T"/logs/001-*/stdout)" up
kill -TERM $pid
status=0
wait $pid || status=$?
check "SIGTERM: status" is "$status" 143
check "SIGTERM: what ran is not judged" has "$T/out" 'reason: "interrupted"'
check "SIGTERM: the second one was not begun" has "$T/out" "the others not begun"
check "SIGTERM: no run is left" is "$(pgrep -f 'ninepin run' || :)" ''

# Killed, it can end nothing: the runs see to that themselves.
ninepin test --root busybox -m 256 --logs "$T/logs" "$elf" -- sleep 1000 >/dev/null 2>&1 &
pid=$!
tries=0
until pgrep -f 'ninepin run' >/dev/null || [ $tries = 30 ]; do
	sleep 1
	tries=$((tries + 1))
done
check "SIGKILL: there is a run" not is "$(pgrep -f 'ninepin run' || :)" ''
kill -KILL $pid
wait $pid 2>/dev/null
while pgrep -f 'ninepin run' >/dev/null && [ $tries -lt 60 ]; do
	sleep 1
	tries=$((tries + 1))
done
check "SIGKILL: it is gone, too" is "$(pgrep -f 'ninepin run' || :)" ''

# At a terminal: what runs, and for how long, when nothing has come for a while; and it goes away again.
status=0
TERM=xterm timeout -s KILL 300 "$TESTS/pty" -- ninepin test --root busybox -m 256 "$elf" -- sleep 4 \
	>"$T/out" 2>"$T/err" </dev/null || status=$?
esc=$(printf '\033')
check "a terminal: status" is "$status" 0
check "a terminal: what runs" has "$T/out" " s  $elf"
check "a terminal: how many" has "$T/out" "0 of 1 ended, 0 failed, 1 running"
check "a terminal: these lines are taken away before the next" has "$T/out" "${esc}[2A"
check "a terminal: colour" has "$T/out" "${esc}[32mok${esc}[m 1 - $elf"

# Where io_uring is refused, as in containers, it goes on with system calls.
status=0
"$TESTS/poke" no-uring ninepin test --root busybox -m 256 --share "$EXT4" --logs "$T/no-uring" "$elf" -- \
	sh -c 'echo hi >f' >"$T/out" 2>"$T/err" || status=$?
check "without io_uring: status" is "$status" 0
check "without io_uring: the file is there" is "$(cat "$EXT4/f")" hi
check "without io_uring: the log says so" has "$T"/no-uring/001-*/stderr "io_uring is refused here"

# `git bisect run`, as in docs/ci.md: the commits of a repository change what the kernel is started with. The
# one in the middle cannot be built, and is skipped.
mkdir "$T/repo"
cd "$T/repo" || exit
export HOME="$T" GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
commit() {
	git add -A && git commit -q -m "$1"
}
git init -q -b master
printf 'bzImage:\n\tcp %s $@\n' "$elf" >Makefile
echo bzImage >.gitignore
echo 'loglevel=4' >words
commit "Begin"
git tag v1
echo '# It is copied.' >>Makefile
commit "Comment the build"
echo 'loglevel=4 nosmt' >words
commit "Use one thread of each core"
printf 'bzImage:\n\tfalse\n' >Makefile
commit "Improve the build"
git checkout -q HEAD~1 Makefile
commit "Go back to the build as it was"
echo 'loglevel=4 nosmt rdinit=/missing' >words
commit "Start another init"
echo 'loglevel=5 nosmt rdinit=/missing' >words
commit "Say more"
cat >"$T/step" <<'END'
rm -f bzImage
make -s || exit 125
ninepin test --root busybox -m 256 -c 1 --append "$(cat words)" bzImage -- uname -r
END
status=0
{
	git bisect start master v1 && git bisect run sh "$T/step"
} >"$T/out" 2>"$T/err" || status=$?
check "git bisect run: status" is "$status" 0
check "git bisect run: the commit" has "$T/out" "$(git rev-parse master~1) is the first bad commit"
check "git bisect run: by the kernel's panic" has "$T/out" 'reason: "panic"'
check "git bisect run: one was not built, and skipped" has "$T/err" "Error 1"
comment "$(grep -v '^    - ' "$T/out")"
cd / || exit

finish
