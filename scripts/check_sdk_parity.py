"""Holds that the script API is the same wherever it shows: runtime, stubs, test harness, documentation, siphon's SDK.

    python scripts/check_sdk_parity.py [--siphon DIR]

Runs where smscd-sdk is installed. DIR has the package siphon_sdk of siphon-sip, unpacked; without it that part is left
out. Prints what differs; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import re
import sys
from pathlib import Path

import _siphon
from siphon_sdk import mock_module, smpp_testing
from siphon_sdk import smpp as sdk_smpp
from siphon_sdk._sends import HELPERS

TOP = Path(__file__).resolve().parent.parent
MODULES = ("smpp", "cache", "log", "receipts", "timer", "metrics", "outbox")
COMMANDS = (
    "submit_sm",
    "submit_sm_multi",
    "deliver_sm",
    "data_sm",
    "cancel_sm",
    "query_sm",
    "replace_sm",
    "alert_notification",
)
# Of siphon's mock, what is for its SIP side.
NAMESPACES = {"install", "reset", "get_registry", "get_smpp", "get_log", "get_cache", "get_timer", "get_metrics"}

differences: list[str] = []


def differ(text: str) -> None:
    differences.append(text)


Parameters = dict[str, str]
"""Name to default as it is written; "" when there is none."""


def of_signature(function: object) -> Parameters:
    found = {}
    for parameter in inspect.signature(function).parameters.values():  # type: ignore[arg-type]
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        found[star + parameter.name] = "" if parameter.default is parameter.empty else repr(parameter.default)
    return found


def of_node(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Parameters:
    arguments = function.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [*zip(plain, defaults, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    found = {
        argument.arg: "" if default is None else ast.unparse(default)
        for argument, default in pairs
        if argument.arg not in ("self", "cls")
    }
    if arguments.kwarg:
        found["**" + arguments.kwarg.arg] = ""
    return found


def functions_of(node: ast.ClassDef | ast.Module) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    return {child.name: child for child in node.body if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)}


def classes_of(tree: ast.Module) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def public(names: object) -> set[str]:
    return {name for name in names if not name.startswith("_")}  # type: ignore[attr-defined]


# -- runtime and stubs -----------------------------------------------------------------------


def parameters_of(method: object) -> Parameters | None:
    """Of a method in C, when it says its signature."""
    try:
        return {name: default for name, default in of_signature(method).items() if name != "self"}
    except ValueError:
        return None


def names_of_class(node: ast.ClassDef) -> set[str]:
    assigned = {child.target.id for child in node.body if isinstance(child, ast.AnnAssign)}  # type: ignore[union-attr]
    return public({*functions_of(node), *assigned})


def check_class(name: str, node: ast.ClassDef) -> None:
    real = getattr(_siphon, name, None)
    if real is None:
        differ(f"stub: _siphon.{name} does not exist at run time")
        return
    if issubclass(real, BaseException):
        return
    runtime = public(vars(real))
    for missing in sorted(runtime ^ names_of_class(node)):
        differ(f"_siphon.{name}.{missing}: only {'at run time' if missing in runtime else 'in the stub'}")
    for method, function in functions_of(node).items():
        decorated = any(isinstance(mark, ast.Name) and mark.id == "property" for mark in function.decorator_list)
        if method.startswith("_") or decorated or method not in runtime:
            continue
        documented = parameters_of(vars(real)[method])
        if documented is None:
            differ(f"_siphon.{name}.{method}: it does not say its signature")
        elif _normal(documented) != _normal(of_node(function)):
            differ(f"_siphon.{name}.{method}: {documented} at run time, {of_node(function)} in the stub")


def _normal(parameters: Parameters) -> Parameters:
    return {name: repr(ast.literal_eval(default)) if default else "" for name, default in parameters.items()}


def check_stub() -> None:
    tree = ast.parse((TOP / "pyshim/stubs/_siphon/__init__.pyi").read_text())
    classes = classes_of(tree)
    for name, node in classes.items():
        check_class(name, node)
    types = {name for name, value in vars(_siphon).items() if isinstance(value, type)}
    for name in sorted(public(types) - set(classes)):
        differ(f"_siphon.{name} has no stub")
    for name in sorted(public(functions_of(tree)) - set(vars(_siphon)) - {"loop_watch", "loop_unwatch", "loop_select"}):
        differ(f"stub: the function _siphon.{name} does not exist at run time")


# -- the harness -------------------------------------------------------------------------------


def check_harness() -> None:
    smpp = importlib.import_module("siphon.smpp")
    helpers = {name for name in smpp.__all__ if name.endswith(("_via", "_to"))}
    for name in sorted(helpers ^ set(HELPERS.values())):
        differ(f"send helper {name}: only in {'siphon.smpp' if name in helpers else 'the harness'}")
    for command in COMMANDS:
        if not hasattr(smpp_testing.SmppTestHarness, command):
            differ(f"the harness has no {command}()")
        smpp.on_pdu(command)  # ValueError when the gateway does not know it
    classes = {name for name in smpp.__all__ if isinstance(getattr(smpp, name), type)}
    mocked = {name for name in classes if isinstance(getattr(_siphon, name, None), type)}
    for name in sorted(mocked):
        if not issubclass(getattr(_siphon, name), BaseException) and not hasattr(sdk_smpp, f"Mock{name}"):
            differ(f"siphon_sdk.smpp has no Mock{name}")


# -- documentation -------------------------------------------------------------------------------


def check_modules_documented() -> None:
    guide = (TOP / "docs/script-api.md").read_text()
    for module_name in MODULES:
        module = importlib.import_module(f"siphon.{module_name}")
        for name in module.__all__:
            value = getattr(module, name)
            if (inspect.isfunction(value) or inspect.isclass(value)) and not value.__doc__:
                differ(f"siphon.{module_name}.{name} has no docstring")
        for name in sorted(set(re.findall(rf"\b{module_name}\.(\w+)", guide))):
            if not hasattr(module, name):
                differ(f"docs/script-api.md: there is no siphon.{module_name}.{name}")
    smpp = importlib.import_module("siphon.smpp")
    for name in smpp.__all__:
        if inspect.isfunction(getattr(smpp, name)) and not re.search(rf"\b{name}\b", guide):
            differ(f"docs/script-api.md does not name smpp.{name}")


def as_text(name: str, function: object) -> str:
    signature = inspect.signature(function)  # type: ignore[arg-type]
    plain = [
        parameter.replace(annotation=parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    return name + str(signature.replace(parameters=plain, return_annotation=signature.empty))


def check_harness_documented() -> None:
    text = (TOP / "docs/testing-scripts.md").read_text()
    harness = smpp_testing.SmppTestHarness
    wanted = {"SmppTestHarness": as_text("SmppTestHarness", harness.__init__)}
    for name, member in vars(harness).items():
        if not name.startswith("_"):
            wanted[name] = as_text(name, member) if inspect.isfunction(member) else name
    for name, signature in wanted.items():
        if f"`{signature}`" not in text:
            differ(f"docs/testing-scripts.md: {name} is not there as `{signature}`")


# -- siphon's SDK -----------------------------------------------------------------------------------


def check_parameters(what: str, theirs: Parameters, ours: Parameters) -> None:
    takes_any = any(name.startswith("**") for name in ours)
    for name, default in theirs.items():
        if name.startswith("*"):
            continue  # theirs takes any field; ours names each
        if name not in ours:
            if not takes_any:
                differ(f"{what}: siphon's SDK takes {name}=, ours does not")
        elif default and ours[name] != repr(ast.literal_eval(default)):
            differ(
                f"{what}: {name} is {ast.literal_eval(default)!r} without being given, ours {ours[name] or 'needed'}"
            )


def attributes_set(node: ast.ClassDef) -> set[str]:
    """What __init__ sets on self."""
    return {
        child.attr
        for child in ast.walk(node)
        if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store) and ast.unparse(child.value) == "self"
    }


def check_mock_class(node: ast.ClassDef) -> None:
    ours = getattr(sdk_smpp, node.name, None)
    if ours is None:
        differ(f"siphon_sdk.smpp.{node.name} is siphon's, not ours")
        return
    theirs = functions_of(node)
    if "__init__" in theirs:
        check_parameters(node.name, of_node(theirs["__init__"]), of_signature(ours))
    known = set(dir(ours)).union(*(dir(real) for real in getattr(ours, "real", ())))
    for name in sorted(public({*theirs, *attributes_set(node)}) - known):
        differ(f"siphon_sdk.smpp.{node.name}.{name} is siphon's, not ours")


def check_namespace(node: ast.ClassDef) -> None:
    """MockSmpp: the helpers of siphon's mock, ours being the real ones."""
    real = importlib.import_module("siphon.smpp")
    for name, function in functions_of(node).items():
        if name.startswith("_"):
            continue
        ours = getattr(sdk_smpp.MockSmpp, name, None) or getattr(real, name, None)
        if ours is None:
            differ(f"smpp.{name} is siphon's, not ours")
        elif not name.startswith("on_"):  # a decorator's argument is given by its place
            parameters = {key: value for key, value in of_signature(ours).items() if key != "self"}
            check_parameters(f"smpp.{name}", of_node(function), parameters)
    for assigned in node.body:
        if isinstance(assigned, ast.Assign) and not hasattr(real, ast.unparse(assigned.targets[0])):
            differ(f"smpp.{ast.unparse(assigned.targets[0])} is siphon's, not ours")


def check_siphon(directory: Path) -> None:
    smpp = ast.parse((directory / "smpp.py").read_text())
    for node in classes_of(smpp).values():
        if node.name == "MockSmpp":
            check_namespace(node)
        else:
            check_mock_class(node)
    testing = ast.parse((directory / "smpp_testing.py").read_text())
    for name, function in functions_of(classes_of(testing)["SmppTestHarness"]).items():
        ours = getattr(smpp_testing.SmppTestHarness, name, None)
        if name.startswith("_") and name != "__init__":
            continue
        if ours is None:
            differ(f"SmppTestHarness.{name} is siphon's, not ours")
        elif inspect.isfunction(ours):
            parameters = {key: value for key, value in of_signature(ours).items() if key != "self"}
            check_parameters(f"SmppTestHarness.{name}", of_node(function), parameters)
    module = functions_of(ast.parse((directory / "mock_module.py").read_text()))
    for name in sorted(NAMESPACES & set(module)):
        if not hasattr(mock_module, name):
            differ(f"siphon_sdk.mock_module.{name} is siphon's, not ours")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--siphon", type=Path, metavar="DIR", help="siphon_sdk of siphon-sip, unpacked")
    options = arguments.parse_args()
    check_stub()
    check_harness()
    check_modules_documented()
    check_harness_documented()
    if options.siphon:
        check_siphon(options.siphon)
    for text in differences:
        print(text)
    print(f"{len(differences)} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
