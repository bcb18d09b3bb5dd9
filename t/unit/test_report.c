/* The control socket's answers: the same calls as JSON and as text, whatever octets a name holds. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "master/report.h"

static char *make(bool json)
{
    struct report r;
    report_begin(&r, json);
    report_string(&r, "node", "a1");
    report_number(&r, "n", -3);
    report_list(&r, "rows");
    for (int i = 0; i < 2; i++) {
        report_row(&r);
        report_number(&r, "i", i);
        report_string(&r, "who", i ? "q\"\\\n\x01\xe9" : "");
        report_row_end(&r);
    }
    report_list_end(&r);
    report_list(&r, "none");
    report_list_end(&r);
    report_bool(&r, "up", true);
    report_end(&r);
    ck_assert_uint_eq(strlen(r.text), r.len);
    return r.text;
}

START_TEST(as_json)
{
    char *text = make(true);
    ck_assert_str_eq(text, "{\"node\":\"a1\",\"n\":-3,\"rows\":[{\"i\":0,\"who\":\"\"},"
                           "{\"i\":1,\"who\":\"q\\\"\\\\\\u000a\\u0001\\u00e9\"}],\"none\":[],\"up\":true}\n");
    free(text);
}
END_TEST

START_TEST(as_text)
{
    char *text = make(false);
    ck_assert_str_eq(text, "node: a1\nn: -3\nrows: \n  i=0 who=\"\"\n  i=1 who=\"q\\\"\\\\\\u000a\\u0001\\u00e9\"\n"
                           "none: \nup: yes\n");
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report");
    TCase *tc = tcase_create("report");
    tcase_add_test(tc, as_json);
    tcase_add_test(tc, as_text);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
