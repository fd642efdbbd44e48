#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/strings.h"
#include "common/value.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/reference.h"

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kWidth = 100;

// Paragraphs, broken at `kWidth`.
void PrintText(const std::string& text, std::size_t indent) {
  for (const absl::string_view paragraph : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    std::string line(indent, ' ');
    for (const absl::string_view word : absl::StrSplit(paragraph, ' ')) {
      if (line.size() > indent && line.size() + 1 + word.size() > kWidth) {
        std::printf("%s\n", line.c_str());
        line.assign(indent, ' ');
      }
      absl::StrAppend(&line, line.size() > indent ? " " : "", word);
    }
    std::printf("%s\n", line.c_str());
  }
}

void PrintKey(const ReferenceKey& key, std::size_t indent) {
  std::printf("%*s%s <%s>%s\n", static_cast<int>(indent), "", key.key.c_str(), key.type.c_str(),
              key.is_required ? " required" : "");
}

// Names and types alone, all the way down; an object that stands in itself once.
void PrintTree(const Reference& reference, const std::vector<ReferenceKey>& keys,
               std::vector<const google::protobuf::Descriptor*>& above, std::size_t indent) {
  for (const ReferenceKey& key : keys) {
    PrintKey(key, indent);
    if (key.object == nullptr || std::count(above.begin(), above.end(), key.object) > 0) continue;
    above.push_back(key.object);
    PrintTree(reference, reference.KeysOf(*key.object), above, indent + 2);
    above.pop_back();
  }
}

void Show(const ReferencePage& page) {
  std::printf("%s <%s>%s\n", page.path.c_str(), page.itself.type.c_str(),
              page.itself.is_required ? " required" : "");
  PrintText(page.itself.description, 2);
  for (const ReferenceKey& key : page.keys) {
    std::printf("\n");
    PrintKey(key, 2);
    PrintText(key.description, 4);
  }
  for (const ReferenceWord& word : page.words) {
    std::printf("\n  %s\n", word.word.c_str());
    PrintText(word.description, 4);
  }
}

Value ToValue(const ReferenceKey& key) {
  Value value = Value::Object();
  value.members.push_back({"name", Value::String(key.key)});
  value.members.push_back({"type", Value::String(key.type)});
  value.members.push_back({"required", Value::Literal(key.is_required ? "true" : "false")});
  value.members.push_back({"description", Value::String(key.description)});
  return value;
}

// {"path", "type", "required", "description", "keys": [...], "words": [...]}
Value ToValue(const ReferencePage& page) {
  Value value = ToValue(page.itself);
  value.members.front() = {"path", Value::String(page.path)};
  if (!page.keys.empty()) {
    Value keys = Value::List();
    for (const ReferenceKey& key : page.keys) keys.items.push_back(ToValue(key));
    value.members.push_back({"keys", std::move(keys)});
  }
  if (!page.words.empty()) {
    Value words = Value::List();
    for (const ReferenceWord& word : page.words) {
      Value& item = words.items.emplace_back(Value::Object());
      item.members.push_back({"word", Value::String(word.word)});
      item.members.push_back({"description", Value::String(word.description)});
    }
    value.members.push_back({"words", std::move(words)});
  }
  return value;
}

int ShowRoots(const Reference& reference, std::string_view format) {
  if (format == "table") {
    for (const ReferenceKey& root : reference.Roots()) {
      std::printf("%s\n", root.key.c_str());
      PrintText(root.description, 4);
    }
    return 0;
  }
  Value items = Value::List();
  for (const ReferenceKey& root : reference.Roots()) items.items.push_back(ToValue(root));
  Value value = Value::Object();
  value.members.push_back({"items", std::move(items)});
  PrintValue(value, format);
  return 0;
}

int Explain(const ClientOptions& options, const std::string& path, bool is_recursive) {
  const Reference reference;
  if (path.empty()) return ShowRoots(reference, options.format);
  const absl::StatusOr<ReferencePage> page = reference.Find(path);
  if (!page.ok()) return Fail(page.status());
  if (options.format != "table") {
    PrintValue(ToValue(*page), options.format);
  } else if (is_recursive) {
    std::vector<const google::protobuf::Descriptor*> above;
    PrintTree(reference, page->keys, above, 0);
  } else {
    Show(*page);
  }
  return 0;
}

}  // namespace

void AddExplainCommand(CommandLine& line) {
  CLI::App* explain = line.app().add_subcommand(
      "explain", "The manual of documents and configuration files, key by key.");
  struct Flags {
    std::string path;
    bool is_recursive = false;
  };
  auto flags = std::make_shared<Flags>();
  explain->add_option("PATH", flags->path, "such as policy.spec.session; unset: where paths begin");
  explain->add_flag("--recursive", flags->is_recursive, "the keys all the way down, without words");
  line.OnRun(explain, [&options = line.options(), flags] {
    return Explain(options, flags->path, flags->is_recursive);
  });
}

}  // namespace sallyport::controlplane
