#include "agent/mask/mask_plan.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/mask/mask_rules.h"
#include "common/policy/regex.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

using types::v1::MaskOperator;
using types::v1::MaskProfileSpec;
using Kind = MaskOp::Kind;

// The detectors a group or a detector's own name stands for; empty: neither.
std::vector<Detector> DetectorsOf(std::string_view name) {
  std::vector<Detector> detectors;
  for (std::size_t i = 0; i < kDetectorCount; ++i) {
    if (kDetectors[i].name == name || kDetectors[i].group == name) {
      detectors.push_back(static_cast<Detector>(i));
    }
  }
  return detectors;
}

absl::StatusOr<MaskOp> ToOp(const MaskOperator& op) {
  if (op.keep_last() != 0) {
    if (!op.name().empty()) return absl::InvalidArgumentError("an operator and keep_last");
    return MaskOp{Kind::kKeepLast, op.keep_last()};
  }
  if (op.name() == "replace") return MaskOp{Kind::kReplace};
  if (op.name() == "token") return MaskOp{Kind::kToken};
  if (op.name() == "drop") return MaskOp{Kind::kDrop};
  if (op.name() == "block") return MaskOp{Kind::kBlock};
  return absl::InvalidArgumentError(absl::StrCat("unknown mask operator ", op.name()));
}

absl::StatusOr<std::vector<std::string>> ParsePointer(std::string_view pointer) {
  std::vector<std::string> steps;
  if (pointer.empty() || pointer[0] != '/') {
    return absl::InvalidArgumentError("a field pointer does not begin with /");
  }
  for (std::size_t at = 0; at < pointer.size();) {
    const std::size_t end = std::min(pointer.find('/', at + 1), pointer.size());
    std::string step;
    for (std::size_t i = at + 1; i < end; ++i) {
      if (pointer[i] != '~') {
        step.push_back(pointer[i]);
      } else if (i + 1 < end && (pointer[i + 1] == '0' || pointer[i + 1] == '1')) {
        step.push_back(pointer[++i] == '0' ? '~' : '/');
      } else {
        return absl::InvalidArgumentError("a field pointer has a bad escape");
      }
    }
    steps.push_back(std::move(step));
    at = end;
  }
  return steps;
}

// Adds one profile after the other.
class Compiler {
 public:
  explicit Compiler(MaskPlan::Rules& rules) : rules_(rules) {}

  void Enable(Detector detector, MaskOp op) {
    const auto i = static_cast<std::size_t>(detector);
    rules_.ops[i] = rules_.is_enabled[i] ? MaskOp::Stricter(rules_.ops[i], op) : op;
    rules_.is_enabled[i] = true;
  }

  absl::Status AddProfile(const MaskProfileSpec& profile) {
    RETURN_IF_ERROR(CheckOperatorNames(profile));
    for (const std::string& name : profile.detectors()) {
      const std::vector<Detector> detectors = DetectorsOf(name);
      if (detectors.empty()) {
        return absl::InvalidArgumentError(absl::StrCat("unknown detector ", name));
      }
      for (const Detector detector : detectors) {
        ASSIGN_OR_RETURN(const MaskOp op, OpFor(profile, nullptr, NameOf(detector)));
        Enable(detector, op);
      }
    }
    for (const types::v1::FieldRule& field : profile.fields())
      RETURN_IF_ERROR(AddField(profile, field));
    for (const types::v1::PatternRule& pattern : profile.patterns()) {
      RETURN_IF_ERROR(AddPattern(profile, pattern));
    }
    return absl::OkStatus();
  }

 private:
  // Its own operator, that of its name, the default, or replace.
  static absl::StatusOr<MaskOp> OpFor(const MaskProfileSpec& profile, const MaskOperator* own,
                                      std::string_view name) {
    if (own != nullptr) return ToOp(*own);
    for (const std::string& key : {std::string(name), std::string("default")}) {
      const auto found = profile.operators().find(key);
      if (found != profile.operators().end()) return ToOp(found->second);
    }
    return MaskOp{};
  }

  static absl::Status CheckOperatorNames(const MaskProfileSpec& profile) {
    for (const auto& [name, op] : profile.operators()) {
      const bool is_pattern = std::any_of(
          profile.patterns().begin(), profile.patterns().end(),
          [&](const types::v1::PatternRule& pattern) { return pattern.name() == name; });
      if (name != "default" && name != "field" && !is_pattern && DetectorsOf(name).size() != 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("an operator for the unknown detector ", name));
      }
      RETURN_IF_ERROR(ToOp(op).status());
    }
    return absl::OkStatus();
  }

  absl::Status AddField(const MaskProfileSpec& profile, const types::v1::FieldRule& field) {
    ASSIGN_OR_RETURN(const MaskOp op,
                     OpFor(profile, field.has_operator_() ? &field.operator_() : nullptr, "field"));
    if (field.keys().empty() == field.pointer().empty()) {
      return absl::InvalidArgumentError("a field rule needs either keys or a pointer");
    }
    for (const std::string& key : field.keys()) {
      if (key.empty()) return absl::InvalidArgumentError("a field rule with an empty key");
      rules_.keys.push_back({Glob(absl::AsciiStrToLower(key)), op});
    }
    if (!field.pointer().empty()) {
      ASSIGN_OR_RETURN(std::vector<std::string> steps, ParsePointer(field.pointer()));
      rules_.pointers.push_back({std::move(steps), op});
    }
    return absl::OkStatus();
  }

  absl::Status AddPattern(const MaskProfileSpec& profile, const types::v1::PatternRule& pattern) {
    ASSIGN_OR_RETURN(
        const MaskOp op,
        OpFor(profile, pattern.has_operator_() ? &pattern.operator_() : nullptr, pattern.name()));
    if (pattern.name().empty()) return absl::InvalidArgumentError("a pattern without a name");
    absl::StatusOr<std::unique_ptr<RE2>> re2 = CompileRegex(pattern.re2());
    if (!re2.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("pattern ", pattern.name(), ": ", re2.status().message()));
    }
    if (RE2::FullMatch("", **re2)) {
      return absl::InvalidArgumentError(
          absl::StrCat("pattern ", pattern.name(), " matches the empty text"));
    }
    rules_.patterns.push_back({pattern.name(), *std::move(re2), op});
    return absl::OkStatus();
  }

  MaskPlan::Rules& rules_;
};

}  // namespace

MaskOp MaskOp::Stricter(MaskOp a, MaskOp b) {
  if (a.kind != b.kind) return a.kind > b.kind ? a : b;
  return a.keep_last <= b.keep_last ? a : b;
}

const MaskOp* MaskPlan::Rules::OpOfKey(std::string_view key) const {
  if (keys.empty()) return nullptr;
  const std::string lower = absl::AsciiStrToLower(ToAbsl(key));
  const MaskOp* strictest = nullptr;
  for (const KeyRule& rule : keys) {
    if (!rule.glob.Matches(lower)) continue;
    if (strictest == nullptr || rule.op.kind > strictest->kind) strictest = &rule.op;
  }
  return strictest;
}

absl::StatusOr<std::shared_ptr<const MaskPlan>> MaskPlan::Compile(
    std::shared_ptr<const MaskEngine> engine, absl::Span<const std::string> names,
    const std::map<std::string, MaskProfileSpec>& profiles) {
  auto rules = std::make_unique<Rules>();
  rules->engine = std::move(engine);
  Compiler compiler(*rules);
  const std::vector<std::string> unset = {"secrets"};
  for (const std::string& name : names.empty() ? absl::MakeConstSpan(unset) : names) {
    const std::vector<Detector> detectors = DetectorsOf(name);
    for (const Detector detector : detectors) compiler.Enable(detector, MaskOp{});
    if (!detectors.empty()) continue;
    const auto profile = profiles.find(name);
    if (profile == profiles.end()) {
      return absl::InvalidArgumentError(absl::StrCat("unknown mask ", name));
    }
    if (absl::Status added = compiler.AddProfile(profile->second); !added.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("mask profile ", name, ": ", added.message()));
    }
  }
  return std::shared_ptr<const MaskPlan>(new MaskPlan(std::move(rules)));
}

MaskPlan::MaskPlan(std::unique_ptr<Rules> rules) : rules_(std::move(rules)) {}
MaskPlan::~MaskPlan() = default;

}  // namespace sallyport::agent
