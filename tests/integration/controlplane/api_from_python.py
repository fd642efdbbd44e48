#!/usr/bin/env python3
"""Drives the control plane's API from another language, as any gRPC client would: over TLS with a bearer token, from the .proto
files alone. Starts the real program on a port of its own.

  api_from_python.py SALLYPORT PROTO_DIR WORK_DIR

Needs Debian's python3-grpcio, protobuf-compiler and protobuf-compiler-grpc, and openssl for the issuer's key.
"""
import base64
import importlib
import json
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import grpc

ISSUER = "https://issuer.test"
TIMEOUT = 60


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compile_protos(proto_dir, out):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    files = [str(p.relative_to(proto_dir)) for p in sorted(proto_dir.rglob("*.proto"))]
    # Not grpc_tools: Debian's carries a protoc too old for `optional`.
    subprocess.run(["protoc", f"-I{proto_dir}", f"--python_out={out}", f"--grpc_out={out}",
                    f"--plugin=protoc-gen-grpc={shutil.which('grpc_python_plugin')}", *files], check=True)
    sys.path.insert(0, str(out))


class Issuer:
    """A signing key, and the JWKS file that names its public half."""

    def __init__(self, directory):
        self.key = directory / "issuer.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.key], check=True, capture_output=True)
        modulus = subprocess.run(["openssl", "rsa", "-in", self.key, "-noout", "-modulus"], check=True, capture_output=True, text=True).stdout
        n = bytes.fromhex(modulus.strip().split("=")[1])
        self.jwks = directory / "jwks.json"
        key = {"kty": "RSA", "kid": "k1", "alg": "RS256", "use": "sig", "n": b64url(n), "e": "AQAB"}
        self.jwks.write_text(json.dumps({"keys": [key]}))

    def token(self, subject, audience, groups=(), **more):
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": subject, "aud": audience, "iat": now - 1, "exp": now + 600, "jti": f"{subject}-{time.time_ns()}",
                  "groups": list(groups), **more}
        parts = [b64url(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "k1", "typ": "JWT"}, claims)]
        signed = ".".join(parts)
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=signed.encode(), check=True, capture_output=True).stdout
        return f"{signed}.{b64url(signature)}"


class ControlPlane:
    def __init__(self, program, directory, jwks, limit=None):
        self.data = directory / "data"
        config = directory / "controlplane.yaml"
        config.write_text(f"""
listen: 127.0.0.1:0
local_listen: 127.0.0.1:0
data_dir: {self.data}
issuers:
  - {{id: bots, realm: corp, issuer: "{ISSUER}", audiences: ["api://sallyport"], jwks: {{file: {jwks}}}, claims: {{client_id: [[cid]], groups: [[groups]]}}}}
  - {{id: people, realm: corp, issuer: "{ISSUER}", audiences: [cli], token_kind: id_token, jwks: {{file: {jwks}}}, claims: {{groups: [[groups]]}}}}
roles: {{admin: ["corp:admins"], approver: ["corp:approvers"], auditor: ["corp:auditors"]}}
""")

        def limited():
            if limit:
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

        self.log = open(directory / "log", "w+b")
        self.process = subprocess.Popen([program, "serve", "--config", config], stderr=self.log, preexec_fn=limited)
        self.listen = self.await_ready()
        self.ca = (self.data / "ca.pem").read_bytes()

    def await_ready(self):
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in pathlib.Path(self.log.name).read_text().splitlines():
                if '"event":"ready"' in line:
                    return json.loads(line)["listen"]
            time.sleep(0.05)
        raise AssertionError("the control plane did not start:\n" + pathlib.Path(self.log.name).read_text())

    def channel(self, ca=None):
        return grpc.secure_channel(self.listen["api"], grpc.ssl_channel_credentials(ca or self.ca))

    def stop(self):
        self.process.terminate()
        code = self.process.wait(TIMEOUT)
        assert code == 0, f"the control plane ended with {code}:\n" + pathlib.Path(self.log.name).read_text()


def bearer(token):
    return (("authorization", f"Bearer {token}"),)


def refused(call, code, words=""):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, f"{error.code()} ({error.details()}) where {code} was due"
        assert words in error.details(), f"{error.details()!r} does not say {words!r}"
        return
    raise AssertionError(f"let in where {code} was due")


def modules(*names):
    return [importlib.import_module(f"sallyport.{name}") for name in names]


POLICY = """
kind: Policy
name: bots
spec:
  principals: [{realm: corp, client_ids: [bot]}]
  servers: [wiki]
  session: {open: request, bind: principal, max_duration: 15m, approval: {approvers: ["corp:approvers"], expires_after: 10m}}
  rules: [{allow: {tools: ["*"]}}]
"""


def enroll_an_agent(plane, issuer, directory):
    """Over the enrollment door, as an agent would, with the join string that an admin was given."""
    agents, agents_rpc, enrollment, enrollment_rpc = modules(
        "admin.v1.agent_service_pb2", "admin.v1.agent_service_pb2_grpc", "agent.v1.enrollment_service_pb2", "agent.v1.enrollment_service_pb2_grpc")
    admin = issuer.token("ann", "cli", ["admins"])
    made = agents_rpc.AgentServiceStub(plane.channel()).CreateJoinToken(
        agents.CreateJoinTokenRequest(name="a", servers=["wiki"]), timeout=TIMEOUT, metadata=bearer(admin))
    secret = made.join_token.rsplit(":", 1)[1]
    csr = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=a",
                          "-keyout", directory / "agent.key"], check=True, capture_output=True, text=True).stdout
    door = grpc.secure_channel(plane.listen["api"], grpc.ssl_channel_credentials(plane.ca),
                               (("grpc.ssl_target_name_override", "enroll.sallyport"),))
    enroll = enrollment_rpc.EnrollmentServiceStub(door).Enroll
    request = enrollment.EnrollRequest(secret=secret, certificate_request=csr)
    assert "BEGIN CERTIFICATE" in enroll(request, timeout=TIMEOUT).certificate.chain
    refused(lambda: enroll(request, timeout=TIMEOUT), grpc.StatusCode.UNAUTHENTICATED)


def the_main_story(plane, issuer):
    access, access_rpc, policy, policy_rpc, approval, approval_rpc, session, session_rpc = modules(
        "access.v1.access_service_pb2", "access.v1.access_service_pb2_grpc", "admin.v1.policy_service_pb2", "admin.v1.policy_service_pb2_grpc",
        "admin.v1.approval_service_pb2", "admin.v1.approval_service_pb2_grpc", "admin.v1.session_service_pb2", "admin.v1.session_service_pb2_grpc")
    channel = plane.channel()
    admin = issuer.token("ann", "cli", ["admins"])
    approver = issuer.token("bob", "cli", ["approvers"])
    bot = issuer.token("bot", "api://sallyport", cid="bot")

    policies = policy_rpc.PolicyServiceStub(channel)
    files = policy.ApplyDocumentsRequest(files=[policy.SourceFile(name="bots.yaml", text=POLICY)])
    refused(lambda: policies.ApplyDocuments(files, timeout=TIMEOUT), grpc.StatusCode.UNAUTHENTICATED, "token_missing")
    refused(lambda: policies.ApplyDocuments(files, timeout=TIMEOUT, metadata=bearer(approver)), grpc.StatusCode.PERMISSION_DENIED, "role_missing")
    refused(lambda: policies.ApplyDocuments(files, timeout=TIMEOUT, metadata=bearer(admin[:-4] + "AAAA")), grpc.StatusCode.UNAUTHENTICATED)
    applied = policies.ApplyDocuments(files, timeout=TIMEOUT, metadata=bearer(admin))
    assert applied.documents[0].change == policy.CHANGE_KIND_CREATED

    door = access_rpc.AccessServiceStub(channel)
    request = access.OpenSessionRequest(request_id="0123456789abcdef", server="wiki", reason="from python")
    opened = door.OpenSession(request, timeout=TIMEOUT, metadata=bearer(bot))
    assert opened.session.approval_id, opened
    assert not opened.HasField("grant"), "a caller was given a grant"
    watch = door.WatchSession(access.WatchSessionRequest(session_id=opened.session.id), timeout=TIMEOUT, metadata=bearer(bot))
    first = next(watch)
    assert first.session.id == opened.session.id

    approvals = approval_rpc.ApprovalServiceStub(channel)
    pending = approvals.ListApprovals(approval.ListApprovalsRequest(), timeout=TIMEOUT, metadata=bearer(approver)).items
    assert [a.id for a in pending] == [opened.session.approval_id]
    approve = approval.ApproveApprovalRequest(id=pending[0].id)
    refused(lambda: approvals.ApproveApproval(approve, timeout=TIMEOUT, metadata=bearer(admin)), grpc.StatusCode.PERMISSION_DENIED)
    approvals.ApproveApproval(approve, timeout=TIMEOUT, metadata=bearer(approver))
    refused(lambda: approvals.ApproveApproval(approve, timeout=TIMEOUT, metadata=bearer(approver)), grpc.StatusCode.FAILED_PRECONDITION)
    assert next(watch).session.HasField("expires_at")

    sessions = session_rpc.SessionServiceStub(channel)
    ended = sessions.EndSession(session.EndSessionRequest(id=opened.session.id), timeout=TIMEOUT, metadata=bearer(admin))
    assert ended.lock == f"end-{opened.session.id}"
    next(watch)
    assert not list(watch), "the watch goes on after the end"
    refused(lambda: list(sessions.ReplaySession(session.ReplaySessionRequest(id=opened.session.id), timeout=TIMEOUT, metadata=bearer(admin))),
            grpc.StatusCode.PERMISSION_DENIED, "role_missing")
    auditor = issuer.token("eve", "cli", ["auditors"])
    list(sessions.ReplaySession(session.ReplaySessionRequest(id=opened.session.id), timeout=TIMEOUT, metadata=bearer(auditor)))


def reflection_is_for_who_is_known(plane, issuer):
    channel = plane.channel()
    ask = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    list_services = b"\x3a\x00"  # ServerReflectionRequest{list_services: ""}
    refused(lambda: next(ask(iter([list_services]), timeout=TIMEOUT)), grpc.StatusCode.UNAUTHENTICATED, "token_missing")
    answer = next(ask(iter([list_services]), timeout=TIMEOUT, metadata=bearer(issuer.token("nobody", "cli"))))
    assert b"sallyport.access.v1.AccessService" in answer
    assert b"sallyport.agent.v1.SnapshotService" not in answer, "the people's door serves agents"


def nothing_packed_is_unpacked(plane, issuer):
    """A compressed message may be a thousand times as long as what is sent, and is unpacked before its length is judged."""
    def peak():
        status = pathlib.Path(f"/proc/{plane.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) << 10

    enrollment = grpc.secure_channel(plane.listen["api"], grpc.ssl_channel_credentials(plane.ca),
                                     (("grpc.ssl_target_name_override", "enroll.sallyport"),))
    anybody = bearer(issuer.token("nobody", "cli"))
    size = 56 << 20  # which the enrollment door's 64 KiB can hold
    message = b"\x0a\x80\x80\x80\x1c" + bytes(size)
    before = peak()
    for channel, path, metadata in [(enrollment, "/sallyport.agent.v1.EnrollmentService/Enroll", ()),
                                    (plane.channel(), "/sallyport.admin.v1.CallerService/GetCaller", anybody)]:
        call = channel.unary_unary(path)
        for how in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            refused(lambda: call(message, timeout=TIMEOUT, metadata=metadata, compression=how), grpc.StatusCode.UNIMPLEMENTED, "compress")
    assert peak() - before < size // 2, f"unpacked: {peak() - before} bytes more"


def health_is_for_everybody(plane):
    check = plane.channel().unary_unary("/grpc.health.v1.Health/Check")
    assert check(b"", timeout=TIMEOUT) == b"\x08\x01", "not SERVING"


def survives_running_out_of_descriptors(plane, clients):
    host, port = plane.listen["api"].split(":")
    held = []
    for _ in range(clients):
        try:
            held.append(socket.create_connection((host, int(port)), timeout=TIMEOUT))
        except OSError:
            break
    for connection in held:
        connection.close()
    health_is_for_everybody(plane)


def main():
    program, proto_dir, work = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    compile_protos(proto_dir, work / "python")
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        issuer = Issuer(directory)
        # Few descriptors, so that the last check can take them all.
        plane = ControlPlane(program, directory, issuer.jwks, limit=128)
        try:
            health_is_for_everybody(plane)
            reflection_is_for_who_is_known(plane, issuer)
            enroll_an_agent(plane, issuer, directory)
            nothing_packed_is_unpacked(plane, issuer)
            the_main_story(plane, issuer)
            survives_running_out_of_descriptors(plane, 400)
            plane.stop()
        finally:
            if plane.process.poll() is None:
                plane.process.kill()
    print("ok")


main()
