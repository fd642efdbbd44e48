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
#include "common/utf8.h"
#include "controlplane/cli/output.h"
#include "controlplane/model/request_limits.h"

namespace sallyport::controlplane {
namespace {

// One request's, and room for what else it says.
constexpr std::size_t kMaxBytesOfFiles = kMaxPeopleMessageBytes - (64u << 10);

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
  // It could not be sent, so that its place is told here.
  if (!IsUtf8(file.text())) return SplitDocuments(file.text(), file.name()).status();
  if (IsPolicyTest(file.text(), file.name())) {
    std::cerr << Printable(file.name()) << ": a PolicyTest, not applied (`sallyport policy test "
              << Printable(path) << "` runs it)\n";
  } else {
    *files.Add() = std::move(file);
  }
  return absl::OkStatus();
}

bool IsFolder(const std::string& path) {
  struct stat status {};
  return path != "-" && stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// The .yaml and .yml files of a folder in the order of their names.
absl::StatusOr<std::vector<std::string>> FilesIn(const std::string& folder) {
  std::unique_ptr<DIR, int (*)(DIR*)> open(opendir(folder.c_str()), closedir);
  if (open == nullptr) return absl::PermissionDeniedError(absl::StrCat("cannot read ", folder));
  const std::string_view separator = folder.ends_with('/') ? "" : "/";
  std::vector<std::string> files;
  while (const dirent* entry = readdir(open.get())) {
    if (absl::EndsWith(entry->d_name, ".yaml") || absl::EndsWith(entry->d_name, ".yml")) {
      files.push_back(absl::StrCat(folder, ToAbsl(separator), entry->d_name));
    }
  }
  if (files.empty()) return absl::NotFoundError(absl::StrCat("no .yaml file in ", folder));
  std::sort(files.begin(), files.end());
  return files;
}

absl::Status CheckSize(const SourceFiles& files) {
  std::size_t bytes = 0;
  for (const admin::v1::SourceFile& file : files) bytes += file.ByteSizeLong();
  if (bytes < kMaxBytesOfFiles) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(files.size(), " files of ", bytes >> 20,
                   " MiB are more than one request takes "
                   "(8 MiB): name them a few at a time, each with -f"));
}

absl::Status AddPath(const std::string& path, SourceFiles& files) {
  if (!IsFolder(path)) return AddFile(path, files);
  ASSIGN_OR_RETURN(const std::vector<std::string> in_folder, FilesIn(path));
  for (const std::string& file : in_folder) RETURN_IF_ERROR(AddFile(file, files));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SourceFiles> ReadSourceFiles(const std::vector<std::string>& paths) {
  SourceFiles files;
  for (const std::string& path : paths) RETURN_IF_ERROR(AddPath(path, files));
  if (files.empty()) return absl::NotFoundError("there is nothing to apply");
  RETURN_IF_ERROR(CheckSize(files));
  return files;
}

absl::StatusOr<std::vector<std::string>> PolicyTestFiles(const std::vector<std::string>& paths) {
  std::vector<std::string> tests;
  for (const std::string& path : paths) {
    if (!IsFolder(path)) {
      tests.push_back(path);
      continue;
    }
    ASSIGN_OR_RETURN(const std::vector<std::string> in_folder, FilesIn(path));
    const std::size_t before = tests.size();
    for (const std::string& file : in_folder) {
      ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
      RETURN_IF_ERROR(SplitDocuments(text, file).status());
      if (IsPolicyTest(text, file)) tests.push_back(file);
    }
    if (tests.size() == before)
      return absl::NotFoundError(absl::StrCat("no file in ", path, " is a PolicyTest"));
  }
  return tests;
}

}  // namespace sallyport::controlplane
