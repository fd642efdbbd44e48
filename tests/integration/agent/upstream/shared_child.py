"""A modern stdio server that many clients share. It keeps what it is sent, and does what it is told."""
import json
import os
import sys

META = "io.modelcontextprotocol/subscriptionId"
held = []  # requests that wait for `release`, in the order of their coming
seen = []  # every message, as it came


def write(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def progress(request):
    write({"method": "notifications/progress", "params": {
        "progressToken": request["params"]["_meta"]["progressToken"], "progress": 1,
        "message": request["params"]["tag"]}})


for line in sys.stdin:
    message = json.loads(line)
    seen.append(message)
    method, params = message.get("method"), message.get("params", {})
    if method == "hold":
        held.append(message)
        if params.get("log"):
            write({"method": "notifications/message", "params": {"level": "info", "data": params["tag"]}})
    elif method in ("listen", "subscriptions/listen"):
        held.append(message)
        write({"method": "notifications/tools/list_changed", "params": {"_meta": {META: message["id"]}, "tag": params["tag"]}})
    elif method == "release":  # the last one first
        for request in reversed(held):
            if "progressToken" in request["params"].get("_meta", {}):
                progress(request)
            write({"id": request["id"], "result": {"tag": request["params"]["tag"]}})
        held.clear()
        write({"id": message["id"], "result": {}})
    elif method == "seen":
        write({"id": message["id"], "result": {"seen": seen}})
    elif method == "answer":  # under another id than ours, and then properly
        write({"id": params["id"], "result": {"tag": "misdirected"}})
        write({"id": message["id"], "result": {"tag": "proper"}})
    elif method == "say":  # something that belongs to nobody, and then the answer
        write(params["message"])
        write({"id": message["id"], "result": {}})
    elif method == "flood":  # more progress than anybody takes at once, and no answer
        for _ in range(params["count"]):
            progress(message)
    elif method == "die":
        os._exit(3)
