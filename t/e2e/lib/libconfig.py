"""Writes a libconfig file from Python values."""


class Raw(str):
    """Text that goes into the file as it is."""


def value(v, indent=0):
    pad = "  " * (indent + 1)
    if isinstance(v, Raw):
        return str(v)
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, int):
        return str(v)
    if isinstance(v, dict):
        return "{\n" + "".join(f"{pad}{k} = {value(x, indent + 1)};\n" for k, x in v.items()) + "  " * indent + "}"
    if isinstance(v, (list, tuple)):
        return "( " + ", ".join(value(x, indent) for x in v) + " )"
    return '"' + str(v).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def text(settings):
    return "".join(f"{k} = {value(v)};\n" for k, v in settings.items())
