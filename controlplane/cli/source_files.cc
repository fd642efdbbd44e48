#include "controlplane/cli/source_files.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config_file.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/cli/output.h"

namespace sallyport::controlplane {
namespace {

using SourceFiles = google::protobuf::RepeatedPtrField<admin::v1::SourceFile>;

// Tests of policies may lie beside them: they are for `policy test`. What cannot be read is no
// test; the control plane says what is wrong with it.
bool IsPolicyTest(const std::string& text, const std::string& name) {
  const auto documents = SplitDocuments(text, name);
  return documents.ok() && !documents->empty() &&
         std::ranges::all_of(*documents, [](const YamlDocument& document) {
           return document.kind == "PolicyTest";
         });
}

absl::Status AddFile(const std::string& path, SourceFiles& files) {
  admin::v1::SourceFile file;
  file.set_name(path == "-" ? "standard input" : path);
  if (path == "-") {
    file.set_text(std::string(std::istreambuf_iterator<char>(std::cin), {}));
  } else {
    ASSIGN_OR_RETURN(*file.mutable_text(), ReadFile(path));
  }
  if (IsPolicyTest(file.text(), file.name())) {
    std::cerr << Printable(file.name()) << ": a PolicyTest, not applied (`sallyport policy test "
              << Printable(path) << "` runs it)\n";
  } else {
    *files.Add() = std::move(file);
  }
  return absl::OkStatus();
}

// A file, standard input, or the .yaml and .yml files of a folder in the order of their names.
absl::Status AddPath(const std::string& path, SourceFiles& files) {
  struct stat status {};
  if (path == "-" || stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return AddFile(path, files);
  }
  std::vector<std::string> names;
  std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()), closedir);
  if (folder == nullptr) return absl::PermissionDeniedError(absl::StrCat("cannot read ", path));
  while (const dirent* entry = readdir(folder.get())) {
    if (absl::EndsWith(entry->d_name, ".yaml") || absl::EndsWith(entry->d_name, ".yml")) {
      names.emplace_back(entry->d_name);
    }
  }
  if (names.empty()) return absl::NotFoundError(absl::StrCat("no .yaml file in ", path));
  std::sort(names.begin(), names.end());
  const std::string_view separator = path.ends_with('/') ? "" : "/";
  for (const std::string& name : names)
    RETURN_IF_ERROR(AddFile(absl::StrCat(path, ToAbsl(separator), name), files));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SourceFiles> ReadSourceFiles(const std::vector<std::string>& paths) {
  SourceFiles files;
  for (const std::string& path : paths) RETURN_IF_ERROR(AddPath(path, files));
  if (files.empty()) return absl::NotFoundError("there is nothing to apply");
  return files;
}

}  // namespace sallyport::controlplane
