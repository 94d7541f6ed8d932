// SPDX-License-Identifier: MIT
/* How --stats writes times and bytes. */
#include "kselftest_harness.h"

#include "vmm/stats.h"

TEST(times_have_three_digits)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} is[] = {
		{0, "0ns"},
		{7, "7ns"},
		{999, "999ns"},
		{1000, "1.00µs"},
		{1525, "1.52µs"},
		{9994, "9.99µs"},
		{9996, "10.0µs"},
		{51500, "51.5µs"},
		{99949, "99.9µs"},
		{99951, "100µs"},
		{999499, "999µs"},
		{999500, "1.00ms"},
		{15200000, "15.2ms"},
		{1200000000, "1.20s"},
		{4398046511103ull, "4398s"},
	};
	char text[16];

	for (size_t i = 0; i < sizeof(is) / sizeof(*is); i++)
		EXPECT_STREQ(is[i].text, stats_time(text, is[i].ns));
}

TEST(bytes_have_three_digits)
{
	char text[16];

	EXPECT_STREQ("0", stats_bytes(text, 0));
	EXPECT_STREQ("1023", stats_bytes(text, 1023));
	EXPECT_STREQ("1.00K", stats_bytes(text, 1024));
	EXPECT_STREQ("15.2K", stats_bytes(text, 15565));
	EXPECT_STREQ("500M", stats_bytes(text, 500ull << 20));
	EXPECT_STREQ("3.00G", stats_bytes(text, 3ull << 30));
	EXPECT_STREQ("20480G", stats_bytes(text, 20ull << 40));
}

TEST_HARNESS_MAIN
