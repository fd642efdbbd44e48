#pragma once

#include <google/protobuf/descriptor.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

// The manual of the documents and of both configuration files: what their proto files say, key by
// key.
namespace sallyport::controlplane {

struct ReferenceWord {
  std::string word;
  std::string description;
};

struct ReferenceKey {
  std::string key;
  // As a file writes the value: `string`, `list of duration`, `allow | deny`, `object`.
  std::string type;
  // Paragraphs, each one line.
  std::string description;
  bool is_required = false;
  // Of an object and of lists and maps of them.
  const google::protobuf::Descriptor* object = nullptr;
};

// One path: what it is, and what may stand in it.
struct ReferencePage {
  std::string path;
  ReferenceKey itself;
  std::vector<ReferenceKey> keys;
  // Of a value that is one of a few words.
  std::vector<ReferenceWord> words;
};

class Reference {
 public:
  Reference();
  ~Reference();
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;

  // Where paths begin: the kinds of documents, policy-test, controlplane.yaml, agent.yaml.
  std::vector<ReferenceKey> Roots() const;

  // `policy.spec.session.approval`. kNotFound names the word that is none, and what was meant.
  absl::StatusOr<ReferencePage> Find(std::string_view path) const;

  // What may stand in an object, in the order of its proto file.
  std::vector<ReferenceKey> KeysOf(const google::protobuf::Descriptor& object) const;

 private:
  struct Root;
  static const std::vector<Root>& AllRoots();
  ReferencePage RootPage(const Root& root) const;
  ReferenceKey Describe(const google::protobuf::FieldDescriptor& field) const;
  std::string CommentOf(const google::protobuf::Descriptor& object) const;
  std::string CommentOf(const google::protobuf::FieldDescriptor& field) const;
  std::vector<ReferenceWord> WordsOf(const google::protobuf::EnumDescriptor& type) const;

  // Of the same files as the program's own descriptors, with their comments.
  std::unique_ptr<google::protobuf::DescriptorPool> comments_;
};

}  // namespace sallyport::controlplane
