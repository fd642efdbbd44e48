#include "common/grpc_status.h"

#include <string_view>
#include <utility>

#include "common/denial.h"
#include "common/strings.h"
#include "sallyport/types/v1/rpc_status.pb.h"

namespace sallyport {
namespace {

constexpr char kDomain[] = "sallyport";
constexpr char kErrorInfoType[] = "type.googleapis.com/google.rpc.ErrorInfo";

types::v1::DenialReason ReasonIn(const std::string& details) {
  types::v1::RpcStatus status;
  if (!status.ParseFromString(details)) return types::v1::DENIAL_REASON_UNSPECIFIED;
  for (const google::protobuf::Any& detail : status.details()) {
    types::v1::ErrorInfo info;
    if (detail.type_url() == kErrorInfoType && info.ParseFromString(detail.value()) &&
        info.domain() == kDomain) {
      return ReasonFromName(info.reason());
    }
  }
  return types::v1::DENIAL_REASON_UNSPECIFIED;
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

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.raw_code());
  const std::string message(status.message());
  const types::v1::DenialReason reason = ReasonOf(status);
  if (reason == types::v1::DENIAL_REASON_UNSPECIFIED) return grpc::Status(code, message);

  types::v1::ErrorInfo info;
  info.set_reason(std::string(ReasonName(reason)));
  info.set_domain(kDomain);
  types::v1::RpcStatus details;
  details.set_code(code);
  details.set_message(message);
  google::protobuf::Any* detail = details.add_details();
  detail->set_type_url(kErrorInfoType);
  detail->set_value(info.SerializeAsString());
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
  const types::v1::DenialReason reason = ReasonIn(status.error_details());
  if (reason == types::v1::DENIAL_REASON_UNSPECIFIED) return result;
  return WithReason(std::move(result), reason);
}

}  // namespace sallyport
