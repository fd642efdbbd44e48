#include "common/operator_detail.h"

#include "absl/strings/cord.h"
#include "common/strings.h"

namespace sallyport {
namespace {

constexpr char kPayload[] = "type.sallyport/operator-detail";

}  // namespace

absl::Status WithOperatorDetail(absl::Status told, std::string_view detail) {
  told.SetPayload(kPayload, absl::Cord(ToAbsl(detail)));
  return told;
}

std::string OperatorDetailOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  return payload.has_value() ? std::string(*payload) : std::string();
}

}  // namespace sallyport
