/* What every unit test has in common: run these tests, one process each, and say how it went. */
#ifndef SMSCD_UNIT_H
#define SMSCD_UNIT_H

#include <check.h>
#include <stdlib.h>

#define UNIT_RUN(name, ...) unit_run(name, (const TTest *[]){__VA_ARGS__, NULL})

static inline int unit_run(const char *name, const TTest **tests)
{
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create(name);
    for (; *tests; tests++)
        tcase_add_test(tc, *tests);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
