#!/bin/sh
# SPDX-License-Identifier: MIT
# The work of well-known programs in a share, in each cache mode, and first on the local ext4: see
# workloads. With CASES='git tar' in the environment: only these.
#
# Needs the machine's programs: packages "long".
. "${0%/*}/lib"

source=$EXT4/source
mkdir "$source" "$EXT4/tree"

# ---- a repository with a history, of this project's own files ----

make_repo() {
	mkdir "$source/repo"
	tar x -f "$TESTS/tree.tar" -C "$EXT4/tree"
	(
		cd "$source/repo" || exit
		export HOME="$T" GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a \
			GIT_COMMITTER_EMAIL=a@b
		git init -q -b master
		for part in "$EXT4"/tree/* "$EXT4"/tree/*/[a-f]*; do
			cp -r "$part" .
			git add -A
			git commit -q -m "Add ${part##*/}"
		done
	)
	rm -r "$EXT4/tree"
}

# ---- a small Debian: this machine's packages that any Debian has, and apt ----

essential() {
	dpkg-query -W -f '${Package}\t${Essential}\t${Priority}\t${Pre-Depends}, ${Depends}\n' | awk -F '\t' '
		{ needs[$1] = $4; if ($2 == "yes" || $3 == "required" || $1 == "apt") want[$1] }
		END {
			for (more = 1; more; ) {
				more = 0
				for (p in want) {
					if (p in done)
						continue
					done[p]; more = 1
					n = split(needs[p], need, /[,|] */)
					for (i = 1; i <= n; i++) {
						sub(/[ (:].*/, "", need[i])
						if (need[i] in needs)
							want[need[i]]
					}
				}
			}
			for (p in done)
				print p
		}' | sort
}

make_debian() {
	mkdir -p "$EXT4/tree/debian/var/lib/dpkg"
	essential >"$T/packages"
	# Below /bin, /lib and /sbin are the same files as below /usr.
	xargs dpkg-query -L <"$T/packages" |
		grep -E '^/(bin|etc|lib|lib64|sbin|usr|var)/' |
		grep -vE '^/usr/share/(doc|man|locale|info|lintian|zoneinfo)/' |
		sed -E 's,^/(bin|sbin|lib|lib64)/,/usr/\1/,; s,^/,,' | sort -u >"$T/files"
	printf '%s\n' bin lib lib64 sbin etc/passwd etc/group etc/ld.so.cache etc/alternatives \
		usr/bin/awk etc/alternatives/awk var/lib/dpkg/alternatives var/lib/dpkg/diversions \
		>>"$T/files"
	while read -r p; do
		echo "var/lib/dpkg/info/$p.*"
		echo "var/lib/dpkg/info/$p:*"
	done <"$T/packages" >"$T/info"
	(cd / && sh -c 'ls -d $(cat "$1")' sh "$T/info" 2>/dev/null) >>"$T/files"
	echo var/lib/dpkg/info/format >>"$T/files"
	tar c -C / --no-recursion --ignore-failed-read -T "$T/files" 2>/dev/null | tar x -p -C "$EXT4/tree/debian"
	xargs dpkg-query -s <"$T/packages" >"$EXT4/tree/debian/var/lib/dpkg/status"
	: >"$EXT4/tree/debian/var/lib/dpkg/available"
	mkdir -p "$EXT4/tree/debian/var/lib/dpkg/updates" "$EXT4/tree/debian/var/lib/apt/lists/partial" \
		"$EXT4/tree/debian/var/cache/apt/archives/partial" "$EXT4/tree/debian/var/log/apt"
}

# probe_1.deb and its next version: a program, a set-id one, a file of settings, links.
make_deb() {
	deb=$T/deb$1
	mkdir -p "$deb/DEBIAN" "$deb/usr/bin" "$deb/etc" "$deb/usr/share/probe"
	printf '#!/bin/sh\necho "probe %s"\n' "$1" >"$deb/usr/bin/probe"
	cp "$deb/usr/bin/probe" "$deb/usr/bin/probe-setid"
	echo "setting=$1" >"$deb/etc/probe.conf"
	for i in $(seq 50); do echo "$1 $i" >"$deb/usr/share/probe/file$i"; done
	ln -s ../bin/probe "$deb/usr/share/probe/link"
	ln "$deb/usr/share/probe/file1" "$deb/usr/share/probe/hard-link"
	chmod 755 "$deb/usr/bin/probe"
	chown 12:34 "$deb/usr/bin/probe-setid"
	chmod 6755 "$deb/usr/bin/probe-setid"
	echo /etc/probe.conf >"$deb/DEBIAN/conffiles"
	printf '#!/bin/sh\nset -e\ntest -x /usr/bin/probe\n' >"$deb/DEBIAN/postinst"
	chmod 755 "$deb/DEBIAN/postinst"
	cat >"$deb/DEBIAN/control" <<-END
		Package: probe
		Version: $1
		Architecture: all
		Maintainer: nobody <nobody@localhost>
		Description: a probe
	END
	dpkg-deb -b -Znone "$deb" "$source/probe_$1.deb" >/dev/null
}

make_repo
make_debian
make_deb 1
make_deb 2
check "the repository is there" [ "$(git -C "$source/repo" rev-list --count HEAD)" -gt 6 ]
check "the small Debian is there" [ -x "$EXT4/tree/debian/usr/bin/apt-get" ]

# run WHERE MODE COMMAND…: the cases of one place. Words of CASES are split on purpose.
run() {
	where=$1 mode=$2
	shift 2
	mkdir "$EXT4/$mode"
	cp -a "$EXT4/tree/debian" "$EXT4/$mode"
	"$@"
	check "all of it ran: $where" is "$status $(tail -n 1 "$T/out")" "0 done"
	cases "$where"
}

on_disk() {
	status=0
	# shellcheck disable=SC2086
	"$TESTS/workloads" disk "$EXT4/disk" "$source" ${CASES-} >"$T/out" 2>"$T/err" || status=$?
}

patience=2400
run "ext4 itself" disk on_disk
for mode in none mmap loose; do
	# shellcheck disable=SC2086
	run "cache=$mode" $mode np --share "$EXT4/$mode:$EXT4/$mode,cache=$mode" \
		--share "$source:$source:ro,cache=$mode" --share "$TESTS:/tests:ro" -- \
		/tests/workloads $mode "$EXT4/$mode" "$source" ${CASES-}
done

# A root that can be written to: an overlay above the machine's own tree, and above another.
install='set -e
dpkg -i "$1/probe_1.deb"; probe; dpkg -V probe
apt-get -y -o APT::Sandbox::User=root install "$1/probe_2.deb" </dev/null
[ "$(probe)" = "probe 2" ]; [ "$(stat -c %a:%u:%g /usr/bin/probe-setid)" = 6755:12:34 ]
dpkg -V probe; dpkg -P probe; [ ! -e /usr/share/probe ]; dpkg --audit; echo "all done"'
for root in / "$EXT4/tree/debian"; do
	np --root "$root" --share "$source:/source:ro" -- sh -c "$install" sh /source
	check "packages come and go in a root of ${root##*/}/" is "$status $(tail -n 1 "$T/out")" "0 all done"
done

finish
