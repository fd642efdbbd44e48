#include "agent/mask/aws_members.h"

#include <optional>
#include <string_view>

#include "agent/mask/detectors/detector.h"
#include "agent/mask/packed_text.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kShortest = 40;
// In base64, with its padding.
constexpr std::size_t kLongest = 56;

bool IsSecretValue(std::string_view value) {
  if (IsAwsSecretValue(value)) return true;
  if (NextRun(value, 0) != 0) return false;
  const std::optional<PackedText> packed = PackedTexts(0, EndOfRun(value, 0)).Next(value);
  return packed.has_value() && packed->end == value.size() && IsAwsSecretValue(packed->text);
}

}  // namespace

bool IsAwsSecretMember(const JsonIndex& index, const JsonNode& node) {
  if (node.text.size() < kShortest || node.text.size() > kLongest) return false;
  if (IsAwsSecretName(node.key)) return IsSecretValue(node.text);
  if ((node.key != "value" && node.key != "Value") || !IsSecretValue(node.text)) return false;
  for (const JsonNode& sibling : index.Children(index.nodes()[node.parent])) {
    if (sibling.is_string() && IsAwsSecretName(sibling.text)) return true;
  }
  return false;
}

}  // namespace sallyport::agent
