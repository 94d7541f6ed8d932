// SPDX-License-Identifier: MIT
#include "boot/kconfig.h"
#include "boot/unpack.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAX   (4u << 20) /* a distribution's has 300 KiB */
#define ATTEMPTS_MAX 8		/* a file may be full of marks that nothing follows */
#define OPTION_MAX   128

struct kconfig {
	char *text; /* begins with a newline, so that each line has one before it; NUL-terminated */
	char *from;
};

/* Takes text if it is a .config at all. */
static struct kconfig *take(const uint8_t *text, size_t size, const char *from)
{
	struct kconfig *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->text = malloc(size + 2);
	config->from = strdup(from);
	if (!config->text || !config->from)
		goto fail;
	config->text[0] = '\n';
	memcpy(config->text + 1, text, size);
	config->text[size + 1] = '\0';
	if (strlen(config->text) != size + 1 || !strstr(config->text, "\nCONFIG_"))
		goto fail;
	return config;
fail:
	kconfig_free(config);
	return NULL;
}

static struct kconfig *take_packed(const uint8_t *data, size_t size, const char *from)
{
	struct kconfig *config = NULL;
	size_t text_size;
	uint8_t *text;

	if (packing_of(data, size) == PACKING_NONE)
		return take(data, size, from);
	if (unpack(data, size, CONFIG_MAX, &text, &text_size) == 0) {
		config = take(text, text_size, from);
		free(text);
	}
	return config;
}

struct kconfig *kconfig_read(const char *path)
{
	/* O_NONBLOCK: a fifo by that name must not stop us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct kconfig *config = NULL;
	uint8_t *data = NULL;
	struct stat st;
	size_t size = 0;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > CONFIG_MAX)
		goto out;
	data = malloc((size_t)st.st_size + 1);
	while (data && size < (size_t)st.st_size) {
		ssize_t n = read(fd, data + size, (size_t)st.st_size - size);

		if (n <= 0)
			goto out;
		size += (size_t)n;
	}
	if (data)
		config = take_packed(data, size, path);
out:
	free(data);
	if (fd >= 0)
		close(fd);
	return config;
}

struct kconfig *kconfig_find(const uint8_t *data, size_t size)
{
	static const char mark[] = "IKCFG_ST";
	const uint8_t *end = data + size, *at = data;

	for (int i = 0; i < ATTEMPTS_MAX; i++) {
		struct kconfig *config;

		at = memmem(at, (size_t)(end - at), mark, strlen(mark));
		if (!at)
			return NULL;
		at += strlen(mark);
		if (packing_of(at, (size_t)(end - at)) != PACKING_GZIP)
			continue;
		config = take_packed(at, (size_t)(end - at), "");
		if (config)
			return config;
	}
	return NULL;
}

enum kconfig_value kconfig_get(const struct kconfig *config, const char *option)
{
	char line[OPTION_MAX];
	const char *value;

	if (!config)
		return KCONFIG_UNKNOWN;
	if (snprintf(line, sizeof(line), "\nCONFIG_%s=", option) >= (int)sizeof(line))
		return KCONFIG_N;
	value = strstr(config->text, line);
	if (!value)
		return KCONFIG_N;
	value += strlen(line);
	if (value[0] && value[1] && value[1] != '\n' && value[1] != '\r')
		return KCONFIG_N;
	return value[0] == 'y' ? KCONFIG_Y : value[0] == 'm' ? KCONFIG_M : KCONFIG_N;
}

const char *kconfig_from(const struct kconfig *config)
{
	return config->from;
}

void kconfig_free(struct kconfig *config)
{
	if (!config)
		return;
	free(config->text);
	free(config->from);
	free(config);
}
