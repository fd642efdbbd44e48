#include "agent/mcp/json_splice.h"

#include <utility>

namespace sallyport::agent {

void Splicer::Replace(std::size_t begin, std::size_t end, std::string_view text) {
  if (!is_changed_) {
    out_.reserve(original_.size() + 64);
    is_changed_ = true;
  }
  out_.append(original_.substr(copied_, begin - copied_));
  out_.append(text);
  copied_ = end;
}

std::string Splicer::Finish() {
  out_.append(original_.substr(copied_));
  copied_ = original_.size();
  return std::move(out_);
}

void CutChildren(Splicer& splicer, const JsonIndex& index, const JsonNode& container,
                 absl::FunctionRef<bool(const JsonNode&)> is_cut) {
  const auto start = [](const JsonNode& node) {
    return node.is_member() ? node.key_begin : node.begin;
  };
  bool has_kept = false;
  std::size_t previous_end = container.begin + 1;
  for (const JsonNode& child : index.Children(container)) {
    if (!is_cut(child)) {
      has_kept = true;
    } else if (has_kept) {
      splicer.Cut(previous_end, child.end);
    } else if (child.next != container.next) {
      splicer.Cut(start(child), start(index.nodes()[child.next]));
    } else {
      splicer.Cut(start(child), child.end);
    }
    previous_end = child.end;
  }
}

}  // namespace sallyport::agent
