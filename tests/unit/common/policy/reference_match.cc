#include "tests/unit/common/policy/reference_match.h"

#include <map>
#include <regex>

namespace sallyport::reference {
namespace {

// `*` any run; where `slashes` is set, `*` stops at `/` and `**` does not.
bool Like(const std::string& pattern, const std::string& text, bool slashes) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] != '*') {
    return !text.empty() && text[0] == pattern[0] &&
           Like(pattern.substr(1), text.substr(1), slashes);
  }
  const bool is_double = pattern.size() > 1 && pattern[1] == '*';
  const std::string rest = pattern.substr(is_double ? 2 : 1);
  for (size_t taken = 0; taken <= text.size(); ++taken) {
    if (Like(rest, text.substr(taken), slashes)) return true;
    if (taken < text.size() && slashes && !is_double && text[taken] == '/') return false;
  }
  return false;
}

// Some text that begins with `begin` is like the URI pattern.
bool CouldBegin(const std::string& pattern, const std::string& begin) {
  if (begin.empty()) return true;
  if (pattern.empty()) return false;
  if (pattern[0] != '*') {
    return begin[0] == pattern[0] && CouldBegin(pattern.substr(1), begin.substr(1));
  }
  const bool is_double = pattern.size() > 1 && pattern[1] == '*';
  const std::string rest = pattern.substr(is_double ? 2 : 1);
  for (size_t taken = 0; taken <= begin.size(); ++taken) {
    if (CouldBegin(rest, begin.substr(taken))) return true;
    if (taken < begin.size() && !is_double && begin[taken] == '/') return false;
  }
  return false;
}

}  // namespace

bool AnyLike(const google::protobuf::RepeatedPtrField<std::string>& patterns,
             const std::string& text) {
  for (const std::string& pattern : patterns) {
    if (Like(pattern, text, false)) return true;
  }
  return false;
}

bool AnyUriLike(const google::protobuf::RepeatedPtrField<std::string>& patterns,
                const std::string& form) {
  for (const std::string& pattern : patterns) {
    if (pattern == "*" || Like(pattern, form, true)) return true;
  }
  return false;
}

bool AnyUriCouldBegin(const google::protobuf::RepeatedPtrField<std::string>& patterns,
                      const std::string& form) {
  for (const std::string& pattern : patterns) {
    if (pattern == "*" || CouldBegin(pattern, form)) return true;
  }
  return false;
}

namespace {

// The patterns of the test that can be read in more than one way.
Patterns AllReadings(const Patterns& patterns) {
  static const std::map<std::string, std::string> kOther = {{"f:///%61/*", "f:///a/*"},
                                                            {"f:///a//b", "f:///a/b"},
                                                            {"f:///a%2Fb", "f:///a/b"},
                                                            {"http://H/**", "http://h/**"}};
  Patterns all = patterns;
  for (const std::string& pattern : patterns) {
    const auto other = kOther.find(pattern);
    if (other != kOther.end()) *all.Add() = other->second;
  }
  return all;
}

// Beyond the scheme and its `//`.
std::string WithoutDoubleSlashes(const std::string& uri) {
  const std::size_t begin = uri.find("://") == 1 || uri.find("://") == 4 ? uri.find("://") + 3 : 0;
  return uri.substr(0, begin) + std::regex_replace(uri.substr(begin), std::regex("/+"), "/");
}

}  // namespace

bool AnyUriLikeAnyhow(const Patterns& patterns, const std::string& form) {
  return AnyUriLike(AllReadings(patterns), form);
}

bool AnyUriCouldBeginAnyhow(const Patterns& patterns, const std::string& form) {
  return AnyUriCouldBegin(AllReadings(patterns), form);
}

std::vector<std::string> FormsOf(const std::string& uri) {
  static const std::map<std::string, std::vector<std::string>> kForms = {
      {"F:///x", {"f:///x"}},
      {"f:///a%252fb", {"f:///a%252fb", "f:///a%2fb", "f:///a/b"}},
      {"f:///a\\b", {"f:///a\\b", "f:///a/b"}},
      {"f:///\uFF41", {"f:///\uFF41", "f:///a"}},
      {"f:///a/../x", {}},
      {"f:///a/../", {}},
      {"f:///a/%2e%2e/x", {}},
      {"f:///a%00", {}},
      {"f:///a#x", {"f:///a#x", "f:///a"}},
      {" f:///a", {" f:///a", "f:///a"}},
      {"", {}}};
  const auto found = kForms.find(uri);
  if (found != kForms.end()) return found->second;
  const std::string decoded =
      std::regex_replace(std::regex_replace(uri, std::regex("%61"), "a"), std::regex("%2F"), "/");
  return {uri, WithoutDoubleSlashes(uri), decoded, WithoutDoubleSlashes(decoded)};
}

std::vector<std::string> HostFormsOf(const std::string& uri) {
  static const std::map<std::string, std::vector<std::string>> kForms = {
      {"http://H:80/a", {"http://h/a"}}, {"http://u@h./a", {"http://h/a", "http://u@h/a"}}};
  const auto found = kForms.find(uri);
  return found == kForms.end() ? std::vector<std::string>() : found->second;
}

namespace {

bool Has(const google::protobuf::RepeatedPtrField<std::string>& list, const std::string& value) {
  for (const std::string& one : list) {
    if (one == value) return true;
  }
  return false;
}

Value ValueOf(const types::v1::Scalar& scalar) {
  if (scalar.has_text()) return {Value::Kind::kText, scalar.text()};
  if (scalar.has_number()) return {Value::Kind::kNumber, NumberClass(scalar.number())};
  if (scalar.has_flag()) return {Value::Kind::kFlag, scalar.flag() ? "true" : "false"};
  return {Value::Kind::kNull, ""};
}

bool HoldsOne(const types::v1::Condition& condition, const std::optional<Value>& argument) {
  if (condition.has_exists()) return condition.exists() == argument.has_value();
  if (!argument) return false;
  if (condition.has_each()) {
    if (argument->kind != Value::Kind::kList) return false;
    for (const Value& item : argument->items) {
      if (!HoldsOne(condition.each(), item)) return false;
    }
    return true;
  }
  if (condition.has_min() || condition.has_max()) {
    if (argument->kind != Value::Kind::kNumber) return false;
    const bool is_low = condition.has_min() && argument->text < ValueOf(condition.min()).text;
    const bool is_high = condition.has_max() && argument->text > ValueOf(condition.max()).text;
    return !is_low && !is_high;
  }
  if (condition.has_equals()) return ValueOf(condition.equals()) == *argument;
  if (!condition.matches().empty()) {
    static const std::map<std::string, std::regex> kPatterns = {{"a.*", std::regex("a.*")},
                                                                {"[0-9]+", std::regex("[0-9]+")}};
    return argument->kind == Value::Kind::kText &&
           std::regex_match(argument->text, kPatterns.at(condition.matches()));
  }
  for (const types::v1::Scalar& scalar : condition.in()) {
    if (ValueOf(scalar) == *argument) return true;
  }
  return false;
}

}  // namespace

bool HoldsAll(const types::v1::RuleBody& body, const std::optional<Value>& argument) {
  for (const types::v1::Condition& condition : body.when()) {
    if (!HoldsOne(condition, argument)) return false;
  }
  return true;
}

bool Observes(const types::v1::PolicySpec& policy, long now) {
  return policy.has_observe_until() && now < policy.observe_until().seconds();
}

// The zones that the test uses have the same offset all the year.
bool IsOpen(const types::v1::PolicySpec& policy, long now) {
  if (policy.hours().empty()) return true;
  for (const types::v1::Hours& hours : policy.hours()) {
    static const std::map<std::string, long> kOffsets = {{"UTC", 0}, {"Etc/GMT-9", 9 * 3600}};
    const long local = now + kOffsets.at(hours.zone());
    const auto minute_of = [](const std::string& text) {
      return std::stol(text.substr(0, 2)) * 60 + std::stol(text.substr(3));
    };
    const long from = minute_of(hours.from()), to = minute_of(hours.to());
    // Yesterday's and today's: any minute of the day that begins on one of the days.
    for (const long day : {local / 86400 - 1, local / 86400}) {
      // The first day of the epoch was a Thursday.
      const int weekday = static_cast<int>((day + 3) % 7) + 1;
      bool is_day = hours.days().empty();
      for (const int one : hours.days()) is_day = is_day || one == weekday;
      const long begin = day * 86400 + from * 60;
      const long end = day * 86400 + (to > from ? to : to + 1440) * 60;
      if (is_day && local >= begin && local < end) return true;
    }
  }
  return false;
}

std::string NumberClass(const std::string& literal) {
  static const std::map<std::string, std::string> kClasses = {{"1000", "2 thousand"},
                                                              {"1e3", "2 thousand"},
                                                              {"1000.0", "2 thousand"},
                                                              {"0.1E+4", "2 thousand"},
                                                              {"0", "1 zero"},
                                                              {"-0", "1 zero"},
                                                              {"0.00", "1 zero"},
                                                              {"1000.5", "3 more"},
                                                              {"100050e-2", "3 more"},
                                                              {"-1e9", "0 less"},
                                                              {"-1000000000.0", "0 less"}};
  return kClasses.at(literal);
}

bool Names(const types::v1::PolicySpec& policy, const types::v1::Principal& principal,
           const std::string& server) {
  if (!AnyLike(policy.servers(), server)) return false;
  for (const types::v1::PrincipalMatch& match : policy.principals()) {
    bool all = match.realm() == principal.realm();
    if (match.kind() != 0) all = all && match.kind() == principal.kind();
    if (match.subjects_size() > 0) all = all && Has(match.subjects(), principal.subject());
    if (match.client_ids_size() > 0) all = all && Has(match.client_ids(), principal.client_id());
    if (match.groups_size() > 0) {
      bool one = false;
      for (const std::string& group : match.groups()) {
        one = one || Has(principal.groups(), match.realm() + ":" + group);
      }
      all = all && one;
    }
    for (const std::string& scope : match.scopes()) all = all && Has(principal.scopes(), scope);
    for (const auto& [name, wanted] : match.claims()) {
      bool one = false;
      for (const types::v1::Claim& claim : principal.claims()) {
        if (claim.name() != name) continue;
        for (const auto& value : claim.values()) {
          for (const auto& other : wanted.values()) one = one || ValueOf(value) == ValueOf(other);
        }
      }
      all = all && one;
    }
    if (all) return true;
  }
  return false;
}

}  // namespace sallyport::reference
