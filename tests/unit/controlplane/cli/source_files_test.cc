#include "controlplane/cli/source_files.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

namespace sallyport::controlplane {
namespace {

using Catch::Matchers::Contains;

class Folder {
 public:
  Folder()
      : path_(std::filesystem::temp_directory_path() /
              ("source_files." + std::to_string(getpid()))) {
    std::filesystem::create_directory(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_ / name;
  }
  std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

TEST_CASE("a file that is not UTF-8 is named with its line and column", "[cli]") {
  const Folder folder;
  folder.Write("a.yaml", "kind: Lock\nname: a\nspec: {}\n");
  const std::string bad = folder.Write("b.yaml", "kind: Lock\nname: b  # caf\xe9\nspec: {}\n");
  for (const std::string& path : {bad, folder.path()}) {
    const auto files = ReadSourceFiles({path});
    REQUIRE_FALSE(files.ok());
    CHECK(std::string(files.status().message()) ==
          bad + ":2:15: not UTF-8: save the file as UTF-8");
  }
  const std::string wide = folder.Write("c.yaml", std::string("\xff\xfek\0i\0", 6));
  CHECK_THAT(std::string(ReadSourceFiles({wide}).status().message()),
             Contains("c.yaml:1:1: not UTF-8"));
}

TEST_CASE("files beyond one request are told before they are sent", "[cli]") {
  const Folder folder;
  for (const char* name :
       {"a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml", "f.yaml", "g.yaml", "h.yaml", "i.yaml"}) {
    folder.Write(name, "kind: Lock\nname: a\nspec: {}\n#" + std::string(1 << 20, 'x') + "\n");
  }
  const auto files = ReadSourceFiles({folder.path()});
  CHECK(absl::IsResourceExhausted(files.status()));
  CHECK_THAT(std::string(files.status().message()),
             Contains("9 files") && Contains("8 MiB") && Contains("-f"));
}

}  // namespace
}  // namespace sallyport::controlplane
