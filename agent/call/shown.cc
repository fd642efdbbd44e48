#include "agent/call/shown.h"

#include <string>
#include <utility>

#include "absl/strings/str_replace.h"
#include "agent/mcp/methods.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

SessionMask MaskOf(const Gateway& gateway, const ServedSession& session) {
  SessionMask mask = session.mask;
  if (mask.plan == nullptr) mask.plan = gateway.plan_without_session;
  return mask;
}

ShownText Show(Gateway& gateway, std::string_view text) {
  if (text.empty()) return {};
  return gateway.masker.at_once().Show(text, SessionMask{.plan = gateway.plan_without_session});
}

}  // namespace

ShownText Show(Gateway& gateway, const ServedSession& session, std::string_view text) {
  if (text.empty()) return {};
  return gateway.masker.at_once().Show(text, MaskOf(gateway, session));
}

Task<ShownRequest> Show(Gateway& gateway, const ServedSession& session,
                        std::shared_ptr<const ClientMessage> message) {
  return gateway.masker.Show(session.principal_key(), std::move(message), MaskOf(gateway, session));
}

absl::Status Show(Gateway& gateway, const ServedSession& session, const absl::Status& error) {
  return absl::Status(error.code(), ToAbsl(Show(gateway, session, ToStd(error.message())).view()));
}

ShownText ShowWhy(Gateway& gateway, const ServedSession& session, const ClientMessage& message,
                  const ShownRequest& shown, std::string_view why) {
  // A field rule masks a value where it stands, and not in a sentence.
  std::string text(why);
  if (shown.target() != message.target) {
    absl::StrReplaceAll({{message.target, ToAbsl(shown.target())}}, &text);
  }
  return Show(gateway, session, text);
}

void RecordDenial(Gateway& gateway, const IncomingCall& call, const Caller* caller,
                  types::v1::DenialReason reason, std::string_view method,
                  std::string_view detail) {
  gateway.metrics.Denied(reason);
  gateway.recorder.RecordDenial({.reason = reason,
                                 .server = Show(gateway, call.server),
                                 .method = Show(gateway, method),
                                 .client_address = call.client_address,
                                 .token_id = caller == nullptr ? "" : caller->token_id,
                                 .principal = caller == nullptr ? nullptr : caller->principal.get(),
                                 .detail = Show(gateway, detail)});
}

}  // namespace sallyport::agent
