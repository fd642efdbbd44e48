#include "common/json_string.h"

#include "absl/strings/str_format.h"
#include "common/utf8.h"

namespace sallyport {
namespace {

// What JSON demands to be escaped is less than what a reader needs: a line separator or a change of
// direction makes a terminal show something else than what is there.
bool NeedsEscape(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

void AppendEscaped(char32_t c, std::string* out) {
  switch (c) {
    case '\n':
      *out += "\\n";
      return;
    case '\r':
      *out += "\\r";
      return;
    case '\t':
      *out += "\\t";
      return;
    default:
      absl::StrAppendFormat(out, "\\u%04x", static_cast<unsigned>(c));
  }
}

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  *out += '"';
  while (!text.empty()) {
    char32_t c = 0;
    std::size_t length = DecodeUtf8(text, &c);
    if (length == 0) {
      *out += "\uFFFD";
      length = 1;
    } else if (c == '"' || c == '\\') {
      *out += '\\';
      *out += static_cast<char>(c);
    } else if (NeedsEscape(c)) {
      AppendEscaped(c, out);
    } else {
      *out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  *out += '"';
}

std::string JsonString(std::string_view text) {
  std::string out;
  AppendJsonString(text, &out);
  return out;
}

}  // namespace sallyport
