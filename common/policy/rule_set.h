#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/policy/compiled_policy.h"

namespace sallyport {

// Finds the rules whose patterns begin as a text does, without looking at the others. For this
// folder alone.
class PatternIndex {
 public:
  template <class Pattern>
  void Add(const std::vector<Pattern>& patterns, const CompiledRule& rule) {
    for (const Pattern& pattern : patterns) {
      pattern.EachBeginning([&](std::string_view prefix, bool is_exact) {
        (is_exact ? exact_ : open_).push_back({prefix, &rule});
      });
    }
  }

  void Seal() {
    std::stable_sort(exact_.begin(), exact_.end(), IsBefore);
    std::stable_sort(open_.begin(), open_.end(), IsBefore);
    for (const Entry& entry : open_) lengths_.push_back(entry.prefix.size());
    std::sort(lengths_.begin(), lengths_.end());
    lengths_.erase(std::unique(lengths_.begin(), lengths_.end()), lengths_.end());
  }

  // Every rule that could name the text, maybe more than once and in no order, until `visit` says
  // true. Whether it did.
  template <class Visit>
  bool AnyOf(std::string_view text, Visit& visit) const {
    if (AnyWith(exact_, text, visit)) return true;
    for (const std::size_t length : lengths_) {
      if (length > text.size()) return false;
      if (AnyWith(open_, text.substr(0, length), visit)) return true;
    }
    return false;
  }

 private:
  struct Entry {
    std::string_view prefix;  // into the rule's pattern
    const CompiledRule* rule;
  };
  static bool IsBefore(const Entry& a, const Entry& b) { return a.prefix < b.prefix; }

  template <class Visit>
  static bool AnyWith(const std::vector<Entry>& entries, std::string_view prefix, Visit& visit) {
    const auto [begin, end] =
        std::equal_range(entries.begin(), entries.end(), Entry{prefix, nullptr}, IsBefore);
    return std::any_of(begin, end, [&](const Entry& entry) { return visit(*entry.rule); });
  }

  std::vector<Entry> exact_;
  std::vector<Entry> open_;
  std::vector<std::size_t> lengths_;  // of what is in open_
};

// The kinds of patterns that a rule names by.
enum class PatternKind : std::uint8_t { kTools, kResources, kPrompts, kMethods };

// The rules of one effect. Where there are many, a text is held against those alone that could name
// it.
class RuleSet {
 public:
  void Add(const CompiledRule& rule) { all_.push_back(&rule); }

  // No rule is added any more.
  void Seal() {
    is_indexed_ = all_.size() > kFew;
    if (!is_indexed_) return;
    for (const CompiledRule* rule : all_) {
      IndexOf(PatternKind::kTools).Add(rule->tools, *rule);
      IndexOf(PatternKind::kResources).Add(rule->resources, *rule);
      IndexOf(PatternKind::kPrompts).Add(rule->prompts, *rule);
      IndexOf(PatternKind::kMethods).Add(rule->methods, *rule);
    }
    for (PatternIndex& index : indexes_) index.Seal();
  }

  // As PatternIndex::AnyOf, by patterns of a kind.
  template <class Visit>
  bool AnyOf(PatternKind kind, std::string_view text, Visit visit) const {
    if (!is_indexed_) return AnyOf(visit);
    return indexes_[static_cast<std::size_t>(kind)].AnyOf(text, visit);
  }

  // The same by a name of its kind or by its method.
  template <class Visit>
  bool AnyOf(PatternKind kind, std::string_view text, std::string_view method, Visit visit) const {
    if (!is_indexed_) return AnyOf(visit);
    return AnyOf(kind, text, visit) || AnyOf(PatternKind::kMethods, method, visit);
  }

  // All of them, in order.
  template <class Visit>
  bool AnyOf(Visit visit) const {
    return std::any_of(all_.begin(), all_.end(),
                       [&](const CompiledRule* rule) { return visit(*rule); });
  }

 private:
  // Looking through so few takes no longer than looking them up, and no index need be made.
  static constexpr std::size_t kFew = 128;

  PatternIndex& IndexOf(PatternKind kind) { return indexes_[static_cast<std::size_t>(kind)]; }

  std::vector<const CompiledRule*> all_;
  std::array<PatternIndex, 4> indexes_;
  bool is_indexed_ = false;
};

}  // namespace sallyport
