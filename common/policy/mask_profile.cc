#include "common/policy/mask_profile.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/nearest_words.h"
#include "common/policy/argument.h"
#include "common/policy/detectors.h"
#include "common/policy/regex.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport {
namespace {

absl::Status Wrong(std::string_view place, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(place), ": ", ToAbsl(what)));
}

absl::Status CheckOperator(const std::string& place, const types::v1::MaskOperator& op) {
  if (op.name().empty() == (op.keep_last() == 0)) {
    return Wrong(place, "needs exactly one of replace, token, drop, block and keep_last");
  }
  if (op.keep_last() > 16) return Wrong(place, "keep_last is at most 16");
  const std::string& name = op.name();
  if (name.empty() || name == "replace" || name == "token" || name == "drop" || name == "block") {
    return absl::OkStatus();
  }
  return Wrong(place, absl::StrCat("\"", name, "\" is not replace, token, drop or block"));
}

absl::Status CheckField(const std::string& place, const types::v1::FieldRule& field) {
  if (field.keys().empty() == field.pointer().empty()) {
    return Wrong(place, "needs exactly one of keys and pointer");
  }
  for (const std::string& key : field.keys()) {
    if (key.empty()) return Wrong(place, "an empty key matches nothing");
  }
  if (const auto pointer = ParsePointer(field.pointer()); !pointer.ok()) {
    return Wrong(place, ToStd(pointer.status().message()));
  }
  return field.has_operator_() ? CheckOperator(place + ".operator", field.operator_())
                               : absl::OkStatus();
}

bool IsPatternName(std::string_view name) {
  return !name.empty() && name.size() <= 63 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string_view::npos;
}

absl::Status CheckPattern(const std::string& place, const types::v1::PatternRule& pattern) {
  if (!IsPatternName(pattern.name())) {
    return Wrong(place, "name must be of [a-z0-9_-] and at most 63 characters");
  }
  if (IsDetector(pattern.name()) || IsDetectorGroup(pattern.name()) || pattern.name() == "field" ||
      pattern.name() == "default") {
    return Wrong(place, absl::StrCat("the name ", pattern.name(), " is taken"));
  }
  if (pattern.re2().empty()) return Wrong(place, "re2 is missing");
  const auto regex = CompileRegex(pattern.re2());
  if (!regex.ok()) return Wrong(place, ToStd(regex.status().message()));
  if (re2::RE2::PartialMatch("", **regex)) {
    return Wrong(place, "re2 matches the empty string, which is everywhere");
  }
  return pattern.has_operator_() ? CheckOperator(place + ".operator", pattern.operator_())
                                 : absl::OkStatus();
}

}  // namespace

absl::Status CheckMaskProfile(std::string_view name, const types::v1::MaskProfileSpec& spec) {
  if (IsDetector(name) || IsDetectorGroup(name)) {
    return Wrong("name", absl::StrCat(ToAbsl(name), " is a detector's: choose another"));
  }
  if (spec.detectors().empty() && spec.fields().empty() && spec.patterns().empty()) {
    return Wrong("spec", "looks for nothing: give it detectors, fields or patterns");
  }
  for (const std::string& detector : spec.detectors()) {
    if (!IsDetector(detector) && !IsDetectorGroup(detector)) {
      return Wrong("detectors", absl::StrCat("no detector is called \"", detector, "\"",
                                             DidYouMean(detector, DetectorWords()), " (",
                                             absl::StrJoin(DetectorWords(), ", "), ")"));
    }
  }
  for (int i = 0; i < spec.fields_size(); ++i) {
    RETURN_IF_ERROR(CheckField(absl::StrCat("fields[", i, "]"), spec.fields(i)));
  }
  std::set<std::string> pattern_names;
  for (int i = 0; i < spec.patterns_size(); ++i) {
    const std::string place = absl::StrCat("patterns[", i, "]");
    RETURN_IF_ERROR(CheckPattern(place, spec.patterns(i)));
    if (!pattern_names.insert(spec.patterns(i).name()).second) {
      return Wrong(place, absl::StrCat("a second pattern called ", spec.patterns(i).name()));
    }
  }
  for (const auto& [target, op] : spec.operators()) {
    if (!IsDetector(target) && pattern_names.count(target) == 0 && target != "field" &&
        target != "default") {
      return Wrong("operators", absl::StrCat("\"", target,
                                             "\" is no detector or pattern here, nor "
                                             "field or default"));
    }
    RETURN_IF_ERROR(CheckOperator(absl::StrCat("operators.", target), op));
  }
  return absl::OkStatus();
}

}  // namespace sallyport
