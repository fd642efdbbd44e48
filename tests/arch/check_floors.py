#!/usr/bin/env python3
"""Holds the code to its floors: an include goes down or stays in its folder, never up and never sideways, and the link lists of
CMake say the same. Also a few house rules that a grep can keep.

  check_floors.py ROOT      exit 1 and one line for each breach
"""
import pathlib
import re
import sys

# Floor of each room. Rooms of one floor do not see each other. `common` has an order of its own (common/README.md).
AGENT = {
    "agent/loop": 0,
    "agent/mcp": 1, "agent/http": 1, "agent/session": 1, "agent/link": 1,
    "agent/upstream": 2, "agent/mask": 2, "agent/record": 2, "agent/control": 2,
    "agent/call": 3,
    "agent/listen": 4,
    "agent/cli": 5, "agent": 5,
}
CONTROL_PLANE = {
    "controlplane/model": 1,
    "controlplane/store": 2, "controlplane/keys": 2, "controlplane/identity": 2, "controlplane/notify": 2,
    "controlplane/access": 3, "controlplane/policies": 3, "controlplane/recordings": 3,
    "controlplane/rpc": 4,
    "controlplane/cli": 5, "controlplane": 5,
}
# What each room of common may see beside the root of common and the proto files.
COMMON = {
    "common/jose": set(),
    "common/chain": set(),
    "common": set(),
    "common/cli": {"common"},
    "common/principal": {"common/jose", "common"},
    "common/policy": {"common/principal", "common/jose", "common"},
    "common/grant": {"common/jose", "common"},
}
# agent.* and controlplane.* wire, so they see every room of their own program, cli included; cli sees agent.* in turn.
WIRING = {("agent/cli", "agent"), ("agent", "agent/cli"), ("controlplane/cli", "controlplane"), ("controlplane", "controlplane/cli")}
# Facts without behaviour that a lower-lying library may name.
LEAF = {"migrations"}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def room_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def allowed(source, target):
    if source == target or target.startswith("sallyport/") or target in LEAF:
        return True
    if source in COMMON:
        return target in COMMON[source]
    if target in COMMON:
        return True
    if (source, target) in WIRING:
        return True
    for floors in (AGENT, CONTROL_PLANE):
        if source in floors:
            return target in floors and floors[target] < floors[source]
    return False


def check_includes(root):
    for path in sorted(p for top in ("common", "agent", "controlplane") for p in (root / top).rglob("*") if p.suffix in (".h", ".cc")):
        name = path.relative_to(root).as_posix()
        source = room_of(name)
        if source not in COMMON and source not in AGENT and source not in CONTROL_PLANE:
            yield f"{name}: {source} is no room of the plan: give it a floor here, or its code a home"
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = room_of(match.group(1))
            if match.group(1).split("/")[0] not in ("common", "agent", "controlplane", "sallyport", "migrations"):
                continue
            if not allowed(source, target):
                yield f"{name}:{number}: {source} includes {match.group(1)}, which is not below it"


def check_links(root):
    call = re.compile(r"sallyport_library\(\s*(\w+)(.*?)\)", re.S)
    rooms = {room.replace("/", "_"): room for floors in (COMMON, AGENT, CONTROL_PLANE) for room in floors}
    for path in sorted(p for top in ("common", "agent", "controlplane") for p in (root / top).rglob("CMakeLists.txt")):
        for name, body in call.findall(path.read_text(encoding="utf-8")):
            if name not in rooms:
                yield f"{path.relative_to(root)}: {name} is not named after its folder"
                continue
            for word in body.split("LINK", 1)[-1].split():
                if word in rooms and not allowed(rooms[name], rooms[word]):
                    yield f"{path.relative_to(root)}: {name} links {word}, which is not below it"


def check_house_rules(root):
    rules = [
        (re.compile(r"^\s*throw\b"), "our code does not throw: return a Status"),
        (re.compile(r"\busing namespace\b(?!.*literals)"), "no using namespace"),
        (re.compile(r"\b(TODO|FIXME|XXX)\b"), "unfinished business"),
    ]
    for path in sorted(p for top in ("common", "agent", "controlplane", "tests") for p in (root / top).rglob("*") if p.suffix in (".h", ".cc")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for rule, why in rules:
                if rule.search(line.split("//")[0] if rule.pattern.startswith("^") else line):
                    yield f"{path.relative_to(root)}:{number}: {why}"


def check_sensitivity(root):
    field = re.compile(r"^\s*(?:repeated |optional )?(?:map<[^>]+>|[\w.]+) \w+ = \d+( \[|;)")
    for path in sorted((root / "proto").rglob("*.proto")):
        if path.parent.parent.name == "options":  # what fields are described with, and no data
            continue
        enum = False
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            enum = enum or line.lstrip().startswith("enum ")
            if enum:
                enum = not line.strip().startswith("}")
                continue
            match = field.match(line)
            if match and match.group(1) == ";":
                yield f"{path.relative_to(root)}:{number}: a field without a sensitivity class"


def main():
    root = pathlib.Path(sys.argv[1])
    breaches = [b for check in (check_includes, check_links, check_house_rules, check_sensitivity) for b in check(root)]
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


sys.exit(main())
