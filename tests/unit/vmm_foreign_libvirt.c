// SPDX-License-Identifier: MIT
/* libvirt's XML: what is read of it, where it stands, and what becomes of it. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "foreign.h"

FIXTURE(libvirt)
{
	struct made m;
};

FIXTURE_SETUP(libvirt)
{
	memset(&self->m, 0, sizeof(self->m));
}

FIXTURE_TEARDOWN(libvirt)
{
	clear(&self->m);
}

/* One <filesystem> with these attributes and children. */
#define FS(attributes, children) "<filesystem " attributes ">" children "</filesystem>"
#define DIRS "<source dir='/src'/><target dir='tag'/>"

static const char domain[] = "<!--\n"
			     "WARNING: do not edit\n"
			     "-->\n"
			     "\n"
			     "<domain type='kvm'>\n"
			     "  <name>guest</name>\n"
			     "  <devices>\n"
			     "    <disk type='file'><source file='/disk'/><target dev='vda'/></disk>\n"
			     "    <filesystem type='mount' accessmode='mapped' fmode='0640' dmode='0750' "
			     "multidevs='remap'>\n"
			     "      <driver type='path' wrpolicy='immediate' queue='1024'/>\n"
			     "      <source dir='/a&amp;b'/>\n"
			     "      <target dir='ü'/><readonly/>\n"
			     "      <idmap><uid start='0' target='1000' count='1'/>\n"
			     "        <gid start='0' target='100' count='2'/></idmap>\n"
			     "      <alias name='fs0'/>\n"
			     "      <address type='pci' bus='0x01'/>\n"
			     "      <space_hard_limit unit='GiB'>1</space_hard_limit>\n"
			     "    </filesystem>\n"
			     "  </devices>\n"
			     "</domain>\n";

/* Nothing is lost, and each has its place. */
TEST_F(libvirt, words_and_places)
{
	const struct foreign *f = &self->m.f;
	const struct foreign_share *s;
	char at[32];

	ASSERT_EQ(parse(&self->m, domain, strlen(domain)), 0) TH_LOG("%s", self->m.why.text);
	EXPECT_EQ(f->program, FOREIGN_LIBVIRT);
	EXPECT_STREQ(f->origin, "f");
	ASSERT_EQ(f->nother, 1);
	EXPECT_WORD(f->other[0], "<domain>", 5, 1);
	ASSERT_EQ(f->nshares, 1);
	s = f->share;
	EXPECT_WORD(s->self, "<filesystem>", 9, 5);
	EXPECT_WORD(s->type, "mount", 9, 5);
	EXPECT_WORD(s->model, "mapped", 9, 5);
	EXPECT_WORD(s->fmode, "0640", 9, 5);
	EXPECT_WORD(s->dmode, "0750", 9, 5);
	EXPECT_WORD(s->multidevs, "remap", 9, 5);
	EXPECT_WORD(s->driver, "path", 10, 7);
	EXPECT_WORD(s->writeout, "immediate", 10, 7);
	EXPECT_WORD(s->path, "/a&b", 11, 7);
	EXPECT_WORD(s->tag, "ü", 12, 7);
	EXPECT_WORD(s->readonly, "<readonly/>", 12, 24);
	ASSERT_EQ(s->nids, 2);
	EXPECT_FALSE(s->ids[0].group);
	EXPECT_WORD(s->ids[0].range, "0:1000:1", 13, 14);
	EXPECT_TRUE(s->ids[1].group);
	EXPECT_WORD(s->ids[1].range, "0:100:2", 14, 9);
	EXPECT_WORD(s->id, "fs0", 15, 7);
	EXPECT_WORD(s->address, "pci", 16, 7);
	ASSERT_EQ(s->nother, 2);
	EXPECT_WORD(s->other[0], "<driver queue='1024'>", 10, 7);
	EXPECT_WORD(s->other[1], "<space_hard_limit>", 17, 7);
	EXPECT_STREQ(foreign_model(f, s), "mapped-xattr");
	EXPECT_EQ(foreign_mount(f, s), NULL);
	EXPECT_STREQ(foreign_at(f, &s->tag, at, sizeof(at)), "f:12:7");
}

TEST_F(libvirt, whole_domain)
{
	const struct share_options *s = self->m.share;

	ASSERT_EQ(libvirt(&self->m, domain), 0) TH_LOG("%s", self->m.why.text);
	ASSERT_EQ(self->m.n, 1);
	EXPECT_STREQ(s->host, "/a&b");
	EXPECT_STREQ(s->tag, "ü");
	EXPECT_STREQ(s->guest, "/mnt/ü");
	EXPECT_EQ(s->config.model, P9_MODEL_MAPPED);
	EXPECT_EQ(s->config.fmode, 0640);
	EXPECT_EQ(s->config.dmode, 0750);
	EXPECT_EQ(s->config.flags, P9_SHARE_RO | P9_SHARE_WRITEOUT);
	EXPECT_EQ(s->config.uids.n, 0);
	EXPECT_SAID(&self->m, "f:5:1: <domain>: not used, only <filesystem> elements are\n");
	EXPECT_SAID(&self->m, "f:10:7: <driver queue='1024'>: skipped");
	EXPECT_SAID(&self->m, "f:13:14: <idmap>: skipped: it is for accessmode='passthrough'");
	EXPECT_SAID(&self->m, "f:17:7: <space_hard_limit>: skipped");
}

TEST_F(libvirt, document_with_declaration)
{
	char text[2048];

	snprintf(text, sizeof(text), "<?xml version='1.0' encoding='ISO-8859-1'?>\n%s", domain);
	ASSERT_EQ(parse(&self->m, text, strlen(text)), 0) TH_LOG("%s", self->m.why.text);
	/* Of these bytes, in that encoding. */
	EXPECT_WORD(self->m.f.share[0].tag, "Ã¼", 13, 7);
	/* After its root, there is nothing. */
	strcat(text, "mount -t 9p tag /mnt\n");
	EXPECT_EQ(parse(&self->m, text, strlen(text)), -EINVAL);
	EXPECT_WHY(&self->m, "f:22:1: this is not well-formed XML: junk after document element");
}

TEST_F(libvirt, models)
{
	static const struct {
		const char *text;
		enum p9_model model;
	} modes[] = {
		{ FS("", DIRS), P9_MODEL_PASSTHROUGH },
		{ FS("accessmode='passthrough'", DIRS), P9_MODEL_PASSTHROUGH },
		{ FS("accessmode='mapped'", DIRS), P9_MODEL_MAPPED },
		{ FS("accessmode='squash'", DIRS), P9_MODEL_NONE },
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		ASSERT_EQ(libvirt(&self->m, modes[i].text), 0);
		EXPECT_TRUE(self->m.share->model_set);
		EXPECT_EQ(self->m.share->config.model, modes[i].model) TH_LOG("%s", modes[i].text);
		EXPECT_EQ(self->m.notes.text, NULL);
	}
	EXPECT_EQ(libvirt(&self->m, FS("accessmode='open'", DIRS)), -EINVAL);
	EXPECT_WHY(&self->m, "f:1:1: skipped: accessmode='open' is unknown");
}

TEST_F(libvirt, several_with_text_between)
{
	ASSERT_EQ(libvirt(&self->m, "Put this in & that <there>:\n"
				    "  <filesystem><source dir='/1'/><target dir='one'/></filesystem> "
				    "<filesystem><source dir='/2'/>\n<target dir='two'/></filesystem>\n"
				    "and, if a < b && c:\n"
				    "<!-- <filesystem> -->\n"
				    "<devices><filesystem><source dir='/3'/><target dir='three'/>"
				    "</filesystem></devices>, so.\n"
				    "<?php ?>"),
		  0)
	TH_LOG("%s", self->m.why.text);
	ASSERT_EQ(self->m.n, 3);
	EXPECT_STREQ(self->m.share[0].host, "/1");
	EXPECT_STREQ(self->m.share[1].host, "/2");
	EXPECT_STREQ(self->m.share[2].host, "/3");
	EXPECT_WORD(self->m.f.share[0].path, "/1", 2, 15);
	EXPECT_WORD(self->m.f.share[1].self, "<filesystem>", 2, 66);
	EXPECT_WORD(self->m.f.share[1].path, "/2", 2, 78);
	EXPECT_WORD(self->m.f.share[1].tag, "two", 3, 1);
	EXPECT_WORD(self->m.f.share[2].path, "/3", 6, 22);
}

/* A source or a target within a disk, or an <idmap> of the domain's, is another's. */
TEST_F(libvirt, other_elements)
{
	ASSERT_EQ(libvirt(&self->m, "<domain><idmap><uid start='0' target='5' count='1'/></idmap>"
				    "<metadata><filesystem><source dir='/no'/></filesystem></metadata>"
				    "<devices><disk><source dir='/no'/></disk>"
				    "<filesystem>" DIRS "<binary><source dir='/no'/>"
				    "<uid start='0' target='5' count='1'/></binary>"
				    "</filesystem><disk><source dir='/no'/></disk></devices></domain>"),
		  0);
	ASSERT_EQ(self->m.f.nshares, 1);
	EXPECT_STREQ(self->m.share->host, "/src");
	EXPECT_EQ(self->m.f.share->nids, 0);
	EXPECT_SAID(&self->m, "<binary>: skipped");
}

TEST_F(libvirt, broken)
{
	static const struct {
		const char *text, *why;
	} broken[] = {
		{ "a\n  <filesystem>\n  <source dir='/a'>\n</filesystem>\n",
		  "f:4:3: this is not well-formed XML: mismatched tag; <source> of line 3 is still open" },
		{ "<filesystem>\n<source dir='/a'/>\n", "f:3:1: this is not well-formed XML: no element" },
		{ "<filesystem>\n<source dir='/a\n", "<filesystem> of line 1 is still open here" },
		{ "<filesystem>\n <source dir=/a/>\n", "f:2:14: this is not well-formed XML" },
		{ "<filesystem>\n <source dir=\xe2\x80\x98/a\xe2\x80\x99/>\n",
		  "f:2:14: this quote is of the kind that is printed" },
		{ "text\n</devices>\n", "f:2:" },
		{ "<filesystem a='1' a='2'/>", "duplicate attribute" },
		{ "\n <!-- no end", "f:2:2: a comment begins here and does not end: --> is missing" },
		{ "<?no end", "f:1:1: an instruction begins here" },
		{ "<filesystem>\xff</filesystem>", "f:1:13: this is not well-formed XML" },
		{ "<a><![CDATA[", "f:1:" },
		{ "<", "there is no <filesystem> element" },
		{ "", "f: there is no <filesystem> element in it" },
		{ "mount -t 9p tag /mnt\n", "f: there is no <filesystem> element in it" },
		{ "<domain/>", "f: there is no <filesystem> element in it" },
	};

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		EXPECT_EQ(libvirt(&self->m, broken[i].text), -EINVAL) TH_LOG("%s", broken[i].text);
		EXPECT_WHY(&self->m, broken[i].why);
	}
}

TEST_F(libvirt, too_deep)
{
	char text[4096] = "";

	for (int i = 0; i < 65; i++)
		strcat(text, "<a>");
	EXPECT_EQ(libvirt(&self->m, text), -EINVAL);
	EXPECT_WHY(&self->m, "f:1:193: elements are in each other more than 64 deep");
}

TEST_F(libvirt, skipped)
{
	static const struct {
		const char *text, *why;
	} skipped[] = {
		{ FS("type='template'", "<source name='t'/><target dir='/'/>"), "type='template': a template" },
		{ FS("type='block'", "<source dev='/dev/sda'/><target dir='/'/>"), "a block device" },
		{ FS("type='file'", "<source file='/i'/><target dir='/'/>"), "an image file" },
		{ FS("type='ram'", "<source usage='1'/><target dir='/'/>"), "mount -t tmpfs" },
		{ FS("type='bind'", DIRS), "mount --bind" },
		{ FS("type='volume'", DIRS), "type='volume'" },
		{ FS("type='odd'", DIRS), "type='odd' is unknown: a shared folder is a 'mount'" },
		{ FS("", "<target dir='tag'/>"), "<source dir='…'/> is missing" },
		{ FS("", "<source dir=''/><target dir='tag'/>"), "<source dir='…'/> is missing" },
		{ FS("", "<source socket='/s'/><target dir='tag'/>"), "<source dir='…'/> is missing" },
		{ FS("", "<source dir='/src'/>"), "<target dir='…'/> is missing" },
		{ FS("", "<source dir='/src'/><target dir='//'/>"), "the guest's whole root" },
	};
	char text[1024];

	for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++) {
		/* Alone, nothing is left; beside another, that one is. */
		EXPECT_EQ(libvirt(&self->m, skipped[i].text), -EINVAL);
		EXPECT_WHY(&self->m, "nothing is left to share: f:1:");
		EXPECT_WHY(&self->m, skipped[i].why);
		snprintf(text, sizeof(text), "%s\n%s", skipped[i].text, FS("", DIRS));
		if (i % 2) /* the one that can be had comes first, perhaps with the same tag */
			snprintf(text, sizeof(text), "%s%s", FS("", DIRS), skipped[i].text);
		ASSERT_EQ(libvirt(&self->m, text), 0);
		ASSERT_EQ(self->m.n, 1);
		EXPECT_STREQ(self->m.share->host, "/src");
		EXPECT_SAID(&self->m, "f:1:");
		EXPECT_SAID(&self->m, skipped[i].why);
	}
}

TEST_F(libvirt, drivers)
{
	static const struct {
		const char *text, *note;
	} drivers[] = {
		{ FS("", DIRS "<driver type='path'/>"), "<driver type='path'>: nothing to do" },
		{ FS("", DIRS "<driver type='handle'/>"), "<driver type='handle'>: shared by path" },
		{ FS("", DIRS "<driver type='virtiofs'/>"), "<driver type='virtiofs'>: shared by 9P instead" },
		{ FS("", DIRS "<driver type='loop'/>"), "<driver type='loop'>: skipped" },
	};

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		ASSERT_EQ(libvirt(&self->m, drivers[i].text), 0);
		ASSERT_EQ(self->m.n, 1);
		EXPECT_SAID(&self->m, drivers[i].note);
		EXPECT_EQ(self->m.share->config.flags, 0);
	}
}

TEST_F(libvirt, idmap)
{
	const struct p9_share_config *c = &self->m.share->config;

	ASSERT_EQ(libvirt(&self->m, FS("", DIRS "<driver type='virtiofs'/><idmap>"
						"<uid start='0' target='1000' count='1'/>"
						"<uid start='1' target='100000' count='65535'/>"
						"<gid start='0' target='100' count='1'/></idmap>")),
		  0);
	EXPECT_FALSE(self->m.share->model_set);
	ASSERT_EQ(c->uids.n, 2);
	EXPECT_EQ(c->uids.range[1].guest, 1);
	EXPECT_EQ(c->uids.range[1].host, 100000);
	EXPECT_EQ(c->uids.range[1].count, 65535);
	EXPECT_EQ(c->gids.n, 1);
	EXPECT_EQ(share_settle(self->m.share, 0, 0, &self->m.notes, &self->m.why), 0);
	EXPECT_EQ(c->model, P9_MODEL_IDMAP);

	EXPECT_EQ(libvirt(&self->m, FS("", "<idmap>\n<uid start='0'/></idmap>" DIRS)), -EINVAL);
	EXPECT_WHY(&self->m, "f:2:1: uidmap=0:: is not GUEST:HOST:COUNT");
}

TEST_F(libvirt, values)
{
	ASSERT_EQ(libvirt(&self->m, FS("multidevs='forbid'", DIRS)), 0);
	EXPECT_EQ(self->m.share->config.flags, P9_SHARE_FORBID_MULTIDEVS);
	ASSERT_EQ(libvirt(&self->m, FS("multidevs='default'", DIRS "<driver wrpolicy='default'/>")), 0);
	EXPECT_EQ(self->m.share->config.flags, 0);

	EXPECT_EQ(libvirt(&self->m, "\n " FS("multidevs='x'", DIRS)), -EINVAL);
	EXPECT_WHY(&self->m, "f:2:2: multidevs=x is none of");
	EXPECT_EQ(libvirt(&self->m, FS("", "\n" DIRS "<driver wrpolicy='x'/>")), -EINVAL);
	EXPECT_WHY(&self->m, "f:2:40: writeout=x");
	EXPECT_EQ(libvirt(&self->m, FS("accessmode='mapped' fmode='9'", DIRS)), -EINVAL);
	EXPECT_WHY(&self->m, "f:1:1: fmode=9 is not a mode");
	EXPECT_EQ(libvirt(&self->m, FS("fmode='0600'", DIRS)), -EINVAL);
	EXPECT_WHY(&self->m, "f:1:1: fmode='0600' is for the mapped model only");
	EXPECT_EQ(libvirt(&self->m, FS("accessmode='squash' dmode='0700'", DIRS)), -EINVAL);
	EXPECT_WHY(&self->m, "dmode='0700' is for the mapped model only");
}

TEST_F(libvirt, tags)
{
	const struct share_options *s = self->m.share;

	ASSERT_EQ(libvirt(&self->m, FS("", "<source dir='/s'/>"
					   "<target dir='a234567890123456789012345678901'/>")),
		  0);
	EXPECT_STREQ(s->tag, "a234567890123456789012345678901");
	EXPECT_EQ(self->m.notes.text, NULL);
	ASSERT_EQ(libvirt(&self->m, FS("", "<source dir='/s'/>"
					   "<target dir='a2345678901234567890123456789012'/>")),
		  0);
	EXPECT_EQ(s->tag, NULL);
	EXPECT_STREQ(s->guest, "/mnt/a2345678901234567890123456789012");
	EXPECT_SAID(&self->m, "is longer than 31 bytes");

	ASSERT_EQ(libvirt(&self->m, FS("", "<source dir='/1'/><target dir='t'/>")
					    "\n" FS("", "<source dir='/2'/><target dir='t'/>")),
		  0);
	ASSERT_EQ(self->m.n, 1);
	EXPECT_STREQ(s->host, "/2");
	EXPECT_SAID(&self->m, "f:1:1: the tag t comes again in line 2");
}

TEST_F(libvirt, more_than_there_is_room_for)
{
	ASSERT_EQ(libvirt(&self->m, FS("", "<source dir='/1'/><target dir='1'/>")
				    FS("", "<source dir='/1'/><target dir='2'/>")
				    FS("", "<source dir='/1'/><target dir='3'/>")
				    FS("", "<source dir='/1'/><target dir='4'/>")),
		  0);
	EXPECT_EQ(self->m.n, 4);
	ASSERT_EQ(libvirt(&self->m, FS("", "<source dir='/1'/><target dir='1'/>")
				    FS("", "<source dir='/1'/><target dir='2'/>")
				    FS("", "<source dir='/1'/><target dir='3'/>")
				    FS("", "<source dir='/1'/><target dir='4'/>")
				    FS("", "<source dir='/1'/><target dir='5'/>")),
		  -EINVAL);
	EXPECT_EQ(self->m.n, 4);
	EXPECT_WHY(&self->m, "more folders in it than the 4");
}

/* ---- the commands around it ---- */

#define SHARE FS("", DIRS) "\n"

TEST_F(libvirt, mounts_are_read)
{
	static const char *const mounts[] = {
		"mount -t 9p -o access=any,ro tag /place",
		"$ mount -t9p -oaccess=any -o ro tag /place",
		"  # sudo mount --types 9p tag --options=access=any /place -r",
		"mount -t 9p \\\n  -o access=any,ro \\\n  tag /place # or --options=posixacl",
		"mount -t virtiofs -o 'access=any,ro' \"tag\" /pl\\ace && ls",
		"root@guest:~# mount -t 9p -o access=any,ro tag /place",
		"[me@guest ~]$ sudo mount -t 9p -o access=any,ro tag /place",
		"tag /place 9p access=any,ro 0 0",
		"tag\t/place\tvirtiofs\taccess=any,ro",
	};
	char text[512];

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		const struct share_options *s = self->m.share;

		snprintf(text, sizeof(text), SHARE "%s", mounts[i]);
		ASSERT_EQ(libvirt(&self->m, text), 0) TH_LOG("%s: %s", mounts[i], self->m.why.text);
		ASSERT_EQ(self->m.f.ncommands, 1) TH_LOG("%s", mounts[i]);
		EXPECT_STREQ(s->guest, "/place") TH_LOG("%s", mounts[i]);
		EXPECT_STREQ(s->access, "any") TH_LOG("%s", mounts[i]);
		EXPECT_FALSE(s->posixacl) TH_LOG("%s", mounts[i]);
		EXPECT_EQ(s->config.flags, P9_SHARE_RO) TH_LOG("%s", mounts[i]);
		EXPECT_EQ(self->m.notes.text, NULL) TH_LOG("%s", self->m.notes.text);
		EXPECT_EQ(foreign_mount(&self->m.f, self->m.f.share), self->m.f.command);
	}
}

TEST_F(libvirt, places_in_a_command_of_several_lines)
{
	const struct foreign_command *c;

	ASSERT_EQ(libvirt(&self->m, SHARE "$ mount \\\n -t 9p -o ro \\\n   tag /place\nls /\n"), 0);
	ASSERT_EQ(self->m.f.ncommands, 2);
	c = self->m.f.command;
	EXPECT_WORD(c[0].line, "mount \\\n -t 9p -o ro \\\n   tag /place", 2, 3);
	EXPECT_WORD(c[0].options, "ro", 3, 11);
	EXPECT_WORD(c[0].tag, "tag", 4, 4);
	EXPECT_WORD(c[0].place, "/place", 4, 8);
	EXPECT_WORD(c[1].line, "ls /", 5, 1);
}

TEST_F(libvirt, words_of_a_mount)
{
	static const struct {
		const char *options, *answer;
	} words[] = {
		{ "_netdev", "f:2:16: _netdev: ignored: it is for the guest's boot" },
		{ "nofail", "nofail: ignored" },
		{ "x-systemd.automount", "x-systemd.automount: ignored" },
		{ "security_model=none", "f:2:16: security_model=none: ignored: it is no option of mount's, "
					 "the host decides it: accessmode= in the XML, or ninepin run --share "
					 "/src,security_model=none" },
		{ "version=9p2000.u", "ninepin speaks 9p2000.L only" },
		{ "trans=tcp", "trans=tcp: the folder comes by virtio" },
		{ "noatime", "noatime: skipped" },
		{ "debug=1", "debug=1: skipped" },
		{ "tag=other", "tag=other: skipped" },
		/* No short forms of others. */
		{ "s=1", "s=1: skipped" },
		{ "=y", "=y: skipped" },
		{ "v=1", "v=1: skipped" },
		{ "transport=1", "transport=1: skipped" },
		{ "a\033[2Jb", "a?[2Jb: skipped" },
		{ "writeback", "writeback is no option of 9P" },
		{ "loose", "cache=loose: what the host changes" },
	};
	char text[512];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		snprintf(text, sizeof(text), SHARE "mount -t 9p -o %s tag /place", words[i].options);
		ASSERT_EQ(libvirt(&self->m, text), 0) TH_LOG("%s", self->m.why.text);
		EXPECT_SAID(&self->m, words[i].answer);
		EXPECT_EQ(lines_said(&self->m), 1);
		EXPECT_STREQ(self->m.share->tag, "tag");
		EXPECT_EQ(self->m.share->config.model, P9_MODEL_PASSTHROUGH);
	}
	EXPECT_STREQ(self->m.share->cache, "loose");

	ASSERT_EQ(libvirt(&self->m, SHARE "mount -t 9p -o posixacl,cache=none,msize=8192,rw tag /p"), 0);
	EXPECT_TRUE(self->m.share->posixacl);
	EXPECT_STREQ(self->m.share->cache, "none");
	EXPECT_EQ(self->m.share->msize, 8192);

	EXPECT_EQ(libvirt(&self->m, SHARE "mount -t 9p -o cache=fast tag /p"), -EINVAL);
	EXPECT_WHY(&self->m, "f:2:16: cache=fast is none of");
	ASSERT_EQ(libvirt(&self->m, SHARE "mount -t 9p tag here"), 0);
	EXPECT_STREQ(self->m.share->guest, "/mnt/tag");
	EXPECT_SAID(&self->m, "f:2:17: here: this is no place");
}

/* The host has the last word. */
TEST_F(libvirt, mount_cannot_make_it_writable)
{
	ASSERT_EQ(libvirt(&self->m, FS("", DIRS "<readonly/>") "\nmount -t 9p -o rw tag /p"), 0);
	EXPECT_EQ(self->m.share->config.flags, P9_SHARE_RO);
	EXPECT_SAID(&self->m, "f:2:16: rw: ignored: the host gives it read-only, by <readonly/>");
}

TEST_F(libvirt, answers)
{
	static const struct {
		const char *command, *answer;
	} commands[] = {
		{ "mount -a", "'mount -a' mounts what the guest's /etc/fstab says" },
		{ "mount /dev/sda1 /mnt", "mounts no shared folder" },
		{ "mount -t 9p tag", "lacks a word" },
		{ "mkdir -p /mnt/data", "is not needed for a mount point" },
		{ "modprobe 9pnet_virtio", "" },
		{ "modprobe -a 9p", "loads what its shares need" },
		{ "setfacl -R -m d:u:qemu:rwX /d", "gives the user qemu access to what is in there now, and later;" },
		{ "setfacl -m g:kvm:rwx /d", "the user named there" },
		{ "setfacl -b /d", "the user named there" },
		{ "chcon -t svirt_image_t /d", "label svirt_image_t, for a QEMU that libvirt confines;" },
		{ "chcon --reference=/a /b", "gives the SELinux label, for a QEMU" },
		{ "echo x >>/f", "creates /f as a test" },
	};
	char text[512];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		snprintf(text, sizeof(text), SHARE "%s\n", commands[i].command);
		ASSERT_EQ(libvirt(&self->m, text), 0);
		if (*commands[i].answer)
			EXPECT_SAID(&self->m, commands[i].answer);
		EXPECT_EQ(lines_said(&self->m), !!*commands[i].answer) TH_LOG("%s", text);
	}
}

TEST_F(libvirt, prose_is_passed_over)
{
	static const char prose[] = SHARE "mount the share with:\n"
					  "- mount -t 9p is what you want\n"
					  "ls\n"
					  "Guest OS → QEMU 9p server → Host filesystem\n"
					  "↓ ↓ ↓\n"
					  "| a | table |\n"
					  "# chmod is not enough\n"
					  "it's \"odd\n"
					  "\n#\n$\n";

	ASSERT_EQ(libvirt(&self->m, prose), 0);
	ASSERT_EQ(self->m.f.ncommands, 1);
	EXPECT_SAID(&self->m, "f:4:1: 'ls' shows");
	/* Nor has a command bytes that are no text. */
	ASSERT_EQ(parse(&self->m, "ls /\0/\n", strlen("ls /") + 3), 0);
	EXPECT_EQ(self->m.f.ncommands, 0);
}

/* ---- files ---- */

TEST_F(libvirt, file)
{
	char path[] = "/tmp/vmm_foreign.XXXXXX", pipe_path[64];
	int fd = mkstemp(path), pipe_fd[2];

	ASSERT_GE(fd, 0);
	ASSERT_EQ(write(fd, domain, strlen(domain)), strlen(domain));
	EXPECT_EQ(foreign_read_libvirt(&self->m.f, path, &self->m.why), 0);
	EXPECT_EQ(self->m.f.nshares, 1);
	EXPECT_STREQ(self->m.f.origin, path);
	close(fd);
	unlink(path);

	foreign_free(&self->m.f);
	EXPECT_EQ(foreign_read_libvirt(&self->m.f, path, &self->m.why), -ENOENT);
	EXPECT_WHY(&self->m, path);
	EXPECT_WHY(&self->m, "cannot be read: No such file");
	foreign_free(&self->m.f);
	EXPECT_EQ(foreign_read_libvirt(&self->m.f, "/", &self->m.why), -EISDIR);

	/* What virsh dumpxml writes into. */
	foreign_free(&self->m.f);
	ASSERT_EQ(pipe(pipe_fd), 0);
	ASSERT_EQ(write(pipe_fd[1], domain, strlen(domain)), strlen(domain));
	close(pipe_fd[1]);
	snprintf(pipe_path, sizeof(pipe_path), "/proc/self/fd/%d", pipe_fd[0]);
	EXPECT_EQ(foreign_read_libvirt(&self->m.f, pipe_path, &self->m.why), 0);
	EXPECT_EQ(self->m.f.nshares, 1);
	close(pipe_fd[0]);
}

/* A page of more than a first read takes, whose share comes last; and one that is no configuration. */
TEST_F(libvirt, large_file)
{
	static char text[200000];
	char path[] = "/tmp/vmm_foreign.XXXXXX";
	int fd = mkstemp(path);

	ASSERT_GE(fd, 0);
	memset(text, '\n', sizeof(text));
	ASSERT_EQ(write(fd, text, sizeof(text)), sizeof(text));
	ASSERT_EQ(write(fd, domain, strlen(domain)), strlen(domain));
	EXPECT_EQ(foreign_read_libvirt(&self->m.f, path, &self->m.why), 0);
	ASSERT_EQ(self->m.f.nshares, 1);
	EXPECT_EQ(self->m.f.share->self.line, sizeof(text) + 9);

	foreign_free(&self->m.f);
	ASSERT_EQ(ftruncate(fd, 1 << 30), 0);
	EXPECT_EQ(foreign_read_libvirt(&self->m.f, path, &self->m.why), -EINVAL);
	EXPECT_WHY(&self->m, "more than 1 MiB are no configuration");
	close(fd);
	unlink(path);
}

/* The longest line of errors is cut, not run over. */
TEST_F(libvirt, long_values)
{
	static char text[60000];
	static char name[9000];

	memset(name, 'n', sizeof(name) - 1);
	snprintf(text, sizeof(text),
		 "<filesystem type='%s'><source dir='/a'/><target dir='%s'/></filesystem>", name, name);
	EXPECT_EQ(libvirt(&self->m, text), -EINVAL);
	snprintf(text, sizeof(text), "<filesystem accessmode='mapped' fmode='%s' multidevs='%s'>"
				     "<source dir='/a'/><target dir='%s'/></filesystem>",
		 name, name, name);
	EXPECT_EQ(libvirt(&self->m, text), -EINVAL);
	snprintf(text, sizeof(text), "<filesystem><%s/><source dir='/%s'/><target dir='%s'/></filesystem>\n"
				     "mount -t 9p -o %s b /c\nls /%s\nchcon -t %s /\n",
		 name, name, name, name, name, name);
	EXPECT_EQ(libvirt(&self->m, text), 0);
	EXPECT_EQ(strlen(self->m.share->host), sizeof(name));
}

TEST_HARNESS_MAIN
