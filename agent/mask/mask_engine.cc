#include "agent/mask/mask_engine.h"

#include <utility>
#include <vector>

#include "agent/mask/detectors/detector.h"
#include "agent/mask/literal_search.h"
#include "common/status_macros.h"

namespace sallyport::agent {

absl::StatusOr<std::shared_ptr<const MaskEngine>> MaskEngine::Create() {
  std::vector<LiteralSearch::Literal> literals;
  for (const Anchor& anchor : Anchors()) literals.push_back({anchor.literal, anchor.ignores_case});
  ASSIGN_OR_RETURN(auto search, LiteralSearch::Compile(literals));
  return std::shared_ptr<const MaskEngine>(new MaskEngine(std::move(search)));
}

MaskEngine::MaskEngine(std::unique_ptr<const LiteralSearch> anchors)
    : anchors_(std::move(anchors)) {}
MaskEngine::~MaskEngine() = default;

}  // namespace sallyport::agent
