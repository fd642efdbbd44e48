#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/mask/credential_echo.h"
#include "agent/mask/mask_engine.h"
#include "agent/mask/mask_plan.h"
#include "agent/mcp/message.h"
#include "sallyport/types/v1/denial.pb.h"

namespace sallyport::agent {

// What a session's messages are masked with.
struct SessionMask {
  std::shared_ptr<const MaskPlan> plan;               // required
  std::shared_ptr<const CredentialEcho> credentials;  // null: the session has none
  // 32 random bytes of the session; the operator `token` is an HMAC under it. Empty: `token` reads
  // as `replace`.
  std::string token_key;
};

// A call as the people see who decide about it: `[REDACTED:<detector>, 20 characters]` for what is
// masked, and control, bidirectional and invisible characters as escapes.
struct CallForApprover {
  std::string target;
  std::string arguments;         // JSON
  std::vector<std::string> cut;  // where they are not what the server gets, see CutPlaces
  std::string other_params;      // JSON, as OtherParams has it; empty: there is nothing else
};

// Masks messages. Each thread has its own: the work memory is kept between messages.
//
// All strings, object keys and numbers of a message are decoded into one arena and looked through
// in one pass (also inside strings that are JSON themselves); findings are spliced into the
// original bytes through the escapes, so that every other byte stays as it was. A masked number
// becomes 0, true and false become false. Whatever goes wrong blocks the message.
class Masker {
 public:
  // kInternal when there is no memory to scan with.
  static absl::StatusOr<std::unique_ptr<Masker>> Create(std::shared_ptr<const MaskEngine> engine);
  ~Masker();
  Masker(const Masker&) = delete;
  Masker& operator=(const Masker&) = delete;

  // For delivery to the client. masker_blocked when something is found where it cannot be masked:
  // in an object key, in a protocol member (jsonrpc, id, method, type, role, ...), in a value that
  // the client must send back (cursor, uri, task id, progress token), under the operator `block`;
  // or when the message cannot be masked with certainty.
  absl::StatusOr<MaskedMessage> Mask(UpstreamMessage message, const SessionMask& mask);

  // Our own refusal in place of a message that could not be delivered, or any other that holds
  // nothing of the server's and therefore needs no masking: JSON-RPC 40305 with data.reason. `id`
  // is the literal of the client's own request.
  static MaskedMessage Refusal(std::string_view id, types::v1::DenialReason reason);

  // For the record of a request: keys, uris and all else are masked too, since nobody sends a
  // record back. The request itself is forwarded unmasked. masker_blocked when it cannot be masked
  // with certainty.
  absl::StatusOr<MaskedRequest> MaskRequest(std::shared_ptr<const ClientMessage> message,
                                            const SessionMask& mask);

  // The same for records that only name it. One that cannot be masked with certainty is shown
  // without its target and its id, and with no method but one of the protocol's.
  ShownRequest Show(std::shared_ptr<const ClientMessage> message, const SessionMask& mask);

  // A text that quotes clients or servers, for a record or a log line. It is withheld as a whole
  // where it cannot be masked with certainty.
  ShownText Show(std::string_view text, const SessionMask& mask);

  // masker_blocked where it cannot be masked with certainty, or where the method itself would have
  // to be.
  absl::StatusOr<CallForApprover> ShowToApprover(const ClientMessage& call,
                                                 const SessionMask& mask);

  // The same for JSON that belongs to a call. Empty stays empty.
  absl::StatusOr<std::string> ShowJsonToApprover(std::string_view json, const SessionMask& mask);

 private:
  struct Work;
  explicit Masker(std::unique_ptr<Work> work);
  std::unique_ptr<Work> work_;
};

}  // namespace sallyport::agent
