#include "controlplane/cli/facts.h"

#include "absl/strings/str_format.h"
#include "controlplane/cli/output.h"

namespace sallyport::controlplane {

void Facts::Add(std::string_view name, std::string_view value) {
  if (value.empty()) return;
  absl::StrAppendFormat(&text_, "%-14s %s\n", std::string(name), Printable(value));
}

}  // namespace sallyport::controlplane
