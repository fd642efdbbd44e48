#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "agent/mask/mask_rules.h"
#include "agent/mcp/json_index.h"

namespace sallyport::agent {

// What the field rules of a plan say of the values of one document, asked for in their order.
class FieldMarks {
 public:
  // Without rules for pointers costs nothing. Pointers begin at the root; in a message at the
  // result and at its structuredContent, for tools give the same rows in either, and in JSON texts.
  void Find(const JsonIndex& index, const MaskPlan::Rules& rules, bool is_message);

  // What is to be done with the node, or with all that is in it; nullptr: nothing. Nodes are asked
  // for by rising number.
  const MaskOp* OpOf(std::uint32_t node, const JsonNode& value);

 private:
  using Mark = std::pair<std::uint32_t, MaskOp>;

  static void Resolve(const JsonIndex& index, const JsonNode& node,
                      const MaskPlan::Rules::PointerRule& rule, std::size_t step,
                      std::vector<Mark>& marks);

  const MaskPlan::Rules* rules_ = nullptr;
  // Nodes that pointers name, in order.
  std::vector<Mark> marks_;
  std::size_t next_ = 0;
};

}  // namespace sallyport::agent
