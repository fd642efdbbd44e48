"""A stdio server that does what it is asked to, however awkward."""
import json
import os
import socket
import sys
import time


def read(path):
    with open(path) as f:
        return f.read()


def environments():
    texts = {}
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    texts[pid] = f.read().decode("latin-1")
            except OSError as e:
                texts[pid] = f"error {e.errno}"
    return texts


def other_procs():
    # Where else than at /proc a proc file system is mounted, and what can be read of it.
    found = []
    for line in read("/proc/self/mountinfo").splitlines():
        fields = line.split(" ")
        place = fields[4].encode().decode("unicode_escape")
        if fields[fields.index("-") + 1] == "proc" and place != "/proc":
            try:
                found += [f"{place}/{name}" for name in os.listdir(place)]
            except OSError:
                pass
    return found


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return "connected"


def orphan(port):
    # A grandchild in a session of its own, that holds a connection to the test and nothing else.
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in (0, 1, 2):
                os.close(fd)
            s = socket.create_connection(("127.0.0.1", port))
            s.sendall(b"alive")
            while True:
                time.sleep(1000)
        os._exit(0)
    os.wait()
    return "forked"


def answer(message):
    method, params = message["method"], message.get("params", {})
    if method == "read":
        return read(params["path"])
    if method == "list":
        return sorted(os.listdir(params["path"]))
    if method == "environments":
        return environments()
    if method == "environ":
        return dict(os.environ)
    if method == "other_procs":
        return other_procs()
    if method == "connect":
        return connect(params["path"])
    if method == "orphan":
        return orphan(params["port"])
    if method == "pids":
        return sorted(int(p) for p in os.listdir("/proc") if p.isdigit())
    if method == "descriptors":
        return sorted(int(f) for f in os.listdir("/proc/self/fd"))
    if method == "whoami":
        return {"uid": os.getuid(), "status": read("/proc/self/status")}
    return params


def write(text):
    sys.stdout.write(text)
    sys.stdout.flush()


for line in sys.stdin:
    message = json.loads(line)
    method, params = message.get("method"), message.get("params", {})
    if method == "raw":  # the text as it is, and nothing else
        write(params["text"])
        continue
    if method == "silence" or "id" not in message:
        continue
    if method == "flood":
        for i in range(params["count"]):
            write(json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {"i": i, "pad": "x" * params["pad"]}}) + "\n")
    if method == "long":
        write('{"jsonrpc":"2.0","id":%s,"result":{"text":"%s"}}\n' % (json.dumps(message["id"]), "x" * params["bytes"]))
        continue
    if method == "exit":
        os._exit(3)
    if method == "close":
        os.close(1)
        while True:
            time.sleep(1000)
    if method == "stderr":
        sys.stderr.write(params["text"] * 100000)
        sys.stderr.flush()
    try:
        body = {"result": {"value": answer(message)}}
    except Exception as e:  # what the kernel said is the answer
        body = {"error": {"code": 1, "message": f"{type(e).__name__} {getattr(e, 'errno', '')}"}}
    write(json.dumps({"jsonrpc": "2.0", "id": message["id"], **body}) + "\n")
