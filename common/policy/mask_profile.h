#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport {

// kInvalidArgument, naming the place, for a profile that does not mean exactly one thing.
absl::Status CheckMaskProfile(std::string_view name, const types::v1::MaskProfileSpec& spec);

}  // namespace sallyport
