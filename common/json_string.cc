#include "common/json_string.h"

#include "absl/strings/str_format.h"
#include "common/printable.h"
#include "common/utf8.h"

namespace sallyport {

// What JSON demands to be escaped is less than what a reader needs: a line separator or a change of
// direction makes a terminal show something else than what is there.
void AppendJsonEscape(char32_t c, std::string* out) {
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
      break;
  }
  const auto code = static_cast<unsigned>(c);
  if (code < 0x10000) {
    absl::StrAppendFormat(out, "\\u%04x", code);
  } else {
    absl::StrAppendFormat(out, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
                          0xdc00 + ((code - 0x10000) & 0x3ff));
  }
}

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
    } else if (IsUnsafeToShow(c)) {
      AppendJsonEscape(c, out);
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
