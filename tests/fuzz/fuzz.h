/* SPDX-License-Identifier: MIT */
/* What all fuzz targets use. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* A promise that is broken ends the process; libFuzzer then keeps the input. */
#define must(true_, ...)                                                                           \
	do {                                                                                       \
		if (!(true_)) {                                                                    \
			fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                            \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The bytes that choose what is done. Behind the end there are zeros. */
struct input {
	const uint8_t *p, *end;
};

static inline uint8_t input_byte(struct input *input)
{
	return input->p < input->end ? *input->p++ : 0;
}

/* An integer of n bytes, 8 at most. */
static inline uint64_t input_int(struct input *input, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)input_byte(input) << 8 * i;
	return v;
}

#endif
