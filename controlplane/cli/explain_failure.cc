#include "controlplane/cli/explain_failure.h"

#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/grpc_status.h"
#include "common/strings.h"

namespace sallyport::controlplane {
namespace {

// gRPC 1.51 tells the causes of UNAVAILABLE apart in its text alone.
struct Cause {
  std::string_view text;
  std::string_view meaning;
};

constexpr std::string_view kClosed =
    "what listens there closed the connection; was `sallyport serve` stopped, and is it the "
    "control plane's `listen` port?";

constexpr std::string_view kSilent =
    "what listens there accepts the connection and says nothing; is it the control plane, and is "
    "`sallyport serve` stopped or stuck? Look at its process and its log";

constexpr std::array kTcpCauses = {
    Cause{"DNS resolution failed",
          "the name cannot be resolved; check the host in SALLYPORT_ADDR or --addr"},
    Cause{"Connection refused",
          "nothing listens there; is `sallyport serve` running, and is the port that of its "
          "`listen`?"},
    Cause{"No route to host", "there is no way to that machine; check the network between"},
    Cause{"Network is unreachable", "there is no way to that machine; check the network between"},
    Cause{"Connection timed out", "the machine does not answer; does a firewall drop the port?"},
    Cause{"certificate verify failed",
          "its certificate is not trusted: it comes from another CA, or its time is over; set "
          "SALLYPORT_CA_FILE (or --ca-file) to a copy of the control plane's data_dir/ca.pem, or "
          "to the CA of its `tls` certificate"},
    Cause{"is not in peer certificate",
          "its certificate is trusted, but made for other names than this one; use a name it has, "
          "or put this one into the control plane's `public_address` (its own CA) or `tls` "
          "certificate"},
    Cause{"Ssl handshake failed",
          "what listens there does not speak TLS as the control plane does; is it its `listen` "
          "port?"},
    Cause{"Handshake read failed", kSilent},
    Cause{"before receiving SETTINGS frame", kSilent},
    Cause{"Socket closed", kClosed},
    Cause{"Connection reset", kClosed},
};

constexpr std::string_view kElsewhere =
    " (SALLYPORT_ADDR=host:port names a control plane on another machine)";

constexpr std::array kUnixCauses = {
    Cause{"No such file or directory",
          "there is no such socket; is `sallyport serve` running on this machine, with this "
          "data_dir?"},
    Cause{"Connection refused", "nobody listens on it; `sallyport serve` is not running"},
    Cause{"before receiving SETTINGS frame", kSilent},
    Cause{"Permission denied", "it is for root and for the user of `sallyport serve`"},
    Cause{"Socket closed", "it is for root and for the user of `sallyport serve`"},
    Cause{"Connection reset", "it is for root and for the user of `sallyport serve`"},
};

constexpr char kNotOnTheSocket[] =
    "the admin socket does not serve this: it takes a token of your own; set SALLYPORT_ADDR to the "
    "control plane's host:port and run `sallyport login`, or set SALLYPORT_TOKEN";
constexpr char kNotServed[] =
    "the control plane does not serve this; is it of another version than this program?";

std::string_view MeaningIn(const auto& causes, absl::string_view message) {
  for (const Cause& cause : causes) {
    if (absl::StrContains(message, ToAbsl(cause.text))) return cause.meaning;
  }
  return {};
}

std::string Unreachable(absl::string_view message, std::string_view address) {
  const bool is_unix = address.starts_with("unix:");
  const std::string_view meaning =
      is_unix ? MeaningIn(kUnixCauses, message) : MeaningIn(kTcpCauses, message);
  if (!meaning.empty()) return absl::StrCat(ToAbsl(meaning), ToAbsl(is_unix ? kElsewhere : ""));
  // What the control plane itself says, or a cause of gRPC's that has no name here.
  return std::string(message);
}

// Ids say of what they are.
std::string_view WhatItIs(std::string_view not_found) {
  if (not_found.find("no approval ses_") != std::string_view::npos)
    return "; that is a session: `sallyport sessions show` shows it";
  if (not_found.find("no session apr_") != std::string_view::npos)
    return "; that is an approval: `sallyport approvals show` shows it";
  return "";
}

std::string_view WhatNext(const absl::Status& status) {
  const std::string_view message = ToStd(status.message());
  switch (ReasonOf(status)) {
    case types::v1::DENIAL_REASON_TOKEN_EXPIRED:
      return "; run `sallyport login` again, or put a fresh token into SALLYPORT_TOKEN";
    case types::v1::DENIAL_REASON_TOKEN_MISSING:
      return "; run `sallyport login`, or set SALLYPORT_TOKEN";
    case types::v1::DENIAL_REASON_TOKEN_INVALID:
      // It may say which token it wants.
      if (message.find("admin_audiences") != std::string_view::npos)
        return "; run `sallyport login`";
      if (message.find("not for access to servers") != std::string_view::npos)
        return " (SALLYPORT_TOKEN); what `sallyport login` keeps may be for managing alone";
      return "; the control plane's log says what is wrong with it (event token_refused). A token "
             "for people is one of an audience in `admin_audiences`, or of an id_token entry: run "
             "`sallyport login`";
    case types::v1::DENIAL_REASON_ISSUER_UNAVAILABLE:
      return "; the control plane cannot reach the issuer that made the token: try again";
    case types::v1::DENIAL_REASON_ROLE_MISSING:
      return "; `sallyport whoami` says which roles you have";
    case types::v1::DENIAL_REASON_LOCKED:
      return "; `sallyport delete lock NAME` opens it, by another administrator or by root on the "
             "control plane's machine";
    default:
      break;
  }
  if (absl::IsNotFound(status)) return WhatItIs(message);
  if (absl::IsAborted(status)) {
    return "; look at it again with `sallyport get`, or leave the version out";
  }
  return absl::IsDeadlineExceeded(status)
             ? "; no answer came in time: does a firewall drop the port, or is the control plane "
               "busy? Look at its log, then try again"
             : "";
}

}  // namespace

absl::Status ExplainFailure(const grpc::Status& status, std::string_view address) {
  const absl::Status ours = FromGrpcStatus(status);
  const types::v1::DenialReason reason = ReasonOf(ours);
  const bool is_unreachable =
      absl::IsUnavailable(ours) && reason == types::v1::DENIAL_REASON_UNSPECIFIED;
  std::string message =
      is_unreachable ? Unreachable(ours.message(), address) : std::string(ours.message());
  if (absl::IsUnimplemented(ours) && reason == types::v1::DENIAL_REASON_UNSPECIFIED) {
    message = address.starts_with("unix:") ? kNotOnTheSocket : kNotServed;
  }
  if (message.empty()) message = absl::StatusCodeToString(ours.code());
  const absl::Status explained(
      ours.code(), absl::StrCat(ToAbsl(address), ": ", message, ToAbsl(WhatNext(ours))));
  return reason == types::v1::DENIAL_REASON_UNSPECIFIED ? explained : WithReason(explained, reason);
}

}  // namespace sallyport::controlplane
