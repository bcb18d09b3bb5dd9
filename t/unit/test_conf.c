/* conf: what a good file becomes, and for each kind of error the exact text, with file and line. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "util.h"

static char dir[64];
static char file[96];

static void setup(void)
{
    snprintf(dir, sizeof(dir), "/tmp/test_conf.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(file, sizeof(file), "%s/smscd.conf", dir);
}

static void write_file(const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    free(path);
}

static void teardown(void)
{
    static const char *const names[] = {"smscd.conf", "more.conf"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *path = xasprintf("%s/%s", dir, names[i]);
        unlink(path);
        free(path);
    }
    rmdir(dir);
}

static struct conf *load(const char *text)
{
    char *error = NULL;
    write_file("smscd.conf", text);
    struct conf *conf = conf_load(file, &error);
    ck_assert_msg(conf != NULL, "%s", error);
    return conf;
}

/* The error must be `expected`, where "@" stands for the path of the file. */
static void refused(const char *text, const char *expected)
{
    char *error = NULL;
    write_file("smscd.conf", text);
    struct conf *conf = conf_load(file, &error);
    ck_assert_msg(conf == NULL, "taken: %s", text);
    ck_assert_ptr_nonnull(error);
    char *whole = *expected == '@' ? xasprintf("%s%s", file, expected + 1) : xstrdup(expected);
    ck_assert_str_eq(error, whole);
    free(whole);
    free(error);
}

#define NAME_EXPECTED "expected 1 to 63 letters (A-Z), digits, \"_\", \"-\" or \".\""
#define BIND(more) "{ name = \"eu\"; host = \"h\"; system_id = \"me\"; " more " }"

START_TEST(defaults)
{
    struct conf *conf = load("script = \"a.py\";");
    char *script = xasprintf("%s/a.py", dir);
    char *run_dir = xasprintf("%s/run", dir);
    ck_assert_str_eq(conf->path, file);
    ck_assert_str_eq(conf->directory, dir);
    ck_assert_str_eq(conf->script, script);
    ck_assert_str_eq(conf->run_dir, run_dir);
    ck_assert_uint_ge(conf->workers, 1);
    ck_assert_uint_eq(conf->handler_timeout_ms, 25000);
    ck_assert_str_eq(conf->server.bind_address, "0.0.0.0");
    ck_assert_uint_eq(conf->server.port, 2775);
    ck_assert_uint_eq(conf->server.park_bytes, 262144);
    ck_assert_str_eq(conf->redis.prefix, "siphon:");
    ck_assert_str_eq(conf->venv, "");
    ck_assert_str_eq(conf->log.file, "");
    ck_assert_int_eq(conf->log.level, LOG_INFO_);
    ck_assert_uint_eq(conf->bind_count, 0);
    free(script);
    free(run_dir);
    conf_free(&conf);
    ck_assert_ptr_null(conf);
}
END_TEST

START_TEST(everything)
{
    struct conf *conf = load(
        "script = \"/x/a.py\"; workers = 3; python_path = [\"lib\", \"/abs\"];\n"
        "server: { port = 0x0AD7; window = 7L; };\n"
        "binds = (" BIND(
            "password = \"pw\"; bind_type = \"receiver\"; id_match = \"hex-to-dec\";") ", { name = \"b\"; host = "
                                                                                       "\"h2\"; system_id = \"me\"; "
                                                                                       "sessions = 2; });\n"
                                                                                       "routing = { default_chain = "
                                                                                       "[\"bind:eu\", \"bind:b\"];\n"
                                                                                       "  rules = ({ prefix = \"49\"; "
                                                                                       "chain = (\"bind:b\"); name = "
                                                                                       "\"de\";\n"
                                                                                       "             options = { cost "
                                                                                       "= 3; premium = true; tag = "
                                                                                       "\"x\"; }; }); };\n"
                                                                                       "log = { level = \"debug\"; "
                                                                                       "format = \"json\"; file = "
                                                                                       "\"log/x\"; };\n"
                                                                                       "redis = { url = "
                                                                                       "\"unix:///run/r.sock\"; };\n");
    ck_assert_str_eq(conf->script, "/x/a.py");
    ck_assert_uint_eq(conf->workers, 3);
    ck_assert_uint_eq(conf->python_path_count, 2);
    ck_assert_str_eq(conf->python_path[1], "/abs");
    ck_assert_uint_eq(conf->server.port, 2775);
    ck_assert_uint_eq(conf->server.window, 7);
    ck_assert_uint_eq(conf->bind_count, 2);
    ck_assert_str_eq(conf->binds[0].password, "pw");
    ck_assert_int_eq(conf->binds[0].bind_type, CONF_BIND_RX);
    ck_assert_int_eq(conf->binds[0].id_match, CONF_ID_HEX_TO_DEC);
    ck_assert_int_eq(conf_bind_index(conf, "b"), 1);
    ck_assert_int_eq(conf_bind_index(conf, "c"), -1);
    ck_assert_uint_eq(conf->default_chain_count, 2);
    ck_assert_str_eq(conf->rules[0].chain[0], "bind:b");
    ck_assert_str_eq(conf->rules[0].option_keys[0], "cost");
    ck_assert_str_eq(conf->rules[0].option_values[0], "3");
    ck_assert_str_eq(conf->rules[0].option_values[1], "true");
    ck_assert_int_eq(conf->log.level, LOG_DEBUG_);
    ck_assert_int_eq(conf->log.format, LOG_JSON);
    conf_free(&conf);
}
END_TEST

/* What each line of the file gives, on its own. The first line is `script`, so the error is on line 2 or below. */
static const struct {
    const char *text, *error;
} refusals[] = {
    {"prot = 1;", "@:2: prot: unknown name, expected one of: script, workers, run_dir, state_dir, reload, python_path, "
                  "venv, handler_timeout_ms, stall_timeout_ms, drain_timeout_ms, server, binds, routing, redis, log"},
    {"\nredis = { port = 1; };", "@:3: redis.port: unknown name, expected one of: url, prefix, timeout_ms"},
    {"server = { port = \"2775\"; };",
     "@:2: server.port: found the string \"2775\", expected an integer from 1 to 65535"},
    {"server = { port = true; };", "@:2: server.port: found true, expected an integer from 1 to 65535"},
    {"server = { port = 2.5; };", "@:2: server.port: found 2.5, expected an integer from 1 to 65535"},
    {"server = { port = { }; };", "@:2: server.port: found a group { }, expected an integer from 1 to 65535"},
    {"server = {\n port = 0; };", "@:3: server.port: found 0, expected an integer from 1 to 65535"},
    {"server = { port = 65536; };", "@:2: server.port: found 65536, expected an integer from 1 to 65535"},
    {"server = { port = -1; };", "@:2: server.port: found -1, expected an integer from 1 to 65535"},
    {"server = { port = 4294970071; };", "@:2: server.port: found 4294970071, expected an integer from 1 to 65535"},
    {"server = { window = 5; port =\n 4294970071; };",
     "@:2: server.port: found 4294970071, expected an integer from 1 to 65535"},
    {"server = { port = 0x100000AD7; };", "@:2: server.port: found 0x100000AD7, expected an integer from 1 to 65535"},
    {"server = { port = 4294970071L; };", "@:2: server.port: found 4294970071, expected an integer from 1 to 65535"},
    {"server = 5;", "@:2: server: found 5, expected a group { }"},
    {"binds = 5;", "@:2: binds: found 5, expected a list of groups ({ }, { })"},
    {"binds = { };", "@:2: binds: found a group { }, expected a list of groups ({ }, { })"},
    {"binds = (\n 1);", "@:3: binds.0: found something else, expected a group { }"},
    {"python_path = \"x\";", "@:2: python_path: found the string \"x\", expected a list of strings"},
    {"python_path = [1];", "@:2: python_path.0: found 1, expected a string of 1 to 4000 octets"},
    {"script2 = 1",
     "@:2: script2: unknown name, expected one of: script, workers, run_dir, state_dir, reload, "
     "python_path, venv, handler_timeout_ms, stall_timeout_ms, drain_timeout_ms, server, binds, routing, "
     "redis, log"},
    {"workers = ;", "@:2: workers: syntax error"},
    {"workers = 1;\nworkers = 2;", "@:3: workers: duplicate setting name"},
    {"log = { level = \"loud\"; };",
     "@:2: log.level: found \"loud\", expected \"debug\", \"info\", \"warn\" or \"error\""},
    {"log = { level = 1; };", "@:2: log.level: found 1, expected \"debug\", \"info\", \"warn\" or \"error\""},

    {"http = { port = 1; };", "@:2: http: not built yet"},
    {"server = { tls = { }; };", "@:2: server.tls: not built yet"},
    {"server = { max_msg_per_sec = 0; };", "@:2: server.max_msg_per_sec: not built yet"},
    {"server = { throttle_action = \"pace\"; };", "@:2: server.throttle_action: not built yet"},
    {"reload = \"auto\";", "@:2: reload: \"auto\" is not built yet"},
    {"reload = \"never\";", "@:2: reload: found \"never\", expected \"signal\""},
    {"binds = (\n" BIND("tls = { };") ");", "@:3: binds.0.tls: not built yet"},
    {"binds = (" BIND("bind_type = \"tx+rx\";") ");", "@:2: binds.0.bind_type: \"tx+rx\" is not built yet"},
    {"redis = { url = \"rediss://h\"; };", "@:2: redis.url: \"rediss://\" is not built yet"},
    {"redis = { url = \"http://u:pw@h\"; };", "@:2: redis.url: found \"http://***@h\", expected \"redis://...\", "
                                              "\"unix://...\" or \"\" for the embedded server"},
    {"redis = { url = \"u:pw@h\"; };",
     "@:2: redis.url: found \"***@h\", expected \"redis://...\", \"unix://...\" or \"\" for the embedded server"},
    {"server = { bind_address = \"localhost\"; };",
     "@:2: server.bind_address: found \"localhost\", expected an IPv4 or IPv6 address"},

    {"binds = ({ name = \"a\"; host = \"h\"; });", "@:2: binds.0.system_id: not given, and it has no default"},
    {"binds = (\n{ host = \"h\"; });", "@:3: binds.0.name: not given, and it has no default"},
    {"binds = ({ name = \"\"; });", "@:2: binds.0.name: found \"\" (0 octets), " NAME_EXPECTED},
    {"binds = ({ name = \"a b\"; });", "@:2: binds.0.name: found \"a b\", " NAME_EXPECTED},
    {"binds = ({ name = \"a:b\"; });", "@:2: binds.0.name: found \"a:b\", " NAME_EXPECTED},
    {"binds = ({ name = \"a/b\"; });", "@:2: binds.0.name: found \"a/b\", " NAME_EXPECTED},
    {"binds = ({ name = \"caf\xc3\xa9\"; });", "@:2: binds.0.name: found \"caf\xc3\xa9\", " NAME_EXPECTED},
    {"binds = (" BIND() ",\n" BIND() ");", "@:3: binds.1: found the name \"eu\" a second time, expected another"},
    {"binds = (" BIND("reconnect_min_ms = 9; reconnect_max_ms = 8;") ");",
     "@:2: binds.0: found reconnect_min_ms 9, expected at most reconnect_max_ms (8)"},
    {"binds = (" BIND("password = \"secret123\";") ");",
     "@:2: binds.0.password: found 9 octets, expected a string of at most 8 octets"},
    {"binds = (" BIND("password = 12345;") ");",
     "@:2: binds.0.password: found an integer, expected a string of at most 8 octets"},
    {"binds = ({ name = \"a\"; system_id = \"sixteen_letters_\"; });",
     "@:2: binds.0.system_id: found \"sixteen_letters_\" (16 octets), expected a string of 1 to 15 octets"},
    {"binds = (" BIND("system_type = \"1234567890123\";") ");",
     "@:2: binds.0.system_type: found \"1234567890123\" (13 octets), expected a string of at most 12 octets"},
    {"binds = (" BIND("addr_range = \"12345678901234567890123456789012345678901\";") ");",
     "@:2: binds.0.addr_range: found \"12345678901234567890123456789012345678901\" (41 octets), "
     "expected a string of at most 40 octets"},
    {"server = { system_id = \"sixteen_letters_\"; };",
     "@:2: server.system_id: found \"sixteen_letters_\" (16 octets), expected a string of 1 to 15 octets"},

    {"routing = { default_chain = [\"bind:eu\"]; };",
     "@:2: routing.default_chain.0: found \"bind:eu\", expected the name of one of the binds"},
    {"routing = { default_chain = [\"eu\"]; };", "@:2: routing.default_chain.0: found \"eu\", expected \"bind:NAME\""},
    {"routing = { default_chain = \"bind:eu\"; };",
     "@:2: routing.default_chain: found the string \"bind:eu\", expected a list of \"bind:NAME\""},
    {"routing = { rules = ({ prefix = \"1\";\n chain = [ ]; }); };",
     "@:3: routing.rules.0.chain: found a list, expected a list of \"bind:NAME\""},
    {"routing = { rules = ({ prefix = \"1\"; }); };", "@:2: routing.rules.0.chain: not given, and it has no default"},
    {"binds = (" BIND() "); routing = { rules = ({ prefix = \"1\"; chain = [\"bind:eu\"]; options = { a = [1]; }; }); "
                        "};",
     "@:2: routing.rules.0.options.a: found a list, expected a string, an integer or a boolean"},

    {"venv = \"${SMSCD_NO_SUCH}\";",
     "@:2: venv: the environment variable SMSCD_NO_SUCH is not set, and ${SMSCD_NO_SUCH} has no default"},
    {"venv = \"a${B\";", "@:2: venv: a ${ without its }"},
    {"server = { port = \"${SMSCD_NO_SUCH:-x}\"; };",
     "@:2: server.port: found \"x\", expected an integer from 1 to 65535"},
};

START_TEST(refusal)
{
    char *text = xasprintf("script = \"a.py\";\n%s", refusals[_i].text);
    refused(text, refusals[_i].error);
    free(text);
}
END_TEST

START_TEST(no_file)
{
    char *error = NULL, *expected = xasprintf("%s: cannot be read: No such file or directory", file);
    ck_assert_ptr_null(conf_load(file, &error));
    ck_assert_str_eq(error, expected);
    free(error);
    free(expected);
}
END_TEST

START_TEST(a_directory)
{
    char *error = NULL;
    ck_assert_ptr_null(conf_load(dir, &error));
    ck_assert_ptr_nonnull(strstr(error, dir));
    free(error);
}
END_TEST

START_TEST(no_script)
{
    refused("", "@: script: not given, and it has no default");
}
END_TEST

START_TEST(run_dir_too_long)
{
    char *long_name = xasprintf("/%0100d", 0);
    char *text = xasprintf("script = \"a\";\nrun_dir = \"%s\";", long_name);
    char *error =
        xasprintf("@:2: run_dir: found \"%.60s\" (101 octets), expected a string of 1 to 90 octets", long_name);
    refused(text, error);
    free(long_name);
    free(text);
    free(error);
}
END_TEST

START_TEST(included)
{
    char *error = NULL,
         *expected = xasprintf("%s/more.conf:2: server.port: found 0, expected an integer from 1 to 65535", dir);
    write_file("more.conf", "server = {\n port = 0; };");
    write_file("smscd.conf", "script = \"a\";\n@include \"more.conf\"\n");
    ck_assert_ptr_null(conf_load(file, &error));
    ck_assert_str_eq(error, expected);
    free(error);
    free(expected);
    write_file("more.conf", "server = { port = 99; };");
    struct conf *conf = conf_load(file, &error);
    ck_assert_ptr_nonnull(conf);
    ck_assert_uint_eq(conf->server.port, 99);
    conf_free(&conf);
    write_file("more.conf", "server = { port = 4294970071; };");
    ck_assert_ptr_null(conf_load(file, &error));
    ck_assert_ptr_nonnull(strstr(error, "more.conf:1: server.port: found 4294970071,"));
    free(error);
}
END_TEST

START_TEST(relative_path)
{
    char *error = NULL;
    write_file("smscd.conf", "script = \"./a.py\"; state_dir = \"../s\";");
    ck_assert_int_eq(chdir(dir), 0);
    struct conf *conf = conf_load("./smscd.conf", &error);
    ck_assert_ptr_nonnull(conf);
    char *script = xasprintf("%s/a.py", dir), *state = xasprintf("%s/../s", dir);
    ck_assert_str_eq(conf->path, file);
    ck_assert_str_eq(conf->script, script);
    ck_assert_str_eq(conf->state_dir, state);
    free(script);
    free(state);
    conf_free(&conf);
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(references)
{
    setenv("SMSCD_T_PORT", "3000", 1);
    setenv("SMSCD_T_EMPTY", "", 1);
    setenv("SMSCD_T_NAME", "mid", 1);
    struct conf *conf = load("script = \"/a/${SMSCD_T_NAME}/${SMSCD_T_EMPTY:-b}${SMSCD_T_EMPTY}.py\";\n"
                             "server = { port = \"${SMSCD_T_PORT}\"; window = \"${SMSCD_NO_SUCH:-12}\"; };\n"
                             "venv = \"/$HOME$\";");
    ck_assert_str_eq(conf->script, "/a/mid/b.py");
    ck_assert_uint_eq(conf->server.port, 3000);
    ck_assert_uint_eq(conf->server.window, 12);
    ck_assert_str_eq(conf->venv, "/$HOME$");
    conf_free(&conf);
}
END_TEST

START_TEST(bind_from_environment)
{
    setenv("SMPP_BIND_AGGREGATOR_EU_HOST", "elsewhere", 1);
    setenv("SMPP_BIND_AGGREGATOR_EU_PORT", "4000", 1);
    setenv("SMPP_BIND_AGGREGATOR_EU_PASSWORD", "other", 1);
    struct conf *conf = load("script = \"a\";\nbinds = ({ name = \"aggregator-eu\"; system_id = \"me\"; port = 1; });");
    ck_assert_str_eq(conf->binds[0].host, "elsewhere");
    ck_assert_uint_eq(conf->binds[0].port, 4000);
    ck_assert_str_eq(conf->binds[0].password, "other");
    conf_free(&conf);

    setenv("SMPP_BIND_AGGREGATOR_EU_PORT", "99999", 1);
    refused("script = \"a\";\nbinds = ({ name = \"aggregator-eu\"; system_id = \"me\"; });",
            "environment: SMPP_BIND_AGGREGATOR_EU_PORT: found \"99999\", expected an integer from 1 to 65535");
    setenv("SMPP_BIND_AGGREGATOR_EU_PORT", "1", 1);
    setenv("SMPP_BIND_AGGREGATOR_EU_PASSWORD", "much too long", 1);
    refused("script = \"a\";\nbinds = ({ name = \"aggregator-eu\"; system_id = \"me\"; });",
            "environment: SMPP_BIND_AGGREGATOR_EU_PASSWORD: found 13 octets, expected a string of at most 8 octets");
}
END_TEST

START_TEST(same_name_in_environment)
{
    refused("script = \"a\";\nbinds = ({ name = \"a-b\"; host = \"h\"; system_id = \"x\"; },\n"
            "{ name = \"a_B\"; host = \"h\"; system_id = \"x\"; });",
            "@: binds: found \"a-b\" and \"a_B\", which are both SMPP_BIND_A_B_* in the environment");
}
END_TEST

/* The readout as one text, a line for each setting. */
static FILE *out;

static void put_string(void *arg, const char *path, const char *value)
{
    (void)arg;
    fprintf(out, "%s=%s\n", path, value);
}

static void put_integer(void *arg, const char *path, long long value)
{
    (void)arg;
    fprintf(out, "%s=%lld\n", path, value);
}

static void put_boolean(void *arg, const char *path, bool value)
{
    (void)arg;
    fprintf(out, "%s=%d\n", path, value);
}

static void put_empty(void *arg, const char *path, bool list)
{
    (void)arg;
    fprintf(out, "%s=%s\n", path, list ? "[]" : "{}");
}

static char *readout(const struct conf *conf)
{
    static const struct conf_visit visit = {put_string, put_integer, put_boolean, put_empty};
    char *text = NULL;
    size_t len;
    out = open_memstream(&text, &len);
    conf_each(conf, &visit, NULL);
    fclose(out);
    return text;
}

static void check_has(const char *text, const char *line)
{
    ck_assert_msg(strstr(text, line) != NULL, "no %s in:\n%s", line, text);
}

START_TEST(readout_of_all)
{
    struct conf *conf =
        load("script = \"/a\"; workers = 2;\n"
             "binds = (" BIND(
                 "password = \"s3cret\";") ");\n"
                                           "routing = { rules = ({ prefix = \"1\"; chain = [\"bind:eu\"]; },\n"
                                           "{ prefix = \"2\"; chain = [\"bind:eu\"]; options = { k = \"v\"; }; }); };\n"
                                           "redis = { url = \"redis://u:hid@den@h:1/0\"; };\n");
    char *text = readout(conf);
    check_has(text, "script=/a\nworkers=2\n");
    check_has(text, "\nserver.port=2775\n");
    check_has(text,
              "\nbinds.0.name=eu\nbinds.0.host=h\nbinds.0.port=2775\nbinds.0.system_id=me\nbinds.0.system_type=\n");
    check_has(text, "\nbinds.0.bind_type=transceiver\n");
    check_has(text, "\nrouting.default_chain=[]\n");
    check_has(text, "\nrouting.rules.0.chain.0=bind:eu\nrouting.rules.0.options={}\n");
    check_has(text, "\nrouting.rules.1.options.k=v\n");
    check_has(text, "\nredis.url=redis://***@h:1/0\n");
    check_has(text, "\npython_path=[]\n");
    check_has(text, "\nlog.level=info\n");
    ck_assert_ptr_null(strstr(text, "s3cret"));
    ck_assert_ptr_null(strstr(text, "hid"));
    ck_assert_ptr_null(strstr(text, "den@"));
    free(text);
    conf_free(&conf);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("conf");
    TCase *c = tcase_create("conf");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, defaults);
    tcase_add_test(c, everything);
    tcase_add_loop_test(c, refusal, 0, ARRAY_LEN(refusals));
    tcase_add_test(c, no_file);
    tcase_add_test(c, a_directory);
    tcase_add_test(c, no_script);
    tcase_add_test(c, run_dir_too_long);
    tcase_add_test(c, included);
    tcase_add_test(c, relative_path);
    tcase_add_test(c, references);
    tcase_add_test(c, bind_from_environment);
    tcase_add_test(c, same_name_in_environment);
    tcase_add_test(c, readout_of_all);
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
