#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "agent/mcp/json_index.h"

namespace sallyport::agent {

// A copy of a text with some ranges replaced, made front to back: what is not replaced is copied as
// it is.
class Splicer {
 public:
  explicit Splicer(std::string_view original) : original_(original) {}

  // Ranges must not overlap and must come in rising order.
  void Replace(std::size_t begin, std::size_t end, std::string_view text);
  void Cut(std::size_t begin, std::size_t end) { Replace(begin, end, {}); }

  bool is_changed() const { return is_changed_; }
  // The result; the splicer is done.
  std::string Finish();

 private:
  std::string_view original_;
  std::size_t copied_ = 0;
  bool is_changed_ = false;
  std::string out_;
};

// Cuts those children of `container` that `is_cut` names, each with one comma, so that the rest
// stays valid and as it was.
void CutChildren(Splicer& splicer, const JsonIndex& index, const JsonNode& container,
                 absl::FunctionRef<bool(const JsonNode&)> is_cut);

}  // namespace sallyport::agent
