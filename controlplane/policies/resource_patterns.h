#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::controlplane {

// URIs as few patterns: each as it is while there are few, then `FOLDER/*` for the folders with the
// most of them, then `ORIGIN/**`. A few dozen at most, however many are added. A URI with a star in
// it is left out: as a pattern it would say more.
class ResourcePatterns {
 public:
  void Add(std::string_view uri);

  bool empty() const { return patterns_.empty(); }
  // In the order of their text.
  std::vector<std::string> Patterns() const { return {patterns_.begin(), patterns_.end()}; }
  bool has_starred() const { return has_starred_; }
  // Some stand for folders or origins, which reach further than what was added.
  bool has_folded() const { return has_folded_; }
  // There were more origins than patterns: some URIs are covered by none.
  bool has_dropped() const { return has_dropped_; }

 private:
  void Fold();
  // In the place of all that begin with `prefix`.
  void Replace(const std::string& prefix, const std::string& pattern);

  // URIs and patterns; a pattern is known by the star at its end.
  std::set<std::string> patterns_;
  bool has_starred_ = false;
  bool has_folded_ = false;
  bool has_dropped_ = false;
};

}  // namespace sallyport::controlplane
