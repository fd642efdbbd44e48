#include "common/denial.h"

#include <catch2/catch.hpp>

#include "common/grpc_status.h"
#include "common/refused_recording.h"
#include "common/utf8.h"
#include "sallyport/types/v1/rpc_status.pb.h"

namespace sallyport {
namespace {

using namespace std::string_literals;
using types::v1::DenialReason;

TEST_CASE("every denial reason has a word, a code and its way back", "[common][denial]") {
  for (int value = 1; value < types::v1::DenialReason_ARRAYSIZE; ++value) {
    const auto reason = static_cast<DenialReason>(value);
    const std::string_view name = ReasonName(reason);
    CAPTURE(value);
    REQUIRE_FALSE(name.empty());
    CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos);
    CHECK(ReasonFromName(name) == reason);
    CHECK(ReasonOf(Denied(reason, "x")) == reason);
    CHECK_FALSE(Denied(reason, "x").ok());
  }
  CHECK(ReasonName(types::v1::DENIAL_REASON_TOKEN_MISSING) == "token_missing");
  CHECK(ReasonName(types::v1::DENIAL_REASON_MESSAGE_TOO_LARGE) == "message_too_large");
}

TEST_CASE("codes follow the kind of refusal", "[common][denial]") {
  CHECK(Denied(types::v1::DENIAL_REASON_TOKEN_EXPIRED, "m").code() ==
        absl::StatusCode::kUnauthenticated);
  CHECK(Denied(types::v1::DENIAL_REASON_POLICY_DENIED, "m").code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(Denied(types::v1::DENIAL_REASON_SESSION_ENDED, "m").code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(Denied(types::v1::DENIAL_REASON_NO_SNAPSHOT, "m").code() == absl::StatusCode::kUnavailable);
  CHECK(Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED, "m").code() ==
        absl::StatusCode::kResourceExhausted);
  CHECK(Denied(types::v1::DENIAL_REASON_SERVER_UNKNOWN, "m").code() == absl::StatusCode::kNotFound);
  CHECK(CodeOf(static_cast<DenialReason>(999)) == absl::StatusCode::kPermissionDenied);
}

TEST_CASE("a status without a reason has none", "[common][denial]") {
  CHECK(ReasonOf(absl::OkStatus()) == types::v1::DENIAL_REASON_UNSPECIFIED);
  CHECK(ReasonOf(absl::InternalError("x")) == types::v1::DENIAL_REASON_UNSPECIFIED);
  CHECK(ReasonFromName("") == types::v1::DENIAL_REASON_UNSPECIFIED);
  CHECK(ReasonFromName("TOKEN_MISSING") == types::v1::DENIAL_REASON_UNSPECIFIED);
  CHECK(ReasonName(types::v1::DENIAL_REASON_UNSPECIFIED).empty());
  CHECK(ReasonName(static_cast<DenialReason>(-7)).empty());
}

TEST_CASE("a reason keeps the code of the status it is attached to", "[common][denial]") {
  const absl::Status status = WithReason(absl::AbortedError("m"), types::v1::DENIAL_REASON_LOCKED);
  CHECK(status.code() == absl::StatusCode::kAborted);
  CHECK(ReasonOf(status) == types::v1::DENIAL_REASON_LOCKED);
}

TEST_CASE("a message that is too long to be delivered loses its middle", "[common][grpc_status]") {
  const auto sent = [](const std::string& message) {
    return ToGrpcStatus(Denied(types::v1::DENIAL_REASON_LOCKED, message));
  };
  const std::string word = "mask: \"" + std::string(100'000, 'x') + "\" is no detector";
  const grpc::Status cut = sent(word);
  CHECK(cut.error_message().size() < 3100);
  CHECK(cut.error_message().size() + cut.error_details().size() * 4 / 3 < 7500);
  CHECK(cut.error_message().starts_with("mask: \"xxx"));
  CHECK(cut.error_message().find("x\u2026x") != std::string::npos);
  CHECK(cut.error_message().ends_with("xxx\" is no detector"));
  CHECK(ReasonOf(FromGrpcStatus(cut)) == types::v1::DENIAL_REASON_LOCKED);
  // Each byte of these is three on its way; no character is cut.
  std::string wide;
  for (int i = 0; i < 10'000; ++i) wide += "\u20ac";
  const grpc::Status cut_wide = sent("ab" + wide + "c");
  CHECK(cut_wide.error_message().size() < 1100);
  CHECK(cut_wide.error_message().starts_with("ab\u20ac"));
  CHECK(cut_wide.error_message().ends_with("\u20acc"));
  CHECK(IsUtf8(cut_wide.error_message()));
  const std::string whole(2900, 'x');
  CHECK(sent(whole).error_message() == whole);
}

TEST_CASE("code, message and reason go over gRPC and come back", "[common][grpc_status]") {
  const absl::Status sent =
      Denied(types::v1::DENIAL_REASON_APPROVAL_CONSUMED, "approval apr_x was used");
  const grpc::Status over = ToGrpcStatus(sent);
  CHECK(over.error_code() == grpc::StatusCode::FAILED_PRECONDITION);
  CHECK(over.error_message() == "approval apr_x was used");
  const absl::Status received = FromGrpcStatus(over);
  CHECK(received.code() == sent.code());
  CHECK(received.message() == sent.message());
  CHECK(ReasonOf(received) == types::v1::DENIAL_REASON_APPROVAL_CONSUMED);
  CHECK(ToGrpcStatus(absl::OkStatus()).ok());
  CHECK(FromGrpcStatus(grpc::Status::OK).ok());
}

TEST_CASE("the details have the bytes that google.rpc.Status has", "[common][grpc_status]") {
  const grpc::Status over = ToGrpcStatus(Denied(types::v1::DENIAL_REASON_LOCKED, "m"));
  const std::string info = "\x0a\x06locked\x12\x09sallyport"s;
  const std::string type = "type.googleapis.com/google.rpc.ErrorInfo";
  std::string any = "\x0a"s + static_cast<char>(type.size()) + type + "\x12"s +
                    static_cast<char>(info.size()) + info;
  const std::string expected = "\x08\x07\x12\x01m\x1a"s + static_cast<char>(any.size()) + any;
  CHECK(over.error_details() == expected);
}

TEST_CASE("a reason in words before the message is one, where there are no details",
          "[common][grpc_status]") {
  const auto code = grpc::StatusCode::PERMISSION_DENIED;
  const absl::Status locked = FromGrpcStatus(grpc::Status(code, "locked: agent a is banned"));
  CHECK(ReasonOf(locked) == types::v1::DENIAL_REASON_LOCKED);
  CHECK(locked.code() == absl::StatusCode::kPermissionDenied);
  CHECK(locked.message() == "agent a is banned");
  for (const char* other : {"agent a: locked", "nonsense: x", ": x", "locked"}) {
    const absl::Status status = FromGrpcStatus(grpc::Status(code, other));
    CHECK(ReasonOf(status) == types::v1::DENIAL_REASON_UNSPECIFIED);
    CHECK(status.message() == other);
  }
  const grpc::Status with_details =
      ToGrpcStatus(Denied(types::v1::DENIAL_REASON_LOCKED, "locked: x"));
  CHECK(FromGrpcStatus(with_details).message() == "locked: x");
}

TEST_CASE("a recording that is refused for good is named over gRPC, beside a reason or alone",
          "[common][grpc_status]") {
  absl::Status sent = absl::FailedPreconditionError("record 9 of ses_a leaves a gap after 7");
  CHECK(RefusedRecordingIn(FromGrpcStatus(ToGrpcStatus(sent))).empty());
  CHECK(RefusedRecordingIn(absl::OkStatus()).empty());
  sent = RefuseRecording(sent, "ses_a");
  const absl::Status received = FromGrpcStatus(ToGrpcStatus(sent));
  CHECK(RefusedRecordingIn(received) == "ses_a");
  CHECK(received.code() == sent.code());
  CHECK(received.message() == sent.message());
  const absl::Status both =
      FromGrpcStatus(ToGrpcStatus(WithReason(sent, types::v1::DENIAL_REASON_LOCKED)));
  CHECK(RefusedRecordingIn(both) == "ses_a");
  CHECK(ReasonOf(both) == types::v1::DENIAL_REASON_LOCKED);
}

TEST_CASE("details that are not ours are dropped and the refusal stays", "[common][grpc_status]") {
  const auto code = grpc::StatusCode::PERMISSION_DENIED;
  CHECK(ReasonOf(FromGrpcStatus(grpc::Status(code, "m", "\xff\xff\xff"))) ==
        types::v1::DENIAL_REASON_UNSPECIFIED);
  types::v1::ErrorInfo info;
  info.set_reason("locked");
  info.set_domain("googleapis.com");
  types::v1::RpcStatus details;
  auto* any = details.add_details();
  any->set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  any->set_value(info.SerializeAsString());
  const absl::Status foreign = FromGrpcStatus(grpc::Status(code, "m", details.SerializeAsString()));
  CHECK(foreign.code() == absl::StatusCode::kPermissionDenied);
  CHECK(ReasonOf(foreign) == types::v1::DENIAL_REASON_UNSPECIFIED);
  CHECK(FromGrpcStatus(grpc::Status(grpc::StatusCode::DO_NOT_USE, "m")).code() ==
        absl::StatusCode::kUnknown);
}

}  // namespace
}  // namespace sallyport
