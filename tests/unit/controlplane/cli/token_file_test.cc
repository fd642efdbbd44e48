#include "controlplane/cli/token_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/time/clock.h"

namespace sallyport::controlplane {
namespace {

class Home {
 public:
  Home() {
    char name[] = "/tmp/sallyport-cli-XXXXXX";
    path_ = mkdtemp(name);
    setenv("XDG_CONFIG_HOME", path_.c_str(), 1);
    unsetenv("SALLYPORT_TOKEN");
  }
  ~Home() {
    std::filesystem::remove_all(path_);
    unsetenv("XDG_CONFIG_HOME");
  }
  std::string file() const { return path_ + "/sallyport/tokens.json"; }

 private:
  std::string path_;
};

TEST_CASE("a kept token is found again, by its address alone, in a file of mode 0600",
          "[cli][token]") {
  Home home;
  REQUIRE(KeepToken("a:1", "token-a", absl::Now() + absl::Hours(1)).ok());
  REQUIRE(KeepToken("b:1", "token-b", absl::Now() + absl::Hours(1)).ok());
  CHECK(BearerToken("a:1").value() == "token-a");
  CHECK(BearerToken("b:1").value() == "token-b");
  struct stat status {};
  REQUIRE(stat(home.file().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("no token and an expired one say what to do", "[cli][token]") {
  Home home;
  auto none = BearerToken("a:1");
  CHECK(absl::IsUnauthenticated(none.status()));
  CHECK(std::string(none.status().message()).find("sallyport login") != std::string::npos);
  REQUIRE(KeepToken("a:1", "old", absl::Now() - absl::Seconds(1)).ok());
  CHECK(absl::IsUnauthenticated(BearerToken("a:1").status()));
}

TEST_CASE("a token file that others can read is refused", "[cli][token]") {
  Home home;
  REQUIRE(KeepToken("a:1", "token-a", absl::Now() + absl::Hours(1)).ok());
  REQUIRE(chmod(home.file().c_str(), 0644) == 0);
  CHECK(absl::IsFailedPrecondition(BearerToken("a:1").status()));
}

TEST_CASE("SALLYPORT_TOKEN comes before the file", "[cli][token]") {
  Home home;
  setenv("SALLYPORT_TOKEN", "from-environment", 1);
  CHECK(BearerToken("a:1").value() == "from-environment");
  unsetenv("SALLYPORT_TOKEN");
}

}  // namespace
}  // namespace sallyport::controlplane
