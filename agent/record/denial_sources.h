#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"

namespace sallyport::agent {

// Where refusals without a session come from. More than ten a second of one source become one
// summary.
class DenialSources {
 public:
  // Counts one. False: it is left for the summary.
  bool Admit(std::string_view address);
  // Once a second: tells how many of each source were left, and begins anew.
  void Summarize(
      const std::function<void(const std::string& address, std::uint64_t suppressed)>& tell);

 private:
  struct Source {
    int in_second = 0;
    std::uint64_t suppressed = 0;
  };
  absl::flat_hash_map<std::string, Source> sources_;
};

}  // namespace sallyport::agent
