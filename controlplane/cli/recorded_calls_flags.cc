#include "controlplane/cli/recorded_calls_flags.h"

#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/cli/option_values.h"

namespace sallyport::controlplane {
namespace {

absl::Status ReadTime(const std::string& flag, const std::string& text, absl::Time now,
                      google::protobuf::Timestamp& time) {
  absl::StatusOr<absl::Time> read = ParseTime(text);
  if (const absl::StatusOr<absl::Duration> back = ParseDuration(text); back.ok()) {
    read = now - *back;
  }
  if (!read.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        flag, " ", text, ": expected a time back from now, such as 7d, or 2026-11-26T09:00:00Z"));
  }
  time.set_seconds(absl::ToUnixSeconds(*read));
  return absl::OkStatus();
}

}  // namespace

void RecordedCallsFlags::AddTo(CLI::App* command, bool is_of_one) {
  command->add_option("--since", since, "how far back, such as 7d, or a time")
      ->capture_default_str()
      ->check(ATimeBack());
  command->add_option("--until", until, "the same; unset: now")->check(ATimeBack());
  command
      ->add_option("--principal", principal, "REALM:NAME, the name being a subject or a client id")
      ->required(is_of_one)
      ->check(APrincipal());
  command->add_option("--server", server, "only this server's");
}

absl::StatusOr<admin::v1::RecordedCalls> RecordedCallsFlags::Read(absl::Time now) const {
  admin::v1::RecordedCalls calls;
  RETURN_IF_ERROR(ReadTime("--since", since, now, *calls.mutable_since()));
  if (!until.empty()) RETURN_IF_ERROR(ReadTime("--until", until, now, *calls.mutable_until()));
  calls.set_principal(principal);
  calls.set_server(server);
  return calls;
}

ProgressLine::ProgressLine() : is_shown_(isatty(STDERR_FILENO) == 1) {}

void ProgressLine::Show(const admin::v1::ReadProgress& progress) {
  if (!is_shown_) return;
  std::fprintf(stderr, "\r\033[K%s",
               absl::StrCat("recordings ", progress.done(), " of ", progress.of(), ", ",
                            progress.calls(), " calls")
                   .c_str());
  is_there_ = true;
}

void ProgressLine::Clear() {
  if (is_there_) std::fprintf(stderr, "\r\033[K");
  is_there_ = false;
}

}  // namespace sallyport::controlplane
