#include "common/grpc_status.h"

#include <string_view>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/refused_recording.h"
#include "common/strings.h"
#include "sallyport/types/v1/rpc_status.pb.h"

namespace sallyport {
namespace {

constexpr char kDomain[] = "sallyport";
// Peers take 8 KiB of metadata, in which a message stands twice: by percent, and in the details in
// base64.
constexpr std::size_t kMaxEncodedBytes = 3000;

constexpr char kErrorInfoType[] = "type.googleapis.com/google.rpc.ErrorInfo";

types::v1::DenialReason ReasonIn(const types::v1::RpcStatus& status) {
  for (const google::protobuf::Any& detail : status.details()) {
    types::v1::ErrorInfo info;
    if (detail.type_url() == kErrorInfoType && info.ParseFromString(detail.value()) &&
        info.domain() == kDomain) {
      return ReasonFromName(info.reason());
    }
  }
  return types::v1::DENIAL_REASON_UNSPECIFIED;
}

absl::Status WithDetails(absl::Status status, const types::v1::RpcStatus& details) {
  for (const google::protobuf::Any& detail : details.details()) {
    if (detail.type_url() == kRefusedRecordingType) {
      status.SetPayload(kRefusedRecordingType, absl::Cord(detail.value()));
    }
  }
  const types::v1::DenialReason reason = ReasonIn(details);
  if (reason == types::v1::DENIAL_REASON_UNSPECIFIED) return status;
  return WithReason(std::move(status), reason);
}

void AddDetail(types::v1::RpcStatus& details, const char* type, std::string value) {
  google::protobuf::Any* detail = details.add_details();
  detail->set_type_url(type);
  detail->set_value(std::move(value));
}

// What a byte of a message costs on its way (gRPC encodes it by percent).
std::size_t EncodedSize(char c) { return c < ' ' || c > '~' || c == '%' ? 3 : 1; }

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Where the longest beginning ends, or the longest end begins, that costs no more than `most` and
// cuts no character.
std::size_t Beginning(std::string_view text, std::size_t most) {
  std::size_t size = 0;
  while (size < text.size() && EncodedSize(text[size]) <= most) most -= EncodedSize(text[size++]);
  while (size > 0 && size < text.size() && IsContinuation(text[size])) --size;
  return size;
}

std::size_t End(std::string_view text, std::size_t most) {
  std::size_t at = text.size();
  while (at > 0 && EncodedSize(text[at - 1]) <= most) most -= EncodedSize(text[--at]);
  while (at < text.size() && IsContinuation(text[at])) ++at;
  return at;
}

// A status without details: its reason may stand before its message.
absl::Status WithReasonFromWords(absl::Status status) {
  const std::string_view message = ToStd(status.message());
  const std::size_t colon = message.find(": ");
  if (colon == std::string_view::npos) return status;
  const types::v1::DenialReason reason = ReasonFromName(message.substr(0, colon));
  if (reason == types::v1::DENIAL_REASON_UNSPECIFIED) return status;
  return WithReason(absl::Status(status.code(), ToAbsl(message.substr(colon + 2))), reason);
}

}  // namespace

std::string DeliverableMessage(std::string_view message) {
  if (Beginning(message, kMaxEncodedBytes) == message.size()) return std::string(message);
  constexpr std::size_t kShareOfEnd = kMaxEncodedBytes / 3;
  return absl::StrCat(ToAbsl(message.substr(0, Beginning(message, kMaxEncodedBytes - kShareOfEnd))),
                      "\u2026", ToAbsl(message.substr(End(message, kShareOfEnd))));
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.raw_code());
  const std::string message = DeliverableMessage(ToStd(status.message()));
  types::v1::RpcStatus details;
  if (const auto reason = ReasonOf(status); reason != types::v1::DENIAL_REASON_UNSPECIFIED) {
    types::v1::ErrorInfo info;
    info.set_reason(std::string(ReasonName(reason)));
    info.set_domain(kDomain);
    AddDetail(details, kErrorInfoType, info.SerializeAsString());
  }
  if (const auto refused = status.GetPayload(kRefusedRecordingType)) {
    AddDetail(details, kRefusedRecordingType, std::string(*refused));
  }
  if (details.details().empty()) return grpc::Status(code, message);
  details.set_code(code);
  details.set_message(message);
  return grpc::Status(code, message, details.SerializeAsString());
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  // A code outside of gRPC's range must not read as ok, and reads as kUnknown.
  const int code = status.error_code();
  const bool is_known = code > 0 && code <= static_cast<int>(absl::StatusCode::kUnauthenticated);
  absl::Status result(is_known ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown,
                      ToAbsl(status.error_message()));
  if (status.error_details().empty()) return WithReasonFromWords(std::move(result));
  types::v1::RpcStatus details;
  if (!details.ParseFromString(status.error_details())) return result;
  return WithDetails(std::move(result), details);
}

}  // namespace sallyport
