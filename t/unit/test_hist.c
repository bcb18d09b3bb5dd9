/* The histogram and the counting patterns of smppload. */
#include "unit.h"

#include <string.h>

#include "hist.h"
#include "pattern.h"

static struct hist hist;

START_TEST(percentiles_are_within_one_percent)
{
    for (uint64_t v = 1; v <= 100000; v++)
        hist_add(&hist, v * 1000);
    static const double percents[] = {1, 50, 90, 99, 99.9};
    for (unsigned i = 0; i < 5; i++) {
        double wanted = percents[i] * 1e6, got = (double)hist_percentile(&hist, percents[i]);
        ck_assert(got >= wanted && got <= wanted * 1.01);
    }
    ck_assert_uint_eq(hist_percentile(&hist, 100), 100000000);
    ck_assert_uint_eq(hist.max, 100000000);
}
END_TEST

START_TEST(small_values_are_exact)
{
    hist_add(&hist, 3);
    hist_add(&hist, 5);
    hist_add(&hist, 127);
    ck_assert_uint_eq(hist_percentile(&hist, 33), 3);
    ck_assert_uint_eq(hist_percentile(&hist, 66), 5);
    ck_assert_uint_eq(hist_percentile(&hist, 100), 127);
}
END_TEST

START_TEST(nothing_and_everything)
{
    ck_assert_uint_eq(hist_percentile(&hist, 50), 0);
    hist_add(&hist, 0);
    ck_assert_uint_eq(hist_percentile(&hist, 50), 0);
    hist_add(&hist, UINT64_MAX);
    ck_assert_uint_eq(hist_percentile(&hist, 99), UINT64_MAX);
}
END_TEST

START_TEST(a_pattern_counts_up)
{
    struct pattern p = pattern_of("44##00###");
    uint8_t text[16] = "";
    pattern_put(&p, 998, text);
    ck_assert_str_eq((char *)text, "44##00998");
    pattern_next(text + p.digits_at, p.digits);
    ck_assert_str_eq((char *)text, "44##00999");
    pattern_next(text + p.digits_at, p.digits);
    ck_assert_str_eq((char *)text, "44##00000");
    pattern_put(&p, 123456, text);
    ck_assert_str_eq((char *)text, "44##00456");
}
END_TEST

START_TEST(a_pattern_without_digits_stays)
{
    struct pattern p = pattern_of("bank");
    uint8_t text[8] = "";
    pattern_put(&p, 7, text);
    pattern_next(text + p.digits_at, p.digits);
    ck_assert_str_eq((char *)text, "bank");
}
END_TEST

int main(void)
{
    return UNIT_RUN("hist", percentiles_are_within_one_percent, small_values_are_exact, nothing_and_everything,
                    a_pattern_counts_up, a_pattern_without_digits_stays);
}
