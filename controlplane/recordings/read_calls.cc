#include "controlplane/recordings/read_calls.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/policy/argument.h"
#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/recordings/recording.h"
#include "controlplane/store/sessions.h"
#include "sallyport/types/v1/record.pb.h"

namespace sallyport::controlplane {
namespace {

using Kind = RecordedCall::Kind;
using Outcome = RecordedCall::Outcome;
using types::v1::DenialReason;
using types::v1::Record;
using types::v1::RecordContent;

constexpr int kPage = 500;
constexpr std::string_view kArguments = "/params/arguments";
constexpr char kListen[] = "subscriptions/listen";
constexpr char kResources[] = "resourceSubscriptions";

// What a refusal says of policy.
Outcome OutcomeOf(DenialReason reason) {
  switch (reason) {
    case types::v1::DENIAL_REASON_POLICY_DENIED:
    case types::v1::DENIAL_REASON_CONDITION_FAILED:
    case types::v1::DENIAL_REASON_METHOD_UNKNOWN:
    case types::v1::DENIAL_REASON_SERVER_UNKNOWN:
    case types::v1::DENIAL_REASON_SCOPE_MISSING:
      return Outcome::kRefused;
    case types::v1::DENIAL_REASON_APPROVAL_PENDING:
    case types::v1::DENIAL_REASON_APPROVAL_DENIED:
    case types::v1::DENIAL_REASON_APPROVAL_EXPIRED:
    case types::v1::DENIAL_REASON_APPROVAL_REVOKED:
    case types::v1::DENIAL_REASON_APPROVAL_CONSUMED:
    case types::v1::DENIAL_REASON_ARGUMENTS_CHANGED:
      return Outcome::kAsked;
    default:
      return Outcome::kNotOfPolicy;
  }
}

// What has its own rules no policy calls a method that it does not know: it was asked for in a way
// that the server does not serve.
Outcome OutcomeOf(DenialReason reason, std::string_view method) {
  const bool has_own_rules =
      method == "tools/call" || method == "resources/read" || method == "prompts/get";
  return has_own_rules && reason == types::v1::DENIAL_REASON_METHOD_UNKNOWN ? Outcome::kNotOfPolicy
                                                                            : OutcomeOf(reason);
}

// Policy's word for a request of the server. Empty: it is none that policy judges.
std::string_view ServerRequestWord(std::string_view method) {
  if (method == "sampling/createMessage") return "sampling";
  if (method == "elicitation/create") return "elicitation";
  if (method == "roots/list") return "roots";
  return {};
}

bool Matches(const types::v1::Session& session, const CallFilter& filter) {
  const types::v1::Principal& principal = session.principal();
  if (!filter.realm.empty() &&
      (principal.realm() != filter.realm ||
       (principal.subject() != filter.name && principal.client_id() != filter.name))) {
    return false;
  }
  return FromProto(session.created_at()) <= filter.until &&
         (!session.has_ended_at() || FromProto(session.ended_at()) >= filter.since);
}

absl::StatusOr<std::vector<std::string>> SessionsOf(Database& control, const CallFilter& filter) {
  std::vector<std::string> ids;
  absl::Time before = absl::InfiniteFuture();
  std::string before_id;
  while (true) {
    ASSIGN_OR_RETURN(const auto t, control.Read());
    ASSIGN_OR_RETURN(const std::vector<Session> page,
                     sessions::List(*t, {.server = filter.server}, before, before_id, kPage));
    for (const Session& session : page) {
      if (Matches(session.proto(), filter)) ids.push_back(session.id());
    }
    if (page.size() < kPage) return ids;
    before = FromProto(page.back().proto().created_at());
    before_id = page.back().id();
  }
}

RecordedCall OpeningOf(const types::v1::Session& session) {
  RecordedCall call{.kind = Kind::kOpening, .at = FromProto(session.created_at())};
  call.approval_id = session.approval_id();
  if (session.has_opened_at()) {
    // Who broke glass went past the people whom policy asks for.
    const bool needed_people = !session.approval_id().empty() || session.has_break_glass();
    call.outcome = needed_people ? Outcome::kApproved : Outcome::kPassed;
  } else if (session.state() == types::v1::SESSION_STATE_DENIED) {
    call.reason = session.denial_reason();
    call.outcome = OutcomeOf(call.reason);
  } else {
    call.outcome = Outcome::kAsked;  // pending, or given up while it was
    call.reason = types::v1::DENIAL_REASON_APPROVAL_PENDING;
  }
  return call;
}

// One is the other or lies in it.
bool Overlap(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  return b.starts_with(a) && (a.size() == b.size() || b[a.size()] == '/');
}

bool IsMasked(const RecordContent& content, std::string_view pointer) {
  return std::ranges::any_of(content.findings(), [&](const types::v1::MaskFinding& finding) {
    return Overlap(finding.pointer(), pointer);
  });
}

// Those of a message's findings that are in the arguments, from there.
std::vector<std::string> MaskedIn(const RecordContent& content) {
  std::vector<std::string> masked;
  for (const types::v1::MaskFinding& finding : content.findings()) {
    const std::string_view pointer = finding.pointer();
    if (pointer.starts_with(kArguments) &&
        (pointer.size() == kArguments.size() || pointer[kArguments.size()] == '/')) {
      masked.emplace_back(pointer.substr(kArguments.size()));
    } else if (kArguments.starts_with(pointer)) {
      masked.emplace_back();
    }
  }
  return masked;
}

// The record of a refusal has no findings of what was asked: what `replace` writes tells there.
bool IsTargetHidden(const RecordContent& content) {
  const std::string& method = content.method();
  if (content.target().find("[REDACTED:") != std::string::npos) return true;
  const bool has_name = method == "tools/call" || method == "prompts/get";
  if (content.target().empty()) return has_name || method == "resources/read";
  if (has_name) return IsMasked(content, "/params/name");
  if (method != "completion/complete") return IsMasked(content, "/params/uri");
  return IsMasked(content, "/params/ref/name") || IsMasked(content, "/params/ref/uri");
}

// What only the body of a request says.
void ReadBody(const RecordContent& content, RecordedCall& call) {
  if (call.method == "tools/call") {
    call.masked = MaskedIn(content);
    const Argument arguments = FindArgument(content.body(), {"params", "arguments"});
    call.arguments = arguments.state == Argument::State::kAmbiguous
                         ? std::nullopt
                         : std::optional<std::string>(arguments.value);
  } else if (call.method == "completion/complete") {
    const Argument type = FindArgument(content.body(), {"params", "ref", "type"});
    call.ref_is_resource = type.value == R"("ref/resource")";
  }
}

RecordedCall RequestOf(const Record& record, const RecordContent& content) {
  RecordedCall call{.record = record.n(),
                    .at = absl::FromUnixNanos(record.time_unix_nanos()),
                    .method = content.method(),
                    .target = content.target(),
                    .is_target_hidden = IsTargetHidden(content),
                    .policy = content.policy(),
                    .approval_id = content.approval_id()};
  if (record.type() == types::v1::RECORD_TYPE_DENIAL) {
    call.reason = content.denial_reason();
    call.outcome = OutcomeOf(call.reason, call.method);
  } else if (!call.approval_id.empty()) {
    call.outcome = Outcome::kApproved;
  }
  // The record of a refusal shows what was answered, not what was asked.
  if (record.type() == types::v1::RECORD_TYPE_REQUEST && !content.body().empty()) {
    ReadBody(content, call);
  } else {
    call.arguments = std::nullopt;
    call.ref_is_resource = std::nullopt;
  }
  return call;
}

// One for each URI that a client asks to hear of. What a record without its body leaves out is
// hidden; of a stream that was refused nothing is missing, for that goes by the method alone.
std::vector<RecordedCall> CallsOf(const Record& record, const RecordContent& content) {
  const RecordedCall call = RequestOf(record, content);
  if (call.method != kListen || record.type() != types::v1::RECORD_TYPE_REQUEST) return {call};
  std::vector<RecordedCall> each;
  const Argument uris = FindArgument(content.body(), {"params", "notifications", kResources});
  const auto parsed = nlohmann::json::parse(uris.value, nullptr, /*allow_exceptions=*/false);
  for (std::size_t i = 0; parsed.is_array() && i < parsed.size(); ++i) {
    RecordedCall& one = each.emplace_back(call);
    if (parsed[i].is_string()) one.target = parsed[i].get<std::string>();
    one.is_target_hidden =
        IsMasked(content, absl::StrCat("/params/notifications/", kResources, "/", i));
  }
  if (!each.empty()) return each;
  each.push_back(call);
  each.front().is_target_hidden =
      content.body().empty() || (uris.state != Argument::State::kMissing && !parsed.is_array());
  return each;
}

RecordedCall ServerRequestOf(const Record& record, std::string_view word) {
  return {.kind = Kind::kServerRequest,
          .record = record.n(),
          .at = absl::FromUnixNanos(record.time_unix_nanos()),
          .method = std::string(word)};
}

// What a modern server asks of the client stands in its result.
std::vector<RecordedCall> InputRequestsIn(const Record& record, const RecordContent& content) {
  std::vector<RecordedCall> asked;
  const Argument requests = FindArgument(content.body(), {"result", "inputRequests"});
  if (requests.state != Argument::State::kFound) return asked;
  const auto parsed = nlohmann::json::parse(requests.value, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return asked;
  for (const auto& request : parsed) {
    if (!request.is_object()) continue;
    const auto method = request.find("method");
    if (method == request.end() || !method->is_string()) continue;
    const std::string_view word = ServerRequestWord(method->get_ref<const std::string&>());
    if (!word.empty()) asked.push_back(ServerRequestOf(record, word));
  }
  return asked;
}

// The decisions that one record shows; most records show none.
std::vector<RecordedCall> CallsIn(const Record& record) {
  RecordContent content;
  if (!content.ParseFromString(record.payload())) return {};
  switch (record.type()) {
    case types::v1::RECORD_TYPE_REQUEST:
      return CallsOf(record, content);
    case types::v1::RECORD_TYPE_DENIAL: {
      // A refusal of what had been forwarded is no second call; a notification's sender hears
      // nothing, and a server's request that was held back has no name.
      const bool is_call = content.request_n() == 0 && !content.method().empty() &&
                           !content.method().starts_with("notifications/");
      if (is_call) return CallsOf(record, content);
      return {};
    }
    case types::v1::RECORD_TYPE_MESSAGE: {
      const std::string_view word = ServerRequestWord(content.method());
      if (!word.empty()) return {ServerRequestOf(record, word)};
      return {};
    }
    case types::v1::RECORD_TYPE_RESULT:
      return InputRequestsIn(record, content);
    default:
      return {};
  }
}

}  // namespace

absl::StatusOr<CallsRead> ReadCalls::ForEach(
    const CallFilter& filter,
    absl::FunctionRef<bool(const types::v1::Session&, const RecordedCall&)> take,
    absl::FunctionRef<bool(const CallsRead&)> on_progress) const {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, SessionsOf(control_, filter));
  CallsRead read{.of = ids.size()};
  for (const std::string& id : ids) {
    std::optional<Session> found;
    {
      ASSIGN_OR_RETURN(const auto t, control_.Read());
      ASSIGN_OR_RETURN(found, sessions::Find(*t, id));
    }
    if (!found.has_value()) continue;
    const types::v1::Session& session = found->proto();
    bool goes_on = true;
    const auto give = [&](const RecordedCall& call) {
      if (goes_on && call.at >= filter.since && call.at <= filter.until) {
        goes_on = take(session, call);
      }
    };
    give(OpeningOf(session));
    const absl::Status each = ForEachRecord(recordings_, id, [&](Record& record) {
      for (const RecordedCall& call : CallsIn(record)) give(call);
      return goes_on;
    });
    if (absl::IsDataLoss(each)) {
      ++read.unreadable;
    } else {
      RETURN_IF_ERROR(each);
    }
    ++read.done;
    if (!goes_on || !on_progress(read)) return read;
  }
  return read;
}

}  // namespace sallyport::controlplane
