#include "agent/mask/field_marks.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace sallyport::agent {

void FieldMarks::Resolve(const JsonIndex& index, const JsonNode& node,
                         const MaskPlan::Rules::PointerRule& rule, std::size_t step,
                         std::vector<Mark>& marks) {
  if (step == rule.steps.size()) {
    marks.emplace_back(index.IndexOf(node), rule.op);
    return;
  }
  const std::string& name = rule.steps[step];
  if (!node.is_object() && !node.is_array()) return;
  std::size_t position = 0;
  for (const JsonNode& child : index.Children(node)) {
    const bool is_named = node.is_object() ? child.key == name : absl::StrCat(position) == name;
    if (name == "*" || is_named) Resolve(index, child, rule, step + 1, marks);
    ++position;
  }
}

void FieldMarks::Find(const JsonIndex& index, const MaskPlan::Rules& rules, bool is_message) {
  rules_ = &rules;
  marks_.clear();
  next_ = 0;
  if (rules.pointers.empty()) return;
  const JsonNode* const result = is_message ? index.Member(&index.root(), "result") : &index.root();
  const JsonNode* const structured =
      is_message ? index.Member(result, "structuredContent") : nullptr;
  for (const MaskPlan::Rules::PointerRule& rule : rules.pointers) {
    if (result != nullptr) Resolve(index, *result, rule, 0, marks_);
    if (structured != nullptr) Resolve(index, *structured, rule, 0, marks_);
  }
  std::sort(marks_.begin(), marks_.end(), [](const Mark& a, const Mark& b) {
    return a.first != b.first ? a.first < b.first : a.second.kind > b.second.kind;
  });
}

const MaskOp* FieldMarks::OpOf(std::uint32_t node, const JsonNode& value) {
  while (next_ != marks_.size() && marks_[next_].first < node) ++next_;
  const MaskOp* const op = value.is_member() ? rules_->OpOfKey(value.key) : nullptr;
  if (op != nullptr) return op;
  return next_ != marks_.size() && marks_[next_].first == node ? &marks_[next_].second : nullptr;
}

}  // namespace sallyport::agent
