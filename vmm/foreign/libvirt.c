// SPDX-License-Identifier: MIT
/*
 * libvirt's XML: https://libvirt.org/formatdomain.html#filesystems. What people have is a whole
 * <domain>, or a page with snippets of it, so a text is taken apart first: an element that begins a
 * line is the parser's, from there to its end, and the lines between are text.
 */
#include <ctype.h>
#include <errno.h>
#include <expat.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/foreign/read.h"

/* libvirt's own nest about eight deep. */
#define MAX_DEPTH 64

struct reader {
	struct foreign *f;
	struct why *why;
	/* What is still to be read, and where that is. */
	const char *at, *end;
	unsigned int line, column;

	/* Within an element: */
	XML_Parser parser;
	bool document; /* begins with an XML declaration: there is nothing after its root */
	int err; /* of a handler */
	struct foreign_word open[MAX_DEPTH]; /* the elements that we are in, by name */
	unsigned int depth;
	bool in_share; /* the last of f's is being read */
	unsigned int share_depth;
};

/* ---- elements ---- */

/* Where the parser is, in the whole text. */
static void where(const struct reader *r, unsigned int *line, unsigned int *column)
{
	XML_Size l = XML_GetCurrentLineNumber(r->parser), c = XML_GetCurrentColumnNumber(r->parser);

	*line = r->line + (unsigned int)l - 1;
	*column = (l == 1 ? r->column : 1) + (unsigned int)c;
}

/* For handlers: the sentence is said, and nothing more is read. */
static void stop(struct reader *r, int err)
{
	r->err = err;
	XML_StopParser(r->parser, XML_FALSE);
}

static void no_memory(struct reader *r)
{
	stop(r, foreign_no_memory(r->why));
}

static struct foreign_share *share_of(struct reader *r)
{
	return &r->f->share[r->f->nshares - 1];
}

static void set(struct reader *r, struct foreign_word *word, const char *value)
{
	unsigned int line, column;

	where(r, &line, &column);
	if (foreign_set(word, value, strlen(value), line, column))
		no_memory(r);
}

/* Something of the share that has no place of its own: an element, or one of its attributes. */
static void add_other(struct reader *r, const char *name, const char *attribute, const char *value)
{
	struct foreign_share *share = share_of(r);
	unsigned int line, column;

	where(r, &line, &column);
	if (attribute ? foreign_add_word(&share->other, &share->nother, line, column,
					 "<%s %s='%s'>", name, attribute, value) :
			foreign_add_word(&share->other, &share->nother, line, column, "<%s>", name))
		no_memory(r);
}

/* An attribute, and where it goes. */
struct attribute {
	const char *name;
	struct foreign_word *word;
};

/* Those that are known go to their places, the others are kept too. */
static void take_attributes(struct reader *r, const char *name, const XML_Char **atts,
			    const struct attribute *known, size_t n)
{
	for (; *atts && !r->err; atts += 2) {
		size_t i = 0;

		while (i < n && strcmp(atts[0], known[i].name) != 0)
			i++;
		if (i < n)
			set(r, known[i].word, atts[1]);
		else
			add_other(r, name, atts[0], atts[1]);
	}
}

#define TAKE(r, name, atts, ...)                                                              \
	do {                                                                                  \
		const struct attribute known[] = { __VA_ARGS__ };                             \
		take_attributes(r, name, atts, known, sizeof(known) / sizeof(known[0]));      \
	} while (0)

static const char *attribute(const XML_Char **atts, const char *name)
{
	for (; *atts; atts += 2)
		if (!strcmp(atts[0], name))
			return atts[1];
	return NULL;
}

/* <uid start='0' target='1000' count='1'/> */
static void take_ids(struct reader *r, const char *name, const XML_Char **atts)
{
	struct foreign_share *share = share_of(r);
	const char *start = attribute(atts, "start"), *target = attribute(atts, "target"),
		   *count = attribute(atts, "count");
	struct foreign_ids *grown =
		reallocarray(share->ids, share->nids + 1, sizeof(*share->ids));
	char *text;
	int len;

	if (!grown) {
		no_memory(r);
		return;
	}
	share->ids = grown;
	len = asprintf(&text, "%s:%s:%s", start ? start : "", target ? target : "",
		       count ? count : "");
	if (len < 0) {
		no_memory(r);
		return;
	}
	grown[share->nids] = (struct foreign_ids){ .group = !strcmp(name, "gid") };
	set(r, &grown[share->nids++].range, text);
	free(text);
}

static void take_type(struct reader *r, struct foreign_word *word, const XML_Char **atts)
{
	const char *type = attribute(atts, "type");

	set(r, word, type ? type : "");
}

/* A child of <filesystem>. */
static void begin_part(struct reader *r, const char *name, const XML_Char **atts)
{
	struct foreign_share *share = share_of(r);

	if (!strcmp(name, "source"))
		TAKE(r, name, atts, { "dir", &share->path });
	else if (!strcmp(name, "target"))
		TAKE(r, name, atts, { "dir", &share->tag });
	else if (!strcmp(name, "driver"))
		TAKE(r, name, atts, { "type", &share->driver }, { "wrpolicy", &share->writeout });
	else if (!strcmp(name, "readonly"))
		set(r, &share->readonly, "<readonly/>");
	else if (!strcmp(name, "address"))
		take_type(r, &share->address, atts);
	else if (!strcmp(name, "alias"))
		TAKE(r, name, atts, { "name", &share->id });
	else if (strcmp(name, "idmap") != 0)
		add_other(r, name, NULL, NULL);
}

static void begin_share(struct reader *r, const XML_Char **atts)
{
	struct foreign_share *share = foreign_add_share(r->f);

	if (!share) {
		no_memory(r);
		return;
	}
	r->in_share = true;
	r->share_depth = r->depth;
	set(r, &share->self, "<filesystem>");
	TAKE(r, "filesystem", atts, { "type", &share->type }, { "accessmode", &share->model },
	     { "fmode", &share->fmode }, { "dmode", &share->dmode },
	     { "multidevs", &share->multidevs });
}

static void begin(void *arg, const XML_Char *name, const XML_Char **atts)
{
	struct reader *r = arg;
	const char *parent = r->depth ? r->open[r->depth - 1].text : "";
	unsigned int line, column;

	if (r->err)
		return;
	where(r, &line, &column);
	if (r->depth == MAX_DEPTH) {
		stop(r, why_fail(r->why, -EINVAL,
				 "%s:%u:%u: elements are in each other more than %d deep: this is no "
				 "configuration of libvirt's",
				 r->f->origin, line, column, MAX_DEPTH));
		return;
	}
	if (r->in_share && r->depth == r->share_depth + 1)
		begin_part(r, name, atts);
	else if (r->in_share && !strcmp(parent, "idmap") &&
		 (!strcmp(name, "uid") || !strcmp(name, "gid")))
		take_ids(r, name, atts);
	else if (!r->in_share && !strcmp(name, "filesystem") &&
		 (!*parent || !strcmp(parent, "devices")))
		begin_share(r, atts);
	if (!r->depth && strcmp(name, "filesystem") && strcmp(name, "devices") &&
	    foreign_add_word(&r->f->other, &r->f->nother, line, column, "<%s>", name))
		no_memory(r);
	set(r, &r->open[r->depth++], name);
}

static void end(void *arg, const XML_Char *name)
{
	struct reader *r = arg;

	(void)name;
	if (r->err)
		return;
	r->depth--;
	if (r->in_share && r->depth == r->share_depth)
		r->in_share = false;
	/* What comes after it may be text. */
	if (!r->depth && !r->document)
		XML_StopParser(r->parser, XML_FALSE);
}

static void close_all(struct reader *r)
{
	for (unsigned int i = 0; i < MAX_DEPTH; i++) {
		free(r->open[i].text);
		r->open[i].text = NULL;
	}
	r->depth = 0;
	r->in_share = false;
}

/* ---- what is no XML ---- */

/* Pages print quotes as ‘ ’ “ ”, which are no quotes in XML. */
static bool is_printed_quote(const char *at, const char *stop)
{
	return stop - at >= 3 && !memcmp(at, "\xe2\x80", 2) && (unsigned char)at[2] >= 0x98 &&
	       (unsigned char)at[2] <= 0x9f;
}

static int broken(struct reader *r)
{
	enum XML_Error error = XML_GetErrorCode(r->parser);
	XML_Index at = XML_GetCurrentByteIndex(r->parser);
	const struct foreign_word *open = r->depth ? &r->open[r->depth - 1] : NULL;
	unsigned int line, column;

	where(r, &line, &column);
	if (error == XML_ERROR_INVALID_TOKEN && at >= 0 && is_printed_quote(r->at + at, r->end))
		return why_fail(r->why, -EINVAL,
				"%s:%u:%u: this quote is of the kind that is printed, not typed: write ' "
				"instead",
				r->f->origin, line, column);
	if (!open)
		return why_fail(r->why, -EINVAL, "%s:%u:%u: this is not well-formed XML: %s",
				r->f->origin, line, column, XML_ErrorString(error));
	return why_fail(r->why, -EINVAL,
			"%s:%u:%u: this is not well-formed XML: %s; <%s> of line %u is still open here",
			r->f->origin, line, column, XML_ErrorString(error), open->text, open->line);
}

/* ---- the whole text ---- */

static bool starts(const struct reader *r, const char *with)
{
	size_t len = strlen(with);

	return (size_t)(r->end - r->at) >= len && !memcmp(r->at, with, len);
}

static void move_to(struct reader *r, const char *to)
{
	foreign_advance(&r->line, &r->column, r->at, to);
	r->at = to;
}

/* Past a comment or a processing instruction, which stands between elements. */
static int skip_to(struct reader *r, const char *what, const char *closing)
{
	const char *found = memmem(r->at, (size_t)(r->end - r->at), closing, strlen(closing));

	if (!found)
		return why_fail(r->why, -EINVAL, "%s:%u:%u: %s begins here and does not end: %s is "
						 "missing",
				r->f->origin, r->line, r->column, what, closing);
	move_to(r, found + strlen(closing));
	return 0;
}

static int read_element(struct reader *r)
{
	size_t len = (size_t)(r->end - r->at);
	enum XML_Status status;
	int err;

	r->document = starts(r, "<?xml");
	r->parser = XML_ParserCreate(NULL);
	if (!r->parser)
		return foreign_no_memory(r->why);
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, begin, end);
	status = XML_Parse(r->parser, r->at, (int)len, XML_TRUE);
	err = r->err;
	if (!err && status == XML_STATUS_ERROR && XML_GetErrorCode(r->parser) != XML_ERROR_ABORTED)
		err = broken(r);
	else if (status == XML_STATUS_ERROR)
		len = (size_t)XML_GetCurrentByteIndex(r->parser) +
		      (size_t)XML_GetCurrentByteCount(r->parser);
	close_all(r);
	XML_ParserFree(r->parser);
	if (!err)
		move_to(r, r->at + len);
	return err;
}

/* One that a `\` continues in the next line goes on there. */
static const char *end_of_line(const struct reader *r)
{
	const char *at = r->at;

	for (;;) {
		const char *end = memchr(at, '\n', (size_t)(r->end - at));

		if (!end)
			return r->end;
		if (end == r->at || end[-1] != '\\')
			return end;
		at = end + 1;
	}
}

static int read_line(struct reader *r)
{
	const char *stop = end_of_line(r);
	int err = foreign_text_line(r->f, r->at, (size_t)(stop - r->at), r->line, r->column);

	move_to(r, stop);
	return err ? foreign_no_memory(r->why) : 0;
}

static int read_next(struct reader *r)
{
	char next = r->at + 1 < r->end ? r->at[1] : '\0';

	if (isspace((unsigned char)*r->at)) {
		move_to(r, r->at + 1);
		return 0;
	}
	if (starts(r, "<!--"))
		return skip_to(r, "a comment", "-->");
	if (starts(r, "<?") && !starts(r, "<?xml"))
		return skip_to(r, "an instruction", "?>");
	if (*r->at == '<' && next &&
	    (isalpha((unsigned char)next) || strchr("_:/!?", next)))
		return read_element(r);
	return read_line(r);
}

int foreign_parse_libvirt(struct foreign *f, const char *origin, const char *text, size_t len,
			  struct why *why)
{
	struct reader r = {
		.f = f, .why = why, .at = text, .end = text + len, .line = 1, .column = 1,
	};
	int err = 0;

	f->program = FOREIGN_LIBVIRT;
	f->origin = strdup(origin);
	if (!f->origin)
		return foreign_no_memory(why);
	if (len > FOREIGN_MAX_BYTES)
		return why_fail(why, -EINVAL, "%s: more than %u MiB are no configuration of libvirt's",
				origin, FOREIGN_MAX_BYTES >> 20);
	/* A mark that this is UTF-8 is no text. */
	if (starts(&r, "\xef\xbb\xbf"))
		r.at += 3;
	while (!err && r.at < r.end)
		err = read_next(&r);
	return err;
}

int foreign_read_libvirt(struct foreign *f, const char *path, struct why *why)
{
	size_t len = 0, room = 1u << 16;
	char *text = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 0;
	int err;

	/* It may be a pipe: its size is known when it has ended. */
	while (text && fd >= 0 && (n = read(fd, text + len, room - len)) > 0) {
		len += (size_t)n;
		if (len == room && len <= FOREIGN_MAX_BYTES) {
			char *grown = realloc(text, room *= 2);

			if (!grown)
				free(text);
			text = grown;
		} else if (len == room) {
			break;
		}
	}
	if (!text)
		err = foreign_no_memory(why);
	else if (n < 0)
		err = why_fail(why, -errno, "--libvirt: %s cannot be read: %s", path,
			       strerror(errno));
	else
		err = foreign_parse_libvirt(f, path, text, len, why);
	if (fd >= 0)
		close(fd);
	free(text);
	return err;
}
