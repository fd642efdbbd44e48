#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The ways in which servers may read one URI. For this folder alone.
namespace sallyport {

// What stands for the stars of a pattern and the variables of a template. No URI that is not
// refused holds these bytes.
inline constexpr char kStarMark = '\x01';    // any run of characters without `/`
inline constexpr char kAnyRunMark = '\x02';  // any run at all

enum class UriKind : std::uint8_t { kUri, kPattern, kTemplate };

struct UriReadings {
  // Percent-decoded, with full-width characters and other dots, slashes and spaces taken for ASCII,
  // without spaces around it, with runs of slashes collapsed.
  std::vector<std::string> forms = {};
  // Without what no server is asked for: a fragment, a query that is empty, of a file any query.
  std::vector<std::string> bare = {};
  // By whom one connects to: the host in lower case, without what may be left out of it.
  std::vector<std::string> hosts = {};
  // Why nobody should read it; empty: no reason. Static text.
  std::string_view refusal = {};
};

// `text` has its scheme in lower case. Beside `text` itself, which is not among the forms.
UriReadings ReadUri(std::string_view text, UriKind kind);

void LowerScheme(std::string& uri);
// Some letter of the scheme is not in lower case.
bool HasMixedScheme(std::string_view uri);

}  // namespace sallyport
