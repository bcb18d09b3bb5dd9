"""The stubs, the running objects and their docstrings say the same; nothing public is without a docstring."""

import ast
from pathlib import Path

import pytest
from lib.daemon import OPEN

PYSHIM = Path(__file__).parents[2] / "pyshim"
STUB = PYSHIM / "stubs" / "_siphon" / "__init__.pyi"
MODULES = ["smpp", "cache", "log", "receipts", "timer", "metrics", "outbox"]

# What the objects of a worker say of themselves: {class: {attribute: (docstring, text of the signature)}}
SCRIPT = (
    OPEN
    + """
import _siphon

def said(attribute):
    return [attribute.__doc__, getattr(attribute, "__text_signature__", None)]

classes, functions = {}, []
for name, value in vars(_siphon).items():
    if name.startswith("_"):
        continue
    if isinstance(value, type):
        public = {n: said(a) for n, a in vars(value).items() if not n.startswith("_")}
        classes[name] = {"": [value.__doc__, [base.__name__ for base in value.__bases__]], **public}
    else:
        functions.append(name)
record("said", classes=classes, functions=functions)
"""
)


@pytest.fixture(scope="module")
def stub():
    return ast.parse(STUB.read_text()).body


@pytest.fixture
def said(smscd):
    return smscd(SCRIPT).wait_records("said")[0]


def flat(doc):
    return " ".join((doc or "").split())


def signature(function):
    """As a C docstring gives it: names and defaults."""
    arguments = function.args
    for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
        argument.annotation = None
    text = ast.unparse(arguments)
    return f"({'$' + text if arguments.posonlyargs else text.replace('self', '$self, /', 1)})"


def expected(node):
    """What the stub has of a class, in the form of `said`."""
    members = {"": [flat(ast.get_docstring(node)), [ast.unparse(base) for base in node.bases] or ["object"]]}
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
            doc = flat(ast.get_docstring(item))
            if item.decorator_list:
                members[item.name] = [f"{ast.unparse(item.returns)}: {doc}", None]
            else:
                members[item.name] = [doc, signature(item)]
    return members


def test_the_stub_says_what_the_objects_say(stub, said):
    classes = {node.name: expected(node) for node in stub if isinstance(node, ast.ClassDef)}
    running = {
        name: {member: [flat(doc), normal(text)] for member, (doc, text) in members.items()}
        for name, members in said["classes"].items()
    }
    assert sorted(running) == sorted(classes)
    for name, members in classes.items():
        assert running[name] == members, name


def normal(text):
    """A signature's text in the spaces and quotes of ast.unparse."""
    if not isinstance(text, str):
        return text
    function = ast.parse(f"def f{text.replace('$', '')}: pass").body[0]
    return "($" + ast.unparse(function.args) + ")"


def test_the_stub_has_every_function(stub, said):
    assert sorted(node.name for node in stub if isinstance(node, ast.FunctionDef)) == sorted(said["functions"])


# -- docstrings ------------------------------------------------------------------------


def undocumented(body, path):
    """The names of a class or module without a docstring. An attribute's is the text behind it."""
    for here, behind in zip(body, [*body[1:], None], strict=True):
        if isinstance(here, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            overload = any("overload" in ast.unparse(d) for d in here.decorator_list)
            if here.name.startswith("_") or overload:
                continue
            if not ast.get_docstring(here):
                yield f"{path}.{here.name}"
            if isinstance(here, ast.ClassDef):
                yield from undocumented(here.body, f"{path}.{here.name}")
        elif isinstance(here, (ast.Assign, ast.AnnAssign)):
            name = ast.unparse(here.target if isinstance(here, ast.AnnAssign) else here.targets[0])
            text = isinstance(behind, ast.Expr) and isinstance(behind.value, ast.Constant)
            if not name.startswith("_") and not text:
                yield f"{path}.{name}"


def public(body):
    """The names of __all__ and what else has no underscore in front, without what a module keeps for itself."""
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    raise AssertionError("no __all__")


def of_all(body):
    names = set(public(body))
    definitions = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for index, node in enumerate(body):
        if isinstance(node, definitions) and node.name in names:
            yield node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if ast.unparse(target) in names:
                yield from body[index : index + 2]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_a_docstring(module):
    tree = ast.parse((PYSHIM / "siphon" / f"{module}.py").read_text())
    assert ast.get_docstring(tree)
    assert not list(undocumented(list(of_all(tree.body)), module))


def test_the_types_have_docstrings(stub):
    assert not list(undocumented([n for n in stub if isinstance(n, ast.ClassDef)], "_siphon"))
    tree = ast.parse((PYSHIM / "siphon" / "_types.py").read_text())
    assert not list(undocumented(tree.body, "_types"))
