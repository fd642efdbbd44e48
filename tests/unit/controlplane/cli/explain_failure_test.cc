#include "controlplane/cli/explain_failure.h"

#include <catch2/catch.hpp>

#include "common/denial.h"
#include "common/grpc_status.h"

namespace sallyport::controlplane {
namespace {

constexpr char kAddress[] = "cp.example.com:7443";
constexpr char kSocket[] = "unix:///var/lib/sallyport/admin.sock";

std::string Told(grpc::StatusCode code, const std::string& message,
                 std::string_view address = kAddress) {
  return std::string(ExplainFailure({code, message}, address).message());
}

using Catch::Contains;
using Catch::StartsWith;

// The texts are gRPC 1.51's; the end-to-end tests meet them at their source.
TEST_CASE("each cause of a connection that fails has its own words", "[cli]") {
  const std::string connect =
      "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:7443: ";
  const auto unavailable = [&](const std::string& text) {
    const std::string told = Told(grpc::StatusCode::UNAVAILABLE, text);
    CHECK_THAT(told, StartsWith(std::string(kAddress) + ": "));
    CHECK_THAT(told, !Contains("UNKNOWN") && !Contains("SSL_ERROR") && !Contains("C-ares"));
    return told;
  };
  CHECK_THAT(unavailable("DNS resolution failed for cp.example.com:7443: C-ares status is not "
                         "ARES_SUCCESS qtype=A name=cp.example.com is_balancer=0: Domain name not "
                         "found"),
             Contains("cannot be resolved"));
  CHECK_THAT(unavailable(connect + "Failed to connect to remote host: Connection refused"),
             Contains("nothing listens there"));
  CHECK_THAT(unavailable(connect + "Ssl handshake failed: SSL_ERROR_SSL: error:0A000086:SSL "
                                   "routines::certificate verify failed"),
             Contains("not trusted") && Contains("SALLYPORT_CA_FILE"));
  CHECK_THAT(unavailable(connect + "Peer name cp.example.com is not in peer certificate"),
             Contains("made for other names") && !Contains("SALLYPORT_CA_FILE"));
  CHECK_THAT(unavailable(connect + "Ssl handshake failed: SSL_ERROR_SSL: error:0A00010B:SSL "
                                   "routines::wrong version number"),
             Contains("does not speak TLS"));
  CHECK_THAT(unavailable(connect + "Socket closed"),
             Contains("closed the connection") && Contains("was `sallyport serve` stopped"));
  CHECK_THAT(unavailable(connect + "Handshake read failed"), Contains("says nothing"));
}

TEST_CASE("what the control plane itself says of its trouble is told as it is", "[cli]") {
  CHECK(Told(grpc::StatusCode::UNAVAILABLE, "the database is busy") ==
        "cp.example.com:7443: the database is busy");
}

TEST_CASE("the admin socket's failures speak of the socket", "[cli]") {
  const std::string connect = "failed to connect to all addresses; last error: UNKNOWN: unix:/x: ";
  CHECK_THAT(Told(grpc::StatusCode::UNAVAILABLE, connect + "No such file or directory", kSocket),
             Contains("there is no such socket"));
  CHECK_THAT(Told(grpc::StatusCode::UNAVAILABLE, connect + "Permission denied", kSocket),
             Contains("it is for root"));
  CHECK_THAT(Told(grpc::StatusCode::UNIMPLEMENTED, "", kSocket),
             Contains("a token of your own") && Contains("SALLYPORT_ADDR"));
  CHECK_THAT(Told(grpc::StatusCode::UNIMPLEMENTED, ""), Contains("another version"));
}

TEST_CASE("a refused token says why, by its reason, and what to do", "[cli]") {
  const absl::Status expired = ExplainFailure(
      {grpc::StatusCode::UNAUTHENTICATED, "token_expired: the token has expired"}, kAddress);
  CHECK(ReasonOf(expired) == types::v1::DENIAL_REASON_TOKEN_EXPIRED);
  CHECK_THAT(std::string(expired.message()),
             Contains(": the token has expired; run `sallyport login` again"));
  CHECK_THAT(
      Told(grpc::StatusCode::UNAUTHENTICATED, "token_invalid: the token is not accepted here"),
      Contains("token_refused"));
  CHECK_THAT(Told(grpc::StatusCode::PERMISSION_DENIED, "role_missing: the role admin is needed"),
             Contains("the role admin is needed; `sallyport whoami`"));
  const absl::Status with_details = ExplainFailure(
      ToGrpcStatus(Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "not for you")), kAddress);
  CHECK(ReasonOf(with_details) == types::v1::DENIAL_REASON_ROLE_MISSING);
}

TEST_CASE("who is locked out is told the lock, and what opens it", "[cli]") {
  CHECK(
      Told(grpc::StatusCode::PERMISSION_DENIED, "locked: the lock stolen shuts you out") ==
      "cp.example.com:7443: the lock stolen shuts you out; `sallyport delete lock NAME` opens it, "
      "by another administrator or by root on the control plane's machine");
}

TEST_CASE("a token of callers is told apart, and what to bring is said once", "[cli]") {
  CHECK(Told(grpc::StatusCode::UNAUTHENTICATED,
             "token_invalid: bring one whose audience is in admin_audiences") ==
        "cp.example.com:7443: bring one whose audience is in admin_audiences; run `sallyport "
        "login`");
}

TEST_CASE("a token for managing is told where one for servers is needed", "[cli]") {
  const grpc::Status refused = ToGrpcStatus(
      Denied(types::v1::DENIAL_REASON_TOKEN_INVALID,
             "the token is not for access to servers: bring one whose audience is that of an "
             "issuer entry"));
  CHECK(std::string(ExplainFailure(refused, kAddress).message()) ==
        std::string(kAddress) +
            ": the token is not for access to servers: bring one whose audience is that of an "
            "issuer entry (SALLYPORT_TOKEN); what `sallyport login` keeps may be for managing "
            "alone");
}

TEST_CASE("an id of another kind is told for what it is", "[cli]") {
  CHECK_THAT(
      Told(grpc::StatusCode::NOT_FOUND, "there is no approval ses_abc"),
      Contains("there is no approval ses_abc; that is a session: `sallyport sessions show`"));
  CHECK_THAT(Told(grpc::StatusCode::NOT_FOUND, "there is no session apr_abc"),
             Contains("; that is an approval: `sallyport approvals show`"));
  CHECK(Told(grpc::StatusCode::NOT_FOUND, "there is no session ses_abc") ==
        "cp.example.com:7443: there is no session ses_abc");
}

TEST_CASE("no failure is told without words", "[cli]") {
  CHECK(Told(grpc::StatusCode::INTERNAL, "") == "cp.example.com:7443: INTERNAL");
  CHECK_THAT(Told(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded"),
             Contains("no answer came in time"));
}

}  // namespace
}  // namespace sallyport::controlplane
