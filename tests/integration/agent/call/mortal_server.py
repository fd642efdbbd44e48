"""An MCP server over stdio that ends at the moment that the file of its argument names, or that a call names."""
import json
import os
import sys

with open(sys.argv[1]) as f:
    MOMENT = f.read().strip()


def write(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def send(message):
    write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")


def end_at(moment, wanted, half=""):
    if moment == wanted:
        write(half)
        os._exit(3)


def answer_call(message):
    how = message["params"].get("arguments", {}).get("how", "")
    end_at(how, "unanswered")
    end_at(how, "half", '{"jsonrpc":"2.0","id":%s,"result":{"content":' % json.dumps(message["id"]))
    if how == "hold":
        return
    if how == "garbage":
        write("\0\x7f no message\n\n[]\n[1,2]\n\"x\"\n{\"a\":\n\ufeff{}\nnull\n")
    if how == "pieces":
        text = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}})
        for piece in (text[:1], text[1:9], text[9:]):
            write(piece)
        write("\n")
        return
    if how == "number":
        write('{"jsonrpc":"2.0","id":%s,"result":{"content":[],"x":[1e400,-0,1.50,5e-324,12345678901234567890]}}\n' % json.dumps(message["id"]))
        return
    if how == "digits":
        write('{"jsonrpc":"2.0","id":%s,"result":{"content":[],"x":%s}}\n' % (json.dumps(message["id"]), "9" * 400))
        return
    if how == "deep":
        write('{"jsonrpc":"2.0","id":%s,"result":{"content":%s%s}}\n' % (json.dumps(message["id"]), "[" * 1000, "]" * 1000))
        return
    if how == "ask":
        for i in range(200):
            send({"id": "p-%d" % i, "method": "ping"})
            send({"id": "a-%d" % i, "method": "acme/ask"})
        answers = [json.loads(sys.stdin.readline()) for _ in range(400)]
        assert len({answer["id"] for answer in answers if "method" not in answer}) == 400
    send({"id": message["id"], "result": {"content": [{"type": "text", "text": "done"}]}})
    for _ in range(1000 if how == "again" else 0):
        send({"id": message["id"], "result": {"content": [{"type": "text", "text": "done again"}]}})
    end_at(how, "behind")


end_at(MOMENT, "start")
for line in sys.stdin:
    message = json.loads(line)
    method = message.get("method")
    if method == "initialize":
        end_at(MOMENT, "unanswered")
        end_at(MOMENT, "half", '{"jsonrpc":"2.0","id":')
        send({"id": message["id"], "result": {"protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "mortal", "version": "1"}}})
        end_at(MOMENT, "behind")
    elif method == "tools/call":
        answer_call(message)
    elif "id" in message and method:
        send({"id": message["id"], "result": {}})
