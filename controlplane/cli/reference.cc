#include "controlplane/cli/reference.h"

#include <google/protobuf/descriptor.pb.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/json_printer.h"
#include "common/nearest_words.h"
#include "common/policy/documents.h"
#include "common/strings.h"
#include "controlplane/cli/reference_descriptors.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "sallyport/config/v1/agent_config.pb.h"
#include "sallyport/config/v1/controlplane_config.pb.h"
#include "sallyport/options/v1/sensitivity.pb.h"
#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/policy_test_document.pb.h"

namespace sallyport::controlplane {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

constexpr std::string_view kRequired = "Required.";

template <class Described>
std::string RawComment(const Described* described) {
  google::protobuf::SourceLocation location;
  if (described == nullptr || !described->GetSourceLocation(&location)) return {};
  return location.leading_comments + location.trailing_comments;
}

// Lines that belong together, joined; paragraphs stand on lines of their own.
std::string Paragraphs(const std::string& comment) {
  std::string text;
  bool is_new = true;
  for (const absl::string_view line : absl::StrSplit(comment, '\n')) {
    const absl::string_view words = absl::StripAsciiWhitespace(line);
    if (words.empty()) {
      is_new = true;
      continue;
    }
    absl::StrAppend(&text, text.empty() ? "" : is_new ? "\n" : " ", words);
    is_new = false;
  }
  return text;
}

const FieldDescriptor* BareField(const Descriptor& message) {
  const std::string& name = message.options().GetExtension(options::v1::bare);
  return name.empty() ? nullptr : message.FindFieldByName(name);
}

std::string WordsLine(const EnumDescriptor& type) {
  std::vector<std::string> words;
  for (int i = 0; i < type.value_count(); ++i) {
    std::string word = EnumWord(type, type.value(i)->number());
    if (!word.empty()) words.push_back(std::move(word));
  }
  return absl::StrJoin(words, " | ");
}

std::string TypeOf(const FieldDescriptor& field);

std::string MessageType(const Descriptor& message) {
  if (&message == google::protobuf::Duration::descriptor()) return "duration";
  if (&message == google::protobuf::Timestamp::descriptor()) return "time";
  if (message.full_name() == "sallyport.types.v1.Scalar") {
    return "string, number, true, false or null";
  }
  const FieldDescriptor* bare = BareField(message);
  if (bare == nullptr) return "object";
  return absl::StrCat(message.field_count() == 1 ? "" : "object, or ", TypeOf(*bare));
}

std::string SingleType(const FieldDescriptor& field) {
  if (field.options().GetExtension(options::v1::byte_size)) return "size";
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return MessageType(*field.message_type());
    case FieldDescriptor::CPPTYPE_ENUM:
      return WordsLine(*field.enum_type());
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true | false";
    case FieldDescriptor::CPPTYPE_STRING:
      return "string";
    default:
      return "number";
  }
}

std::string TypeOf(const FieldDescriptor& field) {
  if (field.is_map()) return absl::StrCat("map of ", SingleType(*field.message_type()->field(1)));
  return absl::StrCat(field.is_repeated() ? "list of " : "", SingleType(field));
}

// What the keys below a field are of. Null: there are none.
const Descriptor* ObjectOf(const FieldDescriptor& field) {
  const FieldDescriptor& value = field.is_map() ? *field.message_type()->field(1) : field;
  if (value.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return nullptr;
  const Descriptor* message = value.message_type();
  const std::string type = MessageType(*message);
  return type.starts_with("object") ? message : nullptr;
}

absl::Status Unknown(std::string_view where, std::string_view word,
                     const std::vector<std::string>& known) {
  return absl::NotFoundError(absl::StrCat(
      where.empty() ? "there is no " : "there is no key ", "\"", ToAbsl(word), "\"",
      where.empty() ? " to explain" : absl::StrCat(" in ", ToAbsl(where)), DidYouMean(word, known),
      known.empty() ? "; nothing stands below it"
                    : absl::StrCat("; there are: ", absl::StrJoin(known, ", "))));
}

}  // namespace

struct Reference::Root {
  std::string word;
  // Of documents: Policy, MaskProfile, ... Empty: the object is all of a file.
  std::string kind;
  const Descriptor* object;
};

const std::vector<Reference::Root>& Reference::AllRoots() {
  static const auto* const roots = [] {
    auto* all = new std::vector<Root>;
    const google::protobuf::OneofDescriptor& specs =
        *types::v1::Document::descriptor()->FindOneofByName("spec");
    for (int i = 0; i < specs.field_count(); ++i) {
      const FieldDescriptor& spec = *specs.field(i);
      std::string word = absl::StrReplaceAll(spec.name(), {{"_", "-"}});
      std::string kind(DocumentKindName(DocumentKindFromName(word)));
      all->push_back({std::move(word), std::move(kind), spec.message_type()});
    }
    all->push_back({"policy-test", "", types::v1::PolicyTestDocument::descriptor()});
    all->push_back({"controlplane", "", config::v1::ControlPlaneConfig::descriptor()});
    all->push_back({"agent", "", config::v1::AgentConfig::descriptor()});
    return all;
  }();
  return *roots;
}

Reference::Reference() : comments_(std::make_unique<DescriptorPool>()) {
  const auto bytes = ReferenceDescriptors();
  google::protobuf::FileDescriptorSet files;
  bool is_whole = files.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  for (const google::protobuf::FileDescriptorProto& file : files.file()) {
    is_whole = is_whole && comments_->BuildFile(file) != nullptr;
  }
  if (!is_whole) std::abort();  // the build embeds what protoc wrote
}

Reference::~Reference() = default;

std::string Reference::CommentOf(const Descriptor& object) const {
  return Paragraphs(RawComment(comments_->FindMessageTypeByName(object.full_name())));
}

std::string Reference::CommentOf(const FieldDescriptor& field) const {
  return Paragraphs(RawComment(comments_->FindFieldByName(field.full_name())));
}

std::vector<ReferenceWord> Reference::WordsOf(const EnumDescriptor& type) const {
  std::vector<ReferenceWord> words;
  for (int i = 0; i < type.value_count(); ++i) {
    const auto& value = *type.value(i);
    std::string word = EnumWord(type, value.number());
    if (word.empty()) continue;
    words.push_back({std::move(word),
                     Paragraphs(RawComment(comments_->FindEnumValueByName(value.full_name())))});
  }
  return words;
}

ReferenceKey Reference::Describe(const FieldDescriptor& field) const {
  ReferenceKey key{.key = field.name(), .type = TypeOf(field), .object = ObjectOf(field)};
  std::string comment = CommentOf(field);
  key.is_required = comment.starts_with(kRequired);
  if (key.is_required) comment.erase(0, kRequired.size());
  key.description = std::string(absl::StripLeadingAsciiWhitespace(comment));
  return key;
}

std::vector<ReferenceKey> Reference::KeysOf(const Descriptor& object) const {
  std::vector<ReferenceKey> keys;
  for (int i = 0; i < object.field_count(); ++i) keys.push_back(Describe(*object.field(i)));
  return keys;
}

std::vector<ReferenceKey> Reference::Roots() const {
  std::vector<ReferenceKey> roots;
  for (const Root& root : AllRoots()) {
    roots.push_back({.key = root.word,
                     .type = "object",
                     .description = CommentOf(*root.object),
                     .object = root.object});
  }
  return roots;
}

ReferencePage Reference::RootPage(const Root& root) const {
  ReferencePage page{.path = root.word,
                     .itself = {.key = root.word,
                                .type = "object",
                                .description = CommentOf(*root.object),
                                .object = root.object}};
  if (root.kind.empty()) {
    page.keys = KeysOf(*root.object);
    return page;
  }
  ReferenceKey name = Describe(
      *types::v1::Document::descriptor()->FindFieldByNumber(types::v1::Document::kNameFieldNumber));
  page.keys = {{.key = "kind", .type = root.kind, .is_required = true},
               std::move(name),
               {.key = "spec", .type = "object", .is_required = true, .object = root.object}};
  return page;
}

absl::StatusOr<ReferencePage> Reference::Find(std::string_view path) const {
  std::vector<std::string> words = absl::StrSplit(ToAbsl(path), '.');
  const Root* root = nullptr;
  std::vector<std::string> known;
  for (const Root& each : AllRoots()) {
    known.push_back(each.word);
    if (each.word == words[0]) root = &each;
  }
  if (root == nullptr) return Unknown("", words[0], known);
  ReferencePage page = RootPage(*root);
  for (std::size_t i = 1; i < words.size(); ++i) {
    const ReferenceKey* next = nullptr;
    known.clear();
    for (const ReferenceKey& key : page.keys) {
      known.push_back(key.key);
      if (key.key == words[i]) next = &key;
    }
    if (next == nullptr) return Unknown(page.path, words[i], known);
    ReferencePage below{.path = absl::StrCat(page.path, ".", words[i]), .itself = *next};
    const Descriptor* parent = page.itself.object;
    const FieldDescriptor* field = parent == nullptr ? nullptr : parent->FindFieldByName(words[i]);
    if (next->object != nullptr) {
      below.keys = KeysOf(*next->object);
      const std::string about = CommentOf(*next->object);
      absl::StrAppend(&below.itself.description,
                      below.itself.description.empty() || about.empty() ? "" : "\n", about);
    } else if (field != nullptr && field->enum_type() != nullptr) {
      below.words = WordsOf(*field->enum_type());
    }
    page = std::move(below);
  }
  return page;
}

}  // namespace sallyport::controlplane
