// SPDX-License-Identifier: MIT
#include "vmm/link.h"

#include <endian.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* Longest payload on the control channel: a sentence. */
#define CONTROL_MAX 2048u
/* Credit is given in pieces of this size, so that it does not cost a frame per write. The sender
 * never runs dry: three quarters of the window are still its own. */
#define CREDIT_STEP (FRAMES_WINDOW / 4)

struct output_stream {
	size_t under_way; /* received, not yet passed on: never above FRAMES_WINDOW */
	size_t credit;	  /* passed on, not yet told to the guest; counts as under way there */
	bool eof;	  /* the guest said so */
	bool closed;	  /* our reader is gone */
	bool tell_closed; /* CLOSED is still to be sent */
};

struct link {
	const struct link_ops *ops;
	void *arg;
	const struct link_streams *streams;
	void *streams_arg;

	/* ---- from the guest ---- */
	uint8_t head[sizeof(struct frame_header)];
	size_t head_len;
	struct frame_header frame; /* valid when head is full */
	uint32_t left;		   /* bytes of the frame's payload that are still to come */
	uint8_t control[CONTROL_MAX];
	bool hello;
	bool vmcoreinfo;
	bool mounted;
	bool running;
	bool over; /* status, failed or broken: nothing is heard any more */
	struct output_stream out[2];

	/* ---- to the guest ---- */
	uint8_t staged[sizeof(struct frame_header) + 8]; /* header and payload but stdin's data */
	size_t staged_len;
	size_t staged_pos;
	uint32_t staged_data; /* bytes of stdin that follow what is staged */
	bool tell_start;
	bool tell_winsize;
	unsigned int rows;
	unsigned int columns;

	uint8_t in[FRAMES_WINDOW]; /* stdin, a ring */
	size_t in_head;
	size_t in_len;	     /* in the ring, the staged part too */
	size_t in_under_way; /* sent or staged, not yet credited */
	bool in_eof;
	bool in_eof_told;
	bool in_closed; /* nobody reads it in the guest */
};

struct link *link_new(const struct link_ops *ops, void *arg)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->ops = ops;
	link->arg = arg;
	return link;
}

void link_free(struct link *link)
{
	free(link);
}

void link_set_streams(struct link *link, const struct link_streams *streams, void *arg)
{
	link->streams = streams;
	link->streams_arg = arg;
}

static void wants_output(struct link *link)
{
	if (!link->over && link_has_output(link))
		link->ops->output(link->arg);
}

static void __attribute__((format(printf, 2, 3))) broken(struct link *link, const char *fmt, ...)
{
	char message[256];
	va_list ap;

	if (link->over)
		return;
	link->over = true;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	link->ops->broken(link->arg, message);
}

static uint32_t get_u32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return le32toh(value);
}

/* The guest's text is shown on the user's terminal: nothing in it may move the cursor. */
static void printable(char *dest, size_t size, const uint8_t *text, size_t len)
{
	size_t n = len < size - 1 ? len : size - 1;

	for (size_t i = 0; i < n; i++)
		dest[i] = text[i] < ' ' || text[i] == 0x7f ? '?' : (char)text[i];
	dest[n] = '\0';
}

/* ---- frames from the guest ---- */

static void control_hello(struct link *link)
{
	char release[128];

	if (link->hello || link->frame.length < 4) {
		broken(link, "a second or too short HELLO");
		return;
	}
	if (get_u32(link->control) != FRAMES_VERSION) {
		broken(link, "frame protocol version %u, not %u", get_u32(link->control),
		       FRAMES_VERSION);
		return;
	}
	link->hello = true;
	link->tell_start = true;
	printable(release, sizeof(release), link->control + 4, link->frame.length - 4);
	link->ops->hello(link->arg, release);
	wants_output(link);
}

static void control_vmcoreinfo(struct link *link)
{
	uint64_t note[2];

	if (link->frame.length != sizeof(note) || link->vmcoreinfo) {
		broken(link, "a second VMCOREINFO, or one of %u bytes", link->frame.length);
		return;
	}
	memcpy(note, link->control, sizeof(note));
	link->vmcoreinfo = true;
	link->ops->vmcoreinfo(link->arg, le64toh(note[0]), le64toh(note[1]));
}

static void control_status(struct link *link)
{
	int status;

	if (link->frame.length != 4 || !link->running) {
		broken(link, "a STATUS of %u bytes%s", link->frame.length,
		       link->running ? "" : " before RUNNING");
		return;
	}
	status = (int)get_u32(link->control);
	if (!WIFEXITED(status) && !WIFSIGNALED(status)) {
		broken(link, "a STATUS of 0x%x, which is no end", (unsigned int)status);
		return;
	}
	link->over = true;
	link->ops->status(link->arg, status);
}

static void control_tainted(struct link *link)
{
	uint64_t flags;

	if (link->frame.length != sizeof(flags) || !link->running) {
		broken(link, "a TAINTED of %u bytes%s", link->frame.length,
		       link->running ? "" : " before RUNNING");
		return;
	}
	memcpy(&flags, link->control, sizeof(flags));
	link->ops->tainted(link->arg, le64toh(flags));
}

static void control_failed(struct link *link)
{
	char message[CONTROL_MAX + 1];

	printable(message, sizeof(message), link->control, link->frame.length);
	link->over = true;
	link->ops->failed(link->arg, message);
}

static void control_frame(struct link *link)
{
	switch (link->frame.type) {
	case FRAME_HELLO:
		control_hello(link);
		break;
	case FRAME_VMCOREINFO:
		control_vmcoreinfo(link);
		break;
	case FRAME_MOUNTED:
		if (link->frame.length || link->mounted) {
			broken(link, "a second or non-empty MOUNTED");
			break;
		}
		link->mounted = true;
		link->ops->mounted(link->arg);
		break;
	case FRAME_RUNNING:
		if (link->frame.length || link->running || !link->mounted) {
			broken(link, "a second, early or non-empty RUNNING");
			break;
		}
		link->running = true;
		link->ops->running(link->arg);
		break;
	case FRAME_TAINTED:
		control_tainted(link);
		break;
	case FRAME_STATUS:
		control_status(link);
		break;
	case FRAME_FAILED:
		control_failed(link);
		break;
	}
}

static void stdin_frame(struct link *link)
{
	uint32_t credit;

	if (link->frame.type == FRAME_CLOSED) {
		if (link->in_closed)
			return;
		link->in_closed = true;
		/* What is staged was announced to the guest and must follow; the rest may go. */
		link->in_len = link->staged_data;
		if (link->streams)
			link->streams->closed(link->streams_arg);
		return;
	}
	credit = get_u32(link->control);
	if (credit > link->in_under_way - link->staged_data) {
		broken(link, "credit for %u bytes of stdin that it was not given", credit);
		return;
	}
	link->in_under_way -= credit;
	if (link->streams && link_stdin_room(link))
		link->streams->room(link->streams_arg);
}

/* A frame's header is complete: may it be? Says what is wrong with it, or NULL. */
static const char *frame_error(const struct link *link)
{
	const struct frame_header *frame = &link->frame;

	if (frame->length > FRAMES_MAX)
		return "longer than a frame may be";
	if (!link->hello && (frame->channel != FRAME_CONTROL || frame->type != FRAME_HELLO) &&
	    frame->type != FRAME_FAILED)
		return "before HELLO";
	switch (frame->channel) {
	case FRAME_CONTROL:
		if (frame->type != FRAME_HELLO && frame->type != FRAME_MOUNTED &&
		    frame->type != FRAME_RUNNING && frame->type != FRAME_TAINTED &&
		    frame->type != FRAME_STATUS && frame->type != FRAME_FAILED &&
		    frame->type != FRAME_VMCOREINFO)
			return "of no type that a guest sends";
		return frame->length > CONTROL_MAX ? "longer than a control frame may be" : NULL;
	case FRAME_STDIN:
		if (frame->type == FRAME_CREDIT)
			return frame->length == 4 ? NULL : "of the wrong length";
		if (frame->type == FRAME_CLOSED)
			return frame->length == 0 ? NULL : "of the wrong length";
		return "of no type that a guest sends";
	case FRAME_STDOUT:
	case FRAME_STDERR: {
		const struct output_stream *out = &link->out[frame->channel - FRAME_STDOUT];

		if (out->eof)
			return "after the stream's end";
		if (frame->type == FRAME_EOF)
			return frame->length == 0 ? NULL : "of the wrong length";
		if (frame->type != FRAME_DATA)
			return "of no type that a guest sends";
		/* Credit that it cannot know of yet is not its own. */
		if (frame->length > FRAMES_WINDOW - out->under_way - out->credit)
			return "beyond the credit it was given";
		return NULL;
	}
	case FRAME_KMSG:
		return frame->type == FRAME_DATA ? NULL : "of no type that a guest sends";
	default:
		return "on no channel";
	}
}

/* A piece of a stream's data, as it comes. */
static void stream_data(struct link *link, const uint8_t *data, size_t len)
{
	enum frame_channel channel = (enum frame_channel)link->frame.channel;
	struct output_stream *out;

	if (channel == FRAME_KMSG) {
		link->ops->kmsg(link->arg, data, len);
		return;
	}
	out = &link->out[channel - FRAME_STDOUT];
	out->under_way += len;
	if (out->closed || !link->streams)
		link_consumed(link, channel, len);
	else
		link->streams->data(link->streams_arg, channel, data, len);
}

/* The frame's payload is complete. */
static void frame_end(struct link *link)
{
	switch (link->frame.channel) {
	case FRAME_CONTROL:
		control_frame(link);
		break;
	case FRAME_STDIN:
		stdin_frame(link);
		break;
	case FRAME_STDOUT:
	case FRAME_STDERR:
		if (link->frame.type != FRAME_EOF)
			break;
		link->out[link->frame.channel - FRAME_STDOUT].eof = true;
		if (link->streams)
			link->streams->eof(link->streams_arg,
					   (enum frame_channel)link->frame.channel);
		break;
	}
}

static void frame_begin(struct link *link)
{
	const char *error;

	link->frame.channel = get_u32(link->head);
	link->frame.type = get_u32(link->head + 4);
	link->frame.length = get_u32(link->head + 8);
	error = frame_error(link);
	if (error) {
		broken(link, "a frame %s (channel %u, type %u, %u bytes)", error,
		       link->frame.channel, link->frame.type, link->frame.length);
		return;
	}
	link->left = link->frame.length;
}

void link_push(struct link *link, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len && !link->over) {
		size_t n;

		if (link->head_len < sizeof(link->head)) {
			n = sizeof(link->head) - link->head_len;
			n = n < len ? n : len;
			memcpy(link->head + link->head_len, p, n);
			link->head_len += n;
			p += n;
			len -= n;
			if (link->head_len < sizeof(link->head))
				return;
			frame_begin(link);
			if (link->over)
				return;
		}

		n = link->left < len ? link->left : len;
		if (link->frame.type != FRAME_DATA)
			memcpy(link->control + (link->frame.length - link->left), p, n);
		else if (n)
			stream_data(link, p, n);
		link->left -= (uint32_t)n;
		p += n;
		len -= n;
		if (!link->left) {
			link->head_len = 0;
			frame_end(link);
		}
	}
}

/* ---- frames to the guest ---- */

static size_t stdin_to_send(const struct link *link)
{
	return link->in_closed ? 0 : link->in_len - link->staged_data;
}

static bool stdin_eof_to_send(const struct link *link)
{
	return link->in_eof && !link->in_eof_told && !link->in_closed && !stdin_to_send(link);
}

bool link_has_output(const struct link *link)
{
	if (link->staged_pos < link->staged_len || link->staged_data)
		return true;
	if (!link->hello)
		return false; /* nobody is listening yet */
	for (int i = 0; i < 2; i++) {
		if (link->out[i].tell_closed || link->out[i].credit >= CREDIT_STEP)
			return true;
	}
	return link->tell_start || link->tell_winsize || stdin_to_send(link) ||
	       stdin_eof_to_send(link);
}

/* A frame's header, and the 8 or less bytes of its payload that are not stdin's. */
static void stage(struct link *link, uint32_t channel, uint32_t type, const void *data, size_t len)
{
	uint32_t head[3] = {htole32(channel), htole32(type),
			    htole32((uint32_t)len + link->staged_data)};

	memcpy(link->staged, head, sizeof(head));
	if (len)
		memcpy(link->staged + sizeof(head), data, len);
	link->staged_len = sizeof(head) + len;
	link->staged_pos = 0;
}

static void stage_output(struct link *link, int i)
{
	struct output_stream *out = &link->out[i];
	uint32_t credit = htole32((uint32_t)out->credit);

	if (out->tell_closed) {
		out->tell_closed = false;
		stage(link, FRAME_STDOUT + (uint32_t)i, FRAME_CLOSED, NULL, 0);
		return;
	}
	out->credit = 0;
	stage(link, FRAME_STDOUT + (uint32_t)i, FRAME_CREDIT, &credit, sizeof(credit));
}

/* Stages the next frame. false: there is none. Control goes first: stdin must not hold it up. */
static bool stage_next(struct link *link)
{
	if (!link_has_output(link))
		return false;
	if (link->tell_start) {
		struct timespec now;
		uint64_t ns;

		clock_gettime(CLOCK_REALTIME, &now);
		ns = htole64((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
		link->tell_start = false;
		stage(link, FRAME_CONTROL, FRAME_START, &ns, sizeof(ns));
	} else if (link->tell_winsize) {
		uint16_t size[2] = {htole16((uint16_t)link->rows),
				    htole16((uint16_t)link->columns)};

		link->tell_winsize = false;
		stage(link, FRAME_CONTROL, FRAME_WINSIZE, size, sizeof(size));
	} else if (link->out[0].tell_closed || link->out[0].credit >= CREDIT_STEP) {
		stage_output(link, 0);
	} else if (link->out[1].tell_closed || link->out[1].credit >= CREDIT_STEP) {
		stage_output(link, 1);
	} else if (stdin_to_send(link)) {
		size_t n = stdin_to_send(link);

		link->staged_data = (uint32_t)(n < FRAMES_MAX ? n : FRAMES_MAX);
		link->in_under_way += link->staged_data;
		stage(link, FRAME_STDIN, FRAME_DATA, NULL, 0);
	} else {
		link->in_eof_told = true;
		stage(link, FRAME_STDIN, FRAME_EOF, NULL, 0);
	}
	return true;
}

static size_t pull_stdin(struct link *link, uint8_t *buf, size_t cap)
{
	size_t n = link->staged_data < cap ? link->staged_data : cap;
	size_t first = sizeof(link->in) - link->in_head;

	first = first < n ? first : n;
	memcpy(buf, link->in + link->in_head, first);
	memcpy(buf + first, link->in, n - first);
	link->in_head = (link->in_head + n) % sizeof(link->in);
	link->in_len -= n;
	link->staged_data -= (uint32_t)n;
	return n;
}

size_t link_pull(struct link *link, void *buf, size_t cap)
{
	uint8_t *p = buf;
	size_t done = 0;

	while (done < cap) {
		size_t n = link->staged_len - link->staged_pos;

		if (n) {
			n = n < cap - done ? n : cap - done;
			memcpy(p + done, link->staged + link->staged_pos, n);
			link->staged_pos += n;
			done += n;
		} else if (link->staged_data) {
			done += pull_stdin(link, p + done, cap - done);
		} else if (!stage_next(link)) {
			break;
		}
	}
	return done;
}

/* ---- the caller's side ---- */

size_t link_stdin_room(const struct link *link)
{
	if (link->in_closed || link->in_eof)
		return 0;
	return FRAMES_WINDOW - link->in_under_way - (link->in_len - link->staged_data);
}

void link_stdin(struct link *link, const void *data, size_t len)
{
	size_t room = link_stdin_room(link);
	size_t tail = (link->in_head + link->in_len) % sizeof(link->in);
	size_t n = len < room ? len : room;
	size_t first = sizeof(link->in) - tail;

	first = first < n ? first : n;
	memcpy(link->in + tail, data, first);
	memcpy(link->in, (const uint8_t *)data + first, n - first);
	link->in_len += n;
	wants_output(link);
}

void link_stdin_eof(struct link *link)
{
	link->in_eof = true;
	wants_output(link);
}

void link_consumed(struct link *link, enum frame_channel channel, size_t len)
{
	struct output_stream *out = &link->out[channel - FRAME_STDOUT];

	out->under_way -= len;
	out->credit += len;
	wants_output(link);
}

void link_close(struct link *link, enum frame_channel channel)
{
	struct output_stream *out = &link->out[channel - FRAME_STDOUT];

	if (out->closed)
		return;
	out->closed = true;
	out->tell_closed = !out->eof;
	wants_output(link);
}

void link_winsize(struct link *link, unsigned int rows, unsigned int columns)
{
	link->rows = rows & 0xffff;
	link->columns = columns & 0xffff;
	link->tell_winsize = true;
	wants_output(link);
}
