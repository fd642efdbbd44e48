#include "controlplane/cli/word_or_file.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

using Catch::Matchers::Contains;

struct AFile {
  TempDir dir;
  const std::string path = dir / "word";
  explicit AFile(const std::string& text) { std::ofstream(path) << text; }
};

template <class Read>
std::string Refused(const Read& read) {
  return read.ok() ? "" : std::string(read.status().message());
}

TEST_CASE("a token is itself or in a file, and none is ever shown", "[cli]") {
  CHECK(*ReadToken("eyJhbGciOi.J9.x") == "eyJhbGciOi.J9.x");
  CHECK(*ReadToken("a.b.c") == "a.b.c");
  const AFile file("a.b.c\n");
  CHECK(*ReadToken(file.path) == "a.b.c");
  CHECK_THAT(Refused(ReadToken("/nowhere/token")),
             Contains("/nowhere/token: No such file") && Contains("it takes a JWT, a file"));
  CHECK(*ReadToken("eyJcut") == "eyJcut");
  CHECK(*ReadToken("Bearer eyJhbGciOi.J9.x") == "eyJhbGciOi.J9.x");
  CHECK(*ReadToken(" eyJhbGciOi.J9.x\n") == "eyJhbGciOi.J9.x");
  CHECK(*ReadToken("bearer  a.b.c ") == "a.b.c");
  const AFile header("Bearer a.b.c\n");
  CHECK(*ReadToken(header.path) == "a.b.c");
  CHECK_THAT(Refused(ReadToken("Bearer opaque")), !Contains("opaque"));
  for (const std::string word : {"token=eyJsecret", "\"eyJsecret\"", "Authorization: eyJsecret"}) {
    CHECK_THAT(Refused(ReadToken(word)), Contains("not shown") && !Contains("secret"));
    CHECK_THAT(Refused(ReadJsonObject("--claims", word)),
               !Contains("secret") && Contains("--claims: "));
  }
}

TEST_CASE("an object is itself or in a file, and what is none is told by flag and place", "[cli]") {
  CHECK(*ReadJsonObject("--claims", R"( {"sub": 1e400} )") == R"({"sub": 1e400})");
  const auto refused = [](const std::string& word) {
    return Refused(ReadJsonObject("--claims", word));
  };
  CHECK(refused(R"({"sub": bot})") ==
        "--claims: no JSON object: character 9 is not as JSON has it");
  CHECK_THAT(refused("[1]"), Contains("--claims: no JSON object"));
  CHECK_THAT(refused("/nowhere/claims"),
             Contains("--claims: cannot open /nowhere/claims: No such") &&
                 Contains("it takes a JSON object"));
  const AFile good("{\"sub\": \"x\"}\n");
  CHECK(*ReadJsonObject("--claims", good.path) == "{\"sub\": \"x\"}");
  const AFile bad("{");
  CHECK_THAT(refused(bad.path), Contains("--claims (" + bad.path + "): no JSON object: character"));
}

}  // namespace
}  // namespace sallyport::controlplane
