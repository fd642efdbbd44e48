#include "controlplane/cli/reference.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace sallyport::controlplane {
namespace {

using Catch::Matchers::Contains;

const ReferenceKey* KeyOf(const ReferencePage& page, const std::string& name) {
  const auto key = std::find_if(page.keys.begin(), page.keys.end(),
                                [&](const ReferenceKey& each) { return each.key == name; });
  return key == page.keys.end() ? nullptr : &*key;
}

TEST_CASE("every kind of document and both configuration files can be explained", "[cli]") {
  const Reference reference;
  const std::string root = GENERATE(as<std::string>(), "policy", "mask-profile", "lock",
                                    "policy-test", "controlplane", "agent");
  INFO(root);
  const auto page = reference.Find(root);
  REQUIRE(page.ok());
  CHECK_FALSE(page->keys.empty());
  const auto roots = reference.Roots();
  CHECK(std::any_of(roots.begin(), roots.end(),
                    [&](const ReferenceKey& key) { return key.key == root; }));
}

TEST_CASE("a document is kind, name and spec, and nothing that the control plane sets", "[cli]") {
  const auto page = Reference().Find("policy");
  REQUIRE(page->keys.size() == 3);
  CHECK(page->keys[0].type == "Policy");
  CHECK_THAT(page->keys[1].description, Contains("[a-z0-9]"));
  CHECK(page->keys[2].key == "spec");
  CHECK(page->keys[2].is_required);
}

TEST_CASE("a key is explained by the comment of its proto field", "[cli]") {
  const auto page = Reference().Find("policy.spec.session");
  REQUIRE(page.ok());
  CHECK(page->path == "policy.spec.session");
  REQUIRE(KeyOf(*page, "max_duration") != nullptr);
  CHECK(KeyOf(*page, "max_duration")->type == "duration");
  CHECK(KeyOf(*page, "max_duration")->description == "From activation. Unset: 1h. At most 24h.");
  CHECK_FALSE(KeyOf(*page, "max_duration")->is_required);
  CHECK_THAT(KeyOf(*page, "open")->type, Contains("connect | request"));
}

TEST_CASE("what each operator of a mask does is said", "[cli]") {
  const auto page = Reference().Find("mask-profile.spec");
  REQUIRE(page.ok());
  REQUIRE(KeyOf(*page, "operators") != nullptr);
  for (const char* part : {"`replace`", "`keep_last`", "`token`", "`drop`", "`block`", "0"})
    CHECK_THAT(KeyOf(*page, "operators")->description, Contains(part));
}

TEST_CASE("what is required is said apart, and types are named as files write them", "[cli]") {
  const Reference reference;
  const auto policy = reference.Find("policy.spec");
  CHECK(KeyOf(*policy, "servers")->is_required);
  CHECK(KeyOf(*policy, "servers")->type == "list of string");
  CHECK(KeyOf(*policy, "rules")->type == "list of object");
  const auto condition = reference.Find("policy.spec.rules.allow.when");
  CHECK(KeyOf(*condition, "equals")->type == "string, number, true, false or null");
  CHECK(KeyOf(*condition, "exists")->type == "true | false");
  CHECK(KeyOf(*reference.Find("lock.spec"), "expires")->type == "time");
  CHECK(KeyOf(*reference.Find("mask-profile.spec"), "operators")->type ==
        "map of object, or string");
  CHECK(KeyOf(*reference.Find("agent.recording"), "spool_max_bytes")->type == "size");
}

TEST_CASE("a value of few words lists them with what they mean", "[cli]") {
  const auto page = Reference().Find("policy.spec.session.open");
  REQUIRE(page->words.size() == 2);
  CHECK(page->words[1].word == "request");
  CHECK(page->words[1].description == "the caller asks for it before connecting");
}

TEST_CASE("every key of every object has words of its own or keys below it", "[cli]") {
  const Reference reference;
  std::vector<ReferenceKey> open = reference.Roots();
  std::vector<const google::protobuf::Descriptor*> seen;
  std::size_t keys = 0;
  while (!open.empty()) {
    const ReferenceKey key = open.back();
    open.pop_back();
    if (key.object == nullptr || std::count(seen.begin(), seen.end(), key.object) > 0) continue;
    seen.push_back(key.object);
    for (ReferenceKey& below : reference.KeysOf(*key.object)) {
      ++keys;
      CHECK_FALSE(below.type.empty());
      open.push_back(std::move(below));
    }
  }
  CHECK(keys > 100);
}

TEST_CASE("an unknown key is named, with those that were meant", "[cli]") {
  const Reference reference;
  const auto message = [&](std::string_view path) {
    const auto page = reference.Find(path);
    return std::string(page.status().message());
  };
  CHECK_THAT(message("polcy"), Contains("\"polcy\"") && Contains("did you mean policy"));
  CHECK_THAT(message("policy.spec.sesion"),
             Contains("\"sesion\" in policy.spec") && Contains("did you mean session"));
  CHECK_THAT(message("policy.spec.servers.x"), Contains("nothing stands below"));
  CHECK_THAT(message(""), Contains("policy, mask-profile"));
}

}  // namespace
}  // namespace sallyport::controlplane
