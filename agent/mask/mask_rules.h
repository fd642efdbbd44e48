#pragma once

#include <re2/re2.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/mask/detectors/detector.h"
#include "agent/mask/mask_engine.h"
#include "agent/mask/mask_plan.h"
#include "common/policy/pattern.h"

namespace sallyport::agent {

// What to do with a finding. Stricter ones are greater.
struct MaskOp {
  enum class Kind : std::uint8_t { kKeepLast, kToken, kReplace, kDrop, kBlock };
  Kind kind = Kind::kReplace;
  std::uint32_t keep_last = 0;

  // Of two plans' wishes the stricter.
  static MaskOp Stricter(MaskOp a, MaskOp b);
};

// What a plan looks for, compiled.
struct MaskPlan::Rules {
  struct Pattern {
    std::string name;
    std::unique_ptr<RE2> re2;
    MaskOp op;
  };
  struct KeyRule {
    Glob glob;  // lower case
    MaskOp op;
  };
  struct PointerRule {
    std::vector<std::string> steps;  // unescaped; "*" is any one step
    MaskOp op;
  };

  std::shared_ptr<const MaskEngine> engine;
  std::array<bool, kDetectorCount> is_enabled{};
  std::array<MaskOp, kDetectorCount> ops{};
  std::vector<Pattern> patterns;
  std::vector<KeyRule> keys;
  std::vector<PointerRule> pointers;

  bool Has(Detector detector) const { return is_enabled[static_cast<std::size_t>(detector)]; }
  const MaskOp& OpOf(Detector detector) const { return ops[static_cast<std::size_t>(detector)]; }
  bool HasPersonal() const { return Has(Detector::kEmail) || Has(Detector::kCard); }
  // The strictest rule whose glob the member name matches without case; nullptr: none.
  const MaskOp* OpOfKey(std::string_view key) const;
};

}  // namespace sallyport::agent
