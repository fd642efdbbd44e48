#pragma once

#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "sallyport/types/v1/approval.pb.h"

namespace sallyport::controlplane {

// Whether those who have approved it would be enough, were it asked for now: `count` of them among
// `approvers`, none of them an owner of the requesting service.
bool IsApprovedEnough(const types::v1::Approval& approval, absl::Span<const std::string> approvers,
                      uint32_t count, absl::Span<const std::string> owners);

}  // namespace sallyport::controlplane
