#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sallyport {

// A failure of ours has two readers: a caller is told what failed, the operator also where (paths,
// statements, the system's words). The message of a status is for both; the detail goes to the log
// alone: it stays in this process, for no translator of errors carries it over.

// `told` with the detail attached; its code and message stay. `told` must not be ok.
absl::Status WithOperatorDetail(absl::Status told, std::string_view detail);

// Empty where there is none.
std::string OperatorDetailOf(const absl::Status& status);

}  // namespace sallyport
