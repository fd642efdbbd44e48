#include "common/policy/documents.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config_file.h"
#include "common/denial.h"
#include "common/nearest_words.h"
#include "common/policy/clear_arguments.h"
#include "common/policy/compiled_policy.h"
#include "common/policy/detectors.h"
#include "common/policy/mask_profile.h"
#include "common/policy/spec_checks.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/yaml_tree.h"

namespace sallyport {
namespace {

absl::Status At(const YamlDocument& document, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(document.file, ":", document.kind_line, ": ",
                                                 document.kind, " ", document.name, ": ",
                                                 ToAbsl(what)));
}

// The next key or index of a path such as `rules[2].allow`; empty at the end of what is one.
std::string_view TakeStep(std::string_view& path) {
  if (path.starts_with('.') || path.starts_with('[')) path.remove_prefix(1);
  const std::string_view step = path.substr(0, path.find_first_of(".[]: "));
  path.remove_prefix(step.size());
  if (path.starts_with(']')) path.remove_prefix(1);
  return step;
}

// Where the place below `node` stands that an error begins with, as near as it can be found;
// `line`: where `node` does.
int LineBelow(const YamlNode* node, std::string_view place, int line) {
  for (std::string_view step = TakeStep(place); node != nullptr && !step.empty();
       step = TakeStep(place)) {
    const YamlNode* next = nullptr;
    std::size_t index = 0;
    if (!node->items.empty() && absl::SimpleAtoi(ToAbsl(step), &index) &&
        index < node->items.size()) {
      next = &node->items[index];
      line = next->line;
    }
    for (const YamlNode::Entry& entry : node->entries) {
      if (entry.key != step) continue;
      next = &entry.value;
      line = entry.line;
    }
    node = next;
  }
  return line;
}

int LineOf(const YamlDocument& document, std::string_view place) {
  const absl::StatusOr<YamlNode> tree = ParseTree(document);
  return LineBelow(tree.ok() ? &*tree : nullptr, absl::StrCat("spec.", ToAbsl(place)),
                   document.kind_line);
}

// What an error about that place of a document begins with.
std::string WhereStands(const types::v1::Document& document, std::string_view place,
                        std::span<const NamedText> texts) {
  const std::string name =
      absl::StrCat(ToAbsl(DocumentKindName(document.kind())), " ", document.name());
  for (const NamedText& in : texts) {
    const std::size_t at = in.text.find(document.source());
    if (at == std::string_view::npos) continue;
    const int first = 1 + static_cast<int>(std::count(in.text.begin(), in.text.begin() + at, '\n'));
    const absl::StatusOr<YamlNode> tree = ParseYaml(document.source(), in.file, first);
    const int line =
        LineBelow(tree.ok() ? &*tree : nullptr, absl::StrCat("spec.", ToAbsl(place)), first);
    return absl::StrCat(ToAbsl(in.file), ":", line, ": ", name);
  }
  return name;
}

google::protobuf::Message* MutableSpec(types::v1::Document& document) {
  switch (document.kind()) {
    case types::v1::DOCUMENT_KIND_POLICY:
      return document.mutable_policy();
    case types::v1::DOCUMENT_KIND_MASK_PROFILE:
      return document.mutable_mask_profile();
    case types::v1::DOCUMENT_KIND_LOCK:
      return document.mutable_lock();
    case types::v1::DOCUMENT_KIND_SERVER:
      return document.mutable_server();
    default:
      return nullptr;
  }
}

absl::Status CheckSpec(const types::v1::Document& document) {
  switch (document.kind()) {
    case types::v1::DOCUMENT_KIND_POLICY: {
      CompiledPolicy policy;
      return CompiledPolicy::Compile(document.name(), document.policy(), policy);
    }
    case types::v1::DOCUMENT_KIND_MASK_PROFILE:
      return CheckMaskProfile(document.name(), document.mask_profile());
    case types::v1::DOCUMENT_KIND_SERVER:
      return CheckServer(document.server());
    default:
      return CheckLock(document.lock());
  }
}

absl::StatusOr<types::v1::Document> ParseDocument(const YamlDocument& yaml) {
  types::v1::Document document;
  document.set_kind(DocumentKindFromName(yaml.kind));
  // The command line's spelling is not the documents'.
  if (DocumentKindName(document.kind()) != yaml.kind) {
    document.set_kind(types::v1::DOCUMENT_KIND_UNSPECIFIED);
  }
  google::protobuf::Message* spec = MutableSpec(document);
  if (spec == nullptr) {
    const std::string_view why =
        yaml.kind == "PolicyTest"
            ? "is for `sallyport policy test` and cannot be applied"
            : "is not a kind of document: expected Policy, MaskProfile, Lock or Server";
    return absl::InvalidArgumentError(
        absl::StrCat(yaml.file, ":", yaml.kind_line, ": kind \"", yaml.kind, "\" ", ToAbsl(why)));
  }
  RETURN_IF_ERROR(ParseSpec(yaml, spec));
  if (!IsDocumentName(yaml.name)) {
    return At(yaml, "a name begins with a letter or digit and holds at most 63 of a-z 0-9 . _ -");
  }
  document.set_name(yaml.name);
  document.set_source(yaml.source);
  if (absl::Status status = CheckSpec(document); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(yaml.file, ":", LineOf(yaml, ToStd(status.message())), ": ", yaml.kind, " ",
                     yaml.name, ": ", status.message()));
  }
  return document;
}

YamlNode* Child(YamlNode* node, std::string_view key) {
  if (node == nullptr) return nullptr;
  for (YamlNode::Entry& entry : node->entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

// Writes each case's `call.arguments`, which may be any mapping, as the JSON text that the message
// holds.
absl::Status ArgumentsToJson(YamlNode& test, std::string_view file) {
  YamlNode* cases = Child(&test, "cases");
  if (cases == nullptr) return absl::OkStatus();
  for (YamlNode& test_case : cases->items) {
    YamlNode* call = Child(&test_case, "call");
    YamlNode* arguments = Child(call, "arguments");
    if (arguments == nullptr) continue;
    if (Child(call, "arguments_json") != nullptr) {
      return YamlError(file, arguments->line, "a call takes one of arguments and arguments_json");
    }
    if (!arguments->is_map())
      return YamlError(file, arguments->line, "arguments: expected a mapping");
    ASSIGN_OR_RETURN(std::string json, YamlToJson(*arguments, file));
    *arguments = {.kind = YamlNode::Kind::kScalar,
                  .line = arguments->line,
                  .text = std::move(json),
                  .is_quoted = true};
    for (YamlNode::Entry& entry : call->entries) {
      if (entry.key == "arguments") entry.key = "arguments_json";
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTestCase(const types::v1::PolicyTestCase& test) {
  const auto wrong = [](std::string_view what) { return absl::InvalidArgumentError(ToAbsl(what)); };
  if (test.principal().realm().empty()) return wrong("principal.realm is missing");
  if (test.principal().kind() == types::v1::PRINCIPAL_KIND_UNSPECIFIED) {
    return wrong("principal.kind is missing: service or user");
  }
  if (test.principal().subject().empty() && test.principal().client_id().empty()) {
    return wrong("principal needs a subject or a client_id");
  }
  const types::v1::PolicyTestCall& call = test.call();
  if (call.server().empty()) return wrong("call.server is missing");
  const int targets = !call.tool().empty() + !call.resource().empty() + !call.prompt().empty();
  if (targets > 1) return wrong("call takes one of tool, resource and prompt");
  if (!call.server_request().empty() && (targets > 0 || !call.method().empty())) {
    return wrong("call.server_request stands alone");
  }
  if (!call.arguments_json().empty()) {
    const std::string_view why = WhyNotClear(call.arguments_json());
    if (!why.empty()) {
      return wrong(absl::StrCat("call.arguments: no agent takes them: ", ToAbsl(why)));
    }
  }
  const types::v1::PolicyTestExpectation& expect = test.expect();
  if (expect.decision() != "allow" && expect.decision() != "require_approval" &&
      expect.decision() != "deny") {
    return wrong("expect.decision must be allow, require_approval or deny");
  }
  if (!expect.reason().empty()) {
    if (expect.decision() != "deny") return wrong("expect.reason stands beside deny only");
    if (ReasonFromName(expect.reason()) == types::v1::DENIAL_REASON_UNSPECIFIED) {
      return absl::InvalidArgumentError(
          absl::StrCat("expect.reason: \"", expect.reason(), "\" is no denial reason"));
    }
  }
  if ((!expect.approvers().empty() || expect.count() != 0) &&
      expect.decision() != "require_approval") {
    return wrong("expect.approvers and expect.count stand beside require_approval only");
  }
  if (expect.has_rule() && expect.policy().empty()) {
    return wrong("expect.rule stands beside expect.policy only");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<types::v1::Document>> ParseDocuments(std::string_view text,
                                                                std::string_view file) {
  ASSIGN_OR_RETURN(const std::vector<YamlDocument> parts, SplitDocuments(text, file));
  std::vector<types::v1::Document> documents;
  std::set<std::pair<int, std::string>> seen;
  for (const YamlDocument& part : parts) {
    ASSIGN_OR_RETURN(types::v1::Document document, ParseDocument(part));
    if (!seen.emplace(document.kind(), document.name()).second) {
      return At(part, "a second document of this kind and name");
    }
    documents.push_back(std::move(document));
  }
  return documents;
}

absl::StatusOr<types::v1::PolicyTestDocument> ParsePolicyTest(std::string_view text,
                                                              std::string_view file) {
  ASSIGN_OR_RETURN(const std::vector<YamlDocument> parts, SplitDocuments(text, file));
  if (parts.size() != 1 || parts[0].kind != "PolicyTest") {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(file), ": expected one document of the kind PolicyTest"));
  }
  types::v1::PolicyTestDocument test;
  ASSIGN_OR_RETURN(YamlNode tree, ParseTree(parts[0]));
  std::erase_if(tree.entries, [](const YamlNode::Entry& entry) { return entry.key == "kind"; });
  RETURN_IF_ERROR(ArgumentsToJson(tree, file));
  RETURN_IF_ERROR(ReadNode(tree, file, "", &test));
  if (test.policies().empty()) return At(parts[0], "policies is missing");
  if (test.cases().empty()) return At(parts[0], "cases is missing");
  const YamlNode& cases = *tree.Find("cases");
  for (int i = 0; i < test.cases_size(); ++i) {
    const YamlNode& node = cases.items[static_cast<std::size_t>(i)];
    if (test.cases(i).name().empty())
      return YamlError(file, node.line, absl::StrCat("cases[", i, "]: name is missing"));
    if (absl::Status status = CheckTestCase(test.cases(i)); !status.ok()) {
      return YamlError(file, LineBelow(&node, ToStd(status.message()), node.line),
                       absl::StrCat("case \"", test.cases(i).name(), "\": ", status.message()));
    }
  }
  return test;
}

absl::Status CheckMaskNames(const std::vector<types::v1::Document>& documents,
                            const std::set<std::string>& profile_names,
                            std::span<const NamedText> texts) {
  for (const types::v1::Document& document : documents) {
    for (int i = 0; i < document.policy().mask_size(); ++i) {
      const std::string& name = document.policy().mask(i);
      if (IsDetector(name) || IsDetectorGroup(name) || profile_names.count(name) > 0) continue;
      std::vector<std::string> words = DetectorWords();
      words.insert(words.end(), profile_names.begin(), profile_names.end());
      return absl::InvalidArgumentError(
          absl::StrCat(WhereStands(document, absl::StrCat("mask[", i, "]"), texts), ": mask: \"",
                       name, "\" is no detector, group or MaskProfile", DidYouMean(name, words),
                       " (", absl::StrJoin(words, ", "), ")"));
    }
  }
  return absl::OkStatus();
}

bool IsDocumentName(std::string_view name) {
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::string_view kAll = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  return !name.empty() && name.size() <= 63 && kFirst.find(name[0]) != std::string_view::npos &&
         name.find_first_not_of(kAll) == std::string_view::npos;
}

std::string_view DocumentKindName(types::v1::DocumentKind kind) {
  switch (kind) {
    case types::v1::DOCUMENT_KIND_POLICY:
      return "Policy";
    case types::v1::DOCUMENT_KIND_MASK_PROFILE:
      return "MaskProfile";
    case types::v1::DOCUMENT_KIND_LOCK:
      return "Lock";
    case types::v1::DOCUMENT_KIND_SERVER:
      return "Server";
    default:
      return {};
  }
}

types::v1::DocumentKind DocumentKindFromName(std::string_view name) {
  if (name == "Policy" || name == "policy") return types::v1::DOCUMENT_KIND_POLICY;
  if (name == "MaskProfile" || name == "mask-profile") return types::v1::DOCUMENT_KIND_MASK_PROFILE;
  if (name == "Lock" || name == "lock") return types::v1::DOCUMENT_KIND_LOCK;
  if (name == "Server" || name == "server") return types::v1::DOCUMENT_KIND_SERVER;
  return types::v1::DOCUMENT_KIND_UNSPECIFIED;
}

}  // namespace sallyport
