/* A configuration from a dict: the names, types, ranges and defaults of the table that a file is checked against. */
#include "ext.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf_int.h"
#include "util.h"

#define PATH_CAP 256

static int set_group(struct conf_load *load, enum conf_group group, void *base, const char *path, PyObject *dict);

static struct conf_place place_of(const char *path)
{
    return (struct conf_place){.file = "config", .line = 0, .path = path};
}

static int fail(struct conf_load *load, const char *path, const char *expected)
{
    struct conf_place place = place_of(path);
    return conf_fail(load, &place, "expected %s", expected);
}

/* Cut when it is too long: it is only shown. */
static void dotted(char *to, const char *path, const char *name)
{
    if (snprintf(to, PATH_CAP, "%s%s%s", path, *path ? "." : "", name) >= PATH_CAP)
        memcpy(to + PATH_CAP - 4, "...", 4);
}

/* The text of a str or an int, which belongs to *keep (new reference). NULL for anything else. */
static const char *text_of(PyObject *value, PyObject **keep)
{
    *keep = PyUnicode_Check(value) || (PyLong_Check(value) && !PyBool_Check(value)) ? PyObject_Str(value) : NULL;
    const char *text = *keep ? PyUnicode_AsUTF8(*keep) : NULL;
    PyErr_Clear();
    return text;
}

static int set_scalar(struct conf_load *load, const struct conf_setting *s, void *base, const char *path,
                      PyObject *value)
{
    struct conf_place place = place_of(path);
    PyObject *keep;
    const char *text = text_of(value, &keep);
    int rc = text && PyLong_Check(value) == (s->type == CONF_UINT)
                 ? conf_set_text(load, s, base, &place, text)
                 : conf_mismatch(load, s, &place, Py_TYPE(value)->tp_name);
    Py_XDECREF(keep);
    return rc;
}

static int add_string(struct conf_load *load, const struct conf_setting *s, void *base, const char *path,
                      PyObject *value)
{
    char ***list = conf_at(base, s->offset);
    size_t *count = conf_at(base, s->count_offset);
    struct conf_place place = place_of(path);
    const char *text = PyUnicode_Check(value) ? PyUnicode_AsUTF8(value) : NULL;
    PyErr_Clear();
    if (!text)
        return fail(load, path, "a str");
    if (s->type == CONF_CHAIN && conf_check_chain(load, text, &place) < 0)
        return -1;
    *list = xrealloc(*list, (*count + 1) * sizeof(**list));
    (*list)[(*count)++] = s->type == CONF_PATHS ? conf_absolute(load->conf, text) : xstrdup(text);
    return 0;
}

/* The list has room for it already: conf_add_bind() wants elements that stay where they are. */
static int add_group(struct conf_load *load, const struct conf_setting *s, void *base, const char *path,
                     PyObject *value)
{
    char *elements = *(char **)conf_at(base, s->offset);
    size_t *count = conf_at(base, s->count_offset);
    struct conf_place place = place_of(path);
    if (!PyDict_Check(value))
        return fail(load, path, "a dict");
    char *element = elements + (*count)++ * s->element;
    if (set_group(load, s->sub, element, path, value) < 0)
        return -1;
    return s->sub == CONF_BIND ? conf_add_bind(load, (struct conf_bind *)element, &place) : 0;
}

static int set_list(struct conf_load *load, const struct conf_setting *s, void *base, const char *path, PyObject *value)
{
    PyObject *list = PyList_Check(value) || PyTuple_Check(value) ? PySequence_Fast(value, "") : NULL;
    char element[PATH_CAP], number[24];
    int rc = list ? 0 : fail(load, path, "a list");
    if (list && s->type == CONF_LIST)
        *(void **)conf_at(base, s->offset) = xcalloc((size_t)PySequence_Fast_GET_SIZE(list), s->element);
    for (Py_ssize_t i = 0; list && rc == 0 && i < PySequence_Fast_GET_SIZE(list); i++) {
        snprintf(number, sizeof(number), "%zd", i);
        dotted(element, path, number);
        rc = (s->type == CONF_LIST ? add_group : add_string)(load, s, base, element, PySequence_Fast_GET_ITEM(list, i));
    }
    Py_XDECREF(list);
    return rc;
}

static int set_options(struct conf_load *load, struct conf_rule *rule, const char *path, PyObject *dict)
{
    PyObject *key, *value, *keep;
    size_t n = PyDict_Check(dict) ? (size_t)PyDict_GET_SIZE(dict) : 0;
    if (!PyDict_Check(dict))
        return fail(load, path, "a dict");
    rule->option_keys = xcalloc(n, sizeof(char *));
    rule->option_values = xcalloc(n, sizeof(char *));
    for (Py_ssize_t pos = 0; PyDict_Next(dict, &pos, &key, &value);) {
        const char *name = PyUnicode_Check(key) ? PyUnicode_AsUTF8(key) : NULL;
        const char *text = PyBool_Check(value) ? (value == Py_True ? "true" : "false") : NULL;
        keep = NULL;
        if (!text)
            text = text_of(value, &keep);
        if (name && text) {
            rule->option_keys[rule->option_count] = xstrdup(name);
            rule->option_values[rule->option_count++] = xstrdup(text);
        }
        Py_XDECREF(keep);
        PyErr_Clear();
        if (!name || !text)
            return fail(load, path, "str, int and bool values by str keys");
    }
    return 0;
}

static int set_setting(struct conf_load *load, const struct conf_setting *s, void *base, const char *path,
                       PyObject *value)
{
    switch (s->type) {
    case CONF_UNBUILT:
        return 0;
    case CONF_SECTION:
        return set_group(load, s->sub, base, path, value);
    case CONF_LIST:
    case CONF_PATHS:
    case CONF_CHAIN:
        return value ? set_list(load, s, base, path, value) : 0;
    case CONF_OPTIONS:
        return value ? set_options(load, base, path, value) : 0;
    default:
        return value ? set_scalar(load, s, base, path, value) : conf_set_default(load, s, base);
    }
}

static int check_names(struct conf_load *load, enum conf_group group, const char *path, PyObject *dict)
{
    PyObject *key, *value;
    char whole[PATH_CAP];
    for (Py_ssize_t pos = 0; PyDict_Next(dict, &pos, &key, &value);) {
        const char *name = PyUnicode_Check(key) ? PyUnicode_AsUTF8(key) : NULL;
        const struct conf_setting *s = name ? conf_find(group, name) : NULL;
        struct conf_place place = place_of(whole);
        PyErr_Clear();
        dotted(whole, path, name ? name : "?");
        if (!s)
            return conf_fail(load, &place, "unknown name");
        if (s->type == CONF_UNBUILT)
            return conf_fail(load, &place, "not built yet");
    }
    return 0;
}

/* dict: NULL where it is not given, and the defaults hold. */
static int set_group(struct conf_load *load, enum conf_group group, void *base, const char *path, PyObject *dict)
{
    const struct conf_setting *s = NULL;
    char whole[PATH_CAP];
    if (dict && !PyDict_Check(dict))
        return fail(load, path, "a dict");
    if (dict && check_names(load, group, path, dict) < 0)
        return -1;
    while ((s = conf_next(group, s))) {
        dotted(whole, path, s->name);
        if (set_setting(load, s, base, whole, dict ? PyDict_GetItemString(dict, s->name) : NULL) < 0)
            return -1;
        if (s->required && !*(void **)conf_at(base, s->offset))
            return fail(load, whole, "a value: it has no default");
    }
    return 0;
}

struct conf *ext_conf_from(PyObject *dict)
{
    struct conf_load load = {.conf = xcalloc(1, sizeof(struct conf))};
    char *cwd = getcwd(NULL, 0);
    load.conf->path = xstrdup("");
    load.conf->directory = cwd ? cwd : xstrdup("/");
    if (set_group(&load, CONF_TOP, load.conf, "", dict) < 0) {
        PyErr_SetString(PyExc_ValueError, load.error);
        free(load.error);
        conf_free(&load.conf);
        return NULL;
    }
    if (load.conf->workers == 0)
        load.conf->workers = 1;
    return load.conf;
}
