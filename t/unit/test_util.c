/* util and stats: address texts, directories, descriptors, and counters that a child writes. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stats.h"
#include "util.h"

START_TEST(address_v4)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(2775)};
    char text[64];
    inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
    util_addr_text((struct sockaddr *)&in, text, sizeof(text));
    ck_assert_str_eq(text, "192.0.2.1:2775");
    util_addr_text((struct sockaddr *)&in, text, 5);
    ck_assert_str_eq(text, "192.");
}
END_TEST

START_TEST(address_v6)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(1)};
    char text[64];
    inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr);
    util_addr_text((struct sockaddr *)&in6, text, sizeof(text));
    ck_assert_str_eq(text, "[2001:db8::1]:1");
    inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr);
    util_addr_text((struct sockaddr *)&in6, text, sizeof(text));
    ck_assert_str_eq(text, "192.0.2.1:1");
}
END_TEST

START_TEST(address_unknown)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char text[8] = "x";
    util_addr_text((struct sockaddr *)&un, text, sizeof(text));
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(directories)
{
    char dir[] = "/tmp/test_util.XXXXXX";
    struct stat st;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    char *a = xasprintf("%s/a", dir), *b = xasprintf("%s/a/b", dir), *f = xasprintf("%s/f", dir);
    char *under_file = xasprintf("%s/f/x", dir);
    ck_assert_int_eq(util_mkdirs(b), 0);
    ck_assert_int_eq(util_mkdirs(b), 0);
    ck_assert_int_eq(stat(b, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    int fd = open(f, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    util_close(&fd);
    ck_assert_int_eq(util_mkdirs(f), -1);
    ck_assert_int_eq(errno, ENOTDIR);
    ck_assert_int_eq(util_mkdirs(under_file), -1);
    ck_assert_int_eq(errno, ENOTDIR);
    unlink(f);
    rmdir(b);
    rmdir(a);
    rmdir(dir);
    free(a);
    free(b);
    free(f);
    free(under_file);
}
END_TEST

START_TEST(relative_directory)
{
    char dir[] = "/tmp/test_util.XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(util_mkdirs("x/y/"), 0);
    ck_assert_int_eq(rmdir("x/y"), 0);
    ck_assert_int_eq(rmdir("x"), 0);
    rmdir(dir);
}
END_TEST

START_TEST(descriptors)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), copy = fd;
    ck_assert_int_eq(util_set_nonblock(fd), 0);
    ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    util_close(&fd);
    ck_assert_int_eq(fd, -1);
    ck_assert_int_eq(fcntl(copy, F_GETFD), -1);
    util_close(&fd);
    ck_assert_int_eq(util_set_nonblock(copy), -1);
}
END_TEST

START_TEST(random_octets)
{
    uint8_t a[16] = {0}, b[16] = {0};
    util_random(a, sizeof(a));
    util_random(b, sizeof(b));
    ck_assert_int_ne(memcmp(a, b, sizeof(a)), 0);
}
END_TEST

START_TEST(executable)
{
    char *self = xasprintf("%s/test_util", util_exe_dir());
    ck_assert_int_eq(access(self, X_OK), 0);
    free(self);
}
END_TEST

START_TEST(memory)
{
    char *p = xmalloc(0);
    p = xrealloc(p, 8);
    memset(p, 1, 8);
    free(p);
    p = xcalloc(0, 8);
    ck_assert_int_eq(p[0], 0);
    free(p);
}
END_TEST

START_TEST(no_memory)
{
    free(xmalloc(SIZE_MAX / 2));
}
END_TEST

START_TEST(overflowing_memory)
{
    free(xcalloc(SIZE_MAX / 2, 4));
}
END_TEST

START_TEST(counters)
{
    struct stats_block *blocks = stats_map(2);
    ck_assert_uint_eq((uintptr_t)blocks % 64, 0);
    ck_assert_uint_eq(blocks[1].submit_sm_in, 0);
    pid_t child = fork();
    ck_assert_int_ne(child, -1);
    if (child == 0) {
        stats_add(&blocks[1].submit_sm_in, 2);
        stats_add(&blocks[1].submit_sm_in, 3);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_uint_eq(stats_read(&blocks[1].submit_sm_in), 5);
    ck_assert_uint_eq(stats_read(&blocks[0].submit_sm_in), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("util");
    TCase *c = tcase_create("util");
    tcase_add_test(c, address_v4);
    tcase_add_test(c, address_v6);
    tcase_add_test(c, address_unknown);
    tcase_add_test(c, directories);
    tcase_add_test(c, relative_directory);
    tcase_add_test(c, descriptors);
    tcase_add_test(c, random_octets);
    tcase_add_test(c, executable);
    tcase_add_test(c, memory);
#ifndef __SANITIZE_ADDRESS__ /* which ends the process by itself */
    tcase_add_test_raise_signal(c, no_memory, SIGABRT);
    tcase_add_test_raise_signal(c, overflowing_memory, SIGABRT);
#else
    (void)no_memory;
    (void)overflowing_memory;
#endif
    tcase_add_test(c, counters);
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
