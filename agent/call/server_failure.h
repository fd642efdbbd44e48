#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace sallyport::agent {

// Why a server gave no answer, as clients and records are told: in our own words, with no byte of
// the server's. upstream_invalid where it said what is no answer, by its message or by its HTTP
// status; else upstream_lost. `failure` is an upstream's error. `method` is what it was asked, left
// out where that is the client's call.
absl::Status ServerFailure(const absl::Status& failure, std::string_view method = {},
                           std::string_view consequence = {});

}  // namespace sallyport::agent
