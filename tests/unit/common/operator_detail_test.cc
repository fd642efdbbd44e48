#include "common/operator_detail.h"

#include <catch2/catch.hpp>

#include "common/denial.h"
#include "common/grpc_status.h"
#include "common/log.h"

namespace sallyport {
namespace {

TEST_CASE("the operator's detail stands in the log, and crosses no wire", "[common]") {
  const absl::Status failed = WithReason(
      WithOperatorDetail(absl::ResourceExhaustedError("the disk is full"), "/var/lib/x.db: commit"),
      types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE);
  CHECK(OperatorDetailOf(failed) == "/var/lib/x.db: commit");
  CHECK(failed.message() == "the disk is full");
  const std::string line =
      FormatLogLine(absl::UnixEpoch(), LogLevel::kError, "failed", {{"error", failed}});
  CHECK(line.find(R"("detail":"/var/lib/x.db: commit")") != std::string::npos);

  const grpc::Status sent = ToGrpcStatus(failed);
  CHECK(sent.error_message() == "the disk is full");
  CHECK(sent.error_details().find("/var") == std::string::npos);
  CHECK(OperatorDetailOf(FromGrpcStatus(sent)).empty());
  CHECK(ReasonOf(FromGrpcStatus(sent)) == types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE);
}

TEST_CASE("a status without a detail has none, and its log line no member of that name",
          "[common]") {
  const absl::Status failed = absl::InternalError("no");
  CHECK(OperatorDetailOf(failed).empty());
  CHECK(FormatLogLine(absl::UnixEpoch(), LogLevel::kError, "failed", {{"error", failed}})
            .find("detail") == std::string::npos);
}

}  // namespace
}  // namespace sallyport
