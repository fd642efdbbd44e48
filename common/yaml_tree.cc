#include "common/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/json_string.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/utf8.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxNodes = 100'000;
constexpr std::string_view kNoKey =
    "a key must be a single word; is a bracket not closed before it?";

// `FILE:LINE:COLUMN: message`
absl::Status FaultAt(std::string_view file, int line, int column, std::string_view message) {
  return YamlError(absl::StrCat(ToAbsl(file), ":", line), column, message);
}

// Builds the tree from yaml-cpp's events and refuses what its nodes would hide. After the first
// error it takes nothing more.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view file, int first_line) : file_(file), first_line_(first_line) {}

  const absl::Status& status() const { return status_; }
  YamlNode TakeRoot() { return std::move(root_); }
  int LineOf(const YAML::Mark& mark) const { return first_line_ + std::max(mark.line, 0); }
  static int ColumnOf(const YAML::Mark& mark) { return std::max(mark.column, 0) + 1; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1)
      Refuse(
          mark,
          "a second document begins here: only one is expected, so put it into a file of its own");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (Begin(mark, "?", anchor)) Attach(NodeAt(mark, YamlNode::Kind::kNull));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Refuse(mark, "aliases are not accepted: write out what it stands for");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (!Begin(mark, tag, anchor)) return;
    YamlNode node = NodeAt(mark, YamlNode::Kind::kScalar);
    node.text = value;
    node.is_quoted = tag == "!";
    Attach(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Frame {
    YamlNode node;
    absl::flat_hash_map<std::string, int> keys;  // and the line of each
    // The key that waits for its value.
    bool has_key = false;
    std::string key;
    int key_line = 0;
  };

  void Refuse(const YAML::Mark& mark, std::string_view why) {
    if (status_.ok()) status_ = FaultAt(file_, LineOf(mark), ColumnOf(mark), why);
  }

  // Whether a node may begin here.
  bool Begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (!status_.ok()) return false;
    if (anchor != YAML::NullAnchor) {
      Refuse(mark, "anchors are not accepted: leave it out, and write out what refers to it");
    } else if (tag != "?" && tag != "!" && !tag.empty()) {
      Refuse(mark, "tags are not accepted: leave it out; quotes make a string");
    } else if (++nodes_ > kMaxNodes) {
      Refuse(mark, absl::StrCat("there are more than ", kMaxNodes, " values"));
    }
    return status_.ok();
  }

  YamlNode NodeAt(const YAML::Mark& mark, YamlNode::Kind kind) const {
    YamlNode node;
    node.kind = kind;
    node.line = LineOf(mark);
    node.column = ColumnOf(mark);
    return node;
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    if (!Begin(mark, tag, anchor)) return;
    if (frames_.size() == kMaxDepth)
      return Refuse(mark, absl::StrCat("nested deeper than ", kMaxDepth));
    if (!frames_.empty() && frames_.back().node.is_map() && !frames_.back().has_key) {
      return Refuse(mark, kNoKey);
    }
    frames_.emplace_back().node = NodeAt(mark, kind);
  }

  void Close() {
    if (!status_.ok()) return;
    YamlNode node = std::move(frames_.back().node);
    frames_.pop_back();
    Attach(std::move(node));
  }

  void Attach(YamlNode node) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& top = frames_.back();
    if (top.node.is_list()) {
      top.node.items.push_back(std::move(node));
    } else if (top.has_key) {
      top.has_key = false;
      // A value that is not there has the mark of what comes next.
      if (node.is_null()) node.line = top.key_line;
      top.node.entries.push_back({std::move(top.key), top.key_line, std::move(node)});
    } else {
      TakeKey(top, std::move(node));
    }
  }

  void TakeKey(Frame& top, YamlNode node) {
    const auto refuse = [&](std::string_view why) {
      status_ = FaultAt(file_, node.line, node.column, why);
    };
    if (!node.is_scalar()) {
      refuse(kNoKey);
    } else if (node.text == "<<" && !node.is_quoted) {
      refuse("merge keys are not accepted: write the keys out");
    } else if (const auto [known, is_new] = top.keys.emplace(node.text, node.line); !is_new) {
      refuse(absl::StrCat("repeated key ", JsonString(node.text), Where(), ": line ", known->second,
                          " has it, too; keep one"));
    }
    top.has_key = true;
    top.key_line = node.line;
    top.key = std::move(node.text);
  }

  // ` in spec.session` for the innermost open mapping.
  std::string Where() const {
    std::string path;
    for (std::size_t i = 0; i + 1 < frames_.size(); ++i) {
      const Frame& frame = frames_[i];
      if (frame.node.is_list()) {
        absl::StrAppend(&path, "[", frame.node.items.size(), "]");
      } else {
        absl::StrAppend(&path, path.empty() ? "" : ".", frame.key);
      }
    }
    return path.empty() ? "" : absl::StrCat(" in ", path);
  }

  const std::string file_;
  const int first_line_;
  absl::Status status_;
  int documents_ = 0;
  std::size_t nodes_ = 0;
  std::vector<Frame> frames_;
  YamlNode root_;
};

// YAML's streams begin with guesses about their encoding; with plain UTF-8 there is nothing to
// guess.
absl::Status CheckText(std::string_view text, std::string_view file, int first_line) {
  if (text.size() > kMaxYamlBytes) {
    return YamlError(file, first_line, absl::StrCat("larger than ", kMaxYamlBytes, " bytes"));
  }
  int line = first_line;
  int column = 1;
  while (!text.empty()) {
    char32_t c = 0;
    const std::size_t length = DecodeUtf8(text, &c);
    if (length == 0) return FaultAt(file, line, column, "not UTF-8: save the file as UTF-8");
    if (c == 0xFEFF) {
      return FaultAt(file, line, column,
                     "a byte order mark (U+FEFF), which may only begin a file: remove it");
    }
    if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7F) {
      return FaultAt(file, line, column, "a control character: remove it");
    }
    column = c == '\n' ? 1 : column + 1;
    if (c == '\n') ++line;
    text.remove_prefix(length);
  }
  return absl::OkStatus();
}

// Where the first tab is that indents one of the first `lines` lines of what cannot be parsed, as
// line and column; {0, 0}: none does.
std::pair<int, int> TabIn(std::string_view text, int lines) {
  for (int line = 1; line <= lines && !text.empty(); ++line) {
    const std::size_t begin = text.find_first_not_of(' ');
    if (begin != std::string_view::npos && text[begin] == '\t') {
      return {line, static_cast<int>(begin) + 1};
    }
    const std::size_t end = text.find('\n');
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return {0, 0};
}

// What the parser's complaints mean to who has written the file.
std::string_view MeaningOf(std::string_view complaint) {
  const std::array<std::pair<std::string_view, std::string_view>, 5> meanings = {{
      {YAML::ErrorMsg::END_OF_MAP, "the line is not indented as those before it"},
      {YAML::ErrorMsg::END_OF_SEQ, "the line is not indented as the list before it"},
      {YAML::ErrorMsg::END_OF_MAP_FLOW, "a { before it is not closed: } or , is missing"},
      {YAML::ErrorMsg::END_OF_SEQ_FLOW, "a [ before it is not closed: ] or , is missing"},
      {YAML::ErrorMsg::MAP_VALUE, "a second `:` that makes a key; quote a text that holds one"},
  }};
  for (const auto& [text, meaning] : meanings) {
    if (text == complaint) return meaning;
  }
  return complaint;
}

absl::Status FaultOf(const YAML::Exception& error, std::string_view text, std::string_view file,
                     int first_line) {
  const int line = std::max(error.mark.line, 0) + 1;
  const auto [tab_line, tab_column] = TabIn(text, line);
  if (tab_line > 0) {
    return FaultAt(file, first_line + tab_line - 1, tab_column,
                   "a tab in the indentation: YAML takes spaces alone there");
  }
  return FaultAt(file, first_line + line - 1, std::max(error.mark.column, 0) + 1,
                 MeaningOf(error.msg));
}

bool IsDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// JSON's number: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
bool IsJsonNumber(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::size_t exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos) {
    std::string_view digits = text.substr(exponent + 1);
    if (digits.starts_with('+') || digits.starts_with('-')) digits.remove_prefix(1);
    if (!IsDigits(digits)) return false;
    text = text.substr(0, exponent);
  }
  const std::size_t point = text.find('.');
  if (point != std::string_view::npos) {
    if (!IsDigits(text.substr(point + 1))) return false;
    text = text.substr(0, point);
  }
  return IsDigits(text) && (text == "0" || text.front() != '0');
}

// What some version of YAML reads as a number and JSON does not write so.
bool IsOddNumber(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with('+') || rest.starts_with('-')) rest.remove_prefix(1);
  constexpr std::array<std::string_view, 6> kWords = {".inf", ".Inf", ".INF",
                                                      ".nan", ".NaN", ".NAN"};
  if (std::find(kWords.begin(), kWords.end(), rest) != kWords.end()) return true;
  if (rest.size() > 2 &&
      (rest.starts_with("0x") || rest.starts_with("0o") || rest.starts_with("0b"))) {
    return rest.find_first_not_of("0123456789abcdefABCDEF_", 2) == std::string_view::npos;
  }
  if (rest.starts_with('.')) rest.remove_prefix(1);
  if (rest.empty() || rest.front() < '0' || rest.front() > '9') return false;
  const std::size_t end = rest.find_first_not_of("0123456789_");
  if (end == std::string_view::npos) return true;
  if (rest[end] == '.') {
    const std::string_view fraction = rest.substr(end + 1);
    const std::size_t fraction_end = fraction.find_first_not_of("0123456789_");
    if (fraction_end == std::string_view::npos) return true;
    rest = fraction.substr(fraction_end);
  } else {
    rest = rest.substr(end);
  }
  if (rest.front() != 'e' && rest.front() != 'E') return false;
  rest.remove_prefix(1);
  if (rest.starts_with('+') || rest.starts_with('-')) rest.remove_prefix(1);
  return IsDigits(rest);
}

absl::Status AppendJson(const YamlNode& node, std::string_view file, std::string* out) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      *out += "null";
      break;
    case YamlNode::Kind::kScalar:
      switch (TypeOf(node)) {
        case YamlType::kBool:
          *out += node.text.front() == 't' || node.text.front() == 'T' ? "true" : "false";
          break;
        case YamlType::kNumber:
          *out += node.text;
          break;
        case YamlType::kOddNumber:
          return YamlError(
              file, node.line,
              absl::StrCat("write ", JsonString(node.text), " in decimal, or quote it"));
        default:
          AppendJsonString(node.text, out);
      }
      break;
    case YamlNode::Kind::kList:
      *out += '[';
      for (const YamlNode& item : node.items) {
        if (&item != &node.items.front()) *out += ',';
        RETURN_IF_ERROR(AppendJson(item, file, out));
      }
      *out += ']';
      break;
    case YamlNode::Kind::kMap:
      *out += '{';
      for (const YamlNode::Entry& entry : node.entries) {
        if (&entry != &node.entries.front()) *out += ',';
        AppendJsonString(entry.key, out);
        *out += ':';
        RETURN_IF_ERROR(AppendJson(entry.value, file, out));
      }
      *out += '}';
      break;
  }
  return absl::OkStatus();
}

}  // namespace

const YamlNode* YamlNode::Find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

absl::StatusOr<YamlNode> ParseYaml(std::string_view text, std::string_view file, int first_line) {
  RETURN_IF_ERROR(CheckText(text, file, first_line));
  TreeBuilder builder(file, first_line);
  // The one place where yaml-cpp's exceptions can come from.
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (builder.status().ok() && parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    // What the builder has refused came first.
    RETURN_IF_ERROR(builder.status());
    return FaultOf(error, text, file, first_line);
  } catch (const std::exception& error) {
    RETURN_IF_ERROR(builder.status());
    return YamlError(file, first_line, error.what());
  }
  RETURN_IF_ERROR(builder.status());
  return builder.TakeRoot();
}

YamlType TypeOf(const YamlNode& scalar) {
  if (scalar.is_null()) return YamlType::kNull;
  if (scalar.is_quoted) return YamlType::kString;
  constexpr std::array<std::string_view, 6> kBools = {"true",  "True",  "TRUE",
                                                      "false", "False", "FALSE"};
  if (std::find(kBools.begin(), kBools.end(), scalar.text) != kBools.end()) return YamlType::kBool;
  if (IsJsonNumber(scalar.text)) return YamlType::kNumber;
  return IsOddNumber(scalar.text) ? YamlType::kOddNumber : YamlType::kString;
}

absl::Status YamlError(std::string_view file, int line, std::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(file), ":", line, ": ", ToAbsl(message)));
}

absl::StatusOr<std::string> YamlToJson(const YamlNode& node, std::string_view file) {
  std::string json;
  RETURN_IF_ERROR(AppendJson(node, file, &json));
  return json;
}

}  // namespace sallyport
