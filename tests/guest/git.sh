#!/bin/sh
# SPDX-License-Identifier: MIT
# git in an ordinary user's share: it refuses a folder of somebody else ("dubious ownership"), and asks for
# safe.directory then. The guest's root is the user here, so it is asked for nothing.
#
# Needs the machine's programs: packages "bench".
. "${0%/*}/lib"

echo 'sharer:x:2000:2001::/:/bin/sh' >>/etc/passwd
echo 'sharer:x:2001:' >>/etc/group
repo=$EXT4/repo
mkdir "$repo"
(
	cd "$repo" || exit
	export HOME="$T" GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	git init -q -b master && echo one >file && git add file && git commit -q -m "Add a file"
)
chown -R 2000:2001 "$repo"
echo two >>"$repo/file"

np_as sharer:sharer --share "$repo" -- git status --porcelain
check "as the guest's root" is "$status $(out)" "0  M file"
check "who has a home of his own, where git may look for its settings" is "$(cat "$T/err")" ''
np_as sharer:sharer -u sharer --share "$repo" -- git -c user.name=a -c user.email=a@b commit -q -a -m more
check "as that user, who commits" is "$status $(cat "$T/err")" "0 "
check "all of it is still the user's on the host" is "$(find "$repo" ! -user 2000 -o ! -group 2001)" ''
np_as sharer:sharer --share "$repo,model=none" -- git status --porcelain
check "owners as on the host: git refuses" has "$T/err" 'dubious ownership'

finish
