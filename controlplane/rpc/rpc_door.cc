#include "controlplane/rpc/rpc_door.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/denial.h"
#include "common/grpc_status.h"
#include "common/log.h"
#include "common/operator_detail.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/rpc/authorize.h"

namespace sallyport::controlplane {
namespace {

constexpr char kAuthorization[] = "authorization";
constexpr char kPath[] = ":path";
constexpr char kEncoding[] = "grpc-encoding";

// Empty where the header is missing or stands more than once.
std::string_view OnlyValue(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata,
                           const char* key) {
  if (metadata.count(key) != 1) return {};
  const grpc::string_ref value = metadata.find(key)->second;
  return {value.data(), value.size()};
}

absl::Status CheckEncoding(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
  if (!metadata.contains(kEncoding) || OnlyValue(metadata, kEncoding) == "identity") {
    return absl::OkStatus();
  }
  return WithReason(
      absl::UnimplementedError("compressed messages are not taken: send them without compression"),
      types::v1::DENIAL_REASON_MESSAGE_INVALID);
}

// What a nameless caller is called in logs.
constexpr std::string_view kUnknownActor = "-";

grpc::Status WithReasonInWords(const absl::Status& status) {
  const std::string_view reason = ReasonName(ReasonOf(status));
  const std::string in_words =
      absl::StrCat(ToAbsl(reason), reason.empty() ? "" : ": ", status.message());
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), DeliverableMessage(in_words));
}

}  // namespace

std::string CodeWord(absl::StatusCode code) {
  return absl::AsciiStrToLower(absl::StatusCodeToString(code));
}

class RpcDoor::GuardProcessor final : public grpc::AuthMetadataProcessor {
 public:
  explicit GuardProcessor(const RpcDoor& door) : door_(door) {}

  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* connection,
                       OutputMetadata*, OutputMetadata*) override {
    const absl::Time begin = absl::Now();
    const std::string_view path = OnlyValue(metadata, kPath);
    const MethodRow* row = FindMethod(path);
    const absl::StatusOr<Caller> caller =
        door_.Admit(row, OnlyValue(metadata, kAuthorization), connection, {});
    absl::Status status = caller.status();
    if (status.ok()) status = CheckEncoding(metadata);
    if (status.ok() && IsOfGrpc(*row)) {
      status = door_.identify_.RefuseLocked(*caller, row->method);
    }
    if (status.ok()) return grpc::Status::OK;
    door_.Note(row != nullptr ? row->method : "unknown",
               caller.ok() ? ActorName(*caller) : std::string(kUnknownActor), {}, status,
               absl::Now() - begin);
    return WithReasonInWords(status);
  }

 private:
  const RpcDoor& door_;
};

std::shared_ptr<grpc::AuthMetadataProcessor> RpcDoor::Guard() const {
  return std::make_shared<GuardProcessor>(*this);
}

grpc::Status RpcDoor::Pass(grpc::ServerContext& context,
                           const google::protobuf::Descriptor& request,
                           absl::FunctionRef<absl::Status(const Caller&)> serve) const {
  const absl::Time begin = absl::Now();
  const MethodRow* row = FindMethodTaking(request);
  const std::string address = AddressOfPeer(context.peer());
  const absl::StatusOr<Caller> caller =
      Admit(row, OnlyValue(context.client_metadata(), kAuthorization), context.auth_context().get(),
            address);
  absl::Status status = caller.status();
  if (status.ok()) status = identify_.RefuseLocked(*caller, row->method);
  if (status.ok()) status = serve(*caller);
  Note(row != nullptr ? row->method : "unknown",
       caller.ok() ? ActorName(*caller) : std::string(kUnknownActor), address, status,
       absl::Now() - begin);
  return ToGrpcStatus(status);
}

absl::StatusOr<Caller> RpcDoor::Admit(const MethodRow* row, std::string_view authorization,
                                      const grpc::AuthContext* connection,
                                      std::string address) const {
  if (row == nullptr) {
    return WithReason(absl::UnimplementedError("there is no such method"),
                      types::v1::DENIAL_REASON_METHOD_UNKNOWN);
  }
  const Who who = row->On(kind_);
  if (who == Who::kNobody) {
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING,
                  kind_ == DoorKind::kAdminSocket
                      ? "the admin socket does not serve this: bring a token of your own to the API"
                      : "this door does not serve the method");
  }
  if (who == Who::kAnybody) return Caller(AnonymousCaller{}, std::move(address));

  absl::StatusOr<Caller> caller = [&]() -> absl::StatusOr<Caller> {
    switch (kind_) {
      case DoorKind::kPeople:
        return identify_.Person(authorization, std::move(address));
      case DoorKind::kAgents:
        return identify_.Agent(*connection, std::move(address));
      case DoorKind::kAdminSocket:
        return Caller(LocalAdminCaller{.uid = local_uid_}, std::move(address));
      case DoorKind::kEnrollment:
        break;
    }
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "nobody is known at this door");
  }();
  RETURN_IF_ERROR(caller.status());
  RETURN_IF_ERROR(Authorize(who, *caller));
  return caller;
}

void RpcDoor::Note(std::string_view method, std::string_view actor, std::string_view address,
                   const absl::Status& status, absl::Duration took) const {
  const std::string code = CodeWord(status.code());
  metrics_.Count("sallyport_rpc_total",
                 {{"door", DoorName(kind_)}, {"method", method}, {"code", code}});
  Log(status.ok() ? LogLevel::kInfo : LogLevel::kWarning, "rpc",
      {{"door", DoorName(kind_)},
       {"method", method},
       {"caller", actor},
       {"address", address},
       {"code", code},
       {"reason", ReasonName(ReasonOf(status))},
       {"message", ToStd(status.message())},
       {"detail", OperatorDetailOf(status)},
       {"took", took}});
}

}  // namespace sallyport::controlplane
