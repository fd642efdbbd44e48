#include "common/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/fakes/temp_dir.h"

namespace sallyport {
namespace {

void Put(const std::string& path, std::string_view text, mode_t mode) {
  std::ofstream(path) << text;
  REQUIRE(chmod(path.c_str(), mode) == 0);
}

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

TEST_CASE("a file is replaced whole, with the exact mode, and nothing is left beside it",
          "[common][file]") {
  const TempDir dir;
  const std::string path = dir.path() + "/key";
  const mode_t before = umask(0);
  REQUIRE(WriteFileAtomically(path, "one").ok());
  umask(before);
  CHECK(ModeOf(path) == 0600);
  REQUIRE(WriteFileAtomically(path, "two", 0644).ok());
  CHECK(ModeOf(path) == 0644);
  CHECK(*ReadFile(path) == "two");
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()),
                      std::filesystem::directory_iterator()) == 1);
}

TEST_CASE("a write that cannot be done says where and leaves the old file", "[common][file]") {
  const TempDir dir;
  const absl::Status status = WriteFileAtomically(dir.path() + "/none/key", "x");
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(std::string(status.message()).find(dir.path() + "/none/key") != std::string::npos);
  std::filesystem::create_directory(dir.path() + "/taken");
  CHECK_FALSE(WriteFileAtomically(dir.path() + "/taken", "x").ok());
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()),
                      std::filesystem::directory_iterator()) == 1);
}

TEST_CASE("a secret is read only from a file that nobody else can use", "[common][file]") {
  const TempDir dir;
  const std::string path = dir.path() + "/secret";
  Put(path, "hunter2\n", 0600);
  CHECK(*ReadSecretFile(path) == "hunter2\n");
  CHECK(*ReadSecretLine(path) == "hunter2");
  Put(path, "hunter2\n", 0400);
  CHECK(ReadSecretFile(path).ok());
  for (mode_t mode : {0640, 0604, 0620, 0602, 0610, 0601, 0644}) {
    Put(path, "hunter2\n", mode);
    const absl::Status status = ReadSecretFile(path).status();
    CAPTURE(mode, status.message());
    CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
    const std::string text(status.message());
    CHECK(text.find("chmod 600 " + path) != std::string::npos);
    CHECK(text.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("a secret is not read through a link, from a pipe or from a directory",
          "[common][file]") {
  const TempDir dir;
  Put(dir.path() + "/secret", "x", 0600);
  REQUIRE(symlink((dir.path() + "/secret").c_str(), (dir.path() + "/link").c_str()) == 0);
  REQUIRE(mkfifo((dir.path() + "/pipe").c_str(), 0600) == 0);
  for (const char* name : {"/link", "/pipe", ""}) {
    CHECK(ReadSecretFile(dir.path() + name).status().code() ==
          absl::StatusCode::kFailedPrecondition);
  }
  CHECK(ReadSecretFile(dir.path() + "/none").status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("a file that is too large is not read", "[common][file]") {
  const TempDir dir;
  Put(dir.path() + "/big", std::string(101, 'x'), 0600);
  CHECK(ReadFile(dir.path() + "/big", 100).status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(ReadFile(dir.path() + "/big", 101)->size() == 101);
}

TEST_CASE("a private directory is made for us alone, and one that others can write to is refused",
          "[common][file]") {
  const TempDir dir;
  const std::string path = dir.path() + "/a/b";
  REQUIRE(EnsurePrivateDirectory(path).ok());
  CHECK(ModeOf(path) == 0700);
  CHECK(EnsurePrivateDirectory(path).ok());
  REQUIRE(chmod(path.c_str(), 0755) == 0);
  CHECK(EnsurePrivateDirectory(path).ok());
  REQUIRE(chmod(path.c_str(), 0770) == 0);
  CHECK(EnsurePrivateDirectory(path).code() == absl::StatusCode::kFailedPrecondition);
  Put(dir.path() + "/file", "", 0600);
  CHECK_FALSE(EnsurePrivateDirectory(dir.path() + "/file").ok());
}

}  // namespace
}  // namespace sallyport
