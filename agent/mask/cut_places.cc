#include "agent/mask/cut_places.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "agent/mcp/json_index.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxPlaces = 64;

std::string Step(std::string_view name) {
  std::string step = "/";
  for (const char c : name) {
    if (c == '~' || c == '/') {
      step.append(c == '~' ? "~0" : "~1");
    } else {
      step.push_back(c);
    }
  }
  return step;
}

// Two texts of one structure, value by value.
class Comparison {
 public:
  Comparison(const JsonIndex& original, const JsonIndex& shown)
      : original_(original), shown_(shown) {}

  // False: they are not of one structure.
  bool Compare(const JsonNode& a, const JsonNode& b, const std::string& place) {
    if (!a.is_object() && !a.is_array()) {
      const bool is_same = a.type == b.type &&
                           (a.is_string() ? a.text == b.text : original_.Raw(a) == shown_.Raw(b));
      if (!is_same) places_.push_back(place);
      return !b.is_object() && !b.is_array();
    }
    if (a.type != b.type) return false;
    const auto of_a = original_.Children(a);
    const auto of_b = shown_.Children(b);
    auto in_b = of_b.begin();
    std::size_t position = 0;
    for (const JsonNode& child : of_a) {
      if (!(in_b != of_b.end())) return false;
      const JsonNode& other = *in_b;
      const bool is_renamed = child.key != other.key;
      if (is_renamed) places_.push_back(place + "/*");
      const std::string step = a.is_array() ? absl::StrCat("/", position)
                               : is_renamed ? "/*"
                                            : Step(child.key);
      if (!Compare(child, other, place + step)) return false;
      ++in_b;
      ++position;
    }
    return !(in_b != of_b.end());
  }

  std::vector<std::string> Take() && { return std::move(places_); }

 private:
  const JsonIndex& original_;
  const JsonIndex& shown_;
  std::vector<std::string> places_;
};

}  // namespace

std::vector<std::string> CutPlaces(std::string_view original, std::string_view shown) {
  if (original == shown) return {};
  JsonIndex index_of_original;
  JsonIndex index_of_shown;
  const auto parse = [](JsonIndex& index, std::string_view json) {
    return index.Parse(json, JsonLimits{.max_bytes = json.size(), .allow_repeated_names = true}) ==
           JsonError::kNone;
  };
  if (!parse(index_of_original, original) || !parse(index_of_shown, shown)) return {""};
  Comparison comparison(index_of_original, index_of_shown);
  if (!comparison.Compare(index_of_original.root(), index_of_shown.root(), "")) return {""};
  std::vector<std::string> places = std::move(comparison).Take();
  if (places.size() > kMaxPlaces) return {""};
  return places;
}

}  // namespace sallyport::agent
