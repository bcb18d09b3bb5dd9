/* log: one line per event whatever is in it, in both formats, and the file opened again. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

static char file[64];

static void setup(void)
{
    snprintf(file, sizeof(file), "/tmp/test_log.XXXXXX");
    int fd = mkstemp(file);
    ck_assert_int_ne(fd, -1);
    util_close(&fd);
}

static void teardown(void)
{
    log_open(LOG_INFO_, LOG_TEXT, NULL);
    unlink(file);
}

/* What the file holds; the buffer is overwritten by the next call. */
static const char *content(const char *path)
{
    static char text[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ne(fd, -1);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    close(fd);
    return text;
}

/* The only line, after its time "2026-01-02T03:04:05.678Z ". */
static const char *after_time(void)
{
    const char *line = content(file);
    ck_assert_uint_gt(strlen(line), 25);
    ck_assert_int_eq(line[10], 'T');
    ck_assert_int_eq(line[23], 'Z');
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
    return line + 25;
}

START_TEST(text_line)
{
    ck_assert_int_eq(log_open(LOG_INFO_, LOG_TEXT, file), 0);
    log_set_process("worker 0");
    log_info("bind eu", "bound to %s:%d", "h", 2775);
    ck_assert_str_eq(after_time(), "info worker 0: bind eu: bound to h:2775\n");
}
END_TEST

START_TEST(text_without_who)
{
    ck_assert_int_eq(log_open(LOG_INFO_, LOG_TEXT, file), 0);
    log_set_process("master");
    log_alert(NULL, "oops");
    ck_assert_str_eq(after_time(), "alert master: oops\n");
}
END_TEST

START_TEST(json)
{
    ck_assert_int_eq(log_open(LOG_INFO_, LOG_JSON, file), 0);
    log_set_process("master");
    log_warn("a\"b", "back\\slash \x01\n\xc3\xa9 \xff");
    const char *line = content(file);
    ck_assert_ptr_eq(strstr(line, "{\"time\":\"2"), line);
    ck_assert_str_eq(strstr(line, "\"level\""), "\"level\":\"warn\",\"process\":\"master\",\"who\":\"a\\\"b\","
                                                "\"message\":\"back\\\\slash \\u0001\\n\xc3\xa9 \\ufffd\"}\n");
}
END_TEST

START_TEST(levels)
{
    ck_assert_int_eq(log_open(LOG_WARN_, LOG_TEXT, file), 0);
    log_debug(NULL, "no");
    log_info(NULL, "no");
    ck_assert_str_eq(content(file), "");
    log_warn(NULL, "yes");
    ck_assert_ptr_nonnull(strstr(content(file), ": yes\n"));
    ck_assert(!log_enabled(LOG_INFO_));
    ck_assert(log_enabled(LOG_ERROR_));
}
END_TEST

static const struct {
    const char *in, *out;
} escapes[] = {
    {"a\nb", "a\\nb"},
    {"a\r\x1b[31m\x7f", "a\\x0d\\x1b[31m\\x7f"},
    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"\xc2\x85\xc2\xa0", "\\xc2\\x85\xc2\xa0"},                              /* U+0085 is a line feed too */
    {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},                                     /* line separator */
    {"\xc3", "\\xc3"},                                                       /* cut short */
    {"\xe2\x82", "\\xe2\\x82"},                                              /* cut short */
    {"\xc0\xaf\xe0\x80\xaf", "\\xc0\\xaf\\xe0\\x80\\xaf"},                   /* overlong */
    {"\xed\xa0\x80\xf4\x90\x80\x80", "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80"}, /* surrogate, too large */
};

START_TEST(escaped)
{
    ck_assert_int_eq(log_open(LOG_INFO_, LOG_TEXT, file), 0);
    log_set_process("p");
    log_info(escapes[_i].in, "%s", escapes[_i].in);
    char *expected = xasprintf("info p: %s: %s\n", escapes[_i].out, escapes[_i].out);
    ck_assert_str_eq(after_time(), expected);
    free(expected);
}
END_TEST

/* A text of any length, also one that grows when escaped, is one line that ends as a line ends. */
START_TEST(too_long)
{
    static char big[100000];
    memset(big, _i ? '\x01' : 'x', sizeof(big) - 1);
    ck_assert_int_eq(log_open(LOG_INFO_, LOG_JSON, file), 0);
    log_info(NULL, "%s", big);
    const char *line = content(file);
    size_t len = strlen(line);
    ck_assert_ptr_eq(strchr(line, '\n'), line + len - 1);
    ck_assert_str_eq(line + len - 3, "\"}\n");
    ck_assert_uint_lt(len, 17000);
    if (!_i)
        ck_assert_str_eq(line + len - 6, "...\"}\n");
}
END_TEST

START_TEST(reopened)
{
    char *moved = xasprintf("%s.1", file);
    ck_assert_int_eq(log_open(LOG_INFO_, LOG_TEXT, file), 0);
    int fd = log_fd();
    log_info(NULL, "first");
    ck_assert_int_eq(rename(file, moved), 0);
    log_reopen();
    log_info(NULL, "second");
    ck_assert_int_eq(log_fd(), fd);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    ck_assert_ptr_nonnull(strstr(content(file), ": second\n"));
    ck_assert_ptr_null(strstr(content(moved), "second"));
    unlink(moved);
    free(moved);
}
END_TEST

START_TEST(cannot_be_opened)
{
    ck_assert_int_eq(log_open(LOG_INFO_, LOG_TEXT, file), 0);
    ck_assert_int_eq(log_open(LOG_INFO_, LOG_TEXT, "/no/such/directory/log"), -1);
    log_info(NULL, "still here");
    ck_assert_ptr_nonnull(strstr(content(file), "still here"));
}
END_TEST

START_TEST(cannot_be_reopened)
{
    char *dir = xasprintf("%s.d", file), *path = xasprintf("%s.d/log", file), *moved = xasprintf("%s.m", file);
    char *moved_path = xasprintf("%s/log", moved);
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    ck_assert_int_eq(log_open(LOG_INFO_, LOG_TEXT, path), 0);
    ck_assert_int_eq(rename(dir, moved), 0);
    log_reopen();
    log_info(NULL, "after");
    const char *text = content(moved_path);
    ck_assert_ptr_nonnull(strstr(text, "error"));
    ck_assert_ptr_nonnull(strstr(text, "No such file or directory"));
    ck_assert_ptr_nonnull(strstr(text, ": after\n"));
    unlink(moved_path);
    rmdir(moved);
    free(dir);
    free(path);
    free(moved);
    free(moved_path);
}
END_TEST

START_TEST(names)
{
    ck_assert_int_eq(log_level_by_name("debug"), LOG_DEBUG_);
    ck_assert_int_eq(log_level_by_name("error"), LOG_ERROR_);
    ck_assert_int_eq(log_level_by_name("alert"), -1);
    ck_assert_int_eq(log_level_by_name(""), -1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("log");
    TCase *c = tcase_create("log");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, text_line);
    tcase_add_test(c, text_without_who);
    tcase_add_test(c, json);
    tcase_add_test(c, levels);
    tcase_add_loop_test(c, escaped, 0, ARRAY_LEN(escapes));
    tcase_add_loop_test(c, too_long, 0, 2);
    tcase_add_test(c, reopened);
    tcase_add_test(c, cannot_be_opened);
    tcase_add_test(c, cannot_be_reopened);
    tcase_add_test(c, names);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
